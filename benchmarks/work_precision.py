"""Error against seconds, every solver on problems with known answers, and peers in the same call.

Ornstein–Uhlenbeck in 2D; variance preserving in 1D, 2D and 3D; its score equation; a reverse process without a potential,
where each method is held against the finest solve of another; W₂ of two Gaussians; a linear-quadratic game. The first run
of everything (compilation) is not counted, for nobody.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import mfgpde as mfg
from mfgpde.verify import load_module

Prepare = Callable[[int], Callable[[], float]]
Case = tuple[str, Sequence[int], Prepare]
"""a label, sizes, and what prepares a size: a function that solves and returns the error"""
DATA, VP, OU = mfg.densities.four_blobs(), mfg.VariancePreserving(), mfg.OrnsteinUhlenbeck()
TURNS, LONG = 3, 3.0  # best of so many, fewer where one takes this many seconds


def run(peers: bool) -> dict[str, Any]:
    """Measure all panels; return rows of problem, solver, size, error and seconds, and the panels of the figure."""
    rows, panels = [], []
    for title, cases in _problems(peers):
        curves = []
        for label, sizes, prepare in cases:
            prepare(sizes[0])()
            points = [(n, *_measured(prepare(n))) for n in sizes]
            rows += [(title, label, n, error, seconds) for n, error, seconds in points]
            curves.append({"label": label, "x": [p[2] for p in points], "y": [p[1] for p in points]})
        panels.append({"title": title, "x": "seconds", "y": "error", "curves": curves})
    return {
        "title": "Work and precision",
        "columns": ("problem", "solver", "cells a side", "error", "seconds"),
        "rows": rows,
        "panels": panels,
        "goals": "below and to the left of every peer; orders of accuracy are in `mfgpde validate solvers`",
    }


def _measured(solve: Callable[[], float]) -> tuple[float, float]:
    """Return the error and the best time."""
    error, best = np.nan, np.inf
    for _ in range(TURNS):
        clock = time.perf_counter()
        error = solve()
        best = min(best, time.perf_counter() - clock)
        if best > LONG:
            break
    return error, best


def _problems(peers: bool) -> Iterator[tuple[str, list[Case]]]:
    yield "P1: Ornstein–Uhlenbeck, 2D", _ornstein_uhlenbeck(peers)
    for d, sizes in ((1, (64, 128, 256, 512)), (2, (32, 64, 128, 256)), (3, (24, 32, 48, 64))):
        yield f"P2: variance preserving, {d}D", _variance_preserving(d, sizes)
    for d, sizes in ((1, (64, 128, 256)), (2, (32, 64, 128))):
        yield f"P3: score equation, {d}D", _score(d, sizes)
    yield "P4: reverse, no potential, 2D", _turning()
    yield "P5: W₂ of Gaussians, 2D", _transport(peers)
    yield "P6: linear-quadratic game, 1D", _game()


def _density(
    equation: Any,
    space: Any,
    start: mfg.GaussianMixture,
    end: mfg.GaussianMixture,
    times: tuple[float, float],
    rtol: float,
):
    truth = (
        mfg.densities.cell_means(end, space.grid)
        if isinstance(space, mfg.FiniteVolume)
        else end.density(space.grid.points)
    )

    def solve() -> float:
        found = mfg.solve(equation, space, start, times, rtol=rtol, largest_wall_mass=1e-3).at(times[1]).values
        return float(np.abs(found - truth).sum() / truth.sum())

    return solve


def _schemes(d: int, width: float) -> list[tuple[str, Callable[[int], Any], Callable[[int], float]]]:
    """Return label, discretisation of a size, and the tolerance in time that goes with its error in space."""
    return [
        ("finite volume, order 2", lambda n: mfg.FiniteVolume(mfg.CartesianGrid.cube(width, n, d)), lambda n: 2 / n**2),
        (
            "finite volume, order 4",
            lambda n: mfg.FiniteVolume(mfg.CartesianGrid.cube(width, n, d), order=4),
            lambda n: 500 / n**4,
        ),
        (
            "spectral, ETDRK4",
            lambda n: mfg.Spectral(mfg.CartesianGrid.cube(width, n, d)),
            lambda n: 10.0 ** (-2 - n / 8),
        ),
    ]


def _ornstein_uhlenbeck(peers: bool) -> list[Case]:
    beside = load_module(Path(__file__).with_name("ornstein_uhlenbeck_2d.py"))
    end, equation = mfg.marginal(OU, DATA, 1.0), mfg.FokkerPlanck.of(OU)

    def prepared(space: Callable[[int], Any], rtol: Callable[[int], float]) -> Prepare:
        return lambda n: _density(equation, space(n), DATA, end, (0.0, 1.0), rtol(n))

    sizes = {"finite volume, order 2": (64, 128, 256, 512), "finite volume, order 4": (64, 128, 256)}
    cases = [(label, sizes.get(label, (32, 48, 64)), prepared(space, rtol)) for label, space, rtol in _schemes(2, 5.0)]

    def other(make: Callable[[mfg.CartesianGrid], Callable[[], np.ndarray]]) -> Prepare:
        def prepare(n: int) -> Callable[[], float]:
            grid = mfg.CartesianGrid.cube(5.0, n, 2)
            truth, solve = end.density(grid.points), make(grid)
            return lambda: float(np.abs(solve() - truth).sum() / truth.sum())

        return prepare

    def elements(n: int) -> Callable[[], float]:
        space = mfg.FiniteElement(mfg.meshes.box((-5.0, -5.0), (5.0, 5.0), n), 2, "galerkin")

        def solve() -> float:
            found = mfg.solve(equation, space, DATA, (0.0, 1.0), rtol=1e-4, largest_wall_mass=1e-3)
            return mfg.l1_distance(found.at(1.0), end)

        return solve

    cases += [("finite element, P2", (24, 48), elements), ("Mehler", (48, 64, 96, 128), other(beside.mehler))]
    if peers and find_spec("fplanck"):
        cases.append(("fplanck", (64, 128, 256), other(beside.fplanck)))
    if peers and find_spec("pde"):
        cases.append(("py-pde", (64,), other(beside.py_pde)))
    return cases


def _variance_preserving(d: int, sizes: Sequence[int]) -> list[Case]:
    data = {1: mfg.densities.bimodal(1), 2: DATA, 3: mfg.densities.bimodal(3)}[d]
    start, end, equation = mfg.marginal(VP, data, 0.02), mfg.marginal(VP, data, 1.0), mfg.FokkerPlanck.of(VP)

    def prepared(space: Callable[[int], Any], rtol: Callable[[int], float]) -> Prepare:
        return lambda n: _density(equation, space(n), start, end, (0.02, 1.0), rtol(n))

    cases = [(label, sizes, prepared(space, rtol)) for label, space, rtol in _schemes(d, 6.0)]
    fewer = {1: (sizes, (32, 48, 64)), 2: (sizes[:3], (32, 48, 64)), 3: ((24, 32, 48), (24, 32))}[d]
    return [cases[0], *((label, few, case) for (label, _, case), few in zip(cases[1:], fewer, strict=True))]


def _score(d: int, sizes: Sequence[int]) -> list[Case]:
    data, times = mfg.densities.bimodal(1) if d == 1 else DATA, (0.02, 1.0)
    start, end = (mfg.marginal(VP, data, t) for t in times)

    def weighed(found: np.ndarray, grid: mfg.CartesianGrid) -> float:
        p, s = end.density(grid.points), end.score(grid.points)
        return float(np.sqrt(np.sum(p[..., None] * (found - s) ** 2) / np.sum(p[..., None] * s**2)))

    def staggered(n: int) -> Callable[[], float]:
        space = mfg.FiniteVolume(mfg.CartesianGrid.cube(5.0, n, d))
        equation = mfg.ScoreFokkerPlanck.of(VP)
        return lambda: weighed(mfg.solve(equation, space, start.score, times, rtol=1e-4).at(1.0).values, space.grid)

    def potential(n: int) -> Callable[[], float]:
        space, equation = mfg.FiniteVolume(mfg.CartesianGrid.cube(5.0, n, d)), mfg.LogDensity.of(VP)

        def solve() -> float:
            found = mfg.solve(equation, space, start.log_density, times, rtol=1e-5).at(1.0)
            return weighed(found.gradient().values, space.grid)

        return solve

    def density(n: int) -> Callable[[], float]:
        space, equation = mfg.FiniteVolume(mfg.CartesianGrid.cube(5.0, n, d)), mfg.FokkerPlanck.of(VP)

        def solve() -> float:
            found = mfg.solve(equation, space, start, times, rtol=1e-4, largest_wall_mass=1e-3).at(1.0).at_points
            return weighed(space.gradient(np.log(np.maximum(found, 1e-300))), space.grid)

        return solve

    return [
        ("score equation, staggered", sizes, staggered),
        ("log-density equation", sizes, potential),
        ("∇log of Fokker–Planck", sizes, density),
    ]


def _turning() -> list[Case]:
    exact = mfg.ExactScore(VP, DATA)

    def score(x: np.ndarray, t: float) -> np.ndarray:
        turn = np.stack((-x[..., 1], x[..., 0]), axis=-1) * np.exp(-np.sum(x**2, axis=-1, keepdims=True) / 8)
        return exact(x, t) + 0.3 * turn

    equation, start, times = mfg.FokkerPlanck.reverse(VP, score), mfg.gaussian(0.0, 1.0, 2), (0.0, 0.95)
    references: dict[str, Any] = {}

    def found(space: Any, rtol: float) -> Any:
        return mfg.solve(equation, space, start, times, rtol=rtol, largest_wall_mass=1e-3).at(times[1])

    def prepared(label: str, space: Callable[[int], Any], rtol: Callable[[int], float]) -> Prepare:
        other = "spectral" if "volume" in label else "volume"
        fine = {
            "spectral": lambda: found(mfg.Spectral(mfg.CartesianGrid.cube(5.0, 96, 2)), 1e-9),
            "volume": lambda: found(mfg.FiniteVolume(mfg.CartesianGrid.cube(5.0, 256, 2), order=4), 1e-7),
        }[other]

        def prepare(n: int) -> Callable[[], float]:
            if other not in references:
                references[other] = fine()
            here = space(n)
            truth = references[other](here.grid.points)
            return lambda: float(np.abs(found(here, rtol(n)).at_points - truth).sum() / truth.sum())

        return prepare

    sizes = {"finite volume, order 2": (32, 64, 128), "finite volume, order 4": (32, 64, 128)}
    return [
        (label, sizes.get(label, (32, 48, 64)), prepared(label, space, rtol)) for label, space, rtol in _schemes(2, 5.0)
    ]


def _transport(peers: bool) -> list[Case]:
    beside = load_module(Path(__file__).with_name("wasserstein_grid.py"))
    truth = mfg.transport.wasserstein_gaussian(*beside.A, *beside.B)

    def densities(n: int) -> tuple[mfg.CartesianGrid, list[np.ndarray]]:
        grid = mfg.CartesianGrid.cube(4.0, n, 2)
        return grid, [mfg.gaussian(*law).density(grid.points) for law in (beside.A, beside.B)]

    def ours(n: int) -> Callable[[], float]:
        grid, (p, q) = densities(n)
        return lambda: abs(mfg.back_and_forth(p, q, grid).distance.value - truth)

    def atoms(n: int) -> Callable[[], float]:
        grid, (p, q) = densities(n)
        x = grid.points.reshape(-1, 2)
        return lambda: abs(mfg.transport.wasserstein_points(x, x, p.ravel(), q.ravel()) - truth)

    return [
        ("back and forth", (32, 64, 128, 256, 512), ours),
        *([("POT, exact on atoms", (24, 32, 48), atoms)] if peers else []),
    ]


def _game() -> list[Case]:
    game = mfg.games.linear_quadratic(mfg.gaussian([0.0], [[0.5]]), 4.0, 0.5, viscosity=0.5)

    def prepared(method: Any) -> Prepare:
        def prepare(n: int) -> Callable[[], float]:
            line = mfg.CartesianGrid((-6.0,), (6.0,), (n,))
            x = line.axes[0]
            truth = x**2 / 1.5 + 0.5 * np.log(3)

            def solve() -> float:
                found = mfg.equilibrium(game, line, method=method, steps=n // 4 if method == "entropic" else 2 * n)
                return float(np.abs(found.values[0] - truth)[np.abs(x) < 3].max())

            return solve

        return prepare

    return [(method, (51, 101, 201), prepared(method)) for method in ("entropic", "newton")]
