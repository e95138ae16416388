"""Claims as pytest's items, in a pytest of their own."""

import os
import subprocess
import sys
import xml.etree.ElementTree as xml

import pytest

CLAIM = '''"""A toy."""
from mfgpde.core.estimate import exact
from mfgpde.verify import Claim, Evidence, equal
claim = Claim(statement="x = 0", source="mfgpde", standing="theorem")
{cases}
@claim.measure
def measure(level, off={off}, **case):
    print("said by the claim")
    return Evidence([equal("x", exact(off, "toy"), exact(0.0, "zero"), resolution=0.1)])
@claim.control("x = 1")
def control(level, **case):
    return measure(level, off=1.0)
'''


@pytest.fixture
def folder(tmp_path):
    claims = tmp_path / "my_claims"
    claims.mkdir()
    (claims / "true.py").write_text(CLAIM.format(off=0.0, cases=""))
    (claims / "false.py").write_text(CLAIM.format(off=3.0, cases=""))
    (claims / "many.py").write_text(CLAIM.format(off=0.0, cases="@claim.cases(n=(1, 2, 3))"))
    (claims / "leaves.py").write_text("import sys; sys.exit(0)\n" + CLAIM.format(off=0.0, cases=""))
    (claims / "needs.py").write_text(
        "import mfgpde.core.optional as o\nraise o.MissingLibrary('this needs more')\n" + CLAIM
    )
    (claims / "plain.py").write_text("x = 1\n")
    return tmp_path


def run(folder, *words):
    known = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    # neither the options of who runs these tests, nor plugins that are not needed
    known |= {"PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    spread = ["-p", "xdist"] if "-n" in words else []
    words = [sys.executable, "-m", "pytest", "-p", "mfgpde.app.pytest_plugin", *spread, "-q", "-rA", *words]
    return subprocess.run(words, cwd=folder, env=known, capture_output=True, text=True, timeout=120)


def test_each_claim_is_an_item(folder):
    done = run(folder, "my_claims", "--mfgpde-level", "quick", "--junit-xml", "found.xml")
    assert done.returncode == 1
    assert "2 failed, 4 passed, 1 skipped" in done.stdout, done.stdout
    assert "false: refuted: off by 3" in done.stdout
    assert "SystemExit: 0" in done.stdout
    assert "said by the claim" in done.stdout
    cases = list(xml.parse(folder / "found.xml").iter("testcase"))
    assert {"true", "false", "leaves", "needs", *(f"many[n={n}]" for n in (1, 2, 3))} == {
        one.get("name") for one in cases
    }
    assert {"mfgpde_outcome": "holds"}.items() <= {
        one.get("name"): one.get("value") for one in cases[-1].iter("property")
    }.items()
    again = run(folder, "my_claims", "--mfgpde-level", "quick", "--lf")
    assert "2 failed" in again.stdout
    assert "passed" not in again.stdout.splitlines()[-1]


@pytest.mark.slow
def test_some_claims_are_chosen_by_name_and_spread_over_workers(folder):
    done = run(folder, "my_claims", "--mfgpde-level", "quick", "-k", "many", "-n", "2")
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


@pytest.mark.slow
def test_without_a_level_nothing_is_collected(folder):
    assert "no tests ran" in run(folder, "my_claims").stdout
    (folder / "pytest.ini").write_text("[pytest]\nmfgpde_level = quick\n")
    assert "1 passed" in run(folder, "my_claims/true.py").stdout


SHORT = """from mfgpde.core.estimate import Estimate, Kind
from mfgpde.verify import equal, states
def found(level, off=3.0):
    return equal("x", Estimate(off, 1e-9, Kind.BOUND, "toy"), 0.0, resolution=0.1)
"""
FALSE = SHORT.replace("def found", '@states("x = 0", "mfgpde", wrong={{"x = 1": {{"off": 1.0}}}})\ndef {name}').format
BOUND = {
    "decorated": FALSE(name="claim"),
    "dotted": FALSE(name="claim")
    .replace("import equal, states", "import equal\nimport mfgpde as mfg")
    .replace("@states", "@mfg.verify.states"),
    "named": SHORT + 'claim = states("x = 0", "mfgpde", wrong={"x = 1": {"off": 1.0}})(found)\n',
    "annotated": SHORT + 'claim: object = states("x = 0", "mfgpde", wrong={"x = 1": {"off": 1.0}})(found)\n',
    "branch": SHORT + 'if True:\n    claim = states("x = 0", "mfgpde", wrong={"x = 1": {"off": 1.0}})(found)\n',
    "pair": SHORT + 'claim, other = states("x = 0", "mfgpde", wrong={"x = 1": {"off": 1.0}})(found), 1\n',
}


def test_a_claim_of_any_form_is_an_item(tmp_path):
    for name, text in BOUND.items():
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "no_claim.py").write_text(FALSE(name="another"))
    plain = (
        "import pytest\n@pytest.fixture\ndef claim():\n    return 'states('\ndef test_it(claim):\n    assert claim\n"
    )
    (tmp_path / "test_plain.py").write_text(plain)
    done = run(tmp_path, ".", "--mfgpde-level", "quick")
    assert f"{len(BOUND)} failed, 1 passed" in done.stdout, done.stdout
    for name in BOUND:
        assert f"{name}: refuted: off by 3" in done.stdout
