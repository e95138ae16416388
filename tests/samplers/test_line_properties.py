"""Laws on the line: distances know no origin and no unit, maps compose, differences are exact on polynomials."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

import mfgpde as mfg
from mfgpde.samplers.gridded import Gridded, blurred
from mfgpde.samplers.line import Line, Quantiles, derivative

MEANS, SCALES = st.floats(-3.0, 3.0), st.floats(0.2, 3.0)


@st.composite
def laws(draw):
    k = draw(st.integers(1, 3))
    weights = np.array([draw(st.floats(0.2, 1.0)) for _ in range(k)])
    means = [[draw(MEANS)] for _ in range(k)]
    return mfg.GaussianMixture(weights / weights.sum(), means, np.array([draw(st.floats(0.05, 2.0)) for _ in range(k)]))


def carried(law, scale, shift):
    return mfg.GaussianMixture(law.weights, scale * law.means + shift, scale**2 * law.covariances)


@settings(max_examples=25)
@given(laws(), laws(), SCALES, MEANS)
def test_distances_go_with_lengths_and_know_no_origin(p, q, scale, shift):
    """W₁ and W₂ are lengths; KS and KL have no unit: as far as quantiles of narrow parts are read off a table, to 1e-7."""
    line, other = Line.of(p, 513), Line.of(carried(p, scale, shift), 513)
    one, two = Quantiles(q), Quantiles(carried(q, scale, shift))
    for order in (1, 2):
        assert other.wasserstein(two, order) == pytest.approx(scale * line.wasserstein(one, order), rel=1e-5, abs=1e-8)
    assert other.kolmogorov(two) == pytest.approx(line.kolmogorov(one), abs=1e-6)
    assert other.divergence_from(two.law)[0] == pytest.approx(line.divergence_from(q)[0], rel=1e-5, abs=1e-9)


@settings(max_examples=25)
@given(laws())
def test_moments_and_densities_of_a_mixture_are_its_own(p):
    line = Line.of(p)
    mean = float(p.weights @ p.means[:, 0])
    square = float(p.weights @ (p.means[:, 0] ** 2 + p.covariances[:, 0, 0]))
    assert line.mean == pytest.approx(mean, abs=1e-7)
    assert line.variance == pytest.approx(square - mean**2, rel=1e-6)
    middle = np.abs(line.levels) < 2
    assert line.density()[middle] == pytest.approx(p.density(line.points[middle, None]), rel=1e-4)
    assert line.wasserstein(Quantiles(p)) == pytest.approx(0.0, abs=1e-9)
    assert line.kolmogorov(Quantiles(p)) < 1e-9


@settings(max_examples=25)
@given(MEANS, SCALES, MEANS, SCALES)
def test_distances_of_two_gaussians(m, s, n, r):
    """W₂² = (m − n)² + (s − r)²; W₁ ≤ W₂; KL = log(r/s) + (s² + (m − n)²)/2r² − ½, of p from the line's law."""
    line, p = Line.of(mfg.gaussian(n, r**2)), mfg.gaussian(m, s**2)
    w2 = line.wasserstein(Quantiles(p))
    assert w2 == pytest.approx(np.hypot(m - n, s - r), rel=1e-9, abs=1e-9)
    assert abs(m - n) - 1e-9 <= line.wasserstein(Quantiles(p), 1) <= w2 + 1e-9
    kl, beyond = line.divergence_from(p)
    if s < r:  # else p has mass beyond the points
        assert kl == pytest.approx(np.log(r / s) + (s**2 + (m - n) ** 2) / (2 * r**2) - 0.5, abs=1e-5 + beyond)


@settings(max_examples=25)
@given(laws(), SCALES, MEANS)
def test_increasing_maps_keep_levels_and_compose(p, scale, shift):
    line = Line.of(p, 257)
    once = line.moved(np.sinh(0.3 * line.points))
    twice = once.moved(scale * once.points + shift)
    assert np.array_equal(twice.levels, line.levels)
    assert np.allclose(twice.points, scale * np.sinh(0.3 * line.points) + shift)
    half = twice.halved()
    assert np.array_equal(half.points, twice.points[::2])
    assert half.masses.sum() == pytest.approx(1.0)
    assert half.mean == pytest.approx(twice.mean, abs=1e-3 * (1 + abs(shift) + scale))


@settings(max_examples=25)
@given(laws())
def test_a_decreasing_map_turns_the_law_round(p):
    """−X has the mirrored levels, whatever the order in which its points come."""
    line = Line.of(p, 257)
    turned = line.moved(-line.points)
    assert np.allclose(turned.points, -line.points[::-1])
    inner = np.abs(turned.levels) < 5
    assert np.abs(ndtr(turned.levels) - ndtr(-line.levels[::-1]))[inner].max() < 0.02
    assert turned.mean == pytest.approx(-line.mean, abs=1e-12)
    assert turned.variance == pytest.approx(line.variance)


@pytest.mark.parametrize("degree", range(7))
def test_differences_of_order_six_are_exact_up_to_degree_six(degree):
    x = np.linspace(-1.0, 2.0, 25)
    wanted = degree * x ** max(degree - 1, 0)
    assert derivative(x**degree, x)[3:-3] == pytest.approx(wanted[3:-3], abs=1e-11)


def test_differences_at_other_places_are_exact_for_parabolas():
    """At places that are not equidistant, and with too few of them, to degree two inside."""
    for x in (np.array([0.0, 0.1, 0.4, 0.5, 0.9, 1.6, 2.0, 2.1, 2.7, 3.0, 4.0]), np.linspace(0, 1, 6)):
        assert derivative(x**2, x)[1:-1] == pytest.approx(2 * x[1:-1], rel=1e-12)


@settings(max_examples=25)
@given(laws(), laws())
def test_turns_count_only_where_quantiles_cross(p, q):
    """What W₁ may owe to kinks of |x − Q|: nothing where one law lies above the other."""
    line = Line.of(p, 257)
    far = Quantiles(carried(q, 1.0, 100.0))
    assert line.turns(far) == 0.0
    shifted = Quantiles(carried(p, 1.5, 0.1))
    gap = line.points - shifted(line.levels)
    crossed = np.flatnonzero(gap[1:] * gap[:-1] < 0)
    wanted = sum(max(line.masses[k], line.masses[k + 1]) * abs(gap[k + 1] - gap[k]) for k in crossed)
    assert line.turns(shifted) == pytest.approx(wanted, rel=1e-9, abs=1e-15)


@settings(max_examples=15)
@given(st.floats(0.4, 1.5), st.floats(-1.0, 1.0), st.floats(0.1, 1.0), st.integers(1, 2))
def test_moves_on_grids_have_the_moments_of_their_maps(a, b, s, d):
    """Mean aμ + b, covariance a²C + s²I, mass one, in the line and the plane."""
    spread = np.array([0.5, 1.2][:d])
    law = mfg.GaussianMixture(np.ones(1), np.full((1, d), 0.4), spread[None])
    grid = mfg.CartesianGrid.cube(9.0, 64, d)
    moved = Gridded.of(law, grid).moved(lambda x: (a * x + b, s))
    assert moved.mass == pytest.approx(1.0, abs=1e-9)
    assert moved.mean == pytest.approx(a * 0.4 + b, abs=1e-4)
    assert moved.covariance == pytest.approx(np.diag(a**2 * spread + s**2), rel=2e-3, abs=1e-4)


@settings(max_examples=20)
@given(st.floats(0.3, 1.0), st.floats(0.1, 0.8))
def test_blurs_add_their_variances(first, second):
    grid = mfg.CartesianGrid.cube(8.0, 128, 1)
    start = mfg.gaussian(0.0, 0.5).density(grid.points)
    twice = blurred(blurred(start, first, grid), second, grid)
    assert twice == pytest.approx(blurred(start, np.hypot(first, second), grid), abs=1e-12)
    wanted = mfg.gaussian(0.0, 0.5 + first**2 + second**2).density(grid.points)
    assert twice == pytest.approx(wanted, abs=1e-6)
    assert blurred(start, 0.0, grid) is start


@settings(max_examples=15)
@given(laws())
def test_a_law_on_a_grid_has_the_quantiles_of_the_mixture(p):
    low, high = p.box(1 - 1e-12)
    line = Gridded.of(p, mfg.CartesianGrid(tuple(low), tuple(high), (768,))).line()
    assert np.all(np.diff(line.levels) > 0)
    inner = np.abs(line.levels) < 4
    assert line.levels[inner] == pytest.approx(Quantiles(p).level(line.points[inner]), abs=1e-3)
    assert line.density()[inner] == pytest.approx(p.density(line.points[inner, None]), rel=1e-6)


def test_a_law_in_the_plane_has_no_quantiles():
    with pytest.raises(ValueError, match="on the line"):
        Quantiles(mfg.gaussian(0.0, 1.0, dimension=2))
    with pytest.raises(ValueError, match="not finite"):
        Line.of(mfg.gaussian(0.0, 1.0), 65).moved(np.full(65, np.nan))


@pytest.mark.parametrize(("first", "known"), [(0.00085, 9.67e-4), (0.0001, 1.14e-4)])
def test_one_step_of_euler_from_the_last_level_to_zero_leaves_what_no_number_of_steps_mends(first, known):
    """What x + σ₀² s(x) makes of the exact law at σ₀ = (β₀/(1 − β₀))^½, against the data; about σ₀²/2√v of one Gaussian."""
    data, square = mfg.densities.bimodal(1), first / (1 - first)
    noised = mfg.GaussianMixture(data.weights, data.means, data.covariances + square)
    line = Line.of(noised, 8193)
    last = line.moved(line.points + square * noised.score(line.points[:, None])[:, 0])
    assert last.wasserstein(Quantiles(data)) == pytest.approx(known, rel=5e-3)
