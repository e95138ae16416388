"""Random problems that families share: linear processes of every kind, mixtures, boxes that hold them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfgpde.calibration.contract import Case
from mfgpde.core.arrays import dot
from mfgpde.densities import GaussianMixture
from mfgpde.equations import FokkerPlanck
from mfgpde.grids import CartesianGrid
from mfgpde.processes import (
    Brownian,
    Linear,
    LinearProcess,
    OrnsteinUhlenbeck,
    SubVariancePreserving,
    VarianceExploding,
    VariancePreserving,
)
from mfgpde.solvers import ladders, solve

INSIDE = 1 - 1e-10
"""of the mass that boxes hold"""
TOLERANCE = 1e-8
"""of the steps of ladders"""


def process(rng: np.random.Generator) -> LinearProcess:
    """Return a linear process with random parameters: Brownian, Ornstein–Uhlenbeck, VP, sub-VP, VE or affine."""
    horizon = float(rng.uniform(0.4, 2.5))
    pick = rng.integers(6)
    if pick == 0:
        return Brownian(float(rng.uniform(0.3, 1.5)), horizon)
    if pick == 1:
        return OrnsteinUhlenbeck(float(rng.uniform(0.4, 2.0)), float(rng.uniform(0.4, 1.5)), horizon)
    if pick == 2:
        low = float(rng.uniform(0.05, 0.5))
        return VariancePreserving(low, low + float(rng.uniform(0.5, 6.0)), horizon)
    if pick == 3:
        low = float(rng.uniform(0.05, 0.5))
        return SubVariancePreserving(low, low + float(rng.uniform(0.5, 6.0)), horizon)
    if pick == 4:
        low = float(rng.uniform(0.01, 0.2))
        return VarianceExploding(low, low * float(rng.uniform(5.0, 20.0)), horizon)
    return Linear(np.array([[-rng.uniform(0.2, 1.5)]]), float(rng.uniform(0.4, 1.5)), horizon=horizon)


def mixture(rng: np.random.Generator, dimension: int = 1, least: float = 0.2, most: int = 3) -> GaussianMixture:
    """Return a mixture of one to `most` Gaussians whose deviations are at least `least`, means of size one."""
    k = int(rng.integers(1, most + 1))
    deviations = least * np.exp(rng.uniform(0, 1.2, size=(k, dimension)))
    return GaussianMixture(rng.dirichlet(np.full(k, 2.0)), rng.normal(0, 1, (k, dimension)), deviations**2)


def noised(noising: LinearProcess, law: GaussianMixture, t: float) -> GaussianMixture:
    """Return the law at a time, in closed form."""
    return law.after(noising.transition(0.0, t))


def box(noising: LinearProcess, law: GaussianMixture, times: tuple[float, ...], cells: int) -> CartesianGrid:
    """Return a grid that holds the law at all times."""
    corners = [noised(noising, law, t).box(INSIDE) for t in times]
    lower = np.min([a for a, _ in corners], axis=0)
    upper = np.max([b for _, b in corners], axis=0)
    return CartesianGrid(tuple(lower), tuple(upper), (cells,) * len(lower))


def wave_mean(law: GaussianMixture, k: float) -> float:
    """Return E cos(k·Σx_i), Σ_j w_j e^{−k²|C_j|/2} cos(k Σm_j), |C| the sum of all entries."""
    spread = law.covariances.sum(axis=(1, 2))
    return float(law.weights @ (np.exp(-0.5 * k**2 * spread) * np.cos(k * law.means.sum(axis=1))))


def second_moment(law: GaussianMixture) -> float:
    """Return E|x|²."""
    return float(law.weights @ ((law.means**2).sum(axis=1) + np.trace(law.covariances, axis1=1, axis2=2)))


@dataclass(frozen=True, eq=False)
class Forward:
    """A process, a law that it noises, a time, and a grid that holds the law until then."""

    process: LinearProcess
    law: GaussianMixture
    time: float
    grid: CartesianGrid

    @property
    def end(self) -> GaussianMixture:
        """The law at that time, in closed form."""
        return noised(self.process, self.law, self.time)


def forward(rng: np.random.Generator, dimension: int, cells: int) -> Forward:
    """Return a random problem forwards in time."""
    noising = process(rng)
    if isinstance(noising, Linear) and dimension > 1:
        noising = Linear(rng.normal(0, 0.6, (dimension, dimension)) - 0.5 * np.eye(dimension), 0.8)
    law, t = mixture(rng, dimension, least=0.3), float(rng.uniform(0.2, 1.0)) * noising.horizon
    return Forward(noising, law, t, box(noising, law, tuple(np.linspace(0, t, 7)), cells))


def on_trial(problem: Forward, space: Any, k: float, levels: int = 3) -> Iterator[Case]:
    """Yield E|x|² and E cos(kΣx) at the end, by a ladder of discretisations.

    What the steps leave is the change from a ten times larger tolerance, and what the box leaves out that of its tails.
    """
    equation = FokkerPlanck.of(problem.process)

    def means(one: Any, rtol: float = TOLERANCE) -> list[float]:
        law = solve(equation, one, problem.law, (0.0, problem.time), rtol=rtol).fields[-1]
        return [law.expectation(lambda x: dot(x, x)), law.expectation(lambda x: np.cos(k * x.sum(axis=-1)))]

    time = float(np.abs(np.subtract(means(space), means(space, 10 * TOLERANCE))).max())
    outside = (1 - INSIDE) * float(np.sum(np.square(problem.grid.lengths)) + 1)
    square, wave = ladders(means, space, levels=levels, floor=time + outside)
    name = f"{problem.process!r}, t = {problem.time:.3g}, {space.grid.cells} cells"
    yield Case(f"E|x|², {name}", square.limit, second_moment(problem.end), 1e-13)
    yield Case(f"E cos {k:.3g}Σx, {name}", wave.limit, wave_mean(problem.end, k), 1e-13)
