"""Every public name is on the interface page, whichever room has it and however heavy its library."""

import importlib.util
import inspect
import re
from pathlib import Path

import pytest

import mfgpde as mfg
from mfgpde.verify import discover, record

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
        "scores.Adapter",
        "scores.NumpyFunction",
        "samplers.Levels",
    ):
        assert f":: mfgpde.{room}\n" in page, room


def test_a_file_may_list_names_of_its_own(conf, tmp_path, monkeypatch):
    (tmp_path / "rooms").mkdir()
    (tmp_path / "rooms" / "__init__.py").write_text("")
    (tmp_path / "rooms" / "far.py").write_text("__all__ = ['chebyshev']\n\n\ndef chebyshev(p, q): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert conf.stated("rooms") == ["chebyshev"]


def test_the_coverage_page_names_every_claim_of_the_five_papers_and_no_other():
    root = CONF.parents[1]
    page = (root / "docs" / "coverage.md").read_text(encoding="utf-8")
    papers = ("lai2023", "zhang2023", "zhang2024", "deveney2023", "shen2024", "liliuosher")
    entries = {entry.id for entry in discover.select([], discover.suite_root(Path(mfg.__file__).parent))}
    named = set(re.findall(r"`([a-z]+\d*/[a-z0-9-]+)`", page))
    assert named <= entries
    stored = {claim["id"] for claim in record.read(root / "validation" / "baseline.json")["claims"]}
    assert {one for one in stored if one.split("/")[0] in papers} <= named


def test_every_input_that_was_got_wrong_is_held_by_a_test_that_is_there():
    root = CONF.parents[1]
    page = (root / "docs" / "hard_inputs.md").read_text(encoding="utf-8")
    named = re.findall(r"`([a-z_/]+\.py)::(test_\w+)`", page)
    rows = [row for row in page.splitlines() if re.match(r"\| ?([A-Z]\d+)? ?\|", row) and "held by" not in row]
    assert len(rows) > 50
    for file, start in named:
        tests = re.findall(r"^def (test_\w+)", (root / "tests" / file).read_text(encoding="utf-8"), re.MULTILINE)
        assert any(test.startswith(start) for test in tests), f"{file} has no {start}…"
    without = [row for row in rows if not re.search(r"\.py::test_|the same \||– \|$", row)]
    assert not without


WIDER = ("inequalities", "guidance", "denoising", "flows", "bridges", "geometry", "open")


def test_what_is_true_names_claims_that_exist_and_hold(conf):
    root = CONF.parents[1]
    page = (root / "docs" / "what_is_true.md").read_text(encoding="utf-8")
    entries = {entry.id for entry in discover.select([], root / "validation")}
    named = set(re.findall(r"`([a-z]+\d*/[a-z0-9-]+)`", page))
    assert named <= entries
    stored = {claim["id"]: claim["outcome"] for claim in record.read(root / "validation" / "baseline.json")["claims"]}
    assert {e for e in stored if e.split("/")[0] in WIDER} <= named
    assert {stored.get(name, "holds") for name in named} == {"holds"}


def test_the_page_of_verdicts_has_a_row_for_every_claim(conf):
    root = CONF.parents[1]
    page = conf.verdicts()
    stored = {claim["id"]: claim for claim in record.read(root / "validation" / "baseline.json")["claims"]}
    rows = dict(re.findall(r"^\| `([^`]+)` \| .*? \| (holds|not in the stored run|\w+) \|", page, re.MULTILINE))
    assert rows.keys() == {entry.id for entry in discover.select([], root / "validation")}
    assert all(verdict == stored[name]["outcome"] for name, verdict in rows.items() if name in stored)


def test_what_is_true_is_reproduced_by_its_lines(capsys):
    text = (CONF.parent / "what_is_true.md").read_text(encoding="utf-8")
    blocks, names = re.findall(r"```python\n(.*?)```", text, re.DOTALL), {}
    assert len(blocks) == 3
    for block in blocks:
        exec(block, names)
        assert capsys.readouterr().out.strip() == block.strip().splitlines()[-1].removeprefix("# ")
