"""A verdict is cited as long as every file that the claim executed is what it was, however it was loaded."""

import pytest
from typer.testing import CliRunner

from mfgpde.app.cli import app
from mfgpde.verify import record

CLAIM = '''"""A toy."""
import importlib, importlib.util, runpy, sys
from pathlib import Path
from mfgpde.core.estimate import Estimate, Kind, exact
from mfgpde.verify import Claim, Evidence, equal, load_module
HERE = Path(__file__).parent
{load}
claim = Claim(statement="x = 0", source="mfgpde", standing="experiment")
@claim.measure
def measure(level, off=None):
    left = Estimate(found() if off is None else off, 0.01, Kind.EXTRAPOLATED, "toy")
    return Evidence([equal("x", left, exact(0.0, "zero"), resolution=0.1)])
@claim.control("x = 1")
def control(level):
    return measure(level, off=1.0)
'''
ON_PATH = "sys.path.insert(0, str(HERE.parent / 'lib'))\n"
SPEC = """spec = importlib.util.spec_from_file_location("unregistered", HERE / "helper.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
found = module.found
"""
WAYS = {
    "load_module": ("suite/helper.py", "found = load_module(HERE / 'helper.py').found"),
    "a companion": ("suite/_helper.py", "found = load_module(HERE / '_helper.py').found"),
    "a sibling on the path": ("suite/helper.py", "sys.path.insert(0, str(HERE))\nfrom helper import found"),
    "a number of a package": ("lib/own/__init__.py", ON_PATH + "from own import VALUE\nfound = lambda: VALUE"),
    "a module of a module": ("lib/own/deep.py", ON_PATH + "import own.upper\nfound = own.upper.found"),
    "importlib, not registered": ("suite/helper.py", SPEC),
    "runpy": ("elsewhere/helper.py", "found = runpy.run_path(str(HERE.parent / 'elsewhere/helper.py'))['found']"),
    "exec of text": ("suite/helper.py", "exec((HERE / 'helper.py').read_text())"),
    "late": ("suite/helper.py", "def found():\n    return load_module(HERE / 'helper.py').found()"),
}


@pytest.fixture(params=WAYS)
def judged(request, tmp_path):
    """A run of a claim, and the file that it loads one way or another."""
    name, load = WAYS[request.param]
    helper = tmp_path / name
    for folder in (tmp_path / "suite", helper.parent):
        folder.mkdir(parents=True, exist_ok=True)
    if name.startswith("lib/own"):
        (tmp_path / "lib/own/__init__.py").touch()
    if name.endswith("deep.py"):
        (tmp_path / "lib/own/upper.py").write_text("from own.deep import found\n")
    (tmp_path / "suite/claim.py").write_text(CLAIM.format(load=load))
    helper.write_text("VALUE = 0.0\ndef found():\n    return VALUE\n")
    result = CliRunner().invoke(app, ["validate", str(tmp_path / "suite/claim.py"), "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    return tmp_path / "out/quick/run.json", helper


def verdict(run):
    return CliRunner().invoke(app, ["verdict", "claim", "--run", str(run)])


def test_a_verdict_is_stale_once_what_the_claim_loaded_has_changed(judged):
    run, helper = judged
    assert verdict(run).exit_code == 0
    before = helper.read_bytes()
    helper.write_text("VALUE = 5.25\ndef found():\n    return VALUE\n")
    found = verdict(run)
    assert found.exit_code == 4, found.output
    assert "stale" in found.output
    helper.unlink()
    assert verdict(run).exit_code == 4
    helper.write_bytes(before)
    assert verdict(run).exit_code == 0


def test_what_was_loaded_is_the_same_in_every_process_and_no_more_than_it(judged, tmp_path):
    run, _ = judged
    (claim,) = record.read(run)["claims"]
    other = CliRunner().invoke(
        app, ["validate", str(tmp_path / "suite/claim.py"), "--out", str(tmp_path / "again"), "--twice"]
    )
    assert other.exit_code == 0, other.output
    (again,) = record.read(tmp_path / "again/quick/run.json")["claims"]
    assert claim.get("loaded") == again.get("loaded")
    beside = {path for path in tmp_path.rglob("*.py") if path.name not in ("claim.py", "_helper.py")}
    assert {(tmp_path / "suite" / name).resolve() for name in claim.get("loaded", {})} == beside


def test_results_of_what_has_changed_since_are_not_resumed(judged, tmp_path):
    run, helper = judged
    record.write(run, record.sealed({**record.read(run), "state": "running"}))
    again = ["validate", str(tmp_path / "suite/claim.py"), "--out", str(tmp_path / "out")]
    helper.write_text("VALUE = 5.25\ndef found():\n    return VALUE\n")
    assert CliRunner().invoke(app, again).exit_code == 1
