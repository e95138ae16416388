"""Ladders of finite elements: means of mixtures under linear processes, and eigenvalues that are known."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from mfgpde.calibration import drawn
from mfgpde.calibration.contract import Case
from mfgpde.discretisations.finite_element import FiniteElement, eigenpairs, meshes
from mfgpde.solvers import converge


class Elements:
    """E|x|² and E cos(kx) of the Fokker–Planck equation, and eigenvalues (nπ/L)² of an interval, of degree one and two."""

    covers = ("solvers.ladders", "solvers.Ladder.limit", "solvers.converge")
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a problem in one dimension, an interval, and a degree."""
        degree: Any = int(rng.integers(1, 3))
        problem = drawn.forward(rng, 1, int(rng.integers(16, 40)))
        (lower,), (upper,) = problem.grid.lower, problem.grid.upper
        space = FiniteElement(meshes.interval(lower, upper, problem.grid.cells[0]), degree=degree)
        with warnings.catch_warnings():  # what the sign of a narrow start costs is on trial, its warning is not
            warnings.filterwarnings("ignore", message="the initial density is narrower than cells")
            yield from drawn.on_trial(problem, space, float(rng.uniform(0.5, 2.0)))
        side, n = float(np.exp(rng.uniform(-2, 2))), int(rng.integers(1, 6))
        walled = FiniteElement(meshes.interval(0.0, side, int(rng.integers(12, 30))), degree=degree)
        ladder = converge(lambda one: float(eigenpairs(one, n + 1).values[n]), walled, order=2.0 * degree)
        truth = (n * np.pi / side) ** 2
        yield Case(f"eigenvalue {n} of an interval", ladder.limit, truth, 1e-10 * truth)
