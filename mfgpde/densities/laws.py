"""Laws of densities: normalised, score and curvature are its derivatives, samples follow it, transitions carry it.

Statistical laws draw from a generator with a given seed and allow five standard errors: a true member fails one of a
hundred such checks with probability 6e-5, and then always. `densities.laws.LAWS` holds them all.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.random import Generator

from mfgpde.core.arrays import Array, dot
from mfgpde.core.differences import gradient
from mfgpde.core.laws import Check, Kind, Law, agree, pointwise, small
from mfgpde.densities.contract import Density, Propagated
from mfgpde.densities.on_grid import OnGrid
from mfgpde.grids import CartesianGrid
from mfgpde.processes import Transition

SAMPLES = 4000
ERRORS = 5.0
"""standard errors that a statistical law allows"""


@runtime_checkable
class Curved(Density, Protocol):
    """A density with the second derivatives of its logarithm."""

    def laplacian(self, x: Array) -> Array:
        """Return Δlog p."""
        ...

    def hessian(self, x: Array) -> Array:
        """Return ∇²log p."""
        ...

    def directional_derivatives(self, x: Array, v: Array) -> tuple[Array, Array]:
        """Return Hv and ∇(vᵀHv)."""
        ...


def places(density: Density, rng: Generator, n: int = 24) -> Array:
    """Return points (n, d) where the mass is."""
    return density.sample(n, rng)


def reach(density: Density, x: Array) -> float:
    """Return over which length its logarithm changes by a third at these points, at most a tenth of its deviation."""
    spread = float(np.std(x - x.mean(axis=0)))
    steepness = float(np.sqrt(np.mean(density.score(x) ** 2)))
    return min(0.1 * spread, 0.3 / steepness) if steepness > 0 else 1e-3 * spread


def takes_points_of_any_leading_shape(density: Density, rng: Generator) -> Iterator[Check]:
    """Points (..., d), one point (d,) too, give log p (...) and scores (..., d); a seed gives the same samples again."""
    x = places(density, rng, 12)
    d = x.shape[-1]
    yield from pointwise("log p", density.log_density, x)
    yield from pointwise("score", density.score, x)
    if isinstance(density, Curved):
        yield from pointwise("Δlog p", density.laplacian, x)
        yield from pointwise("∇²log p", density.hessian, x)
    first, again = (density.sample(7, np.random.default_rng(3)) for _ in range(2))
    yield agree("samples (7, d)", first, np.reshape(again, (7, d)), roundings=0)


def integrates_to_one(density: Density, rng: Generator) -> Iterator[Check]:
    """∫p = 1: by the midpoint rule in one and two dimensions, by importance sampling in three; above, nothing is said.

    On a box of mass 1 − 1e-9, with n and 3n/2 points a side, n doubled until they differ by less than 1e-6 or n is 256:
    the bound is twice their difference and 1e-6. In three dimensions E_q[p/q] with q the samples blurred by the length over
    which log p changes, to five standard errors.
    """
    x = places(density, rng, SAMPLES)
    if x.shape[-1] == 3:
        ratio = _ratio(density, x[:1500], rng)
        yield small("importance sampling", *_deviation(ratio, 1.0))
    if x.shape[-1] > 2:
        return
    lower, upper = density.box(1 - 1e-9)
    n = 64
    mass, finer = _mass(density, lower, upper, n), _mass(density, lower, upper, 3 * n // 2)
    while abs(mass - finer) > 1e-6 and n < 256:
        n *= 2
        mass, finer = _mass(density, lower, upper, n), _mass(density, lower, upper, 3 * n // 2)
    yield agree(f"{3 * n // 2} points a side", finer, 1.0, 2 * abs(mass - finer) + 1e-6)


def score_is_the_gradient_of_the_logarithm(density: Density, rng: Generator) -> Iterator[Check]:
    """∇log p by differences of log p, where the mass is and farther out; of interpolated values nothing is said.

    The score of values on a grid is a difference over a cell by its definition.
    """
    if isinstance(density, OnGrid):
        return
    for scale in (1.0, 1.5):
        x = places(density, rng)
        x = x.mean(axis=0) + scale * (x - x.mean(axis=0))
        h = reach(density, x)
        x = x[np.isfinite(_around(density, x, h)).all(axis=0)]  # where it does not vanish nearby
        if len(x):
            found, error = gradient(density.log_density, x, h)
            yield agree(f"{scale:g} times as far out", density.score(x), found, error, size=1e-3 / h)


def curvatures_are_derivatives_of_the_score(density: Density, rng: Generator) -> Iterator[Check]:
    """∇²log p, its trace, its products with vectors, and ∇(vᵀ∇²log p v), by differences of the score and of products."""
    if not isinstance(density, Curved):
        return
    x = places(density, rng)
    h, v = reach(density, x), rng.standard_normal(x.shape)
    found, error = gradient(density.score, x, h)
    d, size = x.shape[-1], float(np.abs(found).max())
    yield agree("∇²log p", density.hessian(x), found, error)
    yield agree("Δlog p", density.laplacian(x), np.trace(found, axis1=-2, axis2=-1), d * error, size=size)
    pushed, slope = density.directional_derivatives(x, v)
    longest = float(np.abs(v).max())
    yield agree("Hv", pushed, np.einsum("...ij,...j->...i", found, v), d * longest * error, size=size)
    found, error = gradient(lambda y: dot(v, density.directional_derivatives(y, v)[0]), x, h)
    yield agree("∇(vᵀHv)", slope, found, error, size=1e-3 * size / h)


def samples_follow_the_density(density: Density, rng: Generator) -> Iterator[Check]:
    """Counts in 6ᵈ cells of a box of mass 0.9 are those of ∫p, in one and two dimensions: χ² to five of its deviations.

    Probabilities by the midpoint rule on 24 points a side of each cell. A density that is interpolated is sampled uniformly
    in its cells: a twentieth of χ² is allowed for that.
    """
    x = places(density, rng, SAMPLES)
    d = x.shape[-1]
    if d > 2:
        return
    lower, upper = density.box(0.9)
    fine = CartesianGrid(tuple(lower), tuple(upper), (144,) * d)
    p = np.exp(np.maximum(density.log_density(fine.points), -700)) * fine.volume
    expected = SAMPLES * p.reshape((6, 24) * d).sum(axis=tuple(range(1, 2 * d, 2))).ravel()
    counts, _ = np.histogramdd(x, bins=[np.linspace(a, b, 7) for a, b in zip(lower, upper, strict=True)])
    seen = np.append(counts.ravel(), SAMPLES - counts.sum())
    expected = np.append(expected, max(SAMPLES - expected.sum(), 0.0))
    often = expected > 5
    square = float(np.sum((seen - expected)[often] ** 2 / expected[often]))
    freedom = int(often.sum()) - 1
    slack = 1.05 if isinstance(density, OnGrid) else 1.0
    excess = (square / slack - freedom) / np.sqrt(2 * freedom)
    yield small(f"χ² over {freedom + 1} cells, in deviations", excess, ERRORS)
    yield small("share of samples in cells hardly ever reached", float(seen[~often].sum()) / SAMPLES, 0.02)


def samples_and_score_satisfy_steins_identity(density: Density, rng: Generator) -> Iterator[Check]:
    """E[∇log p] = 0 and E[(x − a)∇log pᵀ] = −I over samples, in any dimension, for a density positive everywhere.

    To five standard errors. Of a density that vanishes somewhere, or is interpolated, nothing is said.
    """
    x = places(density, rng, SAMPLES)
    lower, upper = density.box(0.999)
    if (
        isinstance(density, OnGrid)
        or not np.isfinite(density.log_density(rng.uniform(lower, upper, (64, len(lower))))).all()
    ):
        return
    s, y = density.score(x), x - x.mean(axis=0)
    yield small("E[∇log p], in standard errors", *_deviation(s, 0.0))
    moments = np.einsum("ni,nj->nij", y, s)
    yield small("E[(x − a)∇log pᵀ], in standard errors", *_deviation(moments, -np.eye(len(lower))))


def boxes_hold_their_mass(density: Density, rng: Generator) -> Iterator[Check]:
    """Of the samples at least the stated share lies in `box`, and a larger share has no smaller box.

    To five standard errors of a share.
    """
    x = places(density, rng, SAMPLES)
    widths = []
    for mass in (0.5, 0.9, 0.99, 0.999):
        lower, upper = density.box(mass)
        inside = float(np.mean(np.all((x >= lower) & (x <= upper), axis=1)))
        missing = (mass - inside) / np.sqrt(mass * (1 - mass) / SAMPLES)
        yield small(f"missing from the box of {mass}, in standard errors", missing, ERRORS)
        widths.append(np.asarray(upper) - np.asarray(lower))
    shrinking = float(np.max(-np.diff(widths, axis=0), initial=0.0) / np.max(widths))
    yield small("shrinking with the mass", shrinking, 1e-12)


def transitions_carry_the_density(density: Density, rng: Generator) -> Iterator[Check]:
    """The law after a transition is ∫p(x) N(y; Fx + b, Q) dx, and one transition after another is their composition.

    The integral by samples of p, to five standard errors; the composition to 64 roundings of the largest logarithm.
    Matrices are tried where the density does not refuse them with ValueError.
    """
    if not isinstance(density, Propagated):
        return
    x = places(density, rng, SAMPLES)
    d, unit = x.shape[-1], float(np.std(x - x.mean(axis=0)))
    for name, law in _transitions(d, unit, rng).items():
        try:
            moved = density.after(law)
        except ValueError:
            if name == "numbers":
                raise
            continue
        F, b, Q = law.in_dimension(d)
        y = x[:12] @ F.T + b + rng.standard_normal((12, d)) @ np.linalg.cholesky(Q).T
        away = np.linalg.solve(np.linalg.cholesky(Q), (y[None] - (x @ F.T + b)[:, None]).reshape(-1, d).T)
        kernel = np.exp(-0.5 * (away**2).sum(axis=0)).reshape(SAMPLES, 12) / np.sqrt(np.linalg.det(2 * np.pi * Q))
        p = np.exp(moved.log_density(y))
        yield small(f"p after {name}, in standard errors", *_deviation(kernel / p, 1.0))
        twice = Transition(F @ F, F @ b + b, F @ Q @ F.T + Q) if name == "matrices" else _twice(law)
        yield agree(
            f"{name} twice", moved.after(law).log_density(y), density.after(twice).log_density(y), roundings=4096
        )


def other_units_change_nothing(density: Density, rng: Generator) -> Iterator[Check]:
    """Carried to lengths 1e±9 as large, far off, a density has its score and logarithm there: to 1e-9 of the largest.

    It is carried by x ↦ Lx + b without noise; log p falls by d log L. What cannot be carried says nothing.
    """
    if not isinstance(density, Propagated):
        return
    x = places(density, rng)
    d, size = x.shape[-1], float(np.std(x - x.mean(axis=0)))
    for length in (1e-9, 1e9):
        moved = density.after(Transition(length, 2 * length * size, 0.0))
        y, where = length * (x + 2 * size), f"lengths × {length:g}"
        logs = density.log_density(x)
        yield agree(
            f"log p, {where}", moved.log_density(y) + d * np.log(length), logs, 1e-9 * float(np.abs(logs).max())
        )
        slopes = density.score(x)
        yield agree(f"score, {where}", length * moved.score(y), slopes, 1e-9 * float(np.abs(slopes).max()))
        for end, other in zip(density.box(0.99), moved.box(0.99), strict=True):
            yield agree(f"box, {where}", other / length - 2 * size, end, 1e-9 * size, size=size)


def comes_back_from_a_pickle(density: Density, rng: Generator) -> Iterator[Check]:
    """Pickled and unpickled, as on its way to another process, it is the same."""
    again, x = pickle.loads(pickle.dumps(density)), places(density, rng)
    yield agree("log p", again.log_density(x), density.log_density(x), roundings=0)
    yield agree("score", again.score(x), density.score(x), roundings=0)


def _mass(density: Density, lower: Array, upper: Array, n: int) -> float:
    grid = CartesianGrid(tuple(lower), tuple(upper), (n if len(lower) == 2 else 8 * n,) * len(lower))
    return float(grid.integrate(np.exp(np.maximum(density.log_density(grid.points), -700.0))))


def _around(density: Density, x: Array, h: float) -> Array:
    steps = [sign * h * e for sign in (-1, 1) for e in np.eye(x.shape[-1])]
    return np.stack([density.log_density(x + step) for step in steps])


def _deviation(values: Array, expected: Array | float) -> tuple[float, float]:
    """Return by how many standard errors means over the first axis are off at worst, and what is allowed."""
    error = np.maximum(values.std(axis=0) / np.sqrt(len(values)), 1e-12 * np.abs(values).max())
    return float(np.max(np.abs(values.mean(axis=0) - expected) / error)), ERRORS


def _ratio(density: Density, centres: Array, rng: Generator) -> Array:
    """Return p/q at points drawn from q, the centres blurred."""
    width = 1 / float(np.sqrt(np.mean(density.score(centres) ** 2)))
    y = centres[rng.integers(len(centres), size=SAMPLES)] + width * rng.standard_normal((SAMPLES, centres.shape[1]))
    far = ((y[:, None, :] - centres[None]) ** 2).sum(axis=-1) / width**2
    least = far.min(axis=1)
    logs = -0.5 * least + np.log(np.exp(-0.5 * (far - least[:, None])).mean(axis=1))
    return np.exp(density.log_density(y) - logs + 0.5 * centres.shape[1] * np.log(2 * np.pi * width**2))


def _transitions(d: int, unit: float, rng: Generator) -> dict[str, Transition]:
    turn = np.linalg.qr(rng.standard_normal((d, d)))[0]
    spread = turn @ np.diag(0.2 + 0.3 * np.arange(d) / d) @ turn.T
    offset = np.linspace(0.3 * unit, 0.7 * unit, d)
    return {
        "numbers": Transition(0.6, 0.25 * unit, 0.4 * unit**2),
        "matrices": Transition(0.7 * turn, offset, unit**2 * 0.5 * (spread + spread.T)),
    }


def _twice(law: Transition) -> Transition:
    return Transition(
        law.factor**2, law.factor * law.offset + law.offset, law.factor**2 * law.covariance + law.covariance
    )


LAWS: tuple[Law[Density], ...] = (
    takes_points_of_any_leading_shape,
    integrates_to_one,
    score_is_the_gradient_of_the_logarithm,
    curvatures_are_derivatives_of_the_score,
    samples_follow_the_density,
    samples_and_score_satisfy_steins_identity,
    boxes_hold_their_mass,
    transitions_carry_the_density,
    other_units_change_nothing,
    comes_back_from_a_pickle,
)
"""all laws of a density; those of a kind that a density is not say nothing of it"""

KINDS = {"density": Kind(Density, LAWS)}
