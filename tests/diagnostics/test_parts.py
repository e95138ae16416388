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
from mfgpde.diagnostics.ledger import Ledger
from mfgpde.diagnostics.ode_sde_gap import GapBound, _cumulative
from mfgpde.diagnostics.prior_mismatch import mismatch
from mfgpde.diagnostics.residuals_in_time import residuals_in_time
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


@pytest.mark.parametrize("instant", [0.2, 0.3, 0.4])
def test_what_does_not_move_runs_no_way(instant):
    """A score that forgets its time is near the mirrored one of two blobs; it is not told to turn its time round."""
    process = mfg.VariancePreserving()
    law = mfg.GaussianMixture([0.5, 0.5], [[-1.0], [1.0]], [0.15, 0.15])
    data, score = Named.stopped(process, law, 5e-3), mfg.ExactScore(process, law)
    told = likely_slip(process, lambda x, t: score(x, instant), data, 1, 5e-3, np.random.default_rng(0))
    assert told is None or "the other way" not in told
    turned = likely_slip(process, lambda x, t: score(x, 1 - t), data, 1, 5e-3, np.random.default_rng(0))
    assert "the other way" in turned


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


class Spent:
    """What counts what a score costs."""

    points, seconds = 3, 0.25


def test_parts_that_were_taken_up_bring_what_they_cost(tmp_path, monkeypatch):
    """Of two parts the sums: score evaluations, seconds in them, all seconds; what is made now is counted elsewhere."""
    by_sampling, clock = importlib.import_module("mfgpde.diagnostics.by_sampling"), [100.0]
    monkeypatch.setattr(by_sampling.time, "perf_counter", lambda: clock[0])
    counted, path = Spent(), tmp_path / "state.npz"

    def work(points, seconds, all_seconds):
        def make():
            counted.points += points
            counted.seconds += seconds
            clock[0] += all_seconds
            return {"x": np.array([float(points)])}

        return make

    def made():
        kept = by_sampling._KeptCosts(Checkpoint(path, {"work": 1}), counted)

        def interrupted():
            with kept.working():
                kept.part("a", work(10, 2.0, 5.0), now=True)
                kept.part("b", work(7, 1.5, 3.0), now=True)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        return kept.points, kept.score_seconds, kept.seconds

    assert made() == (0, 0.0, 0.0)
    assert (counted.points, counted.seconds) == (20, 3.75)
    assert made() == (17, 3.5, 8.0)
    assert (counted.points, counted.seconds) == (20, 3.75), "nothing is made twice"


class Linear:
    """The score s = Ax."""

    def __init__(self, A):
        self.A = A

    def __call__(self, x, t):
        return x @ self.A.T

    def time_derivative(self, x, t):
        return np.zeros_like(x)

    def directional_derivatives(self, x, t, v):
        return v @ self.A.T, v @ self.A, np.zeros_like(x)


@pytest.mark.parametrize("d", [16, 20])
def test_rotations_along_drawn_directions_are_means_of_squares(d, rng):
    """Of s = Ax, A not symmetric: ‖(A − Aᵀ)/2‖² exactly in few dimensions; above, the mean over two directions."""
    process, A = mfg.Brownian(), rng.normal(size=(d, d))
    by_sampling = importlib.import_module("mfgpde.diagnostics.by_sampling")
    x, B = rng.normal(size=(5, d)), 0.5 * (A - A.T)
    directions = [np.broadcast_to(e, x.shape) for e in np.eye(d)] if d == 16 else [*np.sign(rng.normal(size=(2, 5, d)))]
    found = by_sampling._squares(process, Linear(A), x, 0.5, directions)
    turned = [np.sum((v @ B.T) ** 2, axis=-1) for v in directions]
    wanted = np.full(5, np.sum(B**2)) if d == 16 else np.mean(turned, axis=0)
    assert found["rotation"] == pytest.approx(wanted)
    assert found["score"] == pytest.approx(np.sum((x @ A.T) ** 2, axis=-1))


@pytest.mark.parametrize(("share", "said"), [(0.9, False), (1.1, True)])
def test_folds_are_told_from_a_hundredth_of_the_mass_on(share, said):
    certificate = importlib.import_module("mfgpde.diagnostics.certificate")
    grid, ledger = mfg.CartesianGrid.cube(2.0, 8, 1), Ledger()
    values = np.full(8, 0.3)
    values[2] = -share * certificate.FOLDED / grid.volume
    certificate._mass(ledger, grid, {"sde": 0.0}, mfg.Field(mfg.FiniteVolume(grid), values, means=True))
    assert [f"{share * 0.01:.2g} of mass was negative" in words for words in ledger.warnings] == [True] * said
    assert not ledger.failures


@pytest.mark.parametrize("shape", [(128, 192), (32, 48), (256,), (127,)])
def test_residuals_are_means_over_about_64_cells_a_side(shape):
    """Every k-th cell along each axis from the middle of the first k on, the law's negative values left out."""
    seen = []
    d, step = len(shape), {128: 2, 32: 1, 256: 4, 127: 1}[shape[0]]
    grid = mfg.CartesianGrid(tuple(-1.0 * n for n in shape), tuple(1.0 * n for n in shape), shape)
    process = mfg.OrnsteinUhlenbeck()

    class Looked(mfg.ExactScore):
        def __call__(self, x, t):
            seen.append(x)
            return super().__call__(x, t)

    law = np.where(grid.points[..., 0] > 0, 1.0, -1.0)
    field = mfg.Field(mfg.FiniteVolume(grid), law, means=True)
    sde = types.SimpleNamespace(times=(0.5,), stages=(2 * law,), density=field)
    score = Looked(process, mfg.gaussian(np.zeros(d), 0.5 * np.eye(d)))  # the law that stays: s = −2x
    rows = residuals_in_time(process, score, sde, grid, 0.1)
    every = (slice(step // 2, None, step),) * d
    assert np.array_equal(seen[0], grid.points[every])
    kept = grid.points[every][grid.points[every][..., 0] > 0]
    for row, t in zip(rows, (0.5, 0.1), strict=True):
        assert row["t"] == t
        assert row["score"] == pytest.approx(np.sqrt(np.mean(np.sum((2 * kept) ** 2, axis=-1))))
        assert row["score residual"] < 1e-9 * row["score"]


@pytest.mark.parametrize("many", [2, 5, 40])
def test_what_a_level_is_encoded_by_is_bayes_rule(many, rng):
    """Log N(y; αx, σ²) − log P(x | y) against sums over all levels, wide noise and narrow, the ends included."""
    likelihood = importlib.import_module("mfgpde.diagnostics.likelihood")
    process, coarse = mfg.VariancePreserving(), likelihood.Levels(many, -1.3, 0.37)
    x = coarse.lowest + coarse.step * rng.integers(0, many, (30, 3))
    for stop in (1e-3, 0.2, 0.9):
        alpha, sigma = float(process.mean_coefficient(stop)), float(np.sqrt(process.variance(stop)))
        y = alpha * x + sigma * rng.normal(size=x.shape)
        levels = coarse.lowest + coarse.step * np.arange(many)
        squares = -0.5 * ((y[..., None] - alpha * levels) / sigma) ** 2
        own = -0.5 * ((y - alpha * x) / sigma) ** 2
        decoded = own - np.log(np.sum(np.exp(squares - squares.max(axis=-1, keepdims=True)), axis=-1))
        wanted = own - 0.5 * np.log(2 * np.pi * sigma**2) - (decoded - squares.max(axis=-1))
        found = likelihood._encoded(process, stop, x, y, coarse)
        assert found == pytest.approx(wanted.sum(axis=-1), rel=1e-9)
