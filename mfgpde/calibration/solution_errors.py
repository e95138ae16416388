"""Errors that a solve estimates of itself, against the errors that it has."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mfgpde.calibration import drawn
from mfgpde.calibration.contract import Case
from mfgpde.densities import UniformBoxes, cell_means
from mfgpde.discretisations import FiniteVolume
from mfgpde.equations import FokkerPlanck
from mfgpde.grids import CartesianGrid
from mfgpde.processes import Brownian
from mfgpde.solvers import solve_with_error


class SolutionErrors:
    """∫|p_h − p| of finite volumes under a random process, to loose steps too, and of a box law that no cell resolves."""

    covers = ("solvers.SolutionError.l1", "solvers.solve_with_error")
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a problem in one dimension."""
        problem = drawn.forward(rng, 1, int(rng.integers(32, 128)))
        space = FiniteVolume(problem.grid, order=2 if rng.random() < 0.6 else 4)
        rtol = 1e-6 if rng.random() < 0.5 else float(10 ** rng.uniform(-5, -2))
        equation, times = FokkerPlanck.of(problem.process), (0.0, problem.time)
        found = solve_with_error(equation, space, problem.law, times, rtol=rtol)
        off = np.abs(found.solution.fields[-1].values - cell_means(problem.end, problem.grid))
        truth = float(problem.grid.integrate(off))
        yield Case(
            f"∫|error|, {problem.process!r}, {space.grid.cells} cells, {rtol:.1g}", found.l1(problem.time), truth, 1e-12
        )
        yield self._of_a_box(rng)

    def _of_a_box(self, rng: np.random.Generator) -> Case:
        process, centre, half = Brownian(), float(rng.uniform(-1, 1)), float(rng.uniform(0.2, 1.0))
        t, cells = float(np.exp(rng.uniform(np.log(1e-4), np.log(0.3)))), int(rng.integers(24, 80))
        law = UniformBoxes(np.ones(1), np.array([[centre - half]]), np.array([[centre + half]]))
        space = FiniteVolume(CartesianGrid.cube(7.0, cells, 1), order=2 if rng.random() < 0.6 else 4)
        found = solve_with_error(FokkerPlanck.of(process), space, law, (0.0, t))
        right = cell_means(law.after(process.transition(0.0, t)), space.grid)
        truth = float(space.grid.integrate(np.abs(found.solution.fields[-1].values - right)))
        what = f"∫|error| of a box of {2 * half:.2g} after {t:.2g}, order {space.order}, {space.grid.cells} cells"
        return Case(what, found.l1(t), truth, 1e-12)
