"""Means and deviations of games by boundary-value problems: against closed forms, of deviations near the target."""

from pathlib import Path

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.verify import load_module

claim = load_module(Path(mfg.__file__).parents[1] / "validation" / "zhang2023" / "gradient_flow_limit.py")


def linear(start, curvature, epsilon):
    """Return y(TIME) of y″ = (y′ + cy)/ε from y(0) to y′(T) = −cy(T): two exponentials, the growing one from its end."""
    end, root = 3 * claim.TIME, np.sqrt(1 + 4 * epsilon * curvature)
    up, down = (1 + root) / (2 * epsilon), (1 - root) / (2 * epsilon)
    ends = [[1.0, np.exp(-up * end)], [(down + curvature) * np.exp(down * end), up + curvature]]
    falls, grows = np.linalg.solve(ends, [start, 0.0])
    return falls * np.exp(down * claim.TIME) + grows * np.exp(up * (claim.TIME - end))


@pytest.mark.parametrize("epsilon", [0.4, 0.2, 8e-3, 2e-3])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_mean_is_a_sum_of_two_exponentials(seed, epsilon):
    law = claim.Law(seed)
    assert abs(law.game("mean", epsilon) - linear(law.mean, 1 / law.target, epsilon)) <= claim.TOLERANCE


@pytest.mark.parametrize("share", [0.0, 1e-4, -1e-4])
@pytest.mark.parametrize("epsilon", [0.4, 8e-3])
def test_deviations_near_the_target_follow_the_linear_equation(epsilon, share):
    """Of σ = s(1 + η) to the square of η: f″ is 2/s² there. The target itself stays."""
    law = claim.Law(2)
    law.variance = law.target * (1 + share) ** 2
    found = law.game("deviation", epsilon) / np.sqrt(law.target) - 1
    assert abs(found - linear(share, 2 / law.target, epsilon)) <= 2 * claim.TOLERANCE + 5 * share**2


@pytest.mark.parametrize("what", ["mean", "deviation"])
def test_the_flow_solves_its_equation(what):
    law, t, step = claim.Law(1), 0.3, 1e-5
    slope = (law.flow(what, t + step) - law.flow(what, t - step)) / (2 * step)
    assert slope == pytest.approx(-law.pull(what, law.flow(what, t)), rel=1e-8)
