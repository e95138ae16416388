"""The certificate of a score: residuals, generated laws, their distances with brackets, bounds, and what it all cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.diagnostics.distances import kl_divergence, l1_distance
from mfgpde.diagnostics.ode_sde_gap import GapBound, gap_bound
from mfgpde.diagnostics.score_residuals import log_density_residual, rotation, score_residual
from mfgpde.discretisations import Field, FiniteVolume
from mfgpde.equations import FokkerPlanck
from mfgpde.grids import CartesianGrid
from mfgpde.processes import LinearProcess
from mfgpde.scores import DifferentiableScore, PotentialScore, Score, Uncertain
from mfgpde.solvers import Induced, induced_ode, induced_sde, prior_of, solve
from mfgpde.transport import Transport, back_and_forth, squared_by_blocks, wasserstein

STAGES = 16
LEAK = 1e-3
BLIND = 1e-9
"""mass that may lie where the other density is rounded to zero: it can hide 1e-6 of a divergence"""
PROBES = 81
"""points at which a score is tried before anything long"""
PAIRED = ("ode", "sde", "e^φ", "data")
NAMES = {"sde": "q^SDE", "ode": "q^ODE", "data": "data", "e^φ": "e^φ"}


@dataclass(frozen=True, eq=False)
class Certificate:
    """What was found about one score: numbers (JSON types only), warnings in sentences, and fields for pictures."""

    numbers: Mapping[str, Any]
    warnings: tuple[str, ...]
    fields: Mapping[str, Field] = field(repr=False)


def certify(
    process: LinearProcess,
    score: DifferentiableScore,
    grid: CartesianGrid,
    *,
    data: Field | None = None,
    stop: float = 1e-3,
    elements: int = 0,
    tell: Callable[[str], None] = lambda text: None,
) -> Certificate:
    """Return the certificate of a score with derivatives under a linear process, on a grid in one to three dimensions.

    `data`, a density on the same grid, adds how far the generated laws are from it; a potential adds its own density e^φ,
    and all of these are compared in pairs. Densities and distances come at full resolution and at half of it; their
    difference is the error bar that each number carries. The bounds use 16 stages, equal steps of √t apart, so that the
    last noise is resolved best. With `elements` the SDE's law is solved for once more, by quadratic finite elements on so
    many cells a side, and the distance of both solutions reported.

    Raises ValueError for a score that is not finite on the grid, before anything long.
    """
    clock = time.perf_counter()
    points = replace(grid, cells=(round(PROBES ** (1 / grid.dimension)),) * grid.dimension).points
    probe(score, points, process, stop)
    times = stages(process, stop)
    warnings: list[str] = []
    tell("the law of the SDE")
    sde = induced_sde(process, score, grid, stop=stop, times=times)
    tell("the law of the ODE")
    ode = induced_ode(process, score, grid, stop=stop, times=times)
    tell("both laws on half the grid, for error bars")
    half = replace(grid, cells=tuple(n // 2 for n in grid.cells))
    rough = {"sde": induced_sde(process, score, half, stop=stop), "ode": induced_ode(process, score, half, stop=stop)}
    laws = {"sde": sde.density, "ode": _positive(ode.density)}
    coarse = {name: _positive(law.density) for name, law in rough.items()}
    for name, law in (("SDE", sde), ("ODE", ode)):
        if law.leak > LEAK:
            warnings.append(
                f"the {name} sends {100 * law.leak:.2g} % of its mass out of the box {_box(grid)}; all "
                "densities and distances below are of what stays"
            )
    folded = -float(grid.integrate(np.minimum(ode.density.values, 0.0)))
    if folded > 1e-2:
        warnings.append(f"the flow folds cells over ({folded:.2g} of mass counted negative); use a finer grid")
    tell("distances")
    if data is not None:
        laws["data"], coarse["data"] = data, _halved(data, half)
    if isinstance(score, PotentialScore):
        laws["e^φ"], coarse["e^φ"] = (_model(score, box, stop) for box in (grid, half))
    distances = {f"{a}–{b}": _distances(laws, coarse, a, b) for a, b in combinations(PAIRED, 2) if {a, b} <= set(laws)}
    second = _by_elements(process, score, sde.density, stop, elements) if elements else None
    tell("residuals")
    residuals = _residuals(process, score, sde, grid, stop)
    tell("bounds")
    bound = gap_bound(process, score, sde, ode)
    w2 = distances["ode–sde"]["W2"]["value"]
    if bound.vacuous:
        warnings.append(
            f"the bound by the Lipschitz constant is vacuous: ∫L = {_largest_growth(bound):.3g}, so that its factor e^∫L "
            "exceeds any length in the problem; the bound along trajectories stands"
        )
    fields = {NAMES[key]: laws[key] for key in laws}
    numbers = {
        "grid": {"lower": list(grid.lower), "upper": list(grid.upper), "cells": list(grid.cells)},
        "stop": stop,
        "leak": {"sde": sde.leak, "ode": ode.leak},
        "distances": distances,
        "by elements": second,
        "residuals": residuals,
        "bound": {
            "W2": w2,
            "along trajectories": bound.along_trajectories.value,
            "error along trajectories": bound.along_trajectories.error,
            "by Lipschitz constant": None if bound.vacuous else bound.by_lipschitz.value,
            "vacuous": bound.vacuous,
            "tightness": bound.along_trajectories.value / w2 if w2 > 0 else None,
            "times": bound.times.tolist(),
            "score gap": bound.score_gap.tolist(),
            "Lipschitz constant": bound.lipschitz.tolist(),
        },
        "cost": {
            "seconds": time.perf_counter() - clock,
            "seconds in the score": sum(law.score_seconds for law in (sde, ode, *rough.values())),
            "score evaluations": sum(law.evaluations for law in (sde, ode, *rough.values())),
        },
    }
    return Certificate(numbers, tuple(warnings), fields)


def stages(process: LinearProcess, stop: float) -> tuple[float, ...]:
    """Return the times at which a certificate looks, latest first: equal steps of √(t − stop)."""
    share = np.arange(STAGES, 0, -1) / STAGES
    return tuple((stop + (process.horizon - stop) * share**2).tolist())


def probe(score: Score, x: Array, process: LinearProcess, stop: float) -> None:
    """Evaluate a score on points (..., d) at three times; ValueError says where it fails."""
    for t in (stop, 0.5 * process.horizon, process.horizon):
        values = np.asarray(score(x, float(t)))
        if values.shape != x.shape:
            raise ValueError(f"the score must return shape {x.shape} on points of that shape, got {values.shape}")
        bad = ~np.isfinite(values).all(axis=-1)
        if bad.any():
            where = ", ".join(f"{c:.3g}" for c in x[bad][0])
            raise ValueError(f"the score is {values[bad][0]} at x = ({where}), t = {t:g}")


def _model(score: PotentialScore, grid: CartesianGrid, stop: float) -> Field:
    """Return the network's own density e^φ, normalised in the box."""
    phi = score.potential(grid.points, stop)
    return _positive(Field(FiniteVolume(grid), np.exp(phi - phi.max())))


def _by_elements(process: LinearProcess, score: Score, sde: Field, stop: float, cells: int) -> dict[str, Any]:
    """Return how far the SDE's law by quadratic finite elements, at the cells' middles, is from that by finite volumes."""
    from mfgpde.discretisations.finite_element import FiniteElement, meshes

    grid = sde.grid
    ends = (grid.lower, grid.upper) if grid.dimension > 1 else (grid.lower[0], grid.upper[0])
    mesh = (meshes.box if grid.dimension > 1 else meshes.interval)(*ends, cells)  # pyright: ignore[reportArgumentType]
    run = solve(
        FokkerPlanck.reverse(process, score),
        FiniteElement(mesh, degree=2),
        prior_of(process, grid.dimension),
        (0.0, process.horizon - stop),
        rtol=1e-4,
        largest_wall_mass=1.0,
    )
    values = np.nan_to_num(np.asarray(run.fields[-1](grid.points)))
    return {
        "L1": float(grid.integrate(np.abs(values - sde.values))),
        "mass": float(run.conserved["mass"][-1]),
        "minimum": float(run.conserved["minimum"][-1]),
        "method": f"quadratic elements, {cells} cells a side, {run.cost['seconds']:.0f} s",
    }


def _positive(density: Field) -> Field:
    values = np.maximum(density.values, 0.0)
    return replace(density, values=values / float(density.grid.integrate(values)))


def _halved(density: Field, half: CartesianGrid) -> Field:
    shape = [k for n in half.cells for k in (n, 2)]
    axes = tuple(range(1, 2 * half.dimension, 2))
    return Field(FiniteVolume(half), density.values.reshape(shape).mean(axis=axes))


def _distances(laws: Mapping[str, Field], coarse: Mapping[str, Field], a: str, b: str) -> dict[str, Any]:
    """Return L¹, both Kullback–Leibler divergences and W₂ of two laws, each with its error bar and how it was found."""
    found: dict[str, Any] = {}
    measures = {"L1": (_l1, a, b), f"KL({a}‖{b})": (known_kl, a, b), f"KL({b}‖{a})": (known_kl, b, a)}
    for name, (measure, one, two) in measures.items():
        (value, hidden), (other, _) = measure(laws[one], laws[two]), measure(coarse[one], coarse[two])
        bar = abs(value - other) + hidden if np.isfinite([value, other]).all() else None
        found[name] = {"value": value, "error": bar, "method": "change from half the resolution"}
    p, q, grid = _positive(laws[a]).values, _positive(laws[b]).values, laws[a].grid
    if grid.dimension == 1:
        value = wasserstein(p, q, grid)
        other = wasserstein(coarse[a].values, coarse[b].values, coarse[a].grid)
        found["W2"] = {
            "value": value,
            "error": abs(value - other),
            "method": "quantiles; change from half the resolution",
        }
        return found
    transport: Transport = back_and_forth(p, q, grid)
    w2 = transport.distance
    found["W2"] = {
        "value": w2.value,
        "error": w2.error,
        "lower": transport.lower,
        "upper": transport.upper,
        "method": w2.method,
    }
    if grid.dimension == 2 and all(n % 64 == 0 for n in grid.cells) and "e^φ" not in (a, b):  # a minute's work for all
        blocks = squared_by_blocks(p, q, grid)
        found["W2² by blocks"] = {"value": blocks.value, "error": blocks.error, "method": blocks.method}
    return found


def _l1(p: Field, q: Field) -> tuple[float, float]:
    return l1_distance(p, q), 0.0


def known_kl(p: Field, q: Field) -> tuple[float, float]:
    """Return KL(p‖q) and what rounding may hide in it.

    Where a computed density is zero or below, its true value is not known. If p has mass there, the divergence is infinite
    for all that is known; if p has next to none, q counts as rounding, and a q as small as numbers get adds the second.
    """
    blind = q.values <= 0
    mass = float(q.grid.integrate(np.where(blind, np.maximum(p.values, 0.0), 0.0)))
    if mass > BLIND:
        return np.inf, 0.0
    rounding = np.finfo(float).eps * q.values.max()
    return kl_divergence(p, np.where(blind, rounding, q.values)), -np.log(np.finfo(float).tiny) * mass


def _residuals(
    process: LinearProcess, score: DifferentiableScore, sde: Induced, grid: CartesianGrid, stop: float
) -> list[dict[str, Any]]:
    """Return root mean squares over q_t^SDE of the residuals and of the rotation, on a grid of about 64 cells a side."""
    step = max(1, min(grid.cells) // 64)
    every = (slice(step // 2, None, step),) * grid.dimension
    x = grid.points[every]
    rows = []
    for t, stage in zip((*sde.times, stop), (*sde.stages, sde.density.values), strict=True):
        weight = np.maximum(stage[every], 0.0)
        weight /= weight.sum()

        def rms(values: Array, weight: Array = weight) -> float:
            squares = values**2 if values.ndim == weight.ndim else np.sum(values**2, axis=-1)
            return float(np.sqrt(np.sum(weight * squares)))

        row = {"t": float(t), "score": rms(score(x, t)), "score residual": rms(score_residual(process, score, x, t))}
        row["rotation"] = rms(rotation(score, x, t))
        if isinstance(score, PotentialScore):
            R = log_density_residual(process, score, x, t)
            row["log-density residual"] = rms(R - float(np.sum(weight * R)))
        if isinstance(score, Uncertain):
            row["uncertainty of the derivatives"] = max(score.uncertainty.values())
        rows.append(row)
    return rows


def _largest_growth(bound: GapBound) -> float:
    steps = np.diff(bound.times) * 0.5 * (bound.lipschitz[1:] + bound.lipschitz[:-1])
    return float(np.cumsum(steps).max(initial=0.0))


def _box(grid: CartesianGrid) -> str:
    return " × ".join(f"[{a:.3g}, {b:.3g}]" for a, b in zip(grid.lower, grid.upper, strict=True))
