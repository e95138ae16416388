"""What a certificate's law owes by the residual of a second solve, where the law is wider than its box."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.densities import cell_means
from mfgpde.diagnostics.guaranteed import AT_WALLS, apart, owed, wide_box
from mfgpde.discretisations import Field
from mfgpde.solvers.induced import marched_box

PROCESS, STOP = mfg.OrnsteinUhlenbeck(), 0.05


@pytest.mark.parametrize("cells", [64, 192])
def test_a_score_that_pulls_little_has_a_wider_box_and_a_bar_that_is_near(cells):
    """Of s = −x/10: v′ = 2 (1 − 1/10) v + 1 from ½. A residual in the march's own box owes a tenth or more for walls."""
    grid = mfg.CartesianGrid.cube(5.0, cells, 1)

    def score(x, t):
        return -0.1 * x

    room = mfg.solvers.room_of(PROCESS, score, grid, stop=STOP)
    law = mfg.induced_sde(PROCESS, score, grid, stop=STOP, rtol=2e-3, room=room)
    rate = 1.8
    v = (0.5 + 1 / rate) * np.exp(rate * (PROCESS.horizon - STOP)) - 1 / rate
    truth = Field(law.density.discretisation, cell_means(mfg.gaussian(0.0, v), grid), means=True)
    true, found = apart(law.density, truth), owed(PROCESS, score, law, room)
    assert true < found.value < 3 * true
    assert wide_box(PROCESS, score, grid, room, STOP).upper[0] > 1.4 * marched_box(PROCESS, grid, room).upper[0]


def test_a_law_inside_its_box_keeps_it():
    grid, score = mfg.CartesianGrid.cube(5.0, 64, 1), mfg.ExactScore(PROCESS, mfg.gaussian(0.5, 0.3))
    room = mfg.solvers.room_of(PROCESS, score, grid, stop=STOP)
    box = marched_box(PROCESS, grid, room)
    end = mfg.gaussian(0.5, 0.3).after(PROCESS.transition(0.0, STOP))
    assert box.outer_share(np.exp(end.log_density(box.points))) < AT_WALLS
    assert wide_box(PROCESS, score, grid, room, STOP) == box
