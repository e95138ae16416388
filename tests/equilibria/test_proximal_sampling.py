"""The proximal operator by sampling: closed forms in eight dimensions, the grid in two, error bars that hold, bad input."""

import numpy as np
import pytest

import mfgpde as mfg

T, BETA, PULL = 0.8, 0.3, 1.5


def bowl(x):
    return 0.5 * PULL * np.sum(x * x, axis=-1)


def test_a_bowl_in_eight_dimensions(rng):
    """Given y the end is N(y/(1 + aT), 2βT/(1 + aT)), and U = βd log(1 + aT) + a|y|²/2(1 + aT)."""
    d, n, shrink = 8, 4000, 1 / (1 + PULL * T)
    start = mfg.gaussian(np.linspace(-0.5, 0.5, d), 0.4 * np.eye(d))
    end = mfg.gaussian(shrink * start.means[0], (0.4 * shrink**2 + 2 * BETA * T * shrink) * np.eye(d))
    found = mfg.equilibria.proximal_by_sampling(start.sample(n, rng), bowl, horizon=T, beta=BETA, draws=400, rng=rng)
    square = 0.4 * d + np.sum(start.means**2)
    truth = BETA * d * np.log(1 + PULL * T) + PULL * square * shrink / 2
    assert truth in found.value
    assert found.value.half_width < 0.05 * truth
    for k in (0, 3, 7):
        assert end.means[0, k] in found.mean(lambda x, k=k: x[..., k])
    energy = end.covariances[0, 0, 0] * d + np.sum(end.means**2)
    assert energy in found.mean(lambda x: np.sum(x * x, axis=-1))
    x = np.stack((end.means[0], end.means[0] + 0.2))
    for estimate, exact in zip(found.density(x), end.density(x), strict=True):
        assert exact in estimate
        assert estimate.half_width < 0.5 * exact
    cloud = found.resample(rng)
    assert cloud.var(axis=0).mean() == pytest.approx(end.covariances[0, 0, 0], rel=0.05)
    assert np.median(found.effective) > 10


def test_the_grid_and_the_samples_agree_where_no_closed_form_is_known(rng):
    def wells(x):
        return (x[..., 0] ** 2 - 1) ** 2 + 0.5 * x[..., 1] ** 2

    start, grid = mfg.gaussian(np.array([0.4, 0.2]), 0.2 * np.eye(2)), mfg.CartesianGrid.cube(4.0, 96, 2)
    known = mfg.wasserstein_proximal(start.density(grid.points), wells, grid, horizon=T, beta=BETA)
    found = mfg.equilibria.proximal_by_sampling(start.sample(4000, rng), wells, horizon=T, beta=BETA, rng=rng)
    assert known.cost in found.value
    for f in (lambda x: x[..., 0], lambda x: x[..., 0] ** 2, lambda x: np.cos(x[..., 1])):
        assert float(grid.integrate(f(grid.points) * known.density.values)) in found.mean(f)


def test_intervals_hold_the_truth_as_often_as_they_say(rng):
    start, shrink = mfg.gaussian(0.3, 0.4, 1), 1 / (1 + PULL * T)
    truth = BETA * np.log(1 + PULL * T) + PULL * (0.4 + 0.09) * shrink / 2
    held = [
        truth
        in mfg.equilibria.proximal_by_sampling(
            start.sample(400, rng), bowl, horizon=T, beta=BETA, draws=32, rng=rng
        ).value
        for _ in range(400)
    ]
    assert np.mean(held) > 0.99 - 4 * np.sqrt(0.99 * 0.01 / 400)


def test_bad_input(rng):
    x = rng.normal(size=(50, 3))
    good = {"horizon": T, "beta": BETA, "rng": rng}
    with pytest.raises(ValueError, match="must be positive"):
        mfg.equilibria.proximal_by_sampling(x, bowl, **good | {"beta": 0.0})
    with pytest.raises(ValueError, match="at least 20"):
        mfg.equilibria.proximal_by_sampling(x[:5], bowl, **good)
    with pytest.raises(ValueError, match="must be finite with shape"):
        mfg.equilibria.proximal_by_sampling(x, lambda y: np.full(y.shape[:-1], np.nan), **good)
    with pytest.raises(ValueError, match="hardly one counts"):
        mfg.equilibria.proximal_by_sampling(x, lambda y: 1e3 * np.sum(y**2, axis=-1), **good)


def test_a_potential_that_falls_too_fast_is_refused():
    grid = mfg.CartesianGrid.cube(4.0, 64, 1)
    with pytest.raises(ValueError, match="integrable against it"):
        mfg.wasserstein_proximal(
            mfg.gaussian(0.0, 0.3, 1).density(grid.points), lambda x: -2 * x[..., 0] ** 2, grid, horizon=1.0, beta=BETA
        )
