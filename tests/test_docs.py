"""Every public name is on the interface page, whichever room has it and however heavy its library."""

import importlib.util
import inspect
from pathlib import Path

import pytest

import mfgpde as mfg

CONF = Path(mfg.__file__).parents[1] / "docs" / "conf.py"


@pytest.fixture(scope="module")
def conf():
    """Return the documentation's configuration as a module."""
    spec = importlib.util.spec_from_file_location("conf", CONF)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_interface_page_holds_every_public_name(conf):
    page = conf.interface()
    names = [name for name in mfg.__all__ if not inspect.ismodule(getattr(mfg, name))]
    assert len(names) > 50
    for name in names:
        assert f":: mfgpde.{name}\n" in page, name
    for room in (
        "densities.four_blobs",
        "processes.double_well",
        "games.Capacity",
        "integrators.TRBDF2",
        "scores.Bump",
    ):
        assert f":: mfgpde.{room}\n" in page, room


def test_a_file_may_list_names_of_its_own(conf, tmp_path, monkeypatch):
    (tmp_path / "rooms").mkdir()
    (tmp_path / "rooms" / "__init__.py").write_text("")
    (tmp_path / "rooms" / "far.py").write_text("__all__ = ['chebyshev']\n\n\ndef chebyshev(p, q): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert conf.stated("rooms") == ["chebyshev"]
