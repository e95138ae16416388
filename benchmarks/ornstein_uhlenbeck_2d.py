"""A 2D Ornstein–Uhlenbeck process from a four-component mixture: accuracy and time, peers beside us.

dX = −X dt + dW on [−5, 5]² to t = 1; relative L1 error against the exact mixture at cell centres. Times are the best of
several runs, ours and the peer's in turn; the first run of everything (compilation) is not counted, for nobody.
"""

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

import mfgpde as mfg

PROCESS, DATA, END = mfg.OrnsteinUhlenbeck(), mfg.densities.four_blobs(), 1.0
SIZES = (64, 128, 256)
TOLERANCE = {2: 1e-3, 4: 5e-4}  # in time: below the error in space of each scheme at 256²
Solver = Callable[[], np.ndarray]


def finite_volume(grid: mfg.CartesianGrid, order: int) -> Solver:
    """Return a solve by finite volumes; coefficients are computed anew each time."""
    equation, space = mfg.FokkerPlanck.of(PROCESS), mfg.FiniteVolume(grid, order=order)
    return lambda: mfg.solve(equation, space, DATA, (0.0, END), rtol=TOLERANCE[order]).at(END).at_points


def spectral(grid: mfg.CartesianGrid) -> Solver:
    """Return a solve by cosine series and ETDRK4."""
    equation, space = mfg.FokkerPlanck.of(PROCESS), mfg.Spectral(grid)
    return lambda: mfg.solve(equation, space, DATA, (0.0, END), rtol=1e-9).at(END).values


def mehler(grid: mfg.CartesianGrid) -> Solver:
    """Return the exact propagation of the band-limited initial density."""
    return lambda: mfg.discretisations.propagate(PROCESS, grid, DATA.density(grid.points), 0.0, END)


def fplanck(grid: mfg.CartesianGrid) -> Solver:
    """Return the solve of fplanck: finite volumes and the action of a matrix exponential; temperature 1/k_B, drag 2."""
    from fplanck.solver import FokkerPlanck
    from fplanck.utility import Boundary
    from scipy.constants import k

    def solve() -> np.ndarray:
        peer = FokkerPlanck(
            temperature=1 / k,
            drag=2.0,
            extent=grid.lengths,
            resolution=grid.spacing,
            potential=lambda x, y: x**2 + y**2,
            boundary=Boundary.REFLECTING,
        )
        density = DATA.density(np.stack(list(peer.grid), axis=-1)) * grid.volume
        return peer.propagate(lambda x, y: density, END, normalize=False, dense=False) / grid.volume

    return solve


def py_pde(grid: mfg.CartesianGrid) -> Solver:
    """Return the solve of py-pde: finite differences and adaptive explicit steps; it compiles in every run."""
    import pde

    def solve() -> np.ndarray:
        box = pde.CartesianGrid([(a, b) for a, b in zip(grid.lower, grid.upper, strict=True)], grid.cells)
        state = pde.ScalarField(box, DATA.density(grid.points))
        rhs = pde.PDE({"c": "0.5*laplace(c) + 2*c + x*d_dx(c) + y*d_dy(c)"}, bc={"value": 0})
        return rhs.solve(state, END, dt=1e-4, adaptive=True, tracker=None).data

    return solve


def run(peers: bool) -> dict[str, Any]:
    """Measure all solvers at all sizes; return rows of solver, size, error, seconds and ratios."""
    rows = []
    for n in SIZES:
        grid = mfg.CartesianGrid.cube(5.0, n, 2)
        truth = mfg.marginal(PROCESS, DATA, END).density(grid.points)
        solvers: dict[str, Solver] = {
            "finite volume, order 2": finite_volume(grid, 2),
            "finite volume, order 4": finite_volume(grid, 4),
        }
        if n <= 128:
            solvers |= {"spectral, ETDRK4": spectral(grid)}
        solvers |= {"spectral, Mehler": mehler(grid)}
        if peers and find_spec("fplanck"):
            solvers["fplanck"] = fplanck(grid)
        if peers and find_spec("pde") and n == 128:
            solvers["py-pde"] = py_pde(grid)
        seconds, errors = _measure(solvers, truth)
        for name in solvers:
            ratio = seconds["fplanck"] / seconds[name] if "fplanck" in seconds else None
            rows.append((name, f"{n}²", errors[name], seconds[name], ratio))
    return {
        "title": "Ornstein–Uhlenbeck in 2D to t = 1",
        "columns": ("solver", "cells", "relative L1 error", "seconds", "× faster than fplanck"),
        "rows": rows,
        "goals": "finite volume 256²: error ≤ 1.8e-4, ≥ 10 × faster; spectral 128²: error ≤ 1e-9",
    }


def _measure(solvers: dict[str, Solver], truth: np.ndarray) -> tuple[dict[str, float], dict[str, float]]:
    """Return best seconds and errors; solvers take turns, slow ones fewer."""
    seconds, errors = dict.fromkeys(solvers, np.inf), {}
    for turn in range(6):
        for name, solve in solvers.items():
            if turn > 1 and seconds[name] > 1:
                continue
            clock = time.perf_counter()
            density = solve()
            spent = time.perf_counter() - clock
            seconds[name] = min(seconds[name], spent) if turn or name == "py-pde" else np.inf
            errors[name] = float(np.abs(density - truth).sum() / truth.sum())
    return seconds, errors
