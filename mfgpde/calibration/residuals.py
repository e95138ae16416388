"""Bounds of errors by residuals, against the errors that solutions have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.stats import norm

from mfgpde.calibration import drawn
from mfgpde.calibration.contract import Case
from mfgpde.core.arrays import Array
from mfgpde.discretisations import FiniteVolume, Spectral
from mfgpde.equations import FokkerPlanck
from mfgpde.grids import CartesianGrid
from mfgpde.scores import ExactScore
from mfgpde.solvers import solve
from mfgpde.solvers.reconstruction import Panels, Reconstruction

POINTS = 32
"""in a cell: of an error that changes its sign there sums are off by less than 1e-3 of its share"""
OUTSIDE = (1e-6, 0.05)
"""of a law, beyond boxes that are too small for it"""


class Residuals:
    """∫|p_h − p| of volumes and expansions under a random process, forwards and back, and E cos kx and P(x > c) by it.

    And of volumes in a box that cuts off a part of the law.
    """

    covers = (
        "solvers.error_bound",
        "solvers.Solution.error_bound",
        "solvers.ErrorBound.estimate",
        "solvers.ErrorBound.mean",
        "solvers.ErrorBound.wasserstein",
        "solvers.ErrorBound.wasserstein_1",
        "solvers.ErrorBound.value",
        "solvers.ErrorBound.first_moment",
    )
    remembered = ((0, 27), (0, 86), (0, 144), (0, 167), (0, 233))

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a problem on a line, a direction of time, cells, a scheme and a tolerance."""
        problem, k = drawn.forward(rng, 1, int(rng.integers(40, 100))), float(rng.uniform(0.5, 2.0))
        space: Any = FiniteVolume(problem.grid) if rng.random() < 0.8 else Spectral(problem.grid)
        equation, start, end, time = FokkerPlanck.of(problem.process), problem.law, problem.end, problem.time
        if rng.random() < 0.3:
            equation = FokkerPlanck.reverse(problem.process, ExactScore(problem.process, problem.law))
            start = drawn.noised(problem.process, problem.law, problem.process.horizon)
            stop = 0.1 * problem.process.horizon
            end, time = drawn.noised(problem.process, problem.law, stop), problem.process.horizon - stop
            grid = drawn.box(
                problem.process, problem.law, tuple(np.linspace(stop, stop + time, 7)), space.grid.cells[0]
            )
            space = type(space)(grid)
        rtol = float(10 ** rng.uniform(-7.5, -2))
        sharp = rng.random() < 0.3 and float(equation.diffusivity(0.0)) > 0
        if isinstance(space, FiniteVolume) and sharp:
            space = FiniteVolume(space.grid, order=4)
        found = solve(equation, space, start, (0.0, time), rtol=rtol)
        bound, law = found.error_bound(), found.fields[-1]
        what = f"{equation.__class__.__name__} of {problem.process!r} by {space!r}"
        yield Case(f"∫|error|, {what}", bound.estimate, _off(end, law), 1e-9)

        def wave(x: Array) -> Array:
            return np.cos(k * x[..., 0])

        yield Case(f"E cos, {what}", bound.mean(wave, 1.0), drawn.wave_mean(end, k), 1e-9)
        c = float(rng.normal())
        share = bound.mean(lambda x: np.where(x[..., 0] > c, 1.0, 0.0), 1.0)
        above = norm.sf(c, end.means[:, 0], np.sqrt(end.covariances[:, 0, 0]))
        yield Case(f"P(x > {c:.3g}), {what}", share, float(end.weights @ above), 1e-9)
        if np.isfinite(bound.moment):
            square = float(end.weights @ (np.sum(end.means**2, axis=1) + end.covariances[:, 0, 0]))
            yield Case(f"E|x|², {what}", bound.mean(lambda x: x[..., 0] ** 2, 0.0, growth=1.0), square, 1e-9 * square)
            mean = float(end.weights @ end.means[:, 0])
            yield Case(f"E x, {what}", bound.mean(lambda x: x[..., 0], 0.0, slope=1.0), mean, 1e-9 * np.sqrt(square))
            if bound.value < 1:
                first, second = _apart(end, law)
                yield Case(f"W₂, {what}", bound.wasserstein, second, 1e-6)
                yield Case(f"W₁, {what}", bound.wasserstein_1, first, 1e-6)
        yield from self._in_a_tight_box(rng)

    def _in_a_tight_box(self, rng: np.random.Generator) -> Iterator[Case]:
        problem, k = drawn.forward(rng, 1, int(rng.integers(40, 100))), float(rng.uniform(0.5, 2.0))
        outside = float(np.exp(rng.uniform(*np.log(OUTSIDE))))
        corners = [
            drawn.noised(problem.process, problem.law, t).box(1 - outside)
            for t in np.linspace(0.0, problem.time, 7).tolist()
        ]
        lower, upper = float(min(a[0] for a, _ in corners)), float(max(b[0] for _, b in corners))
        grid = CartesianGrid((lower,), (upper,), problem.grid.cells)
        equation = FokkerPlanck.of(problem.process)
        noisy = float(equation.diffusivity(0.0)) > 0
        space = FiniteVolume(grid, order=4 if noisy and rng.random() < 0.4 else 2)
        found = solve(
            equation, space, problem.law, (0.0, problem.time),
            rtol=float(10 ** rng.uniform(-7.5, -2)), largest_wall_mass=1.0, mass=None,
        )  # fmt: skip
        bound, end = found.error_bound(), problem.end
        what = f"{problem.process!r} by {space!r}, beyond which {outside:.1e} stand"
        yield Case(f"∫|error|, {what}", bound.estimate, _off(end, found.fields[-1]), 1e-9)
        mean = bound.mean(lambda x: np.cos(k * x[..., 0]), 1.0)
        yield Case(f"E cos, {what}", mean, drawn.wave_mean(end, k), 1e-9)
        if np.isfinite(bound.moment):
            square = drawn.second_moment(end)
            yield Case(f"E|x|², {what}", bound.mean(lambda x: x[..., 0] ** 2, 0.0, growth=1.0), square, 1e-9 * square)


def _off(law: Any, found: Any) -> float:
    """Return ∫|p_h − p| on the whole line, p_h the reconstruction: within cells, too, where it changes its sign."""
    (edges,) = found.discretisation.grid.edges
    at = Reconstruction.on(found.discretisation, [Panels(edges, np.full(len(edges) - 1, POINTS))], 0, fall=False)
    density = np.exp(law.log_density(at.points))
    outside = max(1.0 - float(np.sum(density * at.weights)), 0.0)
    return at.norm(at.value(found.values) - density) + outside


def _apart(law: Any, found: Any) -> tuple[float, float]:
    """Return W₁ and W₂ on a line, by quantiles of both on fine points of the grid's box."""
    grid = found.grid
    x = np.linspace(float(grid.lower[0]), float(grid.upper[0]), 40001)
    densities = np.exp(law.log_density(x[:, None])), np.maximum(found(x[:, None]), 0.0)
    below = [np.cumsum(p) / np.sum(p) for p in densities]
    share = np.linspace(1e-6, 1 - 1e-6, 40001)
    gap = np.interp(share, below[0], x) - np.interp(share, below[1], x)
    return float(np.mean(np.abs(gap))), float(np.sqrt(np.mean(gap**2)))
