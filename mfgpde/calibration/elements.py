"""Ladders of finite elements: means of mixtures under linear processes, and eigenvalues on intervals, discs and spheres."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.special import jnp_zeros

from mfgpde.calibration import drawn
from mfgpde.calibration.contract import Case
from mfgpde.discretisations.finite_element import FiniteElement, eigenpairs, meshes
from mfgpde.solvers import converge

DISC = np.sort([0.0, *(z**2 for m in range(7) for z in jnp_zeros(m, 3) for _ in range(1 if m == 0 else 2))])
"""eigenvalues of −Δ on the unit disc with reflecting rim, as often as they are there"""
SPHERE = np.concatenate([[degree * (degree + 1.0)] * (2 * degree + 1) for degree in range(5)])


class Elements:
    """E|x|² and E cos(kx) of the Fokker–Planck equation, of degree one and two, and eigenvalues of −Δ.

    They are (nπ/L)² of an interval, squares of zeros of J_m′ over R² of a disc, l(l + 1)/R² of a sphere.
    """

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
        if rng.random() < 0.3:
            round_one, n = bool(rng.random() < 0.5), int(rng.integers(1, 9))
            mesh = (meshes.disc if round_one else meshes.sphere)(side, int(rng.integers(2, 4)))
            curved = FiniteElement(mesh, degree, walls="reflecting" if round_one else "far")
            ladder = converge(lambda one: float(eigenpairs(one, n + 1).values[n]), curved, order=2.0 * degree)
            truth = float((DISC if round_one else SPHERE)[n]) / side**2
            name = f"eigenvalue {n} of a {'disc' if round_one else 'sphere'}, degree {degree}"
            yield Case(name, ladder.limit, truth, 1e-9 * truth)
