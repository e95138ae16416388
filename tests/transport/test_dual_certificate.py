"""Lower bounds of W₂ that whole numbers prove: right ones are proved and sharp, false ones are refused."""

import ast
import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.transport import dual_certificate, wasserstein_points, write_certificate
from mfgpde.transport.verify_dual import verify

SCRIPT = Path(mfg.__file__).parent / "transport" / "verify_dual.py"


def drawn(seed, unit=1.0, d=2, n=40, m=31):
    rng = np.random.default_rng(seed)
    return unit * rng.normal(0, 1, (n, d)), unit * rng.normal(0.5, 2, (m, d)), rng.random(n), rng.random(m)


@pytest.mark.parametrize("unit", [1.0, 1e-9, 1e9])
@pytest.mark.parametrize("seed", range(4))
def test_what_is_certified_is_proved_and_sharp(seed, unit):
    x, y, p, q = drawn(seed, unit, d=1 + seed % 3)
    found = dual_certificate(x, y, p, q)
    lower = Fraction(*verify(json.dumps(found)))
    squared = wasserstein_points(x, y, p, q) ** 2
    assert float(lower) == pytest.approx(squared, rel=1e-9)
    assert float(lower) <= squared * (1 + 1e-9)


def test_a_translation_is_known():
    x = np.random.default_rng(0).integers(-50, 50, (30, 2)) / 8.0
    found = dual_certificate(x, x + np.array([3.0, 4.0]))
    assert Fraction(25) - Fraction(*verify(json.dumps(found))) < Fraction(1, 10**9)


def test_false_certificates_are_refused():
    right = dual_certificate(*drawn(1))
    numerator, denominator = map(int, right["lower"])
    false = {
        "larger than what": {"lower": [str(numerator * 1000001), str(denominator * 1000000)]},
        "exceed the cost": {"psi": [str(int(value) + 10**20) for value in right["psi"]]},
        "one weight": {"p": right["p"][1:]},
        "no whole number": {"bits": 3.5},
        "at least zero with": {"p": ["-1", *right["p"][1:]]},
        "different dimensions": {"x": [[*right["x"][0], "0"], *right["x"][1:]]},
        "positive denominator": {"lower": ["1", "0"]},
        "from zero to 1074": {"bits": "9" * 12},
    }
    for words, change in false.items():
        with pytest.raises(ValueError, match=words):
            verify(json.dumps({**right, **change}))
    with pytest.raises(ValueError, match="lacks 'phi'"):
        verify(json.dumps({name: value for name, value in right.items() if name != "phi"}))


def test_the_verifier_is_short_and_knows_whole_numbers_alone():
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"))
    assert SCRIPT.read_text(encoding="utf-8").count("\n") <= 300
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported == {"json", "sys"}
    assert not any(isinstance(node, ast.ImportFrom | ast.Div) for node in ast.walk(tree))
    assert not any(isinstance(node, ast.Constant) and isinstance(node.value, float) for node in ast.walk(tree))


def test_it_runs_alone(tmp_path):
    path = write_certificate(dual_certificate(*drawn(2)), tmp_path / "one.json")
    alone = tmp_path / "verify.py"
    alone.write_text(SCRIPT.read_text(encoding="utf-8"), encoding="utf-8")
    done = subprocess.run([sys.executable, "-I", alone, path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout[:7]) == (0, "proved:")
    broken = json.loads(path.read_text())
    broken["lower"][0] = str(2 * int(broken["lower"][0]))
    path.write_text(json.dumps(broken))
    done = subprocess.run([sys.executable, "-I", alone, path], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "larger than what the potentials prove" in done.stdout


def test_too_many_pairs_and_bad_points_are_said_before_the_work():
    with pytest.raises(ValueError, match="at most 4000000 pairs"):
        dual_certificate(np.zeros((3000, 1)), np.zeros((3000, 1)))
    with pytest.raises(ValueError, match="points must be finite"):
        dual_certificate(np.array([[np.nan]]), np.array([[1.0]]))
