"""Bounds of errors of finite elements by residuals, against the errors that solutions have."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from mfgpde.calibration import drawn
from mfgpde.calibration.contract import Case
from mfgpde.core.arrays import Array
from mfgpde.densities import GaussianMixture
from mfgpde.discretisations.finite_element import FiniteElement, meshes
from mfgpde.discretisations.simplices import Simplices, gauss
from mfgpde.equations import FokkerPlanck
from mfgpde.scores import ExactScore
from mfgpde.solvers import solve

POINTS = 8
"""a side of every cell, at which errors are looked at"""


class ElementBounds:
    """∫|p_h − p| of elements of degree one to three under a random process, on intervals and rectangles, and E cos kx."""

    covers = ("solvers.error_bound", "solvers.Solution.error_bound", "solvers.ErrorBound.mean")
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a problem, one in four in the plane, a degree, a scheme, cells of several widths, a direction of time."""
        degree: Any = int(rng.integers(1, 4))
        plane = bool(rng.random() < 0.25)
        dimension, cells = (2, int(rng.integers(20, 36)) // degree + 6) if plane else (1, int(rng.integers(24, 60)))
        problem, k = drawn.forward(rng, dimension, cells), float(rng.uniform(0.5, 2.0))
        equation, start, end, time = FokkerPlanck.of(problem.process), problem.law, problem.end, problem.time
        grid = problem.grid
        if not plane and rng.random() < 0.3:
            equation = FokkerPlanck.reverse(problem.process, ExactScore(problem.process, problem.law))
            start = drawn.noised(problem.process, problem.law, problem.process.horizon)
            stop = 0.1 * problem.process.horizon
            end, time = drawn.noised(problem.process, problem.law, stop), problem.process.horizon - stop
            grid = drawn.box(problem.process, problem.law, tuple(np.linspace(stop, stop + time, 7)), cells)
        mesh = (
            meshes.box(grid.lower, grid.upper, cells) if plane else meshes.interval(grid.lower[0], grid.upper[0], cells)
        )
        if not plane and rng.random() < 0.3:
            fine = grid.spacing[0]
            mesh = meshes.graded(mesh, lambda x: np.where(np.abs(x[..., 0]) < 1, 0.6 * fine, 1.1 * fine))
        space = FiniteElement(mesh, degree, "fitted" if degree == 1 and rng.random() < 0.4 else "galerkin")
        with warnings.catch_warnings():  # what the sign of a narrow start costs is on trial, its warning is not
            warnings.filterwarnings("ignore", message="the initial density is narrower than cells")
            found = solve(equation, space, start, (0.0, time), rtol=float(10 ** rng.uniform(-7.5, -5)))
        bound = found.error_bound()
        what = f"{equation.__class__.__name__} of {problem.process!r} by {space.scheme} {degree} on {cells} cells"
        error = _apart(space.simplices(found.fields[-1].values), end)
        yield Case(f"∫|error|, {what}", bound.estimate, error, 1e-6 * error)

        def wave(x: Array) -> Array:
            return np.cos(k * np.sum(x, axis=-1))

        yield Case(f"E cos, {what}", bound.mean(wave, 1.0), drawn.wave_mean(end, k), 1e-9)


def _apart(found: Simplices, law: GaussianMixture) -> float:
    """Return ∫|p_h − p| on the mesh."""
    at, weights = gauss(found.corners.shape[-1], POINTS)
    gap = np.abs(found.values(at) - np.exp(law.log_density(found.points(at))))
    return float(np.sum(found.measures[:, None] * weights / weights.sum() * gap))
