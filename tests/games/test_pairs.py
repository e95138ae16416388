"""Costs of pairs: convex at fixed mass exactly where the matrix of the kernel says so, whatever way it is found out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mfgpde as mfg
from mfgpde.games import nonlocal_cost


def projected(kernel, grid):
    """Return the eigenvalues of k(x − y) among arrays of mean zero, in units of the largest."""
    x = grid.points.reshape(-1, grid.dimension)
    matrix = kernel(x[:, None] - x[None])
    P = np.eye(len(x)) - 1 / len(x)
    found = np.linalg.eigvalsh(P @ matrix @ P)
    return found / np.abs(found).max()


@settings(max_examples=25)
@given(
    st.floats(0.2, 2.0), st.floats(0.0, 1.5), st.floats(0.3, 3.0), st.integers(1, 2), st.sampled_from([1e-6, 1.0, 1e6])
)
def test_a_kernel_is_judged_as_its_matrix(width, share, ratio, d, unit):
    """A bump less a wider or narrower one: the least eigenvalue by dense algebra, in any unit of length."""
    grid = mfg.CartesianGrid.cube(2.0 * unit, (24, 7)[d - 1], d)

    def kernel(z):
        r = np.sum((z / unit) ** 2, axis=-1)
        return np.exp(-r / width) - share * np.exp(-r / (width * ratio))

    least = projected(kernel, grid)[0]
    if abs(least + nonlocal_cost.ROUNDING) > 1e-12:
        assert mfg.games.Nonlocal(kernel).monotone(grid.points, 0.0) == (least >= -nonlocal_cost.ROUNDING)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5])
def test_large_grids_are_judged_as_small_ones(share, monkeypatch):
    """By extreme eigenvalues alone, as above 512 cells."""
    grid = mfg.CartesianGrid.cube(2.0, 40, 1)

    def kernel(z):
        r = np.sum(z**2, axis=-1)
        return np.exp(-2 * r) - share * np.exp(-4 * r)

    dense = nonlocal_cost._least_share(
        lambda r: mfg.games.Nonlocal(kernel).first_variation(r, mfg.games.Nonlocal(kernel).reference(grid.points, 0.0)),
        (40,),
    )
    assert dense == pytest.approx(projected(kernel, grid)[0], abs=1e-12)
    monkeypatch.setattr(nonlocal_cost, "DENSE", 8)
    cost = mfg.games.Nonlocal(kernel)
    known = cost.reference(grid.points, 0.0)
    by_extremes = nonlocal_cost._least_share(lambda r: cost.first_variation(r, known), (40,))
    assert by_extremes == pytest.approx(dense, abs=1e-9)


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.integers(1, 2), st.floats(-2, 2))
def test_the_cost_of_a_pair_is_bilinear_and_even(seed, d, factor):
    """∫ p k∗q = ∫ q k∗p, half of it on the diagonal, and the slope in a direction is twice the cross term."""
    rng = np.random.default_rng(seed)
    grid = mfg.CartesianGrid.cube(1.5, (20, 8)[d - 1], d)
    cost = mfg.games.Nonlocal(lambda z: np.cos(np.sum(z, axis=-1)) + np.sum(z**2, axis=-1))
    known = cost.reference(grid.points, 0.0)
    p, q = rng.random((2, *grid.cells))

    def energy(r):
        return float(grid.integrate(cost.value(r, known)))

    cross = float(grid.integrate(p * cost.first_variation(q, known)))
    assert cross == pytest.approx(float(grid.integrate(q * cost.first_variation(p, known))))
    wanted = energy(p) + factor * cross + factor**2 * energy(q)
    assert energy(p + factor * q) == pytest.approx(wanted, rel=1e-9, abs=1e-9 * (energy(p) + energy(q)))


@pytest.mark.parametrize("bad", [lambda z: z[..., 0], lambda z: np.full(z.shape[:-1], np.nan), lambda z: z])
def test_kernels_that_are_not_even_or_not_numbers_are_refused(bad):
    with pytest.raises(ValueError, match="a kernel must be"):
        mfg.games.Nonlocal(bad).reference(mfg.CartesianGrid.cube(1.0, 8, 1).points, 0.0)
