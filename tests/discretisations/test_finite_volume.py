"""Finite volumes against matrices, closed forms and each other."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.discretisations.finite_volume.differences import extended, gradient_and_laplacian

PROCESS = mfg.OrnsteinUhlenbeck()


def system(d=2, n=12, order=2, equation=None, periodic=False):
    grid = mfg.CartesianGrid.cube(3.0, n, d, periodic=periodic)
    return mfg.FiniteVolume(grid, order=order).semidiscretise(equation or mfg.FokkerPlanck.of(PROCESS))


@pytest.mark.parametrize("d", [1, 2, pytest.param(3, marks=pytest.mark.slow)])
def test_the_matrix_is_the_stencil(d, rng):
    chain = system(d, (40, 12, 6)[d - 1]).at(0.0)
    p = rng.random(chain.grid.cells)
    np.testing.assert_allclose((chain.stored.matrix() @ p.ravel()).reshape(p.shape), chain.rate(p, 0.0), atol=1e-12)
    assert np.abs(chain.stored.matrix().sum(axis=0)).max() < 1e-12, "columns of a conservative generator sum to zero"


def test_three_dimensions_evaluate_rates_on_the_fly_where_cells_resolve_the_drift(rng):
    drifting = mfg.FokkerPlanck(lambda x, t: -x * (1 + t), lambda t: 1 + t**2, time_dependent=True)
    fine, coarse = system(3, 24, equation=drifting).frozen(0.4, 0.5), system(3, 6, equation=drifting).frozen(0.4, 0.5)
    assert (type(fine).__name__, type(coarse).__name__) == ("FittedChain", "MarkovChain")
    p = rng.random((24, 24, 24))
    np.testing.assert_allclose(fine.rate(p, 0.0), fine.stored.rate(p, 0.0), atol=1e-11)
    radius = fine.stored.spectral_radius(p, 0.0)
    assert radius <= fine.spectral_radius(p, 0.0) <= 1.1 * radius


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("d", [2, 3])
def test_separable_drifts_act_axis_by_axis(d, order, rng):
    """A(p ⊗ q) = Ap ⊗ q + p ⊗ Aq for the drift −x, which acts on each axis alone."""
    line, space = system(1, 14, order), system(d, 14, order)
    factors = rng.random((d, 14))
    expected = 0.0
    for axis in range(d):
        moved = [line.rate(f, 0.0) if i == axis else f for i, f in enumerate(factors)]
        expected = expected + np.einsum("i,j->ij" if d == 2 else "i,j,k->ijk", *moved)
    p = np.einsum("i,j->ij" if d == 2 else "i,j,k->ijk", *factors)
    np.testing.assert_allclose(space.rate(p, 0.0), expected, atol=1e-12)


def test_slabs_cover_the_faces():
    grid = mfg.CartesianGrid((-1.0, 0.0, -2.0), (1.0, 3.0, 2.0), (120, 110, 100))
    for axis in range(3):
        parts = list(grid.face_slabs(axis))
        assert len(parts) > 1
        off_walls = grid.faces(axis).take(range(1, grid.cells[axis]), axis)
        np.testing.assert_array_equal(np.concatenate([x for _, x in parts]), off_walls)
        assert [part[0].start for part, _ in parts[1:]] == [part[0].stop for part, _ in parts[:-1]]


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("d", [1, 2])
def test_a_drift_is_tabulated_once_for_all_steps(d, order):
    """As many evaluations as two tables of a smooth field need, on faces and on the few points of safeguards."""
    counted = []

    def score(x, t):
        counted.append(t)
        return -(3 + 0.3 * np.sin(t)) * x

    process = mfg.OrnsteinUhlenbeck(horizon=1.5)
    equation = mfg.FokkerPlanck.reverse(process, mfg.scores.Tabulated(score, 0.1, 1.5))
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(5.5, (80, 24)[d - 1], d), order=order)
    mfg.solve(equation, space, mfg.gaussian(0.0, 1.0, d), (0.0, 1.4), rtol=1e-5)
    assert len(counted) < 40 + 66 * d


@pytest.mark.parametrize("d", [1, 2, 3])
def test_solve_inverts(d, rng):
    chain = system(d, (40, 12, 6)[d - 1]).at(0.0)
    p = rng.random(chain.grid.cells)
    x = chain.solve(p, 0.0, 0.1)
    np.testing.assert_allclose(x - 0.1 * chain.rate(x, 0.0), p, atol=1e-12)
    assert x.min() > 0, "the inverse of an M-matrix is positive"


def test_large_three_dimensional_solves_iterate(rng):
    chain = system(3, 36).at(0.0)
    p = rng.random(chain.grid.cells)
    x = chain.solve(p, 0.0, 0.05)
    np.testing.assert_allclose(x - 0.05 * chain.rate(x, 0.0), p, atol=1e-11)


@pytest.mark.parametrize("order", [2, 4])
def test_the_spectral_radius_is_a_bound(order):
    chain = system(1, 40, order)
    A = np.stack([chain.rate(e, 0.0) for e in np.eye(40)], axis=1)
    assert np.abs(np.linalg.eigvals(A)).max() <= chain.spectral_radius(np.ones(40), 0.0)
    assert chain.spectral_radius(np.ones(40), 0.0) <= 2 * np.abs(np.linalg.eigvals(A)).max()


def test_frozen_rates_are_the_mean_of_both_ends(rng):
    chain = system(1, 40, equation=mfg.FokkerPlanck.of(mfg.VariancePreserving()))
    p = rng.random(40)
    np.testing.assert_allclose(
        chain.frozen(0.2, 0.4).rate(p, 0.3), 0.5 * (chain.rate(p, 0.2) + chain.rate(p, 0.4)), atol=1e-11
    )


def test_ghosts_are_exact_for_parabolas_and_derivatives_second_order():
    x = np.linspace(-1, 1, 9)
    np.testing.assert_allclose(
        extended(x**2 - x, 0, False, "far"),
        np.linspace(-1.25, 1.25, 11) ** 2 - np.linspace(-1.25, 1.25, 11),
        atol=1e-13,
    )
    errors = []
    for n in (32, 64):
        grid = mfg.CartesianGrid.cube(1.0, n, 2)
        u = np.sin(grid.points[..., 0]) * np.exp(grid.points[..., 1])
        gradient, laplacian = gradient_and_laplacian(u, grid, "far")
        slope = np.cos(grid.points[..., 0]) * np.exp(grid.points[..., 1])
        errors.append(
            (np.abs(gradient[..., 0] - slope).max(), np.abs(laplacian)[n // 8 : -n // 8, n // 8 : -n // 8].max())
        )
    ratios = np.array(errors[0]) / errors[1]
    assert np.all(ratios > 3.5)
    assert np.all(ratios < 4.6)


def test_scores_stay_gradients(rng):
    """The curl of the staggered score keeps its initial value: the right-hand side is a discrete gradient."""
    grid = mfg.CartesianGrid.cube(4.0, 16, 2)
    staggered = mfg.FiniteVolume(grid).semidiscretise(mfg.ScoreFokkerPlanck.of(PROCESS))
    sx, sy = staggered.components(staggered.rate(rng.normal(size=2 * 17 * 16), 0.0))
    curl = np.diff(sy, axis=0)[:, 1:-1] / grid.spacing[0] - np.diff(sx, axis=1)[1:-1] / grid.spacing[1]
    assert np.abs(curl).max() < 1e-11 * np.abs(sx).max() / grid.spacing[0]


def test_a_drift_that_jumps_across_periodic_walls_is_refused():
    with pytest.raises(ValueError, match="jumps by 6 across the periodic walls of axis 0"):
        system(1, 20, periodic=True).rate(np.ones(20), 0.0)


def test_unsuitable_orders_and_equations_are_refused():
    grid = mfg.CartesianGrid.cube(3.0, 12, 1)
    with pytest.raises(ValueError, match="order 2, 4 or 5"):
        mfg.FiniteVolume(grid, order=3)
    with pytest.raises(TypeError, match="order=2"):
        mfg.FiniteVolume(grid, order=4).semidiscretise(mfg.LogDensity.of(PROCESS))
    with pytest.raises(TypeError, match="no scheme for str"):
        mfg.FiniteVolume(grid).semidiscretise("heat")
    with pytest.raises(TypeError, match="explicit"):
        system(1, 12, order=4).solve(np.ones(12), 0.0, 0.1)
    with pytest.raises(ValueError, match="needs D > 0"):
        system(1, 12, order=4, equation=mfg.FokkerPlanck.of(mfg.SubVariancePreserving())).rate(np.ones(12), 0.0)


@pytest.mark.parametrize("bad", [dict(cells=(3,)), dict(lower=(2.0,)), dict(lower=(0.0, 0.0)), dict(upper=(np.inf,))])
def test_bad_grids(bad):
    with pytest.raises(ValueError, match=r"grid|axis|below"):
        mfg.CartesianGrid(**{"lower": (-1.0,), "upper": (1.0,), "cells": (8,), **bad})
