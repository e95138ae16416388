"""What a claim hands over is kept as it is or refused in a sentence: no record keeps the run from being read."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from typer.testing import CliRunner

from mfgpde.app.cli import app
from mfgpde.core.estimate import Estimate, Kind, exact
from mfgpde.verify import Claim, Series, equal, record
from mfgpde.verify.finding import Finding

ZERO = exact(0.0, "zero")
CLAIM = '''"""A toy."""
import os, sys, time
import numpy as np
from mfgpde.core.estimate import Estimate, Kind, exact
from mfgpde.verify import Claim, Evidence, Series, equal
claim = Claim(statement="x = 0", source="mfgpde", standing="experiment", {words})
@claim.measure
def measure(level, off=0.0):
    {measure}
    return Evidence([equal({label}, exact(off, {method}), exact(0.0, "zero"), resolution={resolution})], {series})
@claim.control({control})
def control(level):
    return measure(level, off=1.0)
'''
PLAIN = {
    "words": "",
    "measure": "pass",
    "label": '"x"',
    "method": '"toy"',
    "resolution": "0.1",
    "series": "[]",
    "control": '"x = 1"',
}
ODD = {  # what is handed over, and what comes of it
    "label": ("3", "label is a word"),
    "method": ("5", "by which method"),
    "resolution": ("'0.1'", "must be a finite number"),
    "series": ('[Series("s", "x", [1.0, 2.0], "y", [1.0])]', "of shapes"),
    "control": ("7", "described in a few words"),
    "words": ("title=7", "title is a string"),
    "measure": (
        "Evidence.__post_init__ = lambda self: None; return Evidence([Odd()])",
        "NameError",
    ),
}
KEPT = {
    "resolution": ("np.float32(0.1)", "np.float16(0.1)", "np.array(0.1)"),
    "series": ('[Series("s", "x", np.arange(3), "y", np.array([1, np.nan, np.inf], dtype=np.float32))]',),
}


def validate(tmp_path, *words, **claim):
    suite = tmp_path / "suite"
    suite.mkdir(exist_ok=True)
    (suite / "attack.py").write_text(CLAIM.format(**(PLAIN | claim)))
    (suite / "good.py").write_text(CLAIM.format(**PLAIN))
    result = CliRunner().invoke(app, ["validate", str(suite), "--out", str(tmp_path / "out"), *words])
    found = {one["id"]: one for one in record.read(tmp_path / "out/quick/run.json")["claims"]}
    assert found["good"]["outcome"] == "holds"
    assert "Report:" in result.output
    return found["attack"], result


@pytest.mark.parametrize("what", ODD)
def test_what_cannot_be_kept_is_refused_in_a_sentence(tmp_path, what):
    value, words = ODD[what]
    found, result = validate(tmp_path, **{what: value})
    assert found["outcome"] == "broken"
    assert words in found["reason"]
    assert result.exit_code == 1


@pytest.mark.parametrize(("what", "value"), [(what, value) for what, values in KEPT.items() for value in values])
def test_scalars_and_arrays_of_libraries_are_numbers(tmp_path, what, value):
    found, result = validate(tmp_path, **{what: value})
    assert found["outcome"] == "holds", found["reason"]
    assert result.exit_code == 0


@pytest.mark.parametrize(
    "number", [np.float32(0.5), np.float64(0.5), np.array(0.5), np.array([0.5])[0], jnp.float32(0.5)]
)
def test_findings_hold_plain_numbers(number):
    one = equal("x", Estimate(number, number, Kind.BOUND, "toy"), ZERO, resolution=number)
    assert {type(v) for v in (one.left.value, one.left.half_width, one.resolution)} == {float}
    assert one.resolution == 0.5
    json.dumps(record.finding_record(one))


@pytest.mark.parametrize("bad", [3, None, "", b"x"])
def test_labels_are_words(bad):
    with pytest.raises(TypeError, match="label is a word"):
        Finding(bad, ZERO, "=", ZERO, 0.1)


@pytest.mark.parametrize("bad", [2, "bound", None])
def test_kinds_are_kinds(bad):
    with pytest.raises(TypeError, match="one of CONFIDENCE"):
        Estimate(0.0, 0.0, bad, "toy")


@pytest.mark.parametrize("words", [{"title": 7}, {"source": 7}, {"statement": 7}, {"assumes": (1,)}])
def test_what_a_claim_says_is_words(words):
    with pytest.raises(TypeError):
        Claim(**({"statement": "x = 0", "source": "mfgpde", "standing": "theorem"} | words))


@pytest.mark.parametrize("shape", [((2,), (3,)), ((2, 2), (2, 2)), ((), ())])
def test_series_have_an_ordinate_for_each_abscissa(shape):
    with pytest.raises(ValueError, match="of shapes"):
        Series("s", "x", np.zeros(shape[0]), "y", np.zeros(shape[1]))


TWICE = {
    "another δ": {"resolution": "1e-1 + 1e-9 * (time.time_ns() % 1_000_003)"},
    "another label": {"label": '"x" + str(time.time_ns())'},
    "another control": {"measure": "off = off and 1.0 + 1e-9 * (time.time_ns() % 1_000_003)"},
}


@pytest.mark.parametrize("what", TWICE)
def test_twice_is_the_same_in_all_that_is_found(tmp_path, what):
    found, _ = validate(tmp_path, "--twice", **TWICE[what])
    assert found["outcome"] == "broken"
    assert "not the same result twice" in found["reason"] or "refutes nothing" in found["reason"]


def test_twice_counts_the_findings(tmp_path):
    drawn = "range(1 + (time.time_ns() // 1000) % 997)"
    one = 'equal(f"x{k}", exact(off, "toy"), exact(0.0, "zero"), resolution=0.1)'
    found, _ = validate(tmp_path, "--twice", measure=f"return Evidence([{one} for k in {drawn}])")
    assert found["outcome"] == "broken"
    assert "its findings are others" in found["reason"]
