"""Parts of discretisations on random grids: bases, kernels of heat, walls, ghosts, slopes and still chains."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mfgpde as mfg
from mfgpde.discretisations import Held, Inflow, propagate, resample
from mfgpde.discretisations.finite_volume.differences import extended, gradient_and_laplacian
from mfgpde.discretisations.finite_volume.jump_chain import JumpChain
from mfgpde.discretisations.finite_volume.still import Rates
from mfgpde.discretisations.finite_volume.walls import Sides, on_wall
from mfgpde.discretisations.finite_volume.walls import given as at_wall
from mfgpde.discretisations.means import centres_of, coarsened, means_of
from mfgpde.discretisations.spectral.bases import Cosine, CosineThere, Fourier
from mfgpde.discretisations.spectral.mehler import kernel
from mfgpde.equations import FeynmanKac, ForwardKolmogorov
from mfgpde.equations.kolmogorov import Resetting
from mfgpde.kernels.weno import FAR, MIRRORED, PERIODIC, weno_slopes
from mfgpde.processes import Diffusion

SEEDS, UNITS = st.integers(0, 10**6), st.sampled_from([1e-3, 1.0, 1e3])


@st.composite
def grids(draw, periodic=None, most=3):
    d, unit = draw(st.integers(1, most)), draw(UNITS)
    lower = tuple(unit * draw(st.floats(-2, 2)) for _ in range(d))
    upper = tuple(a + unit * draw(st.floats(0.5, 3)) for a in lower)
    cells = tuple(draw(st.integers(5, 8)) for _ in range(d))
    return mfg.CartesianGrid(
        lower, upper, cells, tuple(draw(st.booleans()) if periodic is None else periodic for _ in range(d))
    )


@settings(max_examples=30)
@given(grids(periodic=False), SEEDS)
def test_cosines_give_values_back_and_their_derivatives(grid, seed):
    """Two tables do what transforms do; points of the grid give the values, between them one cosine is itself."""
    rng = np.random.default_rng(seed)
    u = rng.normal(size=grid.cells)
    basis, there = Cosine(grid), CosineThere(grid)
    c = basis.analyse(u)
    assert basis.synthesise(c) == pytest.approx(u, abs=1e-12)
    assert (c**2).sum() == pytest.approx((u**2).sum())  # orthonormal
    size = np.abs(u).max() * max(np.pi * n / side for n, side in zip(grid.cells, grid.lengths, strict=True)) * 10
    for one, other in zip(basis.gradient(c), there.gradient(c), strict=True):
        assert one == pytest.approx(other, abs=1e-11 * size)
    flux = [rng.normal(size=grid.cells) for _ in grid.cells]
    assert basis.divergence(flux) == pytest.approx(there.divergence(flux), abs=1e-11 * size)
    pairing = sum((f * g).sum() for f, g in zip(flux, basis.gradient(c), strict=True))
    assert (basis.divergence(flux) * c).sum() == pytest.approx(-pairing, abs=1e-9 * size)
    assert basis.evaluate(c, grid.points) == pytest.approx(u, abs=1e-10)
    k = rng.integers(0, 4, grid.dimension)

    def wave(x):
        angles = k * np.pi * (x - np.array(grid.lower)) / np.array(grid.lengths)
        return np.cos(angles).prod(axis=-1)

    x = np.array(grid.lower) + rng.random((5, grid.dimension)) * np.array(grid.lengths)
    assert basis.evaluate(basis.analyse(wave(grid.points)), x) == pytest.approx(wave(x), abs=1e-10)
    square = ((k * np.pi / np.array(grid.lengths)) ** 2).sum()
    found = basis.synthesise(basis.laplacian * basis.analyse(wave(grid.points)))
    assert found == pytest.approx(-square * wave(grid.points), abs=1e-9 * (square + 1 / min(grid.lengths) ** 2))


@settings(max_examples=30)
@given(grids(periodic=True), SEEDS)
def test_waves_on_circles_give_values_back_and_their_derivatives(grid, seed):
    """Of cos and sin below the shortest wave, exactly, on even and odd numbers of cells."""
    rng = np.random.default_rng(seed)
    basis, lower, sides = Fourier(grid), np.array(grid.lower), np.array(grid.lengths)
    k, phase = rng.integers(0, 3, grid.dimension), rng.uniform(0, 6)

    def angle(x):
        return (2 * np.pi * k * (x - lower) / sides).sum(axis=-1) + phase

    u = np.cos(angle(grid.points))
    c = basis.analyse(u)
    assert basis.synthesise(c) == pytest.approx(u, abs=1e-12)
    for axis, slope in enumerate(basis.gradient(c)):
        wanted = -2 * np.pi * k[axis] / sides[axis] * np.sin(angle(grid.points))
        assert slope == pytest.approx(wanted, abs=1e-11 / sides.min())
    x = lower + rng.random((5, grid.dimension)) * sides
    assert basis.evaluate(c, x) == pytest.approx(np.cos(angle(x)), abs=1e-10)
    flux = [rng.normal(size=grid.cells) for _ in grid.cells]
    total = basis.synthesise(basis.divergence(flux))
    assert total.sum() == pytest.approx(0.0, abs=1e-9 / sides.min())
    pairing = sum((f * g).sum() for f, g in zip(flux, basis.gradient(c), strict=True))
    assert (total * u).sum() == pytest.approx(-pairing, abs=1e-9 * (1 + abs(pairing)))


@settings(max_examples=20)
@given(st.floats(-0.5, 0.5), st.floats(0.15, 0.4), st.floats(0.05, 0.9), st.floats(0.05, 0.9))
def test_propagation_composes_and_carries_gaussians(mean, variance, first, second):
    process, grid = mfg.OrnsteinUhlenbeck(0.8, 0.9, 2.0), mfg.CartesianGrid.cube(4.5, 64, 1)
    law = mfg.gaussian(mean, variance)
    start = law.density(grid.points)
    s, t = first, first + second
    once = propagate(process, grid, propagate(process, grid, start, 0.0, s), s, t)
    assert once == pytest.approx(law.after(process.transition(0.0, t)).density(grid.points), abs=1e-7)
    assert float(grid.integrate(once)) == pytest.approx(1.0, abs=1e-9)
    K = kernel(grid, 0, 1.0, 0.0)
    assert K.sum(axis=0) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="no separable kernel"):
        propagate(mfg.Linear(-np.eye(1), 1.0), grid, start, 0.0, 0.1)


@settings(max_examples=40)
@given(grids(), SEEDS, st.booleans())
def test_ghosts_and_differences_of_parabolas(grid, seed, reflecting):
    """Far walls: exact for parabolas everywhere; reflecting ones inside; on circles constants have none."""
    rng = np.random.default_rng(seed)
    d, walls = grid.dimension, "reflecting" if reflecting else "far"
    S, b = rng.normal(size=(d, d)), rng.normal(size=d)
    S = S + S.T
    x = (grid.points - np.array(grid.lower)) / np.array(grid.lengths)
    u = 0.5 * np.einsum("...i,ij,...j->...", x, S, x) + x @ b
    slopes, bend = gradient_and_laplacian(u, grid, walls)
    inside = tuple(slice(1, -1) for _ in range(d))
    wanted = (x @ S + b) / np.array(grid.lengths)
    assert slopes[inside] == pytest.approx(wanted[inside], abs=1e-9 / min(grid.lengths))
    assert bend[inside] == pytest.approx(
        (np.diag(S) / np.array(grid.lengths) ** 2).sum(), abs=1e-8 / min(grid.lengths) ** 2
    )
    for axis in range(d):
        wide = np.moveaxis(extended(u, axis, grid.periodic[axis], walls), axis, 0)
        line = np.moveaxis(u, axis, 0)
        assert wide[1:-1] == pytest.approx(line)
        if grid.periodic[axis]:
            assert wide[0] == pytest.approx(line[-1])
        elif reflecting:
            assert wide[0] == pytest.approx(line[0])
        else:
            assert np.diff(wide, 3, axis=0)[0] == pytest.approx(0.0, abs=1e-9)
    still, none = gradient_and_laplacian(np.ones(grid.cells), grid, walls)
    assert not still.any()
    assert not none.any()


@settings(max_examples=40)
@given(grids(), SEEDS)
def test_means_and_centres_keep_the_total_and_give_each_other_back(grid, seed):
    u = np.random.default_rng(seed).normal(size=grid.cells)
    means = means_of(u, grid)
    assert means.sum() == pytest.approx(u.sum(), abs=1e-10)
    assert centres_of(means, grid) == pytest.approx(u, abs=1e-11)
    assert means_of(centres_of(u, grid), grid) == pytest.approx(u, abs=1e-11)
    assert centres_of(np.ones(grid.cells), grid) == pytest.approx(1.0)
    fine = np.repeat(u, 3, axis=0)
    assert coarsened(fine, grid.cells) == pytest.approx(u)


@settings(max_examples=30)
@given(SEEDS, st.sampled_from([PERIODIC, MIRRORED, FAR]), st.sampled_from([1e-3, 1.0, 1e3]))
def test_weighed_slopes_are_exact_for_parabolas_from_both_sides(seed, walls, h):
    """Up to what weights owe to roundings; at mirrors and seams the ghosts are what they say."""
    a, b = np.random.default_rng(seed).normal(size=2)
    n = 24
    x = h * np.arange(n)
    u = (a * (x / h) ** 2 / n + b * x / h) / n
    low, high, bend = np.zeros((n, 1)), np.zeros((n, 1)), np.zeros(n)
    weno_slopes(u.reshape(1, n, 1), 1 / h, walls, 0, low, high, bend)
    wanted = (2 * a * np.arange(n) / n + b) / n / h
    part = slice(None) if walls == FAR else slice(3, -3)
    assert low[part, 0] == pytest.approx(wanted[part], abs=1e-9 * (abs(a) + abs(b)) / h)
    assert high[part, 0] == pytest.approx(wanted[part], abs=1e-9 * (abs(a) + abs(b)) / h)
    assert bend[part] == pytest.approx(2 * a / n / n / h**2, abs=1e-9 * (abs(a) + abs(b)) / h**2)
    kink = np.abs(np.arange(n) - 11.5)
    weno_slopes(kink.reshape(1, n, 1), 1.0, FAR, 0, low, high, bend)
    assert low[:10, 0] == pytest.approx(-1.0, abs=1e-3)
    assert high[14:, 0] == pytest.approx(1.0, abs=1e-3)
    assert np.abs(low).max() <= 1 + 1e-3  # no overshoot


@settings(max_examples=30)
@given(grids(most=2), SEEDS)
def test_walls_by_side_say_which_are_far_and_what_lies_beside_them(grid, seed):
    rng = np.random.default_rng(seed)
    kinds = ["far", "reflecting", "absorbing", Held(2.0), Inflow(0.5)]
    pairs = tuple(
        ("periodic", "periodic") if p else tuple(kinds[k] for k in rng.integers(0, 5, 2)) for p in grid.periodic
    )
    sides = Sides.of(pairs, grid)
    assert [w for *_, w in sides.each()] == [w for pair in pairs for w in pair if w != "periodic"]
    values = rng.random(grid.cells)
    keep = np.ones(grid.cells, bool)
    for axis, side in sides.far:
        index = [slice(None)] * grid.dimension
        index[axis] = -1 if side else 0
        keep[tuple(index)] = False
    assert sides.far_share(values) == pytest.approx(values[~keep].sum() / values.sum(), abs=1e-12)
    for axis, side, _ in sides.each():
        x = on_wall(grid, axis, side)
        assert x[..., axis] == pytest.approx((grid.upper if side else grid.lower)[axis])
        assert at_wall(lambda y, t: y[..., 0] + t, x, 0.5) == pytest.approx(x[..., 0] + 0.5)
        assert at_wall(3.0, x, 0.0).shape == x.shape[:-1]
    with pytest.raises(ValueError, match="must be finite"):
        at_wall(np.nan, np.zeros((2, 1)), 0.0)
    one = Sides.of("far", grid)
    assert one.plain == "far"
    with pytest.raises(ValueError, match=r"a wall is|contradict"):
        Sides.of("open", mfg.CartesianGrid.cube(1.0, 5, 1))


def tensor(x, t):
    a, b = 0.6 + 0.2 * np.sin(x[..., 0]), 0.4 + 0.1 * np.cos(x[..., 1])
    return np.stack((np.stack((a, 0.1 + 0 * a), -1), np.stack((0.1 + 0 * a, b), -1)), -2)


def pull(x, t):
    return -x + 0.3 * x[..., ::-1]


@pytest.mark.parametrize("walls", ["reflecting", "absorbing"])
def test_chains_forwards_and_backwards_are_transposes_with_all_their_terms(walls, rng):
    """∫ u (Ap) = ∫ p (Aᵀu) with killing and resetting; constants are kept by what loses nothing."""
    grid = mfg.CartesianGrid.cube(2.0, 12, 2)
    sides, process = Sides.of(walls, grid), Diffusion(pull, tensor)
    law = mfg.gaussian([0.3, -0.2], 0.05 * np.eye(2))
    terms = {
        "killing": lambda x, t: 0.3 + x[..., 0] ** 2,
        "resetting": Resetting(lambda x, t: 0.5 + 0.2 * x[..., 1], law),
    }
    forward, back = (JumpChain(kind(process, **terms), grid, sides).at(0.0) for kind in (ForwardKolmogorov, FeynmanKac))
    p, u = rng.random(grid.cells), rng.normal(size=grid.cells)
    left, right = grid.integrate(u * forward.rate(p, 0.0)), grid.integrate(p * back.rate(u, 0.0))
    assert float(left) == pytest.approx(float(right), rel=1e-10)
    ones = np.ones(grid.cells)
    only = JumpChain(FeynmanKac(process, resetting=terms["resetting"]), grid, Sides.of("reflecting", grid)).at(0.0)
    assert only.rate(ones, 0.0) == pytest.approx(0.0, abs=1e-9)
    killed = JumpChain(FeynmanKac(process, terms["killing"]), grid, Sides.of("reflecting", grid)).at(0.0)
    assert killed.rate(ones, 0.0) == pytest.approx(-terms["killing"](grid.points, 0.0), abs=1e-9)
    mass = float(
        grid.integrate(
            JumpChain(ForwardKolmogorov(process, resetting=terms["resetting"]), grid, Sides.of("reflecting", grid))
            .at(0.0)
            .rate(p, 0.0)
        )
    )
    assert mass == pytest.approx(0.0, abs=1e-10)
    for one, v in ((forward, p), (back, u)):
        solved = one.filtered(v, 0.0, 0.07)
        assert solved - 0.07 * (one.rate(solved, 0.0) - one.added) == pytest.approx(v, abs=1e-9)
    dense = forward.matrix().toarray()
    assert dense == pytest.approx(back.matrix().toarray().T)
    bound = forward.spectral_radius(p, 0.0)
    assert bound >= np.abs(np.linalg.eigvals(dense)).max()


@settings(max_examples=15)
@given(SEEDS, st.integers(4, 9))
def test_still_chains_are_solved_as_dense_systems_are(seed, n):
    """Expected times, what is occupied, and the law that stays, of random rates, by numpy's own solver."""
    from scipy.sparse import csr_array

    rng = np.random.default_rng(seed)
    among = rng.random((n, n)) * (1 - np.eye(n))
    lost, r = rng.random(n), rng.random(n)
    M = np.diag(lost + among.sum(axis=1)) - among
    factors = Rates(csr_array(among), lost).factors()
    assert factors.expected(r) == pytest.approx(np.linalg.solve(M, r), rel=1e-9)
    assert factors.occupied(r) == pytest.approx(np.linalg.solve(M.T, r), rel=1e-9)
    closed = Rates(csr_array(among), np.zeros(n))
    law = closed.factors().occupied()
    assert law @ (np.diag(among.sum(axis=1)) - among) == pytest.approx(0.0, abs=1e-9 * law.max())
    assert closed.parts == 1
    kept = np.arange(n) < n - 1
    inner = closed.within(kept)
    assert inner.lost == pytest.approx(among[:-1, -1])
    assert inner.among.toarray() == pytest.approx(among[:-1, :-1])


@settings(max_examples=15)
@given(st.floats(-0.5, 0.5), st.integers(40, 90))
def test_fields_on_other_grids_and_what_that_loses(mean, n):
    grid, law = mfg.CartesianGrid.cube(4.0, 96, 1), mfg.gaussian(mean, 0.3)
    field = mfg.Field(mfg.FiniteVolume(grid), law.density(grid.points))
    there, lost = resample(field, mfg.FiniteVolume(mfg.CartesianGrid.cube(4.0, n, 1)))
    assert there.values == pytest.approx(law.density(there.grid.points), abs=0.02)
    back = there(grid.points)
    assert lost == pytest.approx(
        float(grid.integrate(np.abs(back - field.values)) / grid.integrate(np.abs(field.values))), abs=1e-3
    )
    half = mfg.CartesianGrid((0.0,), (4.0,), (48,))
    _, cut = resample(field, mfg.FiniteVolume(half))
    assert cut >= float(grid.integrate(np.where(grid.points[..., 0] < 0, field.values, 0.0))) - 1e-6
