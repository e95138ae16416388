"""On any grid, some of its axes circles: waves, what flows between cells, and points folded into the box."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mfgpde as mfg
from mfgpde.equilibria import waves
from mfgpde.equilibria.paths import reflected

SEEDS = st.integers(0, 10**6)


@st.composite
def grids(draw, dimension=None):
    """Draw a grid, some axes circles, in a random unit of length."""
    d = dimension or draw(st.integers(1, 3))
    unit = draw(st.sampled_from([1e-3, 1.0, 1e3]))
    lower = tuple(unit * draw(st.floats(-2, 2)) for _ in range(d))
    upper = tuple(a + unit * draw(st.floats(0.5, 3)) for a in lower)
    cells = tuple(draw(st.integers(4, 7)) for _ in range(d))
    return mfg.CartesianGrid(lower, upper, cells, tuple(draw(st.booleans()) for _ in range(d)))


@settings(max_examples=40)
@given(grids(), SEEDS)
def test_waves_turn_the_laplacian_into_numbers(grid, seed):
    """Analysed, −Δ_h is multiplication by its spectrum; what is analysed is found again; no wave has less than zero."""
    u = np.random.default_rng(seed).normal(size=grid.cells)
    assert waves.synthesised(grid, waves.analysed(grid, u)) == pytest.approx(u, abs=1e-12)
    lam = waves.spectrum(grid)
    minus_laplacian = np.zeros(grid.cells)
    for axis, (h, periodic) in enumerate(zip(grid.spacing, grid.periodic, strict=True)):
        slopes = waves.ahead(u, axis, periodic) / h
        minus_laplacian -= waves.divergence(slopes, axis, h, periodic)
    found = waves.synthesised(grid, lam * waves.analysed(grid, u))
    assert found == pytest.approx(minus_laplacian, abs=1e-10 * float(lam.max()))
    assert lam.min() == 0.0
    assert (lam == 0).sum() == 1


@settings(max_examples=40)
@given(grids(), SEEDS)
def test_what_flows_between_cells_is_lost_nowhere(grid, seed):
    """∫ φ ∇·m = −∫ m ∇φ, nothing through walls, and sums at faces are the transpose of those at cells."""
    rng = np.random.default_rng(seed)
    phi = rng.normal(size=grid.cells)
    for axis, (h, periodic) in enumerate(zip(grid.spacing, grid.periodic, strict=True)):
        shape = tuple(n - (i == axis and not periodic) for i, n in enumerate(grid.cells))
        flux = rng.normal(size=shape)
        div = waves.divergence(flux, axis, h, periodic)
        assert div.sum() == pytest.approx(0.0, abs=1e-9 / h)
        assert (phi * div).sum() == pytest.approx(-(flux * waves.ahead(phi, axis, periodic)).sum() / h, abs=1e-9 / h)
        sums = (waves.beside(phi, axis, periodic) * flux).sum()
        assert sums == pytest.approx((phi * waves.to_cells(flux, axis, periodic)).sum(), abs=1e-10)
        ones = np.ones(grid.cells)
        assert waves.beside(ones, axis, periodic) == pytest.approx(2 * np.ones(shape))


@settings(max_examples=40)
@given(grids(), SEEDS)
def test_points_folded_into_a_box_stay_and_see_its_images(grid, seed):
    """Inside nothing moves; a mirrored point goes where its image does; on circles whole turns change nothing."""
    rng = np.random.default_rng(seed)
    lower, lengths = np.array(grid.lower), np.array(grid.lengths)
    x = lower + lengths * rng.random((20, grid.dimension))
    assert reflected(grid, x) == pytest.approx(x, rel=1e-9, abs=1e-9 * lengths.max())
    turned = np.where(grid.periodic, x + 3 * lengths, x + 4 * lengths)
    assert reflected(grid, turned) == pytest.approx(x, abs=1e-9 * lengths.max())
    beyond = np.where(grid.periodic, x - lengths, 2 * lower - x)
    assert reflected(grid, beyond) == pytest.approx(x, abs=1e-9 * lengths.max())
    assert grid.contains(reflected(grid, lower + lengths * rng.normal(0, 5, (50, grid.dimension)))).all()
