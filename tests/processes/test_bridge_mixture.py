"""Mixtures of bridges: closed forms of the projection's drift, marginals by solving, points, and what is refused."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.processes import BridgeMixture, Pairs


def mixture(rng, d, k=2):
    A = 0.4 * rng.normal(size=(k, d, d))
    return mfg.GaussianMixture(
        rng.dirichlet(3 * np.ones(k)), 0.6 * rng.normal(size=(k, d)), A @ A.swapaxes(1, 2) + 0.2 * np.eye(d)
    )


@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_drift_of_a_schroedinger_bridge_is_the_slope_of_its_potential(d):
    """σ²∇log g ∗ N(0, σ²(T − t)): another formula, without a coupling, at both ends too; nothing of the start remains."""
    rng = np.random.default_rng(d)
    before, after, scale, T = mixture(rng, d), mixture(rng, d), 0.9, 1.2
    bridge = BridgeMixture(mfg.densities.schroedinger_coupling(before, after, scale**2 * T), scale, T)
    x, start = rng.normal(size=(2, 40, d))
    for t in (0.0, 0.5, T):
        ahead = after.after(mfg.processes.Transition(1.0, 0.0, scale**2 * (T - t)))
        assert bridge.drift(x, t) == pytest.approx(scale**2 * ahead.score(x), rel=1e-11, abs=1e-12)
    assert bridge.remembered_drift(start, x, 0.7) == pytest.approx(bridge.drift(x, 0.7), rel=1e-10, abs=1e-11)


@pytest.mark.parametrize("t", [0.2, 0.9])
def test_points_pull_by_their_weights(t):
    """A few pairs by hand: weights of Gaussians about the points on the segments."""
    rng = np.random.default_rng(4)
    starts, ends, shares = rng.normal(size=(3, 2)), rng.normal(size=(3, 2)), np.array([0.2, 0.5, 0.3])
    process, x = BridgeMixture(Pairs(starts, ends, shares), 0.7), np.array([0.3, -0.4])
    away = x - (1 - t) * starts - t * ends
    w = shares * np.exp(-0.5 * (away**2).sum(axis=1) / (0.49 * t * (1 - t)))
    wanted = (w / w.sum()) @ ((ends - x) / (1 - t))
    assert process.drift(x, t) == pytest.approx(wanted, rel=1e-12)


def test_many_points_tend_to_their_law():
    """40 000 drawn pairs against the Gaussians that they were drawn from, by five standard errors of such a ratio."""
    rng, law = np.random.default_rng(5), mfg.gaussian([-0.5, 0.8], [[0.5, -0.2], [-0.2, 0.4]])
    z = law.sample(40_000, rng)
    points, exact = BridgeMixture(Pairs(z[:, :1], z[:, 1:])), BridgeMixture(law)
    x = np.array([[-0.6], [0.0], [0.5]])
    assert points.drift(x, 0.5) == pytest.approx(exact.drift(x, 0.5), abs=0.05)


def test_far_out_the_nearest_component_remains():
    process = BridgeMixture(Pairs(np.array([[0.0], [1.0]]), np.array([[0.0], [1.0]])))
    assert process.drift(np.array([[1e6], [-1e6]]), 0.5).ravel() == pytest.approx([(1 - 1e6) / 0.5, 1e6 / 0.5])


def coupling(d, seed=3):
    rng = np.random.default_rng(seed)
    A = 0.22 * rng.normal(size=(2, 2 * d, 2 * d))
    return mfg.GaussianMixture(
        [0.6, 0.4], 0.6 * rng.normal(size=(2, 2 * d)), A @ A.swapaxes(1, 2) + 0.15 * np.eye(2 * d)
    )


END = {1: 0.5, 2: 0.25}


def off(process, space, end):
    """Return by how much the solved law differs from the mixture of bridges at the end, in L¹."""
    d, start = process.dimension, mfg.GaussianMixture(*process.moments(0.0))
    law = mfg.solve(mfg.FokkerPlanck.of(process), space, start, (0.0, end), rtol=1e-6, largest_wall_mass=1e-3).at(end)
    want = mfg.GaussianMixture(*process.moments(end))
    values = want.cell_means(space.grid) if law.means else want.density(space.grid.points)
    assert values.ndim == d
    return float(space.grid.integrate(np.abs(law.values - values)))


@pytest.mark.parametrize(
    ("d", "order", "cells", "least"),
    [
        (1, 2, (64, 112), 1.75),
        (1, 4, (64, 112), 3.4),
        pytest.param(2, 2, (32, 56), 1.75, marks=pytest.mark.slow),
        pytest.param(2, 4, (28, 42), 3.4, marks=pytest.mark.slow),
    ],
)
def test_the_projected_drift_has_the_marginals_of_the_bridges_by_volumes(d, order, cells, least):
    process = BridgeMixture(coupling(d), 0.8)
    boxes = [mfg.CartesianGrid.cube(6.0 - d / 2, n, d) for n in cells]
    errors = [off(process, mfg.FiniteVolume(box, order=order), END[d]) for box in boxes]
    assert np.log(errors[0] / errors[1]) / np.log(cells[1] / cells[0]) > least
    assert errors[1] < {2: 0.03, 4: 3e-3}[order]


@pytest.mark.parametrize(("d", "cells", "most"), [(1, 56, 1e-5), (2, 36, 1e-4)])
def test_the_projected_drift_has_the_marginals_of_the_bridges_spectrally(d, cells, most):
    assert (
        off(BridgeMixture(coupling(d), 0.8), mfg.Spectral(mfg.CartesianGrid.cube(6.0 - d / 2, cells, d)), END[d]) < most
    )


def test_what_is_no_coupling_is_refused():
    with pytest.raises(TypeError, match="twice the dimension"):
        BridgeMixture(lambda x: x)
    with pytest.raises(ValueError, match="even dimension"):
        BridgeMixture(mfg.gaussian(0.0, 1.0, 3))
    with pytest.raises(ValueError, match="pairs of points"):
        Pairs(np.zeros((3, 2)), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="eigenvalue below zero"):
        Pairs(np.zeros((1, 1)), np.zeros((1, 1)), None, np.array([[[1.0, 2.0], [2.0, 1.0]]]))
    with pytest.raises(ValueError, match="sum"):
        Pairs(np.zeros((2, 1)), np.zeros((2, 1)), np.array([0.0, 0.0]))


def test_points_have_no_drift_at_their_ends_and_bridges_none_outside():
    process = BridgeMixture(Pairs(np.zeros((2, 1)), np.ones((2, 1))))
    for t in (0.0, 1.0):
        with pytest.raises(ValueError, match="no spread"):
            process.drift(np.zeros((1, 1)), t)
    with pytest.raises(ValueError, match="from t = 0 to 1"):
        process.drift(np.zeros((1, 1)), 1.5)
    with pytest.raises(ValueError, match="points must have shape"):
        process.drift(np.zeros((1, 2)), 0.5)


def test_other_units_change_nothing():
    """Lengths a billionth as large and times a billion as long, all of the coupling with them."""
    pairs = coupling(2)
    unit, time = 1e-9, 1e9
    small = mfg.GaussianMixture(pairs.weights, unit * pairs.means, unit**2 * pairs.covariances)
    here, there = BridgeMixture(pairs, 0.8, 1.3), BridgeMixture(small, 0.8 * unit * time**-0.5, 1.3 * time)
    x = np.random.default_rng(0).normal(size=(20, 2))
    for t in (0.0, 0.6, 1.3):
        assert there.drift(unit * x, time * t) * time / unit == pytest.approx(here.drift(x, t), rel=1e-9, abs=1e-10)
        assert there.divergence(unit * x, time * t) * time == pytest.approx(here.divergence(x, t), rel=1e-8, abs=1e-9)
