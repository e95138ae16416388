"""Orders and limits read off errors: bars that hold what the errors tend to."""

import numpy as np
import pytest

import mfgpde as mfg

STEPS = (10, 20, 40)


def read(errors, steps=STEPS):
    return mfg.samplers.read(steps, [mfg.exact(float(e), "made up") for e in errors], 1.0)


def test_slopes_that_still_rise_are_in_the_bar():
    """3 n⁻² (1 + 5/n): the last slopes are 2.26 and 2.15, and the order is two."""
    found = read([3 / n**2 * (1 + 5 / n) for n in STEPS]).order
    assert 2.1 < found.value < 2.3
    assert found.lower <= 2 <= found.upper
    assert found.half_width < 1


def test_one_slope_says_nothing_of_the_order():
    """The second and third error are the data's: one slope is left, from the first."""
    found = read([1e-2, 5e-3, 9e-5])
    assert found.order.half_width == np.inf


def test_a_law_that_passes_the_data_and_ends_beyond():
    """Aitken's limit of 0.04, 0.01, 0 is −0.005: a law that is 0.005 beyond the data's."""
    limit = read([0.04, 0.01, 0.0]).limit
    assert limit.lower <= 0.005 <= limit.upper


def test_errors_that_rise_to_a_limit():
    """0.04 (1 − 2⁻ᵏ) tends to 0.04, by Aitken exactly; the last error is 0.035."""
    assert read([0.02, 0.03, 0.035]).limit.value == pytest.approx(0.04)
