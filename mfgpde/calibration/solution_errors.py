"""Errors that a solve estimates of itself, against the errors that it has."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mfgpde.calibration import drawn
from mfgpde.calibration.contract import Case
from mfgpde.densities import cell_means
from mfgpde.discretisations import FiniteVolume
from mfgpde.equations import FokkerPlanck
from mfgpde.solvers import solve_with_error


class SolutionErrors:
    """∫|p_h − p| of finite volumes under a random process."""

    covers = ("solvers.SolutionError.l1", "solvers.solve_with_error")
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a problem in one dimension."""
        problem = drawn.forward(rng, 1, int(rng.integers(32, 128)))
        space = FiniteVolume(problem.grid, order=2 if rng.random() < 0.6 else 4)
        found = solve_with_error(FokkerPlanck.of(problem.process), space, problem.law, (0.0, problem.time))
        off = np.abs(found.solution.fields[-1].values - cell_means(problem.end, problem.grid))
        truth = float(problem.grid.integrate(off))
        yield Case(f"∫|error|, {problem.process!r}, {space.grid.cells} cells", found.l1(problem.time), truth, 1e-12)
