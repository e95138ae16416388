"""Taylor coefficients in intervals: closed forms at points, containment on intervals, and refusal of what is no formula."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfgpde.core.taylor import Jet, NotEnclosed

mpmath = pytest.importorskip("mpmath")

FORMULAS = {
    "exp(sin x · x)/(1 + x²)": (
        lambda x: (x.sin() * x).exp() / (1 + x**2),
        lambda m, x: m.exp(m.sin(x) * x) / (1 + x**2),
    ),
    "(tanh x log x + √x)³": (
        lambda x: (x.tanh() * x.log() + x.sqrt()) ** 3,
        lambda m, x: (m.tanh(x) * m.log(x) + m.sqrt(x)) ** 3,
    ),
    "1/cos x + 2^x − x^1.7": (
        lambda x: 1 / x.cos() + 2.0**x - x**1.7,
        lambda m, x: 1 / m.cos(x) + 2**x - x ** m.mpf(1.7),
    ),
    "1 − (e^−x − 1)²": (lambda x: 1 - (-x).expm1() ** 2, lambda m, x: 1 - (m.exp(-x) - 1) ** 2),
}


@pytest.mark.parametrize("name", FORMULAS)
@given(x=st.floats(0.1, 1.2))
def test_coefficients_at_a_point_are_those_of_another_arithmetic(name, x):
    ours, theirs = FORMULAS[name]
    found = ours(Jet.variable(x, x, 5))
    with mpmath.workdps(40):
        truth = [float(c) for c in mpmath.taylor(lambda y: theirs(mpmath, y), x, 5)]
    scale = max(map(abs, truth))
    assert found.lower == pytest.approx(np.array(truth), abs=1e-10 * scale)
    assert found.upper == pytest.approx(np.array(truth), abs=1e-10 * scale)


@pytest.mark.parametrize("name", FORMULAS)
@given(low=st.floats(0.2, 1.0), width=st.floats(0, 0.2), share=st.floats(0, 1))
def test_intervals_hold_the_coefficients_of_all_their_points(name, low, width, share):
    ours, _ = FORMULAS[name]
    wide, x = ours(Jet.variable(low, low + width, 5)), low + share * width
    point = ours(Jet.variable(x, x, 5))
    slack = 1e-12 * (1 + np.abs(point.lower))
    assert np.all(wide.lower <= point.lower + slack)
    assert np.all(wide.upper >= point.upper - slack)


ZEROS = {  # formulas of what has few coefficients: polynomials, and functions of them
    "−x³ + 2 sin 2x": lambda x: -(x**3) + 2 * (2 * x).sin(),
    "x²(3 − x)/2 − e^(x²)": lambda x: 0.5 * x**2 * (3 - x) - (x**2).exp(),
    "cos(1 + x²) tanh(3 − x)": lambda x: (1 + x * x).cos() * (3 - x).tanh(),
    "log(1 + x²)/√(2 + x)": lambda x: (1 + x**2).log() / (2 + x).sqrt(),
    "x^1.5 (−x)": lambda x: x**1.5 * -x,
}


@pytest.mark.parametrize("name", ZEROS)
@given(low=st.floats(0.2, 1.0), width=st.floats(0, 0.3))
def test_coefficients_that_are_zero_for_certain_change_nothing(name, low, width):
    """Those of a polynomial are left out of products; here none is known to be zero."""
    known, plain = (Jet.variable(low, low + width, 6) for _ in range(2))
    plain.top = plain.order
    one, other = ZEROS[name](known), ZEROS[name](plain)
    scale = 1e-13 * (1 + np.abs(other.lower) + np.abs(other.upper))
    assert np.all(np.abs(one.lower - other.lower) <= scale)
    assert np.all(np.abs(one.upper - other.upper) <= scale)
    assert not np.any(one.lower[one.top + 1 :])
    assert not np.any(one.upper[one.top + 1 :])


@given(factor=st.floats(-5, 5), low=st.floats(0.2, 1.0), width=st.floats(0, 0.3))
def test_a_number_times_an_interval_is_an_interval_of_one_number_times_it(factor, low, width):
    x = Jet.variable(low, low + width, 4).exp()
    one, other = factor * x, Jet.constant(factor, factor, 4) * x
    assert np.array_equal(one.lower, other.lower)
    assert np.array_equal(one.upper, other.upper)


@given(a=st.floats(-20, 20), width=st.floats(0, 8), share=st.floats(0, 1))
def test_ranges_of_waves(a, width, share):
    found, x = Jet.variable(a, a + width, 1), a + share * width
    assert found.sin().lower[0] - 1e-12 <= np.sin(x) <= found.sin().upper[0] + 1e-12
    assert found.cos().lower[0] - 1e-12 <= np.cos(x) <= found.cos().upper[0] + 1e-12


def test_arrays_of_objects_go_through_numpy():
    x = np.array([Jet.variable(0.5, 0.5, 3), Jet.constant(2.0, 2.0, 3)], dtype=object)
    found = np.exp(-x)[0] + (x * x).sum()
    assert found.lower[1] == pytest.approx(-np.exp(-0.5) + 1.0)


def test_a_root_knows_its_square_down_to_zero():
    x = Jet.variable(0.0, 0.5, 3)
    assert np.array_equal((x.sqrt() ** 2).upper, x.upper)
    assert not np.isfinite(x.sqrt().upper).all()


@pytest.mark.parametrize(
    "formula", [abs, lambda x: x if x > 0 else -x, float, lambda x: np.where(x > 0, x, 0), lambda x: 1 / x]
)
def test_what_is_no_formula_is_refused(formula):
    with pytest.raises((TypeError, NotEnclosed)):
        formula(Jet.variable(-0.5, 0.5, 3))
