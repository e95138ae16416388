"""The certificate of a score on a grid: residuals, generated laws, their distances with bars, bounds, and the cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np

from mfgpde.core.ability import require
from mfgpde.core.arrays import Array
from mfgpde.core.checkpoint import Checkpoint
from mfgpde.core.digits import digits
from mfgpde.core.kept import Kept
from mfgpde.core.side_by_side import beside
from mfgpde.core.threads import granted
from mfgpde.densities import cell_means
from mfgpde.diagnostics.compared import Law, compared, normal, w2_entry
from mfgpde.diagnostics.data import Data, Named, Sampled
from mfgpde.diagnostics.folds import Unfolded, unfolded
from mfgpde.diagnostics.guaranteed import Owed, owed
from mfgpde.diagnostics.ledger import PROBES, Entry, Ledger, entry, probe, stages
from mfgpde.diagnostics.ode_sde_gap import GapBound, gap_bound
from mfgpde.diagnostics.prior_mismatch import advice, mismatch, noised_law
from mfgpde.diagnostics.residuals_in_time import residuals_in_time
from mfgpde.diagnostics.scales import spread, stopped_early
from mfgpde.diagnostics.slips import likely_slip
from mfgpde.discretisations import Field, FiniteVolume, means_of
from mfgpde.equations import FokkerPlanck
from mfgpde.grids import CartesianGrid
from mfgpde.processes import LinearProcess
from mfgpde.scores import DifferentiableScore, PotentialScore, Score, offers, require_score, thread_safe
from mfgpde.solvers import Induced, Room, image_masses, induced_ode, induced_sde, on_half_grid, prior_of, room_of, solve
from mfgpde.solvers.kept_laws import kept_law, kept_room

RTOL = {"sde": 2e-3, "ode": 5e-4}
"""tolerances of the time steps"""
SHARP = {"sde": 3e-2, "ode": 1e-1}
"""of them: what is left of the steps' error is at most a third. That of an SDE's law may be of first order in the step,
which tolerances set like their third root, and is looked for on its own cells, since others take other steps; that of a
flow falls as its tolerance, which is of each step's error"""
LEAK = 1e-3
GONE = 0.5
"""of the mass: a law that is elsewhere has no certificate here"""
NOTHING = 1e-200
"""of the mass: there is no law to compare"""
FOLDED = 1e-2
PAIRED = ("ode", "sde", "e^φ", "data")
BARS = ("ladders", "bounds")
NAMES = {"sde": "q^SDE", "ode": "q^ODE", "data": "data", "e^φ": "e^φ"}


def certify(
    process: LinearProcess,
    score: DifferentiableScore,
    grid: CartesianGrid,
    *,
    data: Data | None = None,
    stop: float = 1e-3,
    elements: int = 0,
    bars: str | None = None,
    checkpoint: Path | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Ledger:
    """Return the certificate of a score with derivatives under a linear process, on a grid in one to three dimensions.

    `data` add how far the generated laws are from them, and how far the prior is from what the noise makes of them; a
    potential adds its own density e^φ; all laws are compared in pairs. Each is had again with a smaller tolerance and on
    half the grid, the ODE's there from every second corner; what cells and steps change is in every bar. The bounds use 16
    stages, equal steps of √t apart, so that the last noise is resolved best. With `elements` the SDE's law is solved for
    once more, by quadratic finite elements on so many cells a side, and the distance of both solutions reported.
    `bars="bounds"`, as on the line if nothing is said, takes what the residual of q^SDE says of L¹ where it is less
    (`guaranteed`), "ladders" never. With `checkpoint` (.npz) laws are kept for the same trial begun anew.

    Raises TypeError for a score without these derivatives and a mesh, ValueError for one that is not finite on the grid,
    other bars, and the checkpoint of another trial, Busy where another run is at work on it: before anything long.
    """
    require(process, LinearProcess, "the process")
    require_score(score, DifferentiableScore)
    require(grid, CartesianGrid, "the grid", "take one around the mesh, with room for tails")
    asked, bars = bars, bars or ("bounds" if grid.dimension == 1 else "ladders")
    if bars not in BARS:
        raise ValueError(f"bars are {' or '.join(BARS)}, got {bars!r}")
    work = {"process": process, "score": score, "grid": grid, "stop": stop, "tolerances": RTOL}
    kept = Kept(Checkpoint(checkpoint, work if checkpoint is not None else {}))
    with kept.working():
        return _certified(process, score, grid, data, stop, elements, bars, asked is not None, kept, tell)


def _certified(
    process: LinearProcess,
    score: DifferentiableScore,
    grid: CartesianGrid,
    data: Data | None,
    stop: float,
    elements: int,
    bars: str,
    asked: bool,
    kept: Kept,
    tell: Callable[[str], None],
) -> Ledger:
    clock, ledger = time.perf_counter(), Ledger()
    points = replace(grid, cells=(round(PROBES ** (1 / grid.dimension)),) * grid.dimension).points
    probe(score, points, process, stop)
    slip = likely_slip(process, score, data, grid.dimension, stop, np.random.default_rng(0))
    if slip:
        ledger.warnings.append(slip)
    times, half = stages(process, stop), replace(grid, cells=tuple(n // 2 for n in grid.cells))
    by_sde = partial(induced_sde, process, score, stop=stop, times=times)
    by_ode = partial(induced_ode, process, score, stop=stop)
    apart = granted() > 1 and thread_safe(score)

    def flows() -> tuple[Induced, Induced, Induced]:
        tolerance, few = RTOL["ode"], _few(grid)
        where = kept_law(kept, "few ode", few, lambda: by_ode(few, rtol=tolerance))
        first, sharply = times[:1], SHARP["ode"] * tolerance
        sharp = kept_law(kept, "sharp ode", half, lambda: by_ode(half, times=first, rtol=sharply, known=where))
        fine = kept_law(kept, "ode", grid, lambda: by_ode(grid, times=times, rtol=tolerance, known=sharp))
        return fine, sharp, where

    with beside(flows, apart=apart) as by_flow:  # marches leave cores idle that evaluations of the score fill
        tell("the law of the SDE")
        room = kept_room(kept, "room", lambda: room_of(process, score, half, stop=stop, rtol=RTOL["sde"]))
        sde = kept_law(kept, "sde", grid, lambda: by_sde(grid, rtol=RTOL["sde"], room=room))
        tell("the law of the SDE on half the grid and by sharper steps, for error bars")
        sharply = SHARP["sde"] * RTOL["sde"]
        rough = kept_law(kept, "sharp sde", half, lambda: by_sde(half, rtol=sharply, room=room))
        sharp = kept_law(kept, "fine sharp sde", grid, lambda: by_sde(grid, rtol=sharply, room=room))
        tell("the law of the ODE, and on half the grid")
        ode, sharp_ode, where = by_flow()
    sdes, odes = (sde, rough, sharp), (ode, on_half_grid(process, ode), sharp_ode)
    _something_left(process, grid, {"SDE": sdes, "ODE": odes}, slip)

    def further() -> tuple[list[dict[str, float | Entry]], GapBound, Law | None]:
        begun = None if data is None else _begun_noised(process, data, odes)
        return (
            residuals_in_time(process, score, sde, grid, stop),
            gap_bound(process, score, sde, ode, beside=sdes[1:], thinnest=RTOL["ode"]),
            begun,
        )

    bounded = _owed(ledger, process, score, sde, room, asked) if bars == "bounds" else None
    with beside(further, apart=apart) as found_further:
        laws = {
            "sde": Law("sde", _cut(sde.density), _cut(rough.density), _cut(sharp.density), owed=bounded),
            "ode": _of_flow("ode", *(unfolded(one.density) for one in odes)),
        }
        if data is not None:
            laws["data"] = Law.known("data", data.on(grid), data if isinstance(data, Sampled) else None)
        if offers(score, PotentialScore):
            laws["e^φ"] = Law.known("e^φ", _model(score, grid, stop))
        _mass(ledger, grid, {"SDE": sde.leak, "ODE": ode.leak}, ode.density)
        tell("distances")
        for a, b in combinations([name for name in PAIRED if name in laws], 2):
            ledger.enter("distances", f"{a}–{b}", compared(laws[a], laws[b]))
        second = _by_elements(process, score, sde.density, stop, elements) if elements else None
        tell("residuals and bounds")
        ledger.rows, bound, begun = found_further()
    if data is not None and begun is not None:
        _prior(ledger, process, data, laws, begun)
        ledger.enter("stopping", "p_stop–data", {"W2": stopped_early(process, data, stop, grid.dimension)})
    _bounds(ledger, bound, ledger.measured["distances"]["ode–sde"]["W2"])
    ledger.fields = {NAMES[key]: laws[key].fine for key in laws}
    ledger.facts |= {
        "grid": {"lower": list(grid.lower), "upper": list(grid.upper), "cells": list(grid.cells)},
        "stop": stop,
        "spread": spread(data, sde.density),
        "tolerances": dict(RTOL),
        "leak": {"sde": sde.leak, "ode": ode.leak},
        "folded": _folded(ode.density),
        "folded on half the grid": _folded(odes[1].density),
        "between times": {"L1": sde.between, "apart": sde.apart},
        "by elements": second,
        "bars": laws["sde"].bars_of_l1(bars),
        "cost": {
            "seconds": time.perf_counter() - clock,
            "seconds in the score": sum(one.score_seconds for one in (*sdes, *odes, where, room)),
            "score evaluations": sum(one.evaluations for one in (*sdes, *odes, where, room)),
        },
    }
    return ledger


def _owed(ledger: Ledger, process: LinearProcess, score: Score, sde: Induced, room: Room, asked: bool) -> Owed | None:
    """Return what the SDE's law may be off by its residual; where there is none, a warning says so.

    None where a bound cannot be and was not asked for; one that contradicts the law (RuntimeError) is always said. Of a
    law that has left the box none is looked for: there is a failure already, and a second solve of it is very long.
    """
    if sde.leak > GONE:
        if asked:
            ledger.warnings.append("no bound by the residual of q^SDE, most of which is outside of the box")
        return None
    try:
        return owed(process, score, sde, room)
    except (TypeError, ValueError, RuntimeError, MemoryError) as trouble:
        if asked or isinstance(trouble, RuntimeError):
            ledger.warnings.append(f"no bound by the residual of q^SDE, whose bars are from half the grid: {trouble}")
        return None


def _few(grid: CartesianGrid) -> CartesianGrid:
    """Return the box in an eighth of the cells a side, sixteen at least: enough to see where mass is."""
    return replace(grid, cells=tuple(min(n, max(16, n // 8)) for n in grid.cells))


def _cut(density: Field) -> Field:
    """Return a density without what a scheme leaves below zero, its mass kept."""
    return replace(density, values=normal(density).values * float(density.integral()))


def _of_flow(name: str, fine: Unfolded, rough: Unfolded, sharp: Unfolded) -> Law:
    return Law(
        name,
        fine.density,
        rough.density,
        sharp.density,
        shifted=fine.reach,
        changed=2 * fine.folded,
        estimated=fine.estimated,
    )


def _something_left(
    process: LinearProcess, grid: CartesianGrid, laws: Mapping[str, Sequence[Induced]], slip: str | None
) -> None:
    """Raise ValueError where nothing of a law is in the box, of which there is nothing to compare."""
    for name, ones in laws.items():
        if any(not float(one.density.integral()) >= NOTHING for one in ones):
            raise ValueError(
                f"the {name} of this score under {process!r} leaves nothing in the box {_box(grid)}, so that there is "
                f"nothing to judge: {slip or 'look whether the process and the sign are those it was trained with'}"
            )


def _mass(ledger: Ledger, grid: CartesianGrid, leaks: Mapping[str, float], ode: Field) -> None:
    """Enter what is missing in the box, and what folds in it."""
    for name, leak in leaks.items():
        words = f"the {name} sends {digits(100 * leak)} % of its mass out of the box {_box(grid)}"
        if leak > GONE:
            ledger.failures.append(f"{words}: what is left says nothing about the score; give a larger --half-width")
        elif leak > LEAK:
            ledger.warnings.append(f"{words}; KL and W2 below are of what stays")
    folded = _folded(ode)
    if folded > FOLDED:
        ledger.warnings.append(
            f"the flow bends within cells, whose images fold over: {folded:.2g} of mass was negative and was taken off the "
            "nearest cells; what this can change is in the bars of the ODE's distances, of W2 as twice the cheapest "
            "repair, which has held the truth wherever it is known but is no bound"
        )


def _folded(density: Field) -> float:
    """Return the mass below zero."""
    return -float(density.grid.integrate(np.minimum(density.values, 0.0)))


def _prior(ledger: Ledger, process: LinearProcess, data: Data, laws: Mapping[str, Law], begun: Law) -> None:
    """Enter how far the prior is from p_T, and what is left of W₂ ode–data for the ODE's law that has `begun` with p_T."""
    grid = begun.fine.grid
    found, start = mismatch(process, data, grid.dimension), noised_law(process, data, grid.dimension)
    prior = prior_of(process, grid.dimension)
    if isinstance(data, Named):
        (low, high), (a, b) = (law.box(1 - 1e-9) for law in (start, prior))
        around = CartesianGrid(
            (float(np.minimum(low, a).min()),) * grid.dimension,
            (float(np.maximum(high, b).max()),) * grid.dimension,
            (48 if grid.dimension == 3 else 96,) * grid.dimension,
        )
        on = [Law.known(n, Named(law, law).on(around)) for n, law in (("p_T", start), ("prior", prior))]  # pyright: ignore
        found |= compared(*on)
        found["TV"] = Entry(
            0.5 * found["L1"].value, 0.5 * (found.pop("L1").half_width or 0.0), "half of L1, means over cells"
        )
    ledger.enter("prior", "p_T–prior", found)
    after = w2_entry(begun, laws["data"])
    ledger.enter("prior", "ode from p_T–data", {"W2": after})
    words = advice(found["W2"], prior, ledger.measured["distances"]["ode–data"]["W2"], after)
    if words:
        ledger.warnings.append(words)


def _begun_noised(process: LinearProcess, data: Data, odes: tuple[Induced, Induced, Induced]) -> Law:
    """Return the law of the ODE that starts from what the noise makes of the data."""
    start = noised_law(process, data, odes[0].density.grid.dimension)
    flows = [
        unfolded(
            Field(law.density.discretisation, image_masses(law.stages[0], start) / law.density.grid.volume, means=True)
        )
        for law in odes
    ]
    return _of_flow("ode from p_T", *flows)


def _bounds(ledger: Ledger, bound: GapBound, w2: Entry) -> None:
    """Enter both bounds on the gap; one below what it bounds is a failure."""
    along, lipschitz = bound.along_trajectories, bound.by_lipschitz
    if bound.vacuous:
        ledger.warnings.append(
            f"the bound by the Lipschitz constant is vacuous: {lipschitz.value:.3g}, where independent draws are "
            f"{bound.independent:.3g} apart (∫L = {bound.growth:.3g})"
        )
    if along.value - along.half_width >= bound.independent:
        ledger.warnings.append(
            f"the bound along trajectories is vacuous: {along.value:.3g}, where independent draws are "
            f"{bound.independent:.3g} apart"
        )
    if along.upper < w2.least:
        ledger.failures.append(
            f"the bound along trajectories, {along.value:.3g} ± {along.half_width:.2g}, is below the W2 ode–sde ≥ "
            f"{w2.least:.3g} that it bounds: the laws or the stages are not resolved; give more cells or a wider box"
        )
    ledger.facts["bound"] = {
        "W2": w2.value,
        "along trajectories": along.value,
        "error along trajectories": along.half_width,
        "by Lipschitz constant": None if bound.vacuous else lipschitz.value,
        "vacuous": bound.vacuous,
        "independent draws": bound.independent,
        "tightness": along.value / w2.value if w2.value > 0 else None,
        "times": bound.times.tolist(),
        "score gap": bound.score_gap.tolist(),
        "Lipschitz constant": bound.lipschitz.tolist(),
    }
    ledger.enter("bounds", "ode–sde", {"W2, along trajectories": entry(along)})


def _model(score: PotentialScore, grid: CartesianGrid, stop: float) -> Field:
    """Return the network's own density e^φ, means over cells, normalised in the box."""
    top = float(score.potential(grid.points, stop).max())

    def density(x: Array) -> Array:
        return np.exp(score.potential(x, stop) - top)

    return normal(Field(FiniteVolume(grid), cell_means(density, grid), means=True))


def _by_elements(process: LinearProcess, score: Score, sde: Field, stop: float, cells: int) -> dict[str, float | str]:
    """Return how far the SDE's law by quadratic finite elements is from that by finite volumes, as means over cells."""
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
    values = means_of(np.nan_to_num(np.asarray(run.fields[-1](grid.points))), grid)
    return {
        "L1": float(grid.integrate(np.abs(values - sde.values))),
        "mass": float(run.conserved["mass"][-1]),
        "minimum": float(run.conserved["minimum"][-1]),
        "method": f"quadratic elements, {cells} cells a side, {run.cost['seconds']:.0f} s",
    }


def _box(grid: CartesianGrid) -> str:
    return " × ".join(f"[{a:.3g}, {b:.3g}]" for a, b in zip(grid.lower, grid.upper, strict=True))
