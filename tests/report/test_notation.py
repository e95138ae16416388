"""Labels as the field sets them, and how near an inequality comes to equality."""

import pytest

from mfgpde.report.notation import notation
from mfgpde.report.table import sharpness


@pytest.mark.parametrize(
    ("typed", "set_"),
    [
        ("KL(p_T‖π)", "KL(p<sub>T</sub>‖π)"),
        ("∂_tφ and ∂_t log p", "∂<sub>t</sub>φ and ∂<sub>t</sub> log p"),
        ("E_p̂ R", "E<sub>p̂</sub> R"),
        ("‖q^FE − q^spectral‖₁", "‖q<sup>FE</sup> − q<sup>spectral</sup>‖₁"),
        ("n^{−4/(d+6)} beside t^(d/2+1)", "n<sup>−4/(d+6)</sup> beside t<sup>d/2+1</sup>"),
        ("e^{φ_T}", "e<sup>φ<sub>T</sub></sup>"),
        ("p(c|x)^γ, |v|^½", "p(c|x)<sup>γ</sup>, |v|<sup>½</sup>"),
        ("W2²(SDE, data), W2D, W2.5", "W<sub>2</sub>²(SDE, data), W2D, W2.5"),
        ("my_name, two_words_x, log_density", "my_name, two_words_x, log_density"),
        ("<b>x_0</b> & y", "&lt;b&gt;x<sub>0</sub>&lt;/b&gt; &amp; y"),
        ("x_{<script>}", "x<sub>&lt;script&gt;</sub>"),
        ("x^ and _y, a__b, ^", "x^ and _y, a__b, ^"),
    ],
)
def test_indices_and_powers_are_set(typed, set_):
    assert str(notation(typed)) == set_


def finding(left, relation, right):
    return {"left": {"value": left}, "right": {"value": right}, "relation": relation}


def test_sharpness_is_that_of_the_inequality_nearest_to_equality():
    many = [finding(0.02, "≤", 2.0), finding(0.5, "≤", 0.8), finding(1.0, "=", 1.0), finding(-1.0, "≤", 3.0)]
    assert sharpness({"findings": many}) == "62.5 %"
    assert sharpness({"findings": many[:1]}) == "1 %"
    assert sharpness({"findings": [finding(1e-9, "≤", 1.0)]}) == "1e-07 %"
    for silent in (
        [],
        many[2:],
        [finding(1.0, "≤", None)],
        [finding(2.0, "≤", float("inf"))],
        [finding(2.0, "≤", 1.0)],
    ):
        assert sharpness({"findings": silent}) == "–"
