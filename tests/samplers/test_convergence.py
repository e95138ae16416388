"""Reading errors against steps: orders, wrong limits, divergences, and what is not decided."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.samplers.convergence import read

STEPS = (10, 20, 40, 80, 160)


def errors(*values, bar=1e-9):
    return [mfg.Estimate(v, bar, mfg.Kind.BOUND, "made up") for v in values]


@pytest.mark.parametrize("order", [0.8, 1.0, 2.0, 3.0])
def test_orders_are_read(order):
    found = read(STEPS, errors(*(2.0 * n**-order for n in STEPS)), 1.0)
    assert found.verdict == "converges"
    assert order in found.order
    assert found.reaches(order)
    assert not found.reaches(order + 1)


def test_a_limit_that_is_not_zero_is_a_wrong_law():
    found = read(STEPS, errors(*(0.141 + n**-1.5 for n in STEPS)), 1.0)
    assert found.verdict == "wrong law"
    assert 0.141 in found.limit


def test_an_error_that_rises_is_a_divergence():
    found = read(STEPS, errors(0.1, 0.05, 0.025, 0.06, 0.006), 1.0)
    assert (found.verdict, found.worse_at) == ("diverges", 80)


def test_what_is_below_the_bars_is_not_called_a_limit():
    assert read(STEPS, errors(0.1, 0.05, 0.026, 0.025, 0.025, bar=0.02), 1.0).verdict != "wrong law"


@pytest.mark.parametrize("steps", [(10, 20), (10, 20, 20), (40, 20, 10)])
def test_too_few_steps_are_refused(steps):
    with pytest.raises(ValueError, match="three or more increasing"):
        read(steps, errors(*np.ones(len(steps))), 1.0)
