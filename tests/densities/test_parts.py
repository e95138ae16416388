"""Parts of densities against quadrature: blurred boxes, cell means by two rules, shares of Gaussians, covariances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import multivariate_normal

import mfgpde as mfg
from mfgpde.densities import Dense, LowRank, UniformBoxes, cell_means
from mfgpde.densities.boxes import _ramp
from mfgpde.densities.gauss_points import averages
from mfgpde.densities.gaussian_cells import aligned, separable_means
from mfgpde.densities.on_grid import OnGrid, check_density, place
from mfgpde.processes import Transition

SEEDS, UNITS = st.integers(0, 10**6), st.sampled_from([1e-6, 1.0, 1e6])


@st.composite
def boxes(draw, d=None):
    d = d or draw(st.integers(1, 2))
    rng = np.random.default_rng(draw(SEEDS))
    lower = rng.uniform(-2, 1, (2, d))
    return UniformBoxes(rng.uniform(0.5, 2, 2), lower, lower + rng.uniform(0.2, 2, (2, d)), draw(st.floats(0.05, 1.0)))


@settings(max_examples=30)
@given(boxes(1), st.floats(-3, 3))
def test_blurred_boxes_are_convolutions(law, x):
    """∫ box(y) φ((x − y)/δ)/δ dy by quadrature; the score is the slope of its logarithm."""
    share, total = law.weights / law.weights.sum(), 0.0
    for w, a, b in zip(share, law.lower[:, 0], law.upper[:, 0], strict=True):
        kernel = quad(
            lambda y: np.exp(-0.5 * ((x - y) / law.deviation) ** 2), a, b, points=[np.clip(x, a, b)], limit=200
        )[0]
        total += w * kernel / (b - a) / law.deviation / np.sqrt(2 * np.pi)
    point = np.array([[x]])
    assert float(law.density(point)[0]) == pytest.approx(total, rel=1e-6, abs=1e-12)
    h = 1e-4 * law.deviation
    slope = (law.log_density(point + h) - law.log_density(point - h)) / (2 * h)
    assert law.score(point)[:, 0] == pytest.approx(slope, rel=1e-4, abs=1e-5 / law.deviation)


@settings(max_examples=25)
@given(boxes(), st.floats(0.3, 2.0), st.floats(0.0, 1.0))
def test_boxes_move_like_their_points(law, factor, noise):
    """Of factor·X + offset + N: moments by hand; a box of the law holds the mass; cells hold it all."""
    after = law.after(Transition(factor, 0.4, noise**2))
    middle, half = 0.5 * (law.lower + law.upper), 0.5 * (law.upper - law.lower)
    w = law.weights / law.weights.sum()
    mean = factor * (w @ middle) + 0.4
    square = (
        factor**2 * (w @ (middle**2 + half**2 / 3 + law.deviation**2))
        + 2 * 0.4 * factor * (w @ middle)
        + 0.16
        + noise**2
    )
    lower, upper = after.box(1 - 1e-9)
    grid = mfg.CartesianGrid(tuple(lower), tuple(upper), (48,) * law.dimension)
    means = after.cell_means(grid)
    assert float(grid.integrate(means)) == pytest.approx(1.0, abs=1e-6)
    assert grid.integrate(means[..., None] * grid.points) == pytest.approx(mean, abs=1e-6)
    inside = np.array(grid.spacing) ** 2 / 12  # of uniform cells
    assert grid.integrate(means[..., None] * grid.points**2) + inside == pytest.approx(square, rel=2e-2)
    points = after.sample(4000, np.random.default_rng(0))
    assert points.mean(axis=0) == pytest.approx(mean, abs=6 * np.sqrt(square.max() / 4000))
    a, b = after.box(0.9)
    assert np.mean(np.all((points >= a) & (points <= b), axis=1)) > 0.88


@settings(max_examples=40)
@given(st.floats(-8, 8))
def test_ramps_are_integrals_of_the_normal_law(z):
    wanted = quad(lambda u: (z - u) * np.exp(-0.5 * u * u) / np.sqrt(2 * np.pi), -12, z, limit=200)[0]
    assert float(_ramp(np.array(z))) == pytest.approx(wanted, rel=1e-6, abs=1e-12)


@settings(max_examples=30)
@given(SEEDS, st.integers(1, 3), UNITS)
def test_polynomials_are_averaged_exactly_without_cutting(seed, d, unit):
    """Gauss's three points an axis are exact up to degree five; a constant stays one."""
    rng = np.random.default_rng(seed)
    grid = mfg.CartesianGrid((0.0,) * d, (unit,) * d, (4,) * d)
    c = rng.normal(size=(d, 4))

    def poly(x):
        return np.prod([np.polyval(c[k], x[..., k] / unit) for k in range(d)], axis=0)

    found = averages(poly, grid)
    one = [np.diff(np.polyval(np.polyint(c[k]), np.linspace(0, 1, 5))) * 4 for k in range(d)]
    wanted = one[0]
    for k in range(1, d):
        wanted = np.multiply.outer(wanted, one[k])
    assert found == pytest.approx(wanted, rel=1e-6, abs=1e-4 * np.abs(wanted).max())
    assert averages(lambda x: np.full(x.shape[:-1], 2.5), grid) == pytest.approx(2.5)


def test_a_jump_within_a_cell_is_found_and_functions_that_are_none_are_named():
    grid = mfg.CartesianGrid((0.0,), (1.0,), (8,))
    found = averages(lambda x: (x[..., 0] < 0.3).astype(float), grid)
    assert found[:2] == pytest.approx(1.0)
    assert found[2] == pytest.approx(0.4, abs=1e-4)
    assert found[3:] == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(ValueError, match="must return shape"):
        averages(lambda x: x, grid)
    with pytest.raises(ValueError, match="it must be finite"):
        averages(lambda x: np.where(x[..., 0] > 0.5, np.inf, 1.0), grid)


@settings(max_examples=25)
@given(SEEDS, st.integers(1, 3), st.booleans(), UNITS)
def test_shares_of_gaussians_are_probabilities(seed, d, periodic, unit):
    """Products of differences of Φ, summed over images on circles; all of the mass where the box holds it."""
    rng = np.random.default_rng(seed)
    grid = mfg.CartesianGrid((-9.0 * unit,) * d, (9.0 * unit,) * d, (5, 4, 6)[:d], (periodic,) * d)
    w, m, s = rng.dirichlet(np.ones(2)), unit * rng.normal(size=(2, d)), unit * rng.uniform(0.05, 0.9, (2, d))
    found = separable_means(w, m, s, grid)
    assert float(grid.integrate(found)) == pytest.approx(1.0, abs=1e-9)
    law = mfg.GaussianMixture(w, m, s**2)
    assert cell_means(law, grid) == pytest.approx(found, rel=1e-6, abs=1e-9 / unit**d)
    if periodic:
        turned = separable_means(w, m + 3 * 18.0 * unit, s, grid)
        assert turned == pytest.approx(found, rel=1e-6, abs=1e-9 / unit**d)
    elif d == 1:
        inner = [
            sum(wk * multivariate_normal.cdf(e, mk[0], sk[0] ** 2) for wk, mk, sk in zip(w, m, s, strict=True))
            for e in grid.edges[0]
        ]
        assert found * grid.volume == pytest.approx(np.diff(inner), abs=1e-9)


@settings(max_examples=30)
@given(SEEDS, st.integers(2, 4), st.integers(1, 3), st.floats(0.2, 2.0), st.floats(0.0, 1.0))
def test_covariances_are_the_same_however_they_are_stored(seed, d, r, factor, noise):
    """Low rank and dense: precisions invert, determinants, variances, images under maps, and noise of that covariance."""
    rng = np.random.default_rng(seed)
    low = LowRank.of(rng.uniform(0.2, 2.0, (3, d)), rng.normal(size=(3, d, r)))
    full = Dense.of(low.dense())
    assert low.dense_shape == full.dense_shape == (3, d, d)
    assert low.variances() == pytest.approx(full.variances())
    for one in (low, full):
        P = one.precision()
        matrix = np.einsum("ki,ij->kij", P.diagonal, np.eye(d)) + P.sign * P.factors @ np.swapaxes(P.factors, 1, 2)
        assert matrix @ low.dense() == pytest.approx(np.broadcast_to(np.eye(d), (3, d, d)), abs=1e-8)
        assert P.trace == pytest.approx(np.trace(matrix, axis1=1, axis2=2))
        assert P.log_determinants == pytest.approx(np.linalg.slogdet(low.dense())[1])
        after = one.after(np.asarray(factor), np.asarray(noise)).dense()
        assert after == pytest.approx(factor**2 * low.dense() + noise * np.eye(d))
        F, Q = rng.normal(size=(d, d)), noise * np.eye(d)
        assert one.after(F, Q).dense() == pytest.approx(F @ low.dense() @ F.T + Q)
        assert one.part(slice(1, 3)).dense() == pytest.approx(low.dense()[1:])
    drawn = low.noise(np.full(20_000, 1), rng)
    assert np.cov(drawn.T) == pytest.approx(low.dense()[1], abs=0.06 * np.trace(low.dense()[1]))
    assert list(aligned(low.dense())) == [False] * 3
    assert list(aligned(LowRank.of(low.diagonal).dense())) == [True] * 3


@settings(max_examples=25)
@given(SEEDS, st.integers(1, 2), UNITS)
def test_laws_on_grids_are_sampled_and_boxed_as_they_are(seed, d, unit):
    rng = np.random.default_rng(seed)
    grid = mfg.CartesianGrid((-unit,) * d, (2 * unit,) * d, (9, 7)[:d])
    law = OnGrid(grid, rng.random(grid.cells) + 0.05)
    assert float(grid.integrate(law.values)) == pytest.approx(1.0)
    points = law.sample(6000, rng)
    assert grid.contains(points).all()
    mean = grid.integrate(law.values[..., None] * grid.points)
    assert points.mean(axis=0) == pytest.approx(mean, abs=0.1 * unit)
    lower, upper = law.box(0.5)
    inside = np.all((points >= lower) & (points <= upper), axis=1).mean()
    assert inside >= 0.47
    whole = law.box(1.0)
    assert whole[0] == pytest.approx(grid.lower, abs=1e-9 * unit)
    assert whole[1] == pytest.approx(grid.upper, abs=1e-9 * unit)


def test_values_that_are_no_density_say_where():
    grid = mfg.CartesianGrid((0.0, 0.0), (4.0, 4.0), (4, 4))
    mask = np.zeros((4, 4), bool)
    mask[1, 2] = True
    assert place(grid, mask) == "cell (1, 2), x = (1.5, 2.5)"
    for value, words in ((np.nan, "must be finite"), (-1.0, "is negative")):
        with pytest.raises(ValueError, match=words):
            check_density(np.where(mask, value, 1.0), grid)
    with pytest.raises(ValueError, match="zero everywhere"):
        check_density(np.zeros((4, 4)), grid)


@pytest.mark.parametrize(
    ("transition", "law"),
    [
        (Transition(-1.0, 0.0, 0.1), None),
        (Transition(np.eye(1), 0.0, 0.1), None),
        (Transition(1.0, 0.0, np.eye(1)), None),
    ],
)
def test_boxes_that_would_not_stay_boxes_are_refused(transition, law):
    box = UniformBoxes(np.ones(1), np.array([[0.0]]), np.array([[1.0]]))
    with pytest.raises(ValueError, match="stay boxes only"):
        box.after(transition)
    with pytest.raises(ValueError, match="positive weights"):
        UniformBoxes(np.ones(1), np.array([[1.0]]), np.array([[1.0]]))
