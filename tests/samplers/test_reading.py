"""What is read off errors against steps does not depend on units, and is right for every power law with a limit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mfgpde as mfg
from mfgpde.samplers.convergence import read

FIRST, ORDERS, UNITS = st.integers(5, 30), st.floats(0.6, 3.5), st.floats(1e-9, 1e9)


def told(steps, values, unit=1.0, bar=0.0):
    return read(steps, [mfg.Estimate(unit * v, unit * bar, mfg.Kind.BOUND, "made up") for v in values], unit)


@settings(max_examples=60)
@given(FIRST, ORDERS, UNITS, st.integers(3, 6))
def test_power_laws_have_their_order_in_every_unit(first, order, unit, count):
    steps = [first * 2**k for k in range(count)]
    values = [50 * n**-order for n in steps]
    found = told(steps, values, unit)
    assert found.verdict == "converges"
    if found.order is not None and np.isfinite(found.order.half_width):
        assert found.order.value == pytest.approx(order, abs=1e-6)
        assert found.order.half_width == pytest.approx(0.02, abs=1e-6)
        assert found.reaches(order + 0.3)
        assert not found.reaches(order + 0.4)
    assert found.limit.lower <= 1e-9 * unit


@settings(max_examples=60)
@given(FIRST, st.floats(0.7, 3.0), st.floats(0.05, 0.5), UNITS)
def test_a_limit_that_is_not_the_data_is_found_in_every_unit(first, order, limit, unit):
    """Errors c + 0.1 (n/n₀)^−p halve their rest each time: Aitken's limit is exact."""
    steps = [first * 2**k for k in range(5)]
    found = told(steps, [limit + 0.1 * (n / first) ** -order for n in steps], unit)
    assert found.limit.value == pytest.approx(unit * limit, rel=1e-9)
    assert found.verdict in ("wrong law", "converges")
    if (limit + 0.1 * 8.0**-order) / (limit + 0.1 * 16.0**-order) < 2**0.2:
        assert found.verdict == "wrong law"


@settings(max_examples=40)
@given(FIRST, st.integers(1, 4), st.floats(1.5, 20.0), UNITS)
def test_the_step_at_which_an_error_grows_is_named(first, where, factor, unit):
    steps = [first * 2**k for k in range(5)]
    values = [0.5**k for k in range(5)]
    values[where:] = [factor * values[where - 1] * 0.5**k for k in range(5 - where)]
    found = told(steps, values, unit)
    assert (found.verdict, found.worse_at) == ("diverges", steps[where])
    assert not found.reaches(0.1)


@settings(max_examples=40)
@given(FIRST, ORDERS, st.floats(0.4, 3.0))
def test_what_bars_hide_is_no_order(first, order, share):
    """Errors within a third of their bars tell neither order nor limit."""
    steps = [first * 2**k for k in range(4)]
    values = [0.3 * (n / first) ** -order for n in steps]
    found = told(steps, values, bar=share * 0.3)
    assert found.order is None
    assert found.verdict in ("converges", "undecided")
    assert found.limit.half_width >= share * 0.3


def test_shorter_ratios_of_steps_say_the_same():
    """Steps 10, 15, 30: the order is the slope in log n, whatever the ratios."""
    found = told([10, 15, 30], [0.4 * n**-2.0 for n in (10, 15, 30)])
    assert found.order.value == pytest.approx(2.0)
    assert found.order.half_width == pytest.approx(0.02, abs=1e-9)


def test_falls_that_grow_have_their_limit_anywhere_between_none_and_two_errors_more():
    """1, 0.96, 0.91: nothing says where it ends; the limit may be zero, and what order there is, is below 0.2."""
    found = told([10, 20, 40], [1.0, 0.96, 0.91])
    assert (found.verdict, found.order) == ("undecided", None)
    assert found.limit.lower <= 0
    assert found.limit.half_width == pytest.approx(0.96 + 0.91)
