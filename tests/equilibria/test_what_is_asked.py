"""What is asked of a solve: starts, numbers and capacities."""

from dataclasses import replace

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.equilibria.asked import check_capacity, check_numbers, checked_start
from mfgpde.games import Power, RelativeEntropy, Target

GAME = mfg.MeanFieldGame(
    mfg.gaussian(-0.4, 0.3), RelativeEntropy(mfg.gaussian(0.5, 0.4)), 1.3, viscosity=0.3, interaction=Power(0.5),
    running=lambda x, t: 0.2 * (1 + t) * x[..., 0] ** 2,
)  # fmt: skip


LINE = mfg.CartesianGrid.cube(4.0, 48, 1)


def test_starts_that_are_asked_for_have_the_shape_of_the_solve():
    start = np.ones((5, 48))
    assert checked_start(start, LINE, 4) is not None
    assert checked_start(start, LINE, None).shape == (5, 48)
    for steps, bad in ((3, start), (None, start[:1]), (None, start[:, :9]), (4, -start), (4, np.nan * start)):
        with pytest.raises(ValueError, match="start must be finite densities"):
            checked_start(bad, LINE, steps)
    with pytest.raises(ValueError, match="for 3 steps"):
        checked_start(start, LINE, 3)


@pytest.mark.parametrize(
    "bad",
    [{"steps": 0}, {"steps": True}, {"steps": 2.0}, {"iterations": -1}, {"tolerance": -1.0}, {"tolerance": np.inf}],
)
def test_numbers_that_count_nothing_are_refused(bad):
    with pytest.raises(ValueError, match="must be"):
        check_numbers(**{"steps": 4, "tolerance": 1e-3, "iterations": None} | bad)


def test_capacities_are_held_against_all_laws():
    wide = mfg.gaussian(0.0, 0.5)
    top = float(np.exp(wide.log_density(np.zeros((1, 1))))[0])
    game = mfg.games.crowd_motion(wide, lambda x: 0 * x[..., 0], capacity=1.01 * top)
    check_capacity(game, LINE)
    narrow = replace(game, terminal=Target(mfg.gaussian(0.0, 0.3)))
    with pytest.raises(ValueError, match="below the target density"):
        check_capacity(narrow, LINE)
    with pytest.raises(ValueError, match="below the initial density"):
        check_capacity(replace(game, initial=mfg.gaussian(0.0, 0.3)), LINE)
    with pytest.raises(ValueError, match="uniform density"):
        check_capacity(replace(game, interaction=mfg.games.Capacity(0.12)), LINE)
