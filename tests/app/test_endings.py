"""An exit code other than 0 comes with one sentence on standard error that says what it means here; 0 with none."""

import pytest
from typer.testing import CliRunner

from mfgpde.app.cli import app
from mfgpde.app.complaints import ended

CLAIM = '''"""A toy."""
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.verify import equal, states
@states("x = 0", "mfgpde", wrong={{"x = 9": {{"off": 9.0}}}})
def claim(level, off={off}):
    return equal("x", Estimate(off, {bar}, Kind.BOUND, "toy"), 0.0, resolution=0.1)
'''
KINDS = {  # value, bar, exit code, what is said
    "good": (0.0, 0.01, 0, ""),
    "false": (3.0, 0.01, 1, "exit code 1: of 1 claim 1 refuted (false)"),
    "open": (0.05, 0.09, 2, "exit code 2: of 1 claim 1 undecided (open)"),
}


def said(result):
    return [line for line in result.stderr.splitlines() if line.startswith("exit code")]


@pytest.fixture
def claims(tmp_path):
    for name, (off, bar, _, _) in KINDS.items():
        (tmp_path / "suite").mkdir(exist_ok=True)
        (tmp_path / f"suite/{name}.py").write_text(CLAIM.format(off=off, bar=bar))
    return tmp_path


@pytest.mark.parametrize("name", KINDS)
def test_validate_and_verdict_say_what_their_code_means(claims, name):
    _, _, code, words = KINDS[name]
    out = claims / "out"
    result = CliRunner().invoke(app, ["validate", str(claims / f"suite/{name}.py"), "--out", str(out)])
    assert (result.exit_code, said(result)) == (code, [words] if words else [])
    result = CliRunner().invoke(app, ["verdict", name, "--run", str(out / "quick/run.json")])
    assert (result.exit_code, said(result)) == (code, [words] if words else [])


def test_a_run_names_all_that_went_wrong(claims):
    result = CliRunner().invoke(app, ["validate", str(claims / "suite"), "--out", str(claims / "out")])
    assert result.exit_code == 1
    assert said(result) == ["exit code 1: of 3 claims 1 refuted (false), 1 undecided (open)"]


def test_what_moved_and_what_is_stale_is_said(claims):
    path = claims / "suite/good.py"
    stored = claims / "stored/quick/run.json"
    asked = ["validate", str(path), "--out"]
    assert CliRunner().invoke(app, [*asked, str(claims / "stored")]).exit_code == 0
    path.write_text(CLAIM.format(off=0.05, bar=0.01))
    result = CliRunner().invoke(app, [*asked, str(claims / "new"), "--against", str(stored)])
    assert (result.exit_code, len(said(result))) == (3, 1)
    assert "all hold, and" in said(result)[0]
    result = CliRunner().invoke(app, ["verdict", "good", "--run", str(stored)])
    assert (result.exit_code, said(result)) == (4, ["exit code 4: the run is stale for good"])


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_the_end_has_its_code_and_its_sentence(code, capsys):
    assert ended(code, "so").exit_code == code
    assert capsys.readouterr().err == (f"exit code {code}: so\n" if code else "")
