"""Parts of certificates against closed forms: the growth of a bound, and trajectories by Heun's scheme."""

import importlib
import types

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core.checkpoint import Checkpoint
from mfgpde.core.estimate import exact
from mfgpde.core.kept import Kept
from mfgpde.diagnostics.by_sampling import Walked, _gelbrich, _trajectories
from mfgpde.diagnostics.data import Named, Sampled, _told
from mfgpde.diagnostics.ode_sde_gap import GapBound, _cumulative
from mfgpde.diagnostics.prior_mismatch import mismatch
from mfgpde.diagnostics.slips import likely_slip
from mfgpde.transport import wasserstein_gaussian


def growth(times, lipschitz):
    return _cumulative(lipschitz, times).max()


def test_the_largest_growth_is_that_of_the_integral():
    times = np.linspace(0.1, 2.1, 9) ** 2
    np.testing.assert_allclose(growth(times, np.full(9, 3.0)), 3 * (times[-1] - times[0]))
    np.testing.assert_allclose(growth(times, 2 * times), times[-1] ** 2 - times[0] ** 2)
    assert growth(times, -np.ones(9)) == 0.0
    falling = np.where(times < 2, 1.0, -1.0)
    assert 0 < growth(times, falling) < times[-1] - times[0]


def test_trajectories_of_the_flow_follow_a_gaussian_home(rng):
    """Under the exact flow of N(0, v) a point keeps its place in units of the deviation: to 3 % in its few steps."""
    process, v, stop = mfg.VariancePreserving(horizon=2.7), 0.25, 1e-3
    score, x = mfg.ExactScore(process, mfg.gaussian(np.zeros(2), v * np.eye(2))), rng.normal(size=(50, 2))

    def deviation(t):
        return np.sqrt(process.mean_coefficient(t) ** 2 * v + process.variance(t))

    times = tuple(process.horizon * np.array([1.0, 0.6, 0.2]))
    found = _trajectories(
        process, score, deviation(times[0]) * x, (*times, stop), 0, Kept(Checkpoint(None, {})), noisy=False
    )
    for t, places in zip((*times, stop), found, strict=True):
        np.testing.assert_allclose(places.fine / deviation(t), x, atol=3e-2 * np.abs(x).max())


def test_the_prior_lies_between_its_bounds_in_any_dimension():
    """W₂, KL and TV of p_T and the prior in eight dimensions: in closed form for a Gaussian, within bounds for the rest."""
    process, d = mfg.VarianceExploding(sigma_min=0.01, sigma_max=3.0), 8
    mean, v = np.full(d, 0.7), 0.4
    law = mfg.gaussian(mean, v * np.eye(d))
    (_, _, C_T), (_, mu, C) = process.transition(0.0, process.horizon).in_dimension(d), process.prior().in_dimension(d)
    found = mismatch(process, Named.stopped(process, law, 1e-3), d)
    s, w = v + C_T[0, 0], C[0, 0]
    off = float(np.sum((mean - mu) ** 2))
    w2 = np.sqrt(off + d * (np.sqrt(s) - np.sqrt(w)) ** 2)
    kl = 0.5 * (d * (s / w - 1 - np.log(s / w)) + off / w)
    assert found["W2"].lower <= w2 * (1 + 1e-12)
    assert found["W2"].lower == pytest.approx(w2)
    assert found["W2"].upper > w2
    assert found["KL(p_T‖prior)"].lower == pytest.approx(kl)
    assert found["KL(p_T‖prior)"].upper > kl
    samples = Sampled.stopped(process, law.sample(50_000, np.random.default_rng(0)), 1e-3)
    assert mismatch(process, samples, d)["W2"].lower == pytest.approx(w2, rel=0.02)


SLIPS = {
    "the wrong sign": lambda p, s: lambda x, t: -s(x, t),
    "times the score of the data": lambda p, s: lambda x, t: 0.5 * s(x, t),
    "prediction of the noise": lambda p, s: lambda x, t: -np.sqrt(float(p.variance(t))) * s(x, t),
    "prediction of the data": lambda p, s: (
        lambda x, t: (x + float(p.variance(t)) * s(x, t)) / float(p.mean_coefficient(t))
    ),
    "velocity of generation": lambda p, s: lambda x, t: float(p.diffusivity(t)) * s(x, t) - p.drift(x, t),
    "variance of the noise": lambda p, s: lambda x, t: float(p.variance(t)) * s(x, t),
    "the other way": lambda p, s: lambda x, t: s(x, p.horizon - t),
}


@pytest.mark.parametrize("name", SLIPS)
@pytest.mark.parametrize("sampled", [False, True])
def test_the_usual_slips_are_named(name, sampled):
    process, law = mfg.VariancePreserving(), mfg.densities.four_blobs()
    data = Named.stopped(process, law, 1e-2)
    if sampled:
        data = Sampled.stopped(process, law.sample(4000, np.random.default_rng(3)), 1e-2)
    score = mfg.ExactScore(process, law)
    rng = np.random.default_rng(0)
    told = likely_slip(process, SLIPS[name](process, score), data, 2, 1e-2, rng)
    assert told is not None
    assert name in told
    assert likely_slip(process, score, data, 2, 1e-2, rng) is None


def test_a_bound_is_vacuous_from_where_independent_draws_are_apart():
    """K4: a bound of many diagonals of the box says nothing, nor one above what independent draws are apart."""

    def bound(value, independent):
        one, none = exact(value, "given"), np.zeros(2)
        return GapBound(exact(0.1, "given"), one, none, none, none, 1.0, independent)

    assert bound(501.0, 11.3).vacuous
    assert bound(2.0, 1.9).vacuous
    assert not bound(1.8, 1.9).vacuous


def test_the_bound_from_moments_owes_nothing_to_the_number_of_samples(rng):
    """Between samples of two laws the plain square is 2d/n too large by their means alone; groups left out tell."""
    n, shift, found, plain = 64, 0.3, [], []
    for _ in range(300):
        a, b = (rng.normal(size=(n, 2)) + shift * k for k in range(2))
        entry = _gelbrich(Walked(a, a[:4]), Walked(b, b[:4]))
        found.append(entry.value)
        plain.append(wasserstein_gaussian(a.mean(axis=0), np.cov(a.T), b.mean(axis=0), np.cov(b.T)) ** 2)
        assert entry.parts["time steps"] < 1e-6
    error, truth = np.std(found) / np.sqrt(300), 2 * shift**2
    assert np.mean(found) == pytest.approx(truth, abs=4 * error)
    assert np.mean(plain) > truth + 4 * error  # the control: what it takes away can be seen


def test_log_densities_that_halves_give_each_other_move_with_the_unit(rng):
    """E log p falls by d log L where lengths grow by L: the thousandth that is flat is one of the box."""
    masses, told = rng.random((2, 24, 16)) * (rng.random((2, 24, 16)) < 0.3), {}
    for unit in (1e-6, 1.0, 1e6):
        grid = mfg.CartesianGrid((-3.0 * unit, -2.0 * unit), (3.0 * unit, 2.0 * unit), (24, 16))
        one, other = (mfg.Field(mfg.FiniteVolume(grid), m / m.sum() / grid.volume) for m in masses)
        told[unit] = _told(one, other, 0.8)
    for unit, value in told.items():
        assert value == pytest.approx(told[1.0] - 2 * np.log(unit), abs=1e-9)


@pytest.mark.parametrize(
    ("cells", "blocks"), [((88, 104), 8), ((64, 96), 32), ((14, 14), 14), ((7, 7), 0), ((22, 26), 0)]
)
def test_brackets_in_the_plane_are_cut_by_as_many_blocks_as_divide_both_axes(cells, blocks, monkeypatch):
    compared, asked = importlib.import_module("mfgpde.diagnostics.compared"), []

    def by_blocks(p, q, grid, blocks):
        asked.append(blocks)
        return types.SimpleNamespace(lower=0.25, upper=0.5, method="blocks")

    monkeypatch.setattr(compared, "wasserstein_by_blocks", by_blocks)
    flat = mfg.Field(mfg.FiniteVolume(mfg.CartesianGrid((-1.0, -1.0), (1.0, 1.0), cells)), np.full(cells, 0.25))
    lower, upper, _ = compared._narrowed(flat, flat, 0.0, 1.0, "as it was")
    assert asked == ([blocks] if blocks else [])
    assert (lower, upper) == ((0.25, 0.5) if blocks else (0.0, 1.0))
