"""Bounds of the probability to leave a box, against Brownian motion between walls and chains that are killed there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.integrate import trapezoid
from scipy.linalg import expm

from mfgpde.calibration import drawn
from mfgpde.calibration.contract import Case, between
from mfgpde.core.arrays import Array
from mfgpde.grids import CartesianGrid
from mfgpde.processes import Brownian, OrnsteinUhlenbeck
from mfgpde.solvers.exit_probability import exit_bound

MODES, NODES = 200, 153
"""of the sum, and cells of the chain: a multiple of three, whose every third node is a chain, too"""


class Exits:
    """P(a path has left by the end), starts outside included: sines for Brownian motion, else a killed generator."""

    covers = ("solvers.exit_bound",)
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a process, a mixture, a time and a box, from one that most leave to one that few do."""
        law, horizon = drawn.mixture(rng), float(np.exp(rng.uniform(-2, 1)))
        reach = float(np.sqrt(law.covariances.max())) * rng.uniform(1.0, 4.0, 2)
        lower, upper = float(law.means.min()) - float(reach[0]), float(law.means.max()) + float(reach[1])
        grid, x = CartesianGrid((lower,), (upper,), (32,)), np.linspace(lower, upper, NODES + 1)
        start = np.exp(law.log_density(x[:, None]))
        free = Brownian(float(rng.uniform(0.3, 1.5)), horizon)
        left = 1 - float(trapezoid(start * stays(x, free.scale**2 * horizon), x))
        found = exit_bound(free, law, grid, 0.0, horizon)
        yield Case(f"{free!r} leaves [{lower:.3g}, {upper:.3g}]", between(0.0, found, "reflection"), left, 1e-4)
        pulled = OrnsteinUhlenbeck(float(rng.uniform(0.3, 2.0)), float(rng.uniform(0.4, 1.5)), horizon)
        fine, coarse = (1 - killed(pulled, start[::k], x[::k]) for k in (1, 3))
        found = exit_bound(pulled, law, grid, 0.0, horizon)
        what = f"{pulled!r} leaves [{lower:.3g}, {upper:.3g}]"
        yield Case(what, between(0.0, found, "reflection"), fine, abs(fine - coarse))


def stays(x: Array, spread: float) -> Array:
    """Return P(a Brownian motion of this variance has not left [x_0, x_n]) by where it starts, as a sum of sines.

    >>> from mfgpde.calibration.exits import stays
    >>> stays(np.linspace(-4.0, 4.0, 3), 1.0).round(5).tolist()  # 1 − 4Φ(−4)
    [0.0, 0.99987, 0.0]
    """
    side = float(x[-1] - x[0])
    n = np.arange(1, 2 * MODES, 2)[:, None] * np.pi / side
    found = np.sum(4 / (n * side) * np.sin(n * (x - x[0])) * np.exp(-0.5 * n**2 * spread), axis=0)
    return np.clip(found * np.where((x == x[0]) | (x == x[-1]), 0.0, 1.0), 0.0, 1.0)


def killed(process: OrnsteinUhlenbeck, start: Array, x: Array) -> float:
    """Return the share that has not left, by central differences of the generator at the nodes between the ends."""
    h, inner = float(x[1] - x[0]), x[1:-1]
    D, b = 0.5 * process.scale**2 / h**2, -process.rate * inner / (2 * h)
    generator = np.diag(np.full(len(inner), -2 * D)) + np.diag((D + b)[:-1], 1) + np.diag((D - b)[1:], -1)
    survived = expm(process.horizon * generator) @ np.ones(len(inner))
    return float(trapezoid(np.concatenate(([0.0], start[1:-1] * survived, [0.0])), x))
