"""Hamilton–Jacobi without viscosity: order five where smooth, the viscosity solution behind kinks, walls, bad input."""

import numpy as np
import pytest

import mfgpde as mfg

BURGERS = mfg.HamiltonJacobiBellman(lambda x, p, t: 0.5 * (p.sum(axis=-1) + 1) ** 2, lambda t: 0.0)


def line(cells):
    return mfg.FiniteVolume(mfg.CartesianGrid((-1.0,), (1.0,), (cells,), periodic=(True,)), order=5)


def start(x):
    return -np.cos(np.pi * x[..., 0])


def by_characteristics(x, t):
    """The smooth solution: x = y + t(p + 1), p = π sin πy, by Newton's method."""
    y = x.copy()
    for _ in range(200):
        p = np.pi * np.sin(np.pi * y)
        y -= (y + (p + 1) * t - x) / (1 + np.pi**2 * np.cos(np.pi * y) * t)
    p = np.pi * np.sin(np.pi * y)
    return -np.cos(np.pi * y) + t * (p * (p + 1) - 0.5 * (p + 1) ** 2)


def by_hopf_and_lax(x, t):
    """The viscosity solution min_y u₀(y) + t L((x − y)/t), L(v) = ½v² − v, over 400 000 points."""
    y = np.linspace(-6, 6, 400_001)
    return np.array([np.min(-np.cos(np.pi * y) + t * (0.5 * ((a - y) / t) ** 2 - (a - y) / t)) for a in x])


def error(space, t, exact, rtol=1e-8):
    found = mfg.solve(BURGERS, space, start, (0.0, t), rtol=rtol).at(t)
    return np.abs(found.values - exact(space.grid.points[:, 0], t))


def test_order_five_before_the_kink():
    errors = [error(line(n), 0.5 / np.pi**2, by_characteristics).mean() for n in (40, 80, 160)]
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert orders[0] > 4.4
    assert orders[1] > 4.6
    assert errors[-1] < 5e-8


@pytest.mark.slow
def test_behind_the_kink_it_is_the_viscosity_solution():
    """Mean errors fall at order one or more, the largest, beside the kink, stays below a cell's width."""
    errors = [error(line(n), 1.5 / np.pi**2, by_hopf_and_lax, rtol=1e-6) for n in (40, 80, 160)]
    means = np.array([e.mean() for e in errors])
    assert np.all(np.log2(means[:-1] / means[1:]) > 1.2)
    for n, e in zip((40, 80, 160), errors, strict=True):
        assert e.max() < 2 / n


def test_two_dimensions_are_one_along_the_diagonal():
    """u₀ of x + y: the solution depends on x + y alone."""
    n, t = 32, 0.12 / np.pi**2
    grid = mfg.CartesianGrid((-1.0, -1.0), (1.0, 1.0), (n, n), periodic=(True, True))
    found = mfg.solve(
        BURGERS, mfg.FiniteVolume(grid, order=5), lambda x: -np.cos(np.pi * x.sum(axis=-1)), (0.0, t), rtol=1e-7
    ).at(t)
    fine = mfg.CartesianGrid((-1.0,), (1.0,), (256,), periodic=(True,))
    along = mfg.HamiltonJacobiBellman(lambda x, p, t: 0.5 * (2 * p[..., 0] + 1) ** 2, lambda t: 0.0)
    known = mfg.solve(along, mfg.FiniteVolume(fine, order=5), start, (0.0, t), rtol=1e-8).at(t)
    s = np.mod(found.grid.points.sum(axis=-1) + 1, 2) - 1
    places = np.concatenate((fine.points[:, 0] - 2, fine.points[:, 0], fine.points[:, 0] + 2))
    want = np.interp(s, places, np.tile(known.values, 3))
    assert np.abs(found.values - want).max() < 5e-4  # linear interpolation of the reference: h²u″/8 = 4e-4


def test_walls():
    """A parabola is kept by far walls, its even mirror by reflecting ones: u = x²/(2(1 + t)) solves u_t + ½u_x² = 0."""
    quadratic = mfg.HamiltonJacobiBellman(lambda x, p, t: 0.5 * p[..., 0] ** 2, lambda t: 0.0)
    far = mfg.FiniteVolume(mfg.CartesianGrid((-1.0,), (1.0,), (24,)), order=5)
    found = mfg.solve(quadratic, far, lambda x: 0.5 * x[..., 0] ** 2, (0.0, 1.0), rtol=1e-8).at(1.0).values
    np.testing.assert_allclose(found, far.grid.points[:, 0] ** 2 / 4, atol=1e-7)
    mirror = mfg.FiniteVolume(mfg.CartesianGrid((0.0,), (1.0,), (40,)), "reflecting", order=5)
    whole = mfg.FiniteVolume(mfg.CartesianGrid((-1.0,), (1.0,), (80,), periodic=(True,)), order=5)
    heat = mfg.HamiltonJacobiBellman(lambda x, p, t: 0.5 * p[..., 0] ** 2, lambda t: 0.02)
    half, full = (mfg.solve(heat, s, start, (0.0, 0.3), rtol=1e-7).at(0.3).values for s in (mirror, whole))
    np.testing.assert_allclose(half, full[40:], atol=1e-6)


def test_with_viscosity_it_agrees_with_cole_and_hopf():
    """H = D|p|²: u = −log η, ∂_tη = DΔη with η = 2 + cos πx fading."""
    D, t = 0.1, 0.5
    equation = mfg.HamiltonJacobiBellman(lambda x, p, u: D * p[..., 0] ** 2, lambda u: D)
    found = mfg.solve(equation, line(64), lambda x: -np.log(2 + np.cos(np.pi * x[..., 0])), (0.0, t), rtol=1e-8).at(t)
    exact = -np.log(2 + np.exp(-D * np.pi**2 * t) * np.cos(np.pi * found.grid.points[:, 0]))
    assert np.abs(found.values - exact).max() < 2e-6


def test_bad_input():
    grid = mfg.CartesianGrid.cube(1.0, 16, 1)
    with pytest.raises(ValueError, match=r"use FiniteVolume\(grid, order=5\)"):
        mfg.solve(BURGERS, mfg.FiniteVolume(grid), start, (0.0, 0.1))
    with pytest.raises(TypeError, match="no scheme of order 5 for FokkerPlanck; use order=2 or order=4"):
        mfg.FiniteVolume(grid, order=5).semidiscretise(mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()))
    with pytest.raises(TypeError, match="no scheme of order 5 for Continuity; use order=2"):
        mfg.FiniteVolume(grid, order=5).semidiscretise(mfg.Continuity(lambda x, t: -x))
    with pytest.raises(ValueError, match="order 2, 4 or 5"):
        mfg.FiniteVolume(grid, order=3)
