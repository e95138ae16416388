"""Every prediction says the same as every other; what it makes of exact laws is their score, with all derivatives."""

from itertools import product

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.scores import PREDICTIONS, Predicted, converted

P = mfg.processes
PROCESSES = [mfg.VariancePreserving(), mfg.SubVariancePreserving(), mfg.VarianceExploding(), P.Cosine(), P.Straight()]
PROCESSES += [P.Trigonometric(), P.EDM(), P.linear_betas(), P.scaled_linear_betas(zero_terminal_snr=True)]
LAW = mfg.GaussianMixture([0.4, 0.6], np.array([[-1.0, 0.0], [1.0, 0.5]]), 0.4)


@pytest.mark.parametrize(("first", "second"), list(product(PREDICTIONS, PREDICTIONS)))
def test_round_trips_are_identities(first, second):
    """To 1e-12 of the largest entry; 1e-12 / α where the noise says little of the data, and so at σ and the noise."""
    x = np.random.default_rng(0).normal(size=(50, 3))
    values = np.random.default_rng(1).normal(size=(50, 3))
    for process in PROCESSES:
        for share in (0.2, 0.5, 0.8):
            now = P.schedule_of(process, share * process.horizon)
            there = converted(values, x, now, first, second)
            back = converted(there, x, now, second, first)
            hard = 1 / min(float(now.alpha), 1.0) / min(float(now.sigma), 1.0) * max(float(now.sigma), 1.0)
            assert np.abs(back - values).max() <= 1e-12 * hard**2 * np.abs(values).max(), process


@pytest.mark.parametrize("predicts", PREDICTIONS)
@pytest.mark.parametrize("process", PROCESSES, ids=repr)
def test_a_prediction_of_an_exact_law_is_its_score_and_its_flow(process, predicts):
    exact, x = mfg.ExactScore(process, LAW), np.random.default_rng(2).normal(size=(20, 2))

    def network(y, t):
        now = P.schedule_of(process, t)
        c = float(mfg.scores.preconditioning(now, 0.5)[2] / now.alpha) if predicts == "edm" else 1.0
        return converted(exact(y / c, t), y / c, now, "score", predicts)

    score = Predicted(process, mfg.scores.Differenced(network, 2), predicts)
    for t in (0.11 * process.horizon, 0.5003 * process.horizon, 0.9 * process.horizon):
        want = exact(x, t)
        size = float(np.abs(want).max())
        assert np.abs(score(x, t) - want).max() < 1e-9 * size  # 1/α of the roundings where data are hidden
        flow = process.drift(x, t) - process.diffusivity(t) * want
        assert np.abs(score.velocity(x, t) - flow).max() < 1e-9 * max(np.abs(flow).max(), float(process.diffusivity(t)))


@pytest.mark.parametrize("predicts", ["v", "flow", "data"])
def test_the_time_derivative_goes_on_to_the_end(predicts):
    """At t = T, and on both sides of it, by differences of the score inside."""
    score = Predicted(P.Cosine(), mfg.scores.Differenced(lambda x, t: np.sin(x + t), 1, end=1.0), predicts)
    x, h = np.array([[0.3]]), 1e-4
    backwards = (3 * score(x, 1.0) - 4 * score(x, 1 - h) + score(x, 1 - 2 * h)) / (2 * h)
    assert score.time_derivative(x, 1.0)[0, 0] == pytest.approx(backwards[0, 0], rel=1e-5)


@pytest.mark.parametrize("predicts", [one for one in PREDICTIONS if one != "edm"])
def test_scores_are_finite_where_nothing_of_the_data_is_left(predicts):
    score = Predicted(P.Straight(), mfg.scores.Differenced(lambda x, t: np.sin(x + t), 1, end=1.0), predicts)
    assert np.isfinite(score(np.array([[0.3]]), 1.0)).all()


def test_velocities_of_a_straight_path_are_integrated_as_they_are():
    """N(1, ½): the velocity is known in closed form; its flow from N(0, 1) at t = 1 ends at the law, with no division."""
    c, m = 0.5, 1.0

    def velocity(x, t):
        v = (1 - t) ** 2 * c + t**2
        return -m + (t - (1 - t) * c) / v * (x - (1 - t) * m)

    network = mfg.scores.Differenced(velocity, 1)
    score = Predicted(P.Straight(), network, "flow")
    grid = mfg.CartesianGrid.cube(6.0, 128, 1)
    law = mfg.induced_ode(P.Straight(), score, grid, stop=0.0)
    assert mfg.l1_distance(law.density, mfg.gaussian(m, c)) < 2e-3  # second order: 0.1²/8 of the curvature
    turned = Predicted(P.Straight(), mfg.scores.Turned(network), "flow")
    assert mfg.l1_distance(mfg.induced_ode(P.Straight(), turned, grid).density, mfg.gaussian(m, c)) > 0.1


def test_the_equation_is_solved_by_exact_predictions_and_not_by_others():
    process = P.Straight()
    exact, x = mfg.ExactScore(process, LAW), np.random.default_rng(3).normal(size=(20, 2))

    def network(y, t):
        return converted(exact(y, t), y, process.schedule(t), "score", "v")

    found = []
    for predicts in ("v", "noise"):
        score = Predicted(process, mfg.scores.Differenced(network, 2), predicts)
        found.append(float(np.abs(mfg.score_residual(process, score, x, 0.5)).max()))
    assert found[0] < 1e-4  # differences over 2e-3 and 1.6e-2, of the fourth order
    assert found[1] > 1.0


def test_guidance_is_not_the_score_of_a_noised_law():
    """S + w(s_c − s) of Gaussians is a score at t = 0; at later times its equation has a residual of w(w − 1)."""
    process = mfg.OrnsteinUhlenbeck()
    both = [mfg.ExactScore(process, mfg.gaussian(m, v)) for m, v in ((1.0, 0.2), (0.0, 1.0))]
    x = np.linspace(-1, 1, 9)[:, None]
    residual = {}
    for w in (1.0, 3.0):
        score = mfg.scores.Differenced(mfg.scores.guided(*both, weight=w), 1, end=1.0)
        residual[w] = float(np.abs(mfg.score_residual(process, score, x, 0.5)).max())
    assert residual[1.0] < 1e-4
    assert residual[3.0] > 0.1
