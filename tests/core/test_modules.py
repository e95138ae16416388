"""What is executed was named, or comes with the package; what is merely beside it is left alone."""

import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import mfgpde
from mfgpde.app import bundled
from mfgpde.app.cli import app
from mfgpde.core.modules import checkout, load_module, shipped
from mfgpde.scores import load_score
from mfgpde.verify import discover, isolated, record

PACKAGE = Path(mfgpde.__file__).parent
TRAP = "from pathlib import Path\nPath({mark!r}).write_text('ran')\n"


@pytest.fixture
def trap(tmp_path):
    def lay(folder, name):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(TRAP.format(mark=str(tmp_path / "ran")))

    return lay


def test_the_checkout_is_told_from_a_place_of_installation(tmp_path):
    assert checkout(PACKAGE) == PACKAGE.parent
    package = tmp_path / "site-packages" / "mfgpde"
    package.mkdir(parents=True)
    assert checkout(package) is None
    for foreign in ("", "no toml [", '[project]\nname = "another"', 'project = "mfgpde"'):
        (package.parent / "pyproject.toml").write_text(foreign)
        assert checkout(package) is None
        assert shipped(package, "validation") == package / "shipped" / "validation"


def test_folders_here_or_in_site_packages_are_not_executed_unasked(tmp_path, trap, monkeypatch):
    """Neither by commands that take everything, nor by those that only list."""
    for kind in ("validation", "figures", "benchmarks"):
        trap(tmp_path / kind, "mine.py")
    monkeypatch.chdir(tmp_path)
    described = isolated.described  # of the claims that come with mfgpde nothing is asked: there are many
    monkeypatch.setattr(
        isolated, "described", lambda task: described(task) if task.entry.path.is_relative_to(tmp_path) else None
    )
    for words in (["validate", "--list"], ["validate", "mine"], ["figures", "--list"], ["bench", "mine"]):
        CliRunner().invoke(app, words)
    assert not (tmp_path / "ran").exists()
    package = tmp_path / "mfgpde"
    package.mkdir()
    for kind in ("figures", "benchmarks"):
        monkeypatch.setattr(bundled, "PACKAGE", package)
        with pytest.raises(ValueError, match=f"no {kind} come with"):
            bundled.scripts(kind)
    with pytest.raises(ValueError, match="name a folder of claims"):
        discover.suite_root(package)
    (claim,) = discover.select(["validation"], discover.suite_root(PACKAGE))
    assert claim.path == Path("validation/mine.py")


def test_a_folder_of_ones_own_is_taken_when_it_is_named_as_one(tmp_path, trap, monkeypatch):
    trap(tmp_path / "solvers", "mine.py")
    monkeypatch.chdir(tmp_path)
    suite = discover.suite_root(PACKAGE)
    assert [e.id for e in discover.select(["solvers/"], suite)] == ["mine"]
    assert [e.id for e in discover.select(["./solvers"], suite)] == ["mine"]
    assert all(e.id.startswith("solvers/") for e in discover.select(["solvers"], suite))


def test_a_file_named_as_a_library_does_not_become_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"no file numpy\.py.*numpy:name"):
        load_score("numpy.py:s", 1)
    Path("numpy.py").write_text("def s(x, t): return -x")
    assert load_score("numpy.py:s", 1)(np.ones((2, 1)), 0.5) == pytest.approx(-1.0)
    assert sys.modules["numpy"] is np
    Path("broken.py").write_text("1 / 0")
    with pytest.raises(ValueError, match=r"broken\.py cannot be run: ZeroDivisionError"):
        load_score("broken.py:s", 1)
    with pytest.raises(ZeroDivisionError):
        load_module(Path("broken.py"))


def test_the_commit_is_the_packages_own(tmp_path):
    assert record.provenance(PACKAGE)["commit"] != "unknown"
    package = tmp_path / "mfgpde"
    package.mkdir()
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "mfgpde"')
    assert record.provenance(package)["commit"] == "unknown"
