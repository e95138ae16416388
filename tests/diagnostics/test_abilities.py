"""What a score or a process cannot do is said in one sentence, before any work."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core.ability import require
from mfgpde.diagnostics.by_sampling import certify_by_sampling
from mfgpde.diagnostics.certificate import certify

OU, GRID, X = mfg.OrnsteinUhlenbeck(), mfg.CartesianGrid.cube(4.0, 32, 1), np.ones((3, 1))
EXACT = mfg.ExactScore(OU, mfg.gaussian(0.0, 0.5))
LAWS = [law(OU, EXACT, GRID, times=np.linspace(1.0, 0.1, 8)) for law in (mfg.induced_sde, mfg.induced_ode)]
WELL = mfg.processes.double_well()


def bare(x, t):
    raise AssertionError("the work began")


class Halved:
    """A potential without its derivative in time."""

    def __call__(self, x, t):
        return bare(x, t)

    def divergence(self, x, t):
        return bare(x, t)

    def potential(self, x, t):
        return bare(x, t)


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (
            lambda: certify(OU, bare, GRID),
            "bare, which has no divergence, divergence_gradient, jacobian, .*Differenced",
        ),
        (lambda: certify_by_sampling(OU, bare, 1), "bare, which has no directional_derivatives, time_derivative"),
        (lambda: mfg.gap_bound(OU, bare, *LAWS), "must be a DifferentiableScore, got bare"),
        (lambda: mfg.score_residual(OU, bare, X, 0.5), "must be a DifferentiableScore"),
        (lambda: mfg.log_density_residual(OU, Halved(), X, 0.5), "Halved, which has no potential_time_derivative$"),
        (lambda: mfg.diagnostics.rotation(bare, X, 0.5), "must be a DifferentiableScore"),
        (lambda: mfg.diagnostics.judge_model(bare, OU, EXACT.data, X), "must be a DivergenceScore"),
        (lambda: mfg.induced_sde(OU, 3.0, GRID), "the score must be a Score, got 3.0$"),
        (lambda: mfg.induced_ode(OU, None, GRID), "the score must be a Score, got None$"),
        (lambda: mfg.induced_sde(WELL, EXACT, GRID), "the process must be a LinearProcess, got OverdampedLangevin"),
        (lambda: mfg.induced_ode(WELL, EXACT, GRID), "the process must be a LinearProcess"),
        (lambda: certify(WELL, EXACT, GRID), "the process must be a LinearProcess"),
        (lambda: certify_by_sampling(3, EXACT, 1), "the process must be a LinearProcess, got 3$"),
        (lambda: mfg.diagnostics.judge_model(EXACT, WELL, EXACT.data, X), "the process must be a LinearProcess"),
    ],
)
def test_it_is_said_before_the_work(ask, sentence):
    with pytest.raises(TypeError, match=sentence):
        ask()


def test_what_is_there_passes():
    require(EXACT, mfg.scores.PotentialScore, "the score")
    for ability in (mfg.scores.DifferentiableScore, mfg.scores.DirectionalScore, mfg.scores.PotentialScore):
        mfg.scores.require_score(EXACT, ability)


def test_a_flow_states_a_divergence_only_where_its_score_does():
    assert mfg.Continuity.probability_flow(OU, bare).divergence is None
    assert mfg.Continuity.probability_flow(OU, EXACT).divergence is not None
