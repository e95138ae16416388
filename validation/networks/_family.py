"""Seeded families of cases: process × law × disturbance, and what both samplers make of each, on a grid.

Horizons and stops are drawn too. Disturbances are potentials that change in time, so that the network's own density e^φ and its
residual are defined.
"""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

import mfgpde as mfg

TAIL = 1e-13
"""of the largest density: below it a computed logarithm is noise"""


class Case(NamedTuple):
    """A score put on trial: noising process, data, potential score, the time where generation stops, half the box's side."""

    name: str
    process: object
    data: mfg.GaussianMixture
    score: object
    stop: float
    box: float
    prior: mfg.GaussianMixture | None = None


def processes(rng):
    """Return four processes that differ in kind and horizon, each with a stop that leaves some noise."""
    return {
        "OU": (mfg.OrnsteinUhlenbeck(horizon=float(rng.uniform(1.0, 3.0))), 0.05),
        "VP": (mfg.VariancePreserving(), 0.05),
        "sub-VP": (mfg.SubVariancePreserving(), 0.1),
        "VE": (mfg.VarianceExploding(0.1, float(rng.uniform(2.0, 4.0))), 0.05),
    }


def draw(rng, dimension=1, strength=1.0):
    """Yield a case a process: three blobs of unequal weight and width, two bumps that move in time."""
    for name, (process, stop) in processes(rng).items():
        weights = rng.dirichlet([2.0, 2.0, 2.0])
        data = mfg.GaussianMixture(weights, rng.uniform(-1.4, 1.4, (3, dimension)), rng.uniform(0.04, 0.2, 3))
        bumps = [
            mfg.scores.Bump(
                strength * float(rng.uniform(0.2, 0.5)) * sign,
                tuple(rng.uniform(-1, 1, dimension)),
                float(rng.uniform(0.5, 1.0)),
                frequency=float(rng.uniform(2.0, 8.0)) / process.horizon,
            )
            for sign in (1, -1)
        ]
        score = mfg.scores.Sum(mfg.ExactScore(process, data), mfg.scores.Sum(*bumps))
        spread = float(np.sqrt(process.prior().in_dimension(1)[2].max()))
        yield Case(name, process, data, score, stop, max(6.0, 6.5 * spread))


def nodes(start, end, count):
    """Return Clenshaw–Curtis nodes on [start, end], ends included, and weights."""
    x = -np.cos(np.pi * np.arange(count) / (count - 1))
    weights = np.linalg.solve(np.polynomial.legendre.legvander(x, count - 1).T, [2.0] + [0.0] * (count - 1))
    return start + 0.5 * (end - start) * (x + 1), 0.5 * (end - start) * weights


def slopes(values, grid):
    """Return the gradient (*cells, d) of values at the cells' centres: differences of order four, of two at the walls."""
    rough = np.gradient(values, *grid.spacing)
    found = []
    for axis, (h, low) in enumerate(zip(grid.spacing, [rough] if grid.dimension == 1 else rough, strict=True)):
        v, fine = np.moveaxis(values, axis, 0), np.moveaxis(low.copy(), axis, 0)
        fine[2:-2] = (8 * (v[3:-1] - v[1:-3]) - (v[4:] - v[:-4])) / (12 * h)
        found.append(np.moveaxis(fine, 0, axis))
    return np.stack(found, axis=-1)


@dataclass(frozen=True)
class Laws:
    """Densities at nodes of time, in generation order (t falls): the data's p, q^SDE, the network's p̂ = e^φ/Z; on cells.

    `residual` is R, `gap` is ∇φ − ∇log q^SDE, `error` ∇φ − ∇log p; `mean(values)` integrates over space.
    """

    case: Case
    grid: mfg.CartesianGrid
    times: np.ndarray
    weights: np.ndarray
    diffusivity: np.ndarray
    p: np.ndarray
    q: np.ndarray
    own: np.ndarray
    residual: np.ndarray
    gap: np.ndarray
    error: np.ndarray

    def mean(self, values):
        """Return ∫ values dx at each time."""
        axes = tuple(range(1, 1 + self.grid.dimension))
        return values.sum(axis=axes) * self.grid.volume

    def divergence(self, a, b):
        """Return KL(a‖b) at each time."""
        return self.mean(a * np.log(np.maximum(a, 1e-300) / np.maximum(b, 1e-300)))

    def over_time(self, values):
        """Return ∫ values dt."""
        return float(self.weights @ values)


def laws(case, space, count, rtol=1e-6, without_sde=False):
    """Solve for q^SDE of a case, if asked for, and evaluate what the identities need."""
    grid, x, T = space.grid, space.grid.points, case.process.horizon
    taus, weights = nodes(0.0, T - case.stop, count)
    rows = {name: [] for name in ("p", "q", "own", "residual", "gap", "error")}
    for tau in taus:
        t = T - tau
        phi, truth = case.score.potential(x, t), mfg.marginal(case.process, case.data, t)
        own = np.exp(phi - phi.max())
        rows["p"].append(np.exp(truth.log_density(x)))
        rows["own"].append(own / grid.integrate(own))
        rows["residual"].append(mfg.log_density_residual(case.process, case.score, x, t))
        rows["error"].append(case.score(x, t) - truth.score(x))
    if not without_sde:
        start = case.prior or mfg.solvers.prior_of(case.process, grid.dimension)
        solution = mfg.solve(mfg.FokkerPlanck.reverse(case.process, case.score), space, start, taus, rtol=rtol)
        for tau, field in zip(taus, solution.fields, strict=True):
            q = np.maximum(field.at_points, TAIL * field.values.max())
            rows["q"].append(q)
            rows["gap"].append(case.score(x, T - tau) - slopes(np.log(q), grid))
    diffusivity = np.array([float(case.process.diffusivity(T - tau)) for tau in taus])
    return Laws(case, grid, T - taus, weights, diffusivity, **{k: np.array(v) for k, v in rows.items()})


def measured(case, spacing, count, parts):
    """Return `parts(laws, weights)` of a case: on cells of a width, of one and a half of it, and with every second node of time."""
    found = []
    for h in (spacing, 1.5 * spacing):
        grid = mfg.CartesianGrid.cube(case.box, 2 * int(np.ceil(case.box / h)), case.data.dimension)
        found.append(laws(case, mfg.FiniteVolume(grid, order=4), count))
    half = np.zeros(count)
    half[::2] = nodes(case.stop, case.process.horizon, count // 2 + 1)[1]
    return [parts(one, one.weights) for one in found] + [parts(found[0], half)]


SHAPES = (
    ((1, 0.07, 33, 4), (2, 0.16, 17, 1)),
    ((1, 0.05, 49, 4),) * 4 + ((2, 0.11, 33, 4),),
    ((1, 0.05, 49, 4),) * 16 + ((2, 0.09, 33, 4),) * 3,
)
"""of families by level: dimension, width of cells, nodes of time, and how many members of each draw"""


@cache
def drawn(seed, shapes, parts):
    """Return `measured` of each member of a seeded family, by name."""
    rng, found = np.random.default_rng(seed), {}
    for k, (d, spacing, count, members) in enumerate(shapes):
        for case in list(draw(rng, d))[:members]:
            found[f"{case.name} {d}D, draw {k}"] = measured(case, spacing, count, parts)
    return found


def defect(values, floor=1e-5):
    """Return the first of three numbers as `measured` makes them, with what cells and nodes change of it; `floor`: steps in time."""
    fine, coarse, half = values
    bar = abs(fine - coarse) + abs(fine - half) + floor
    return mfg.Estimate(float(fine), float(bar), mfg.Kind.EXTRAPOLATED, "cells 1.5 as wide, half of the nodes")
