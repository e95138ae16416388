"""Interval arithmetic encloses, and keeps the weakest kind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfgpde.core.estimate import Estimate, Kind, exact

values, errors, unit = st.floats(-1e3, 1e3), st.floats(0, 10), st.floats(-1, 1)


@given(values, errors, values, errors, unit, unit)
def test_arithmetic_encloses_every_pair_of_truths(a, da, b, db, u, v):
    x, y = Estimate(a, da, Kind.BOUND, "x"), Estimate(b, db, Kind.CONFIDENCE, "y")
    p, q = a + u * da, b + v * db
    slack = 1e-12 * (1 + abs(a) + abs(b) + da + db) ** 2  # roundings of the test's own arithmetic
    for result, truth in ((x + y, p + q), (x - y, p - q), (x * y, p * q)):
        assert result.lower - slack <= truth <= result.upper + slack
        assert result.kind is Kind.CONFIDENCE
    if not y.lower <= 0 <= y.upper and abs(q) > 1e-3:
        ratio = x / y
        tolerance = 1e-9 * (1 + abs(p / q))
        assert ratio.lower - tolerance <= p / q <= ratio.upper + tolerance


@pytest.mark.parametrize(
    ("value", "error", "method"), [(float("nan"), 0.1, "m"), (1.0, -0.1, "m"), (1.0, float("nan"), "m"), (1, 1, "")]
)
def test_meaningless_estimates_are_refused(value, error, method):
    with pytest.raises(ValueError, match=r"estimate|error bar"):
        Estimate(value, error, Kind.BOUND, method)


def test_division_by_an_interval_around_zero_is_refused():
    with pytest.raises(ZeroDivisionError):
        exact(1.0, "one") / Estimate(0.1, 0.2, Kind.BOUND, "x")


def test_membership():
    x = Estimate(1.0, 0.1, Kind.BOUND, "x")
    assert 1.05 in x
    assert 1.2 not in x
    assert 2.0 - x == Estimate(1.0, 0.1 + 2 * 2.0**-52, Kind.BOUND, "x")
