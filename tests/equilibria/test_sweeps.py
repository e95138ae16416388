"""Differences of a sweep backwards in time, and the systems that its steps solve."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.equilibria import waves
from mfgpde.equilibria.best_response import Sweeps, _first, _second
from mfgpde.equilibria.circles import on_torus


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("side", [-1, 0, 1])
def test_differences_of_sweeps_are_exact_for_lines_inside_and_flat_at_walls(side, periodic):
    n, h = 9, 0.3
    D = _first(n, h, side, periodic).toarray()
    x = h * np.arange(n)
    assert np.ones(n) @ D.T == pytest.approx(0.0, abs=1e-12)
    assert (D @ x)[1:-1] == pytest.approx(1.0)
    assert (D @ x**2)[1:-1] == pytest.approx((2 * x + side * h)[1:-1])
    if not periodic:
        ends = (D @ x)[[0, -1]]
        assert ends == pytest.approx({-1: [0.0, 1.0], 0: [0.5, 0.5], 1: [1.0, 0.0]}[side])


@pytest.mark.parametrize("periodic", [False, True])
def test_bends_of_sweeps_are_exact_for_parabolas_and_have_the_waves_spectrum(periodic):
    n, h = 11, 0.2
    A = _second(n, h, periodic).toarray()
    x = h * np.arange(n)
    assert (A @ x**2)[1:-1] == pytest.approx(-2.0)
    assert pytest.approx(A.T) == A
    grid = mfg.CartesianGrid((0.0,), (n * h,), (n,), (periodic,))
    assert np.sort(np.linalg.eigvalsh(A)) == pytest.approx(np.sort(waves.spectrum(grid)), abs=1e-10)


@pytest.mark.parametrize("cells", [(12,), (12, 9)], ids=["line", "plane"])
@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("viscosity", [0.3, 1e-3])
def test_steps_of_sweeps_solve_their_system(cells, periodic, viscosity, rng):
    """(1 + ½dt(r + A))u = b, A transposed or not, with a rate of discount r, by a dense solve of numpy's."""
    d = len(cells)
    grid = mfg.CartesianGrid((-2.0,) * d, (2.0,) * d, cells, (periodic,) * d)
    start, end = mfg.gaussian(0.2, 0.1, d), mfg.games.Potential(lambda x, t: np.cos(0.5 * np.pi * x).sum(axis=-1))
    game = on_torus(mfg.MeanFieldGame(start, end, 1.3, viscosity=viscosity), grid)
    sweeps = Sweeps(game, grid, 4, 2)
    pull, _ = sweeps.pull(sweeps.slopes(rng.normal(size=cells)), 1)
    A, right = sweeps.operator(pull, 1), rng.normal(size=int(np.prod(cells)))
    for rate in (0.0, 2.5):
        for transposed in (False, True):
            dense = A.toarray().T if transposed else A.toarray()
            whole = np.eye(len(right)) * (1 + 0.5 * sweeps.dt * rate) + 0.5 * sweeps.dt * dense
            found = sweeps.solved(A, right, 1, rate, transposed=transposed)
            assert found == pytest.approx(np.linalg.solve(whole, right), abs=1e-8)
