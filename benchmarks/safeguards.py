"""What the safeguards of a solve cost: each left out in turn, in one process, pairs in turn, CPU seconds.

The scan of the coefficients before a march, what a step does not see of them, the checks of the start, those of the
coefficients, and all four. P1 to P4 of the benchmark problems: an Ornstein–Uhlenbeck process in the plane, one that keeps
the variance on a line and in the plane, its score equation, its reverse process with a drift that is no gradient; and
Hamilton–Jacobi equations by WENO, whose Hamiltonian looks at its time or does not.
Transport and games (P5, P6) have no march.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import numpy as np

import mfgpde as mfg
from mfgpde.solvers import march
from mfgpde.solvers.initial import Start
from mfgpde.solvers.structure import Coefficient, Structure

VP, BLOBS = mfg.VariancePreserving(), mfg.densities.four_blobs()
TURNS = 7
SAFEGUARDS: dict[str, list[tuple[Any, str, Any]]] = {
    "scan": [(Coefficient, "scanned", lambda self, start, end: ([], end - start, float("inf")))],
    "in each step": [(Structure, "unseen", lambda self, t, dt, order, rates=False: 0.0)],
    "start": [(Start, "check", lambda self, largest, expected: None)],
    "coefficients": [(march, name, lambda *k: None) for name in ("check_coefficients", "check_diffusivity")],
}


def problems() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield problems by name."""
    plane = [mfg.CartesianGrid.cube(5.0, n, 2) for n in (128, 256)]
    ou = mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck())
    for order, tolerance in ((2, 1e-3), (4, 5e-4)):
        for grid in plane:
            space = mfg.FiniteVolume(grid, order=order)
            yield f"P1, order {order}, {grid.cells[0]}²", solving(ou, space, BLOBS, (0.0, 1.0), tolerance)
    line, two = mfg.CartesianGrid.cube(6.0, 256, 1), mfg.densities.bimodal(1)
    vp = mfg.FokkerPlanck.of(VP)
    yield "P2, line, 256", solving(vp, mfg.FiniteVolume(line), two, (0.0, 1.0), 1e-4)
    yield "P2, plane, 128²", solving(vp, mfg.FiniteVolume(plane[0]), BLOBS, (0.0, 1.0), 1e-3)
    score = mfg.ScoreFokkerPlanck.of(VP)
    start = mfg.ExactScore(VP, two)
    yield "P3, line, 256", solving(score, mfg.FiniteVolume(line), lambda x: start(x, 0.02), (0.02, 0.5), 1e-4)
    exact = mfg.ExactScore(VP, BLOBS)

    def wrong(x: np.ndarray, t: float) -> np.ndarray:
        turned = np.stack([-x[..., 1], x[..., 0]], axis=-1)
        return exact(x, t) + 0.3 * turned * np.exp(-np.sum(x**2, axis=-1, keepdims=True) / 8)

    back = mfg.FokkerPlanck.reverse(VP, wrong)
    prior = mfg.gaussian(np.zeros(2), np.eye(2))
    yield "P4, plane, 64²", solving(back, mfg.FiniteVolume(mfg.CartesianGrid.cube(5.0, 64, 2)), prior, (0.0, 0.9), 1e-3)

    weno, bowl = mfg.FiniteVolume(mfg.CartesianGrid.cube(2.0, 128, 2), order=5), lambda x: np.sum(x**2, axis=-1)
    for name, hamiltonian in (
        ("still", lambda x, p, t: steepness(p)),
        ("driven", lambda x, p, t: (1 + t) * steepness(p)),
    ):
        eikonal = mfg.HamiltonJacobiBellman(hamiltonian, lambda t: 0.0)
        yield f"eikonal, WENO, {name}, 128²", solving(eikonal, weno, bowl, (0.0, 0.5), 1e-4)


def steepness(p: np.ndarray) -> np.ndarray:
    """Return |p| in the plane."""
    return np.sqrt(p[..., 0] ** 2 + p[..., 1] ** 2)


def solving(equation: Any, space: Any, start: Any, times: tuple[float, float], rtol: float) -> Callable[[], Any]:
    """Return a solve that can be repeated."""
    return lambda: mfg.solve(equation, space, start, times, rtol=rtol, largest_wall_mass=1e-2)


@contextmanager
def without(names: tuple[str, ...]) -> Iterator[None]:
    """Leave safeguards out."""
    with ExitStack() as stack:
        for name in names:
            for place, what, instead in SAFEGUARDS[name]:
                stack.enter_context(mock.patch.object(place, what, instead))
        yield


def run(peers: bool) -> dict[str, Any]:
    """Return rows of problem, CPU milliseconds, and the share that each safeguard takes."""
    choices = [(), *((name,) for name in SAFEGUARDS), tuple(SAFEGUARDS)]
    rows = []
    for name, solve in problems():
        spent: dict[tuple[str, ...], list[float]] = {choice: [] for choice in choices}
        solve()
        for _ in range(TURNS):
            for choice in choices:
                with without(choice):
                    clock = time.process_time()
                    solve()
                    spent[choice].append(time.process_time() - clock)
        whole = min(spent[()])
        rows.append((name, 1e3 * whole, *(f"{100 * (1 - min(spent[one]) / whole):.1f} %" for one in choices[1:])))
    return {
        "title": "safeguards of a solve, share of its CPU time (least of seven pairs in turn)",
        "columns": ("problem", "CPU ms", *SAFEGUARDS, "all"),
        "rows": rows,
        "goals": "all ≤ 10 %",
    }
