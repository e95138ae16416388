"""Bounds of W₂ between ODE and SDE of an affine score, whose integrals over time are known by ordinary equations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from mfgpde.calibration.contract import Case
from mfgpde.calibration.trajectories import Scaled, laws
from mfgpde.core.arrays import Array
from mfgpde.densities import gaussian
from mfgpde.diagnostics import gap_bound
from mfgpde.grids import CartesianGrid
from mfgpde.processes import IsotropicProcess, OrnsteinUhlenbeck, VariancePreserving
from mfgpde.scores import ExactScore
from mfgpde.solvers import induced_ode, induced_sde, prior_of

KNOWN = 1e-6
"""of the bound: quadrature of the truth"""


class GapBounds:
    """∫D ‖DX ∇e‖ dt for Gaussian data: the flow's derivative and the score's gap are numbers, and both bounds are one."""

    covers = ("diagnostics.gap_bound", "diagnostics.GapBound.along_trajectories", "diagnostics.GapBound.by_lipschitz")
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a process, a Gaussian, a stop, cells and stages."""
        horizon = float(rng.uniform(0.6, 2.0))
        process: IsotropicProcess = OrnsteinUhlenbeck(
            float(rng.uniform(0.5, 1.5)), float(rng.uniform(0.7, 1.4)), horizon
        )
        process = process if rng.random() < 0.5 else VariancePreserving(0.2, float(rng.uniform(2.0, 5.0)), horizon)
        law = gaussian(float(rng.normal(0, 0.8)), float(rng.uniform(0.35, 0.9)) ** 2)
        stop, score = float(np.exp(rng.uniform(np.log(0.01), np.log(0.3)))), ExactScore(process, law)
        ends = [one.box(1 - 1e-10) for one in (*laws(process, Scaled(score, 1.0), 1, stop), prior_of(process, 1))]
        box = min(float(a[0]) for a, _ in ends), max(float(b[0]) for _, b in ends)
        grid = CartesianGrid((box[0],), (box[1],), (int(rng.integers(64, 160)),))
        share, rtol = np.linspace(1, 0, int(rng.integers(12, 32))), float(10 ** rng.uniform(-5, -2))
        asked: Any = {"times": np.minimum(stop + (horizon - stop) * share[:-1] ** 2, horizon), "stop": stop}
        sde, ode = induced_sde(process, score, grid, rtol=rtol, **asked), induced_ode(process, score, grid, **asked)
        found, truth = gap_bound(process, score, sde, ode, rtol=rtol), integral(process, score, stop)
        what = f"{process!r}, stop {stop:.2g}, {grid.cells[0]} cells, {len(share)} times, {rtol:.1g}"
        yield Case(f"along trajectories, {what}", found.along_trajectories, truth, KNOWN * truth)
        yield Case(f"by Lipschitz, {what}", found.by_lipschitz, truth, KNOWN * truth)


def integral(process: IsotropicProcess, score: ExactScore, stop: float) -> float:
    """Return ∫ D k ‖s − ∇log q^SDE‖ dt, k = exp(−∫ of the velocity's slope): how far ODE paths come apart until the stop.

    With q^SDE = N(n, w) and s = Ax + b: ṅ = (f₁ − 2DA)n + f₀ − 2Db, ẇ = 2(f₁ − 2DA)w − 2D, backwards; the norm is that of
    (A + 1/w)x + b − n/w. From the horizon down k is known but for its last value.
    """
    ends, prior = np.array([[0.0], [1.0]]), prior_of(process, 1)

    def rates(t: float, y: Array) -> list[float]:
        n, w, exponent, _ = y
        D, (f, fx), (b, bx) = float(process.diffusivity(t)), process.drift(ends, t)[:, 0], score(ends, t)[:, 0]
        A, slope = bx - b, fx - f
        norm = np.hypot(A * n + b, (A + 1 / w) * np.sqrt(w))
        way = slope - 2 * D * A
        return [way * n + f - 2 * D * b, 2 * way * w - 2 * D, slope - D * A, D * np.exp(-exponent) * norm]

    begin = [float(prior.means[0, 0]), float(prior.covariances[0, 0, 0]), 0.0, 0.0]
    run = solve_ivp(rates, (process.horizon, stop), begin, method="DOP853", rtol=1e-10, atol=1e-13)
    return float(-run.y[3, -1] * np.exp(run.y[2, -1]))
