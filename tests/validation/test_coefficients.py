"""Every shipped claim names a coefficient, and every finding on record says which change of one would have refuted it."""

import ast
from pathlib import Path

import pytest

import mfgpde
from mfgpde.verify import discover, record

ROOT = Path(mfgpde.__file__).parents[1] / "validation"
FILES = {entry.id: entry.path for entry in discover.entries_in(ROOT)}

UNMOVED = {
    "geometry/manifold": 1,  # a count of dimensions is a whole number: nothing that is 5 % off changes it
    "zhang2023/roles-exchanged": 1,  # that both losses are one: a factor of both cancels
    "zhang2024/well-posed": 1,  # a refusal is a yes or a no
}
"""how many findings no coefficient moves: theirs enter others of the claim, and false variants refute these"""


def named(source):
    """Return the coefficients that a claim's source names, without running it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg == "coefficients":
            return ast.literal_eval(node.value)
    return ()


def unmoved(claim):
    """Return the findings of a claim on record that no change of a coefficient refutes; null is infinite."""
    return [one for one in claim["findings"] if not any(x is not None for x in one["detects"].values())]


NAMED = {name: named(path.read_text(encoding="utf-8")) for name, path in FILES.items()}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ('claim = Claim("x", coefficients=("a", "b"))', ("a", "b")),
        ('claim = Claim("x", coefficients=())', ()),
        ('claim = Claim("x")', ()),
    ],
)
def test_coefficients_are_read_off_a_source(source, names):
    assert named(source) == names


def test_findings_that_nothing_moves_are_found():
    findings = [{"detects": {"a": None, "b": 0.1}}, {"detects": {"a": None}}, {"detects": {}}]
    assert unmoved({"findings": findings}) == findings[1:]


def test_every_claim_names_a_coefficient():
    assert [name for name, names in NAMED.items() if not names] == []


def test_every_finding_on_record_is_moved_by_a_coefficient():
    """The record has the coefficients of the files, and nothing is on the list that moves."""
    claims = record.read(ROOT / "baseline.json")["claims"]
    asked = {claim["id"]: set(NAMED[claim["id"].split("[")[0]]) for claim in claims}
    assert {claim["id"]: set(claim["detects"]) for claim in claims} == asked
    left = {claim["id"]: unmoved(claim) for claim in claims}
    assert {name: len(found) for name, found in left.items() if found} == UNMOVED
    assert [one["label"] for found in left.values() for one in found if not one["refuted_by"]] == []
