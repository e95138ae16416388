"""What the bounds of W₂ between ODE and SDE are made of, against maps, scores and laws with closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import mfgpde as mfg
from mfgpde.diagnostics.coupled import coupled
from mfgpde.diagnostics.ledger import Entry
from mfgpde.diagnostics.likelihood import _encoded, _scaled, levels
from mfgpde.diagnostics.memorisation import ENOUGH, nearest_distances, share_of_copies
from mfgpde.diagnostics.ode_sde_gap import _apart, _carried_lengths, _integral, _one_sided, _score_gap

SEEDS = st.integers(0, 10**6)


def density(values, lower, upper):
    grid = mfg.CartesianGrid(lower, upper, np.shape(values))
    values = np.asarray(values, dtype=float)
    return mfg.Field(mfg.FiniteVolume(grid), values / float(grid.integrate(values)), means=True)


@settings(max_examples=30)
@given(SEEDS, st.floats(1e-3, 1e3), st.floats(-5.0, 5.0))
def test_independent_draws_of_densities_that_are_constant_in_cells(seed, unit, shift):
    """E|X − Y|² by the moments of every pair of cells: squares of the centres' distances, and h²/6 an axis within them."""
    rng = np.random.default_rng(seed)
    p, q = (density(rng.random((5, 7)), (0.0, shift * unit), (2 * unit, (shift + 3) * unit)) for _ in range(2))
    x, h = p.grid.points.reshape(-1, 2), np.array(p.grid.spacing)
    a, b = (one.values.ravel() * one.grid.volume for one in (p, q))
    squares = ((x[:, None] - x[None]) ** 2).sum(axis=-1)
    assert _apart(p, q) ** 2 == pytest.approx(a @ squares @ b + (h**2).sum() / 6, rel=1e-9)


def test_two_draws_from_a_box_are_a_sixth_of_its_square_apart():
    flat = density(np.ones((4, 4)), (0.0, 0.0), (3.0, 1.0))
    assert _apart(flat, flat) ** 2 == pytest.approx((9.0 + 1.0) / 6)


@settings(max_examples=30)
@given(st.floats(-2, 2), st.floats(-2, 2), SEEDS)
def test_sums_over_times_are_exact_for_what_is_linear_and_know_the_rest(a, b, seed):
    """Of a straight line nothing is left in the bar; of t² the trapezoidal sum is off by Σ h³/6 and the bar holds it."""
    times = np.sort(np.random.default_rng(seed).random(13))
    times[[0, -1]] = 0.0, 1.0
    line = _integral(a + b * times, times)
    assert line.value == pytest.approx(a + 0.5 * b)
    assert line.half_width == pytest.approx(0.0, abs=1e-12)
    square = _integral(times**2, times)
    assert square.value == pytest.approx(1 / 3 + np.sum(np.diff(times) ** 3) / 6)
    wide = times[[*range(0, 13, 2)]]
    assert square.half_width == pytest.approx(np.sum(np.diff(wide) ** 3) / 6 - np.sum(np.diff(times) ** 3) / 6)


@settings(max_examples=20)
@given(st.floats(0.6, 1.4), st.floats(-0.3, 0.3), st.floats(0.6, 1.4), st.floats(-1, 1), st.floats(-1, 1))
def test_gaps_are_carried_by_the_inverse_of_the_flow(a, shear, b, u, w):
    """Under the map Mx and a constant gap e: |M⁻¹e|², times the mass that the map's image of the box sees."""
    M = np.array([[a, shear], [0.0, b]])
    grid = mfg.CartesianGrid.cube(6.0, 48, 2)
    corners = grid.corners @ M.T
    q = np.exp(-0.5 * (grid.points**2).sum(axis=-1) / 0.3) / (2 * np.pi * 0.3)
    gap = np.broadcast_to([u, w], (*q.shape, 2))
    wanted = float(np.sum(np.linalg.solve(M, [u, w]) ** 2))
    known, raw = _carried_lengths(q, gap, corners, grid, 1e-3)
    assert known == raw == pytest.approx(np.sqrt(wanted), rel=0.02, abs=1e-9)


@pytest.mark.parametrize("thinnest", [0.0, 1e-3, 0.2])
def test_images_thinner_than_their_corners_are_known_are_taken_as_thin_as_that(thinnest):
    """A flow that presses the plane to a hundredth along one direction, at an angle: |e|/max(0.01, thinnest) along it."""
    turn = np.array([[np.cos(0.6), -np.sin(0.6)], [np.sin(0.6), np.cos(0.6)]])
    M = turn @ np.diag([0.5, 1e-2]) @ turn.T
    grid = mfg.CartesianGrid.cube(6.0, 48, 2)
    gap = np.broadcast_to(turn @ [0.3, 0.5], (*grid.cells, 2))
    q = np.ones(grid.cells)
    known, raw = _carried_lengths(q, gap, grid.corners @ M.T, grid, thinnest)
    share = np.sqrt(0.5 * 1e-2 * 144)  # of a density of one, the mass that the image of the box holds
    assert raw == pytest.approx(share * np.hypot(0.3 / 0.5, 0.5 / 1e-2), rel=1e-9)
    assert known == pytest.approx(share * np.hypot(0.3 / 0.5, 0.5 / max(1e-2, thinnest)), rel=1e-9)


@settings(max_examples=20)
@given(SEEDS)
def test_the_growth_of_a_linear_velocity_is_its_largest_symmetric_rate(seed):
    """∇(−f + D s) of an affine drift and a Gaussian's score, by its eigenvalues."""
    rng = np.random.default_rng(seed)
    A = rng.normal(0, 0.6, (2, 2)) - 0.7 * np.eye(2)
    process = mfg.Linear(A, 0.8, horizon=1.3)
    law = mfg.gaussian(np.zeros(2), np.diag([0.6, 0.3]))
    score, t, grid = mfg.ExactScore(process, law), 0.7, mfg.CartesianGrid.cube(3.0, 16, 2)
    C = law.after(process.transition(0.0, t)).covariances[0]
    J = -A - 0.5 * 0.8**2 * np.linalg.inv(C)
    q = np.exp(-(grid.points**2).sum(axis=-1))
    assert _one_sided(process, score, q, grid, t) == pytest.approx(np.linalg.eigvalsh(0.5 * (J + J.T))[-1], rel=1e-9)


def test_the_region_of_growth_holds_the_mass_and_no_more():
    """A velocity whose slope grows with |x|: the region of 99.9 % of N(0, 1) ends at 3.29 deviations."""

    class Cubic:
        def __call__(self, x, t):
            return x**3 / 3

        def jacobian(self, x, t):
            return (x**2)[..., None]

        def divergence(self, x, t):
            return x[..., 0] ** 2

        def divergence_gradient(self, x, t):
            return 2 * x

        def time_derivative(self, x, t):
            return 0 * x

    grid = mfg.CartesianGrid.cube(8.0, 1600, 1)
    q = mfg.gaussian(0.0, 1.0).density(grid.points)
    found = _one_sided(mfg.Brownian(np.sqrt(2.0)), Cubic(), q, grid, 0.5)
    assert found == pytest.approx(3.2905**2, rel=0.01)


def test_both_bounds_of_laws_that_only_shift_are_their_distance():
    """Data N(0, 2I), ∇log p_t plus a vector that grows: one covariance, W₂ is that of two means, which scipy integrates."""
    process, offset, T = mfg.OrnsteinUhlenbeck(horizon=5.0), np.array([0.6, 0.3]), 5.0

    def variance(t):
        return 2 * np.exp(-2 * t) + 0.5 * (1 - np.exp(-2 * t))

    def rate(tau, m):  # of the ODE's and the SDE's mean over the offset, in generation time
        c, v = np.exp(-2 * (T - tau)), variance(T - tau)
        return [(1 - 0.5 / v) * m[0] + 0.5 * c, (1 - 1 / v) * m[1] + c]

    ode_mean, sde_mean = solve_ivp(rate, (0, T), [0.0, 0.0], rtol=1e-12, atol=1e-14).y[:, -1]
    truth = float(abs(ode_mean - sde_mean) * np.linalg.norm(offset))
    score = mfg.scores.Differenced(lambda x, t: -x / variance(t) + offset * np.exp(-2 * t), 2)
    grid, times = mfg.CartesianGrid.cube(8.0, 96, 2), (T * (np.arange(1, 33) / 32) ** 2).tolist()
    sde = mfg.induced_sde(process, score, grid, stop=0.0, times=times, rtol=1e-4, order=4)
    ode = mfg.induced_ode(process, score, grid, stop=0.0, times=times, rtol=1e-7)
    found = mfg.gap_bound(process, score, sde, ode)
    for bound in (found.along_trajectories, found.by_lipschitz):
        assert bound.value == pytest.approx(truth, abs=4e-3)  # sums over 33 times are of second order; cells of a sixth


def test_a_sharper_law_on_other_cells_says_nothing_of_the_steps_of_these():
    process, times, grid = mfg.OrnsteinUhlenbeck(), np.linspace(1.0, 0.1, 8), mfg.CartesianGrid.cube(4.0, 32, 1)
    score, half = mfg.ExactScore(process, mfg.gaussian(0.0, 0.5)), mfg.CartesianGrid.cube(4.0, 16, 1)
    sde, rough = (mfg.induced_sde(process, score, one, times=times) for one in (grid, half))
    with pytest.raises(ValueError, match=r"cells of the law, \(32,\), .* got \(16,\)"):
        mfg.gap_bound(process, score, sde, mfg.induced_ode(process, score, grid, times=times), beside=(rough, rough))


def test_gaps_of_scores_are_zero_where_nothing_is_known_of_the_logarithm():
    grid = mfg.CartesianGrid.cube(8.0, 400, 1)
    law = mfg.gaussian(0.0, 1.0)
    q = law.density(grid.points)
    gap = _score_gap(lambda x, t: law.score(x) + 0.25, q, grid, 0.5)[..., 0]
    seen = q > 1e-9 * q.max()
    assert gap[seen] == pytest.approx(0.25, abs=2e-2)
    assert not gap[q < 1e-11 * q.max()].any()


@settings(max_examples=15)
@given(SEEDS, st.integers(1, 4), st.sampled_from([1e-6, 1.0, 1e6]))
def test_couplings_of_moved_samples_are_the_move(seed, d, unit):
    """Points and the same points moved by τ, in whatever order within a batch: exactly |τ|²; costs are lengths²."""
    rng = np.random.default_rng(seed)
    x, move = rng.normal(size=(160, d)), rng.normal(size=d)
    mixed = np.concatenate([rng.permutation(x[k * 20 : (k + 1) * 20]) for k in range(8)])
    found = coupled(unit * x, unit * (mixed + move))
    assert found.value == pytest.approx(unit**2 * (move**2).sum(), rel=1e-9)
    assert found.half_width == pytest.approx(0.0, abs=1e-9 * found.value)
    assert coupled(x, mixed).value == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(ValueError, match="two samples each"):
        coupled(x[:15], x)


@settings(max_examples=15)
@given(SEEDS, st.booleans())
def test_nearest_distances_are_those_of_all_pairs(seed, own):
    rng = np.random.default_rng(seed)
    training = rng.normal(size=(ENOUGH, 2))
    samples = rng.normal(size=(ENOUGH + 30, 2))
    fresh = training + 0.01 * rng.normal(size=training.shape) if own else rng.normal(size=(ENOUGH + 7, 2))
    ours, theirs = nearest_distances(samples, training, fresh, own)
    away = np.linalg.norm(samples[:, None] - training[None], axis=-1)
    assert ours == pytest.approx(away.min(axis=1))
    away = np.linalg.norm(fresh[:, None] - training[None], axis=-1)
    if own:
        away[np.arange(ENOUGH), np.arange(ENOUGH)] = np.inf
    assert theirs == pytest.approx(away.min(axis=1))


@settings(max_examples=15)
@given(SEEDS, st.floats(0.0, 1.0), st.sampled_from([1e-6, 1.0, 1e6]))
def test_copies_are_counted_in_every_unit(seed, share, unit):
    """Of samples of which a share are training points and the rest are far, that share is near."""
    rng = np.random.default_rng(seed)
    training, fresh = (unit * rng.normal(size=(400, 2)) for _ in range(2))
    count = round(share * 400)
    samples = np.concatenate((training[:count], unit * (50.0 + rng.normal(size=(400 - count, 2)))))
    found, near = share_of_copies(samples, training, fresh)
    assert found.value == pytest.approx(count / 400)
    assert near == pytest.approx(np.quantile(nearest_distances(samples, training, fresh)[1], 0.05))
    assert 0 < found.half_width < 0.2


@settings(max_examples=15)
@given(SEEDS, st.integers(2, 12), st.floats(0.05, 2.0))
def test_decoders_of_levels_give_every_level_its_gaussian_weight(seed, many, stop):
    """Log N(y; αx, σ²) − log P(x | y), P(x | y) over all levels written out."""
    rng, process = np.random.default_rng(seed), mfg.OrnsteinUhlenbeck(horizon=3.0)
    lowest, step = -1.0, 2.0 / (many - 1)
    clean = lowest + step * rng.integers(0, many, size=(30, 3))
    alpha, sigma = float(process.mean_coefficient(stop)), float(np.sqrt(process.variance(stop)))
    y = alpha * clean + sigma * rng.normal(size=clean.shape)
    found = _encoded(process, stop, clean, y, levels(lowest + step * np.arange(many)))
    own = -0.5 * ((y - alpha * clean) / sigma) ** 2
    all_of_them = -0.5 * ((y[..., None] - alpha * (lowest + step * np.arange(many))) / sigma) ** 2
    wanted = own - 0.5 * np.log(2 * np.pi * sigma**2) - (own - np.log(np.exp(all_of_them).sum(axis=-1)))
    assert found == pytest.approx(wanted.sum(axis=-1), rel=1e-9, abs=1e-9)


@settings(max_examples=40)
@given(SEEDS, st.integers(2, 256), st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_levels_are_found_wherever_they_lie(seed, many, lowest, step):
    taken = np.random.default_rng(seed).integers(0, many, size=64)
    taken[:3] = 0, many - 1, many - 2  # both ends, and two that are beside each other
    found = levels(lowest + step * taken)
    assert found is not None
    assert found.many == many
    assert found.lowest == pytest.approx(lowest)
    assert found.step == pytest.approx(step, rel=1e-6)


@pytest.mark.parametrize(
    "values", [np.ones(9), np.array([0.0, 1.0, 2.5]), np.arange(300.0), np.array([0.0, 1.0, 300.0])]
)
def test_what_takes_no_few_equal_steps_has_no_levels(values):
    assert levels(values) is None


def test_entries_in_another_unit():
    one = _scaled(Entry(2.0, 0.5, "how", {"samples": 0.5}, 1.0, 3.0), 0.25)
    assert (one.value, one.half_width, one.lower, one.upper, one.parts) == (0.5, 0.125, 0.25, 0.75, {"samples": 0.125})
    assert _scaled(Entry(2.0, None, "how"), 0.25).half_width is None
