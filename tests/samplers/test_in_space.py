"""Laws in the plane and in space: lattices with Jacobians, folds, brackets of W₂, divergences, against closed forms."""

from collections import Counter

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.samplers import (
    DDIM,
    Ancestral,
    Clipped,
    DPMSolverMultistep,
    EulerMaruyama,
    Heun,
    Lattice,
    LogSNR,
    Model,
    generated_law,
    gridded,
)
from mfgpde.samplers.contract import FEW
from mfgpde.transport import wasserstein_gaussian

PROCESS = mfg.OrnsteinUhlenbeck(horizon=3.0)
TURN = np.array([[0.8, -0.6], [0.6, 0.8]])
FACTORS = (mfg.GaussianMixture([0.4, 0.6], [[-0.8], [0.7]], [0.2, 0.3]), mfg.gaussian(0.3, 0.5))
PAIR = mfg.GaussianMixture(
    [0.4, 0.6],
    [TURN @ [-0.8, 0.3], TURN @ [0.7, 0.3]],
    np.array([TURN @ np.diag([v, 0.5]) @ TURN.T for v in (0.2, 0.3)]),
)
"""the product of the factors, turned"""


def found(sampler, data, steps=12, stop=0.02, cells=0, score=None):
    model = Model(PROCESS, score or mfg.ExactScore(PROCESS, data))
    exact = mfg.ExactScore(PROCESS, data)
    times = LogSNR().times(PROCESS, steps, stop)
    return generated_law(sampler, model, times, exact.at(float(times[0])), cells=cells), exact.at(stop)


def test_affine_maps_have_determinants_and_divergences_in_closed_form():
    A, b = np.array([[0.9, 0.4], [-0.2, 0.5]]), np.array([0.3, -0.1])
    start = mfg.GaussianMixture([1.0], [[0.2, 0.0]], [[[1.0, 0.3], [0.3, 0.6]]])
    law = Lattice.of(start, lambda x: x @ A.T + b, 96)
    C, m = A @ start.covariances[0] @ A.T, A @ start.means[0] + b
    assert np.abs(law.determinants - np.linalg.det(A)).max() < 1e-8
    np.testing.assert_allclose(law.mean, m, atol=1e-12)
    np.testing.assert_allclose(law.covariance, C, atol=1e-11)
    p, n = C + np.array([[0.1, 0.05], [0.05, 0.1]]), np.array([0.1, 0.2])

    def kl(a, A, b, B):
        return 0.5 * (
            np.trace(np.linalg.solve(B, A))
            - 2
            + (a - b) @ np.linalg.solve(B, a - b)
            + np.log(np.linalg.det(B) / np.linalg.det(A))
        )

    forward, reverse, beyond = law.divergences(mfg.GaussianMixture([1.0], [n], [p]))
    assert beyond < 1e-7  # what lies beyond eight deviations of the narrower law
    assert forward == pytest.approx(kl(n, p, m, C), abs=1e-7)
    assert reverse == pytest.approx(kl(m, C, n, p), abs=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize(
    "sampler",
    [DDIM(), DPMSolverMultistep(), pytest.param(Heun(), marks=pytest.mark.slow), DDIM(eta=1.0), EulerMaruyama(0.7)],
    ids=["ddim", "with memory", "heun", "with noise", "half the noise"],
)
def test_a_turned_product_has_the_distances_of_its_factors(sampler):
    """W₂² and KL are sums of those on the lines, which are known to many digits."""
    law, end = found(sampler, PAIR)
    ours = law.against(end)
    parts = []
    for factor in FACTORS:
        own, at = found(sampler, factor)
        parts.append(own.against(at))
    squared = sum(one.w2.value**2 for one in parts)
    assert np.sqrt(squared) in ours.w2
    assert ours.w2.half_width < 0.15 * ours.w2.value + 1e-4
    kl = sum(one.kl.value for one in parts)
    known = sum(one.kl.half_width for one in parts)
    assert abs(ours.kl.value - kl) <= ours.kl.half_width + known
    assert ours.kl.half_width < 0.02 * ours.kl.value + 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [DDIM(), Ancestral()], ids=["without noise", "with noise"])
def test_laws_in_space_of_a_gaussian_are_gaussian(sampler):
    C = np.array([[0.4, 0.1, 0.0], [0.1, 0.3, -0.1], [0.0, -0.1, 0.5]])
    data = mfg.GaussianMixture([1.0], [[0.2, -0.1, 0.4]], [C])
    law, end = found(sampler, data, steps=8)
    model = Model(PROCESS, mfg.ExactScore(PROCESS, data))
    mean, cov = model.score.at(3.0).means[0], model.score.at(3.0).covariances[0]
    points = np.vstack((np.zeros(3), np.eye(3)))
    for moves in sampler.run(model, LogSNR().times(PROCESS, 8, 0.02)):
        images, s = moves[0](points)
        A = (images[1:] - images[0]).T
        mean, cov = images[0] + A @ mean, A @ cov @ A.T + s**2 * np.eye(3)
    np.testing.assert_allclose(law.fine.mean, mean, atol=1e-5)
    np.testing.assert_allclose(law.fine.covariance, cov, atol=1e-4)
    w2 = wasserstein_gaussian(mean, cov, end.means[0], end.covariances[0])
    ours = law.against(end)
    assert w2 in ours.w2
    assert ours.w2.half_width < (2 if sampler.stochastic else 0.25) * w2  # grids in space are coarse


def test_a_map_that_folds_is_seen_and_its_law_is_still_deposited():
    """(|x|, y) of N(0, I): two sheets, no density by change of variables, but mean √(2/π), half the mass beyond 0.6745."""
    law = Lattice.of(mfg.gaussian(0.0, 1.0, 2), lambda x: np.stack((np.abs(x[:, 0]), x[:, 1]), axis=1), 128)
    assert law.folded == pytest.approx(0.5, abs=1e-12)
    assert law.divergences(mfg.gaussian(0.0, 1.0, 2))[0] == np.inf
    with pytest.raises(ValueError, match=r"folds on 0\.5"):
        law.log_density()
    assert law.mean[0] == pytest.approx(np.sqrt(2 / np.pi), abs=2e-3)  # a kink: of order two in the lattice's width
    low, high = law.box
    grid = mfg.CartesianGrid(tuple(low - 1), tuple(high + 1), (96, 96))
    on = law.on(grid)
    assert on.mass == pytest.approx(1.0, abs=1e-12)
    right = float(on.density[grid.points[..., 0] > 0.6745].sum() * grid.volume)
    assert right == pytest.approx(0.5, abs=0.06)  # to a cell, 0.1 wide, where the density is 0.6
    turned = Lattice.of(mfg.gaussian(0.0, 1.0, 2), lambda x: x * [-1.0, 1.0], 48)
    assert turned.folded == 0.0  # a reflection turns all the other way round, and is no fold
    assert turned.divergences(mfg.gaussian(0.0, 1.0, 2))[0] == pytest.approx(0.0, abs=1e-8)


def test_clipped_predictions_are_far():
    data = mfg.densities.four_blobs()
    clipped = Clipped(PROCESS, mfg.ExactScore(PROCESS, data), 1.0)
    law, end = found(DDIM(), data, steps=10, score=clipped)
    ours = law.against(end)
    # means of blobs are about 1.5: what is cut lies half a unit from where it should be in most blobs
    assert ours.w2.lower > 0.25
    assert ours.kl is None or ours.kl.upper > 0.3


def test_what_cannot_be_had_is_one_sentence():
    with pytest.raises(ValueError, match="too narrow"):
        Lattice.of(mfg.GaussianMixture([0.5, 0.5], [[-4.0, 0], [4.0, 0]], 1e-4), lambda x: x, 48)
    with pytest.raises(ValueError, match="not finite"):
        Lattice.of(mfg.gaussian(0.0, 1.0, 2), lambda x: np.where(x > 0, np.nan, x), 32)
    with pytest.raises(ValueError, match="plane and in space"):
        Lattice.of(mfg.gaussian(0.0, 1.0, 4), lambda x: x, 8)
    with pytest.raises(ValueError, match="one to three dimensions"):
        found(DDIM(), mfg.gaussian(0.0, 1.0, 4))


class Counted:
    """A score, and of how many points it was asked each time."""

    def __init__(self, score):
        self.score, self.points = score, []

    def __call__(self, x, t):
        self.points.append(len(x))
        return self.score(x, t)


def test_a_step_costs_one_score_of_each_point_and_nothing_more_that_grows_with_them(monkeypatch):
    """Counted: of 256² points and their neighbours, or of three grids, one score a step; of grids one deposit and blur."""
    data, asked, steps = mfg.densities.four_blobs(), Counter(), 10
    for name in ("deposit", "blurred"):
        made = getattr(gridded, name)
        monkeypatch.setattr(gridded, name, lambda *a, name=name, made=made: asked.update([name]) or made(*a))
    score = Counted(mfg.ExactScore(PROCESS, data))
    law, _ = found(DDIM(), data, steps=steps, score=score)
    assert law.fine.grid.cells == (256, 256)
    twice = [FEW] * 2  # whether it is random
    assert score.points == twice + [5 * 256**2] * steps
    score = Counted(mfg.ExactScore(PROCESS, data))
    law, _ = found(Ancestral(), data, steps=steps, score=score)
    assert law.fine.grid.cells == (256, 256)
    assert score.points == twice + [256**2] * steps + [192**2] * steps + [128**2] * steps
    assert asked == {"deposit": 3 * steps, "blurred": 3 * steps}
