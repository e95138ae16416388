"""Two laws compared: L¹, both divergences and W₂, each with a bar that holds grid, time steps, box and samples.

A distance changes by no more than its arguments: |d(a, b) − d(a', b')| ≤ d(a, a') + d(b, b'). What a law's own solution may
be off is taken from a second one on half the cells, and a third that differs from either by a smaller tolerance alone:
one that changed both would show the difference of two errors, which may be nothing where each is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from mfgpde.core.optional import MissingLibrary
from mfgpde.diagnostics.data import SPREAD, Sampled, smooth
from mfgpde.diagnostics.distances import kl_divergence
from mfgpde.diagnostics.guaranteed import Owed, apart
from mfgpde.diagnostics.ledger import Entry, Plain
from mfgpde.discretisations import Field, FiniteVolume, coarsened
from mfgpde.transport import Transport, back_and_forth, wasserstein, wasserstein_by_blocks
from mfgpde.transport.nearest import least_by_nearest
from mfgpde.transport.shared_mass import by_shared_mass

BLIND = 1e-9
"""mass that may lie where the other density is rounded to zero: it can hide 1e-6 of a divergence"""
TAIL = 1e-6
"""of the largest density: cells below are one, where a divergence would see what is lost to rounding in them"""
WIDE = 1.1
"""times its lower end, beyond which the upper end of a bracket is tried to be had lower by exact transport on blocks"""
BLOCKS = 32
DUST = 1e-11
"""mass spread over the box under both laws before W₂ in 2D and 3D: where one is next to nothing no flux could pass"""
NEAR = 1.0
"""cells, in W₂, beyond which blocks are tried for this as well"""
GRID, STEPS = 1.0, 1.5
"""times what the second solution is away, and the third from it: the former has at least twice the error of the first,
and the latter at most a third of that of the steps"""
SHARPEST = 1.0
"""log of the largest factor by which a density is thought off at a place: in far tails factors are those of rounding"""
QUICK = 40
"""iterations between a law and its second solution: they are close, and an upper bound is all that is asked"""


@dataclass(frozen=True, eq=False)
class Law:
    """A law on a grid, as means over cells with what is missing outside, and two further solutions.

    `rough` has half the cells. `sharp` has a smaller tolerance of the steps than the one on as many cells: than `rough`, or
    than the law itself, and then `rough` has the smaller one too. `shifted` is what W₂ may be off at least, `changed`
    L¹, `estimated` where the first of them is no bound; `owed` is what it may be off in L¹ by its residual, if that was
    asked for; of data known by samples, these.
    """

    name: str
    fine: Field
    rough: Field
    sharp: Field
    samples: Sampled | None = None
    shifted: float = 0.0
    changed: float = 0.0
    estimated: bool = False
    owed: Owed | None = None

    @classmethod
    def known(cls, name: str, fine: Field, samples: Sampled | None = None) -> Law:
        """Return a law whose means over cells are right, or as right as its samples."""
        half = halved(fine)
        return cls(name, fine, half, half, samples)

    @property
    def outside(self) -> float:
        """The mass outside the box."""
        return max(0.0, 1.0 - float(self.fine.integral()))

    @cached_property
    def merged(self) -> Field:
        """The law on half the cells."""
        return halved(self.fine)

    @cached_property
    def smoothed(self) -> Law:
        """The same with a density estimate in place of a histogram."""
        if self.samples is None:
            return self
        fine = smooth(self.fine, self.samples.width(self.fine.grid))
        return Law.known(self.name, fine, self.samples)

    @cached_property
    def own_l1(self) -> float:
        """What the solution may be off in L¹, by its second solutions, or by its residual where that says as much."""
        return self.owed.value if self.owed is not None and self.by_residual else self.ladder_l1

    @cached_property
    def ladder_l1(self) -> float:
        """What it may be off in L¹ by its second solutions."""
        return max(self._off(apart), self.changed)

    @property
    def by_residual(self) -> bool:
        """Whether its residual says in L¹ what it may be off."""
        return self.owed is not None and self.owed.instead_of(self.ladder_l1)

    def bars_of_l1(self, asked: str) -> dict[str, Plain]:
        """Return what the SDE's law may be off in L¹ by half the grid and by its residual, and which is in the bars."""
        found: dict[str, Plain] = {"asked": asked, "L1 of q^SDE by half the grid": self.ladder_l1}
        if self.owed is not None:
            found |= {
                "L1 of q^SDE by its residual": self.owed.value,
                "kind": self.owed.kind.name,
                "sampled": self.owed.sampled,
                "taken": "residual" if self.by_residual else "half the grid",
                "leak of the SDE, error": self.owed.value,
            }
        return found

    @cached_property
    def own_w2(self) -> float:
        """What it may be off in W₂, normalised in the box."""
        return max(self._off(_far), self.shifted)

    def _off(self, distance: Callable[[Field, Field], float]) -> float:
        return sum(size * distance(a, b) for size, a, b in self._pairs)

    @cached_property
    def _pairs(self) -> tuple[tuple[float, Field, Field], tuple[float, Field, Field]]:
        """What differs by cells alone and what by steps alone, on half the cells, and how many times it counts."""
        if self.sharp.grid == self.fine.grid:
            sharp = halved(self.sharp)
            return (GRID, sharp, self.rough), (STEPS, self.merged, sharp)
        return (GRID, self.merged, self.rough), (STEPS, self.rough, self.sharp)

    @cached_property
    def errors(self) -> list[list[Callable[[Field], Field]]]:
        """What turns the law on half the cells into ones as far from it as this solution may be off, by cells and by steps.

        To one side and to the other, and into the second solution itself, whose far tails are its own.
        """
        cells, steps = ([partial(_tilted, a, b, sign * size) for sign in (1.0, -1.0)] for size, a, b in self._pairs)
        return [[*cells, lambda law: normal(self.rough)], steps]

    @cached_property
    def sampling_w2(self) -> float:
        """What samples may be off in W₂: no more than halves of them are from each other."""
        if self.samples is None:
            return 0.0
        return _most([_far(one, other) for one, other in self.samples.halves(self.merged.grid)])

    @cached_property
    def sampling_l1(self) -> tuple[float, float]:
        """What sampling and smoothing may do in L¹: half the distance of halves, which is distributed as the error is."""
        if self.samples is None:
            return 0.0, 0.0
        grid = self.fine.grid
        width = self.samples.width(grid)
        halves = [0.5 * apart(smooth(a, width), smooth(b, width)) for a, b in self.samples.halves(grid)]
        return _most(halves), apart(smooth(self.fine, 2 * width), smooth(self.fine, width))


def compared(a: Law, b: Law) -> dict[str, Entry]:
    """Return L¹, KL both ways and W₂ of two laws on one grid."""
    found = {"L1": _l1_entry(a, b)}
    found[f"KL({a.name}‖{b.name})"] = _kl_entry(a, b)
    found[f"KL({b.name}‖{a.name})"] = _kl_entry(b, a)
    found["W2"] = w2_entry(a, b)
    return found


def halved(density: Field) -> Field:
    """Return the means over half as many cells a side."""
    grid = density.grid
    half = replace(grid, cells=tuple(n // 2 for n in grid.cells))
    return Field(FiniteVolume(half), coarsened(density.values, half.cells), means=True)


def known_kl(p: Field, q: Field) -> tuple[float, float]:
    """Return KL(p‖q) and what rounding may hide in it.

    Where a computed density is zero or below, its true value is not known. If p has mass there, the divergence is infinite
    for all that is known; if p has next to none, q counts as rounding, and a q as small as numbers get adds the second.
    """
    mass = _unmatched(p, q)
    if mass > BLIND:
        return np.inf, 0.0
    rounding = np.finfo(float).eps * q.values.max()
    blind = q.values <= 0
    return kl_divergence(p, np.where(blind, rounding, q.values)), -np.log(np.finfo(float).tiny) * mass


def _merged_kl(p: Field, q: Field) -> float:
    """Return KL(p‖q) with all cells as one where q is next to nothing: what merges cells lowers a divergence."""
    tail = q.values <= TAIL * q.values.max()
    flat = [np.where(tail, float(f.values[tail].mean()), f.values) for f in (p, q)]
    if flat[1].min() <= 0:
        return np.inf
    return kl_divergence(replace(p, values=flat[0]), flat[1])


def normal(density: Field) -> Field:
    """Return a density cut off at zero and normalised in its box."""
    values = np.maximum(density.values, 0.0)
    return replace(density, values=values / float(density.grid.integrate(values)))


def _unmatched(p: Field, q: Field) -> float:
    return float(q.grid.integrate(np.where(q.values <= 0, np.maximum(p.values, 0.0), 0.0)))


def _lost_where_signs_change(p: Field, q: Field) -> float:
    """Return what means over cells keep back of ∫|p − q|, the difference linear in the cells where its sign changes."""
    gap, lost = np.abs(p.values - q.values), 0.0
    for axis in range(p.grid.dimension):
        rise = np.abs(np.gradient(p.values - q.values, axis=axis))
        inside = 2 * gap < rise
        square = np.where(inside, gap**2 + 0.25 * rise**2, 0.0)
        lost += float(p.grid.integrate(np.where(inside, square / np.where(inside, rise, 1.0) - gap, 0.0)))
    return lost


def _l1_entry(a: Law, b: Law) -> Entry:
    a, b = a.smoothed, b.smoothed
    value = apart(a.fine, b.fine)
    sampling, smoothing = (a.sampling_l1[k] + b.sampling_l1[k] for k in (0, 1))
    parts = {
        "grid and time steps": a.own_l1 + b.own_l1,
        "cells": abs(value - apart(a.merged, b.merged)) + 2 * _lost_where_signs_change(a.fine, b.fine),
        "outside the box": 2 * min(a.outside, b.outside),
        "samples": sampling,
        "smoothing": smoothing,
    }
    known = [f"; {law.name} by {law.owed.words}" for law in (a, b) if law.owed is not None and law.by_residual]
    how = "means over cells" + "".join(known)
    return _summed(value, parts, _how(how, a, b))


def _tilted(a: Field, b: Field, power: float, law: Field) -> Field:
    """Return the law times (b/a)^power, normalised; as it is where a density is not positive."""
    known = (a.values > 0) & (b.values > 0)
    logs = np.log(np.where(known, b.values, 1.0)) - np.log(np.where(known, a.values, 1.0))
    return normal(replace(law, values=law.values * np.exp(np.clip(power * logs, -SHARPEST, SHARPEST))))


def _kl_entry(p: Law, q: Law) -> Entry:
    """Return KL(p‖q) of the laws in the box, normalised there.

    In the bar is what it changes if a law is off as its second solution is, or the other way: a divergence is nearly a
    square, and may be the same on both sides of its least value.
    """
    p, q = p.smoothed, q.smoothed
    one, two = normal(p.fine), normal(q.fine)
    value, hidden = known_kl(one, two)
    if not np.isfinite(value):
        mass = _unmatched(one, two)
        why = f"at least, no bar: {mass:.1e} of the mass lies where the other law's density is lost to rounding"
        return Entry(_merged_kl(one, two), None, why)
    merged = (normal(p.merged), normal(q.merged))
    base = known_kl(*merged)[0]
    pairs = [[(off(merged[0]), merged[1]) for off in ways] for ways in p.errors]
    pairs += [[(merged[0], off(merged[1])) for off in ways] for ways in q.errors]
    parts = {
        "grid and time steps": sum(max(abs(known_kl(*pair)[0] - base) for pair in ways) for ways in pairs),
        "cells": abs(value - base),
        "rounding": hidden,
    }
    for law, at in ((p, 0), (q, 1)):
        if law.samples is not None:
            pair = (one, two)
            samples, smoothing = _kl_of_samples(
                law, lambda d, at=at, pair=pair: known_kl(*_with(pair, d, at))[0], value
            )
            parts |= {"samples": samples, "smoothing": smoothing}
    return _summed(value, parts, _how("means over cells, normalised in the box", p, q))


def _with(pair: tuple[Field, Field], density: Field, at: int) -> tuple[Field, Field]:
    one, two = pair
    return (normal(density), two) if at == 0 else (one, normal(density))


def _kl_of_samples(law: Law, divergence: Callable[[Field], float], value: float) -> tuple[float, float]:
    """Return what sampling and smoothing may do to a divergence: halves of the samples have twice the bias."""
    assert law.samples is not None
    grid = law.fine.grid
    width = law.samples.width(grid)
    found = np.array([divergence(smooth(half, width)) for pair in law.samples.halves(grid) for half in pair])
    smoothing = abs(divergence(smooth(law.samples.on(grid), 2 * width)) - value)
    return abs(float(found.mean()) - value) + SPREAD * float(found.std(ddof=1)), smoothing


def w2_entry(a: Law, b: Law) -> Entry:
    """Return W₂ of the laws in the box, normalised there: exact in 1D, else with a bracket that certainly holds it.

    Of laws whose folds were put right by estimate the bracket is not called certified.
    """
    grid, p, q = a.fine.grid, normal(a.fine), normal(b.fine)
    parts = {"grid and time steps": a.own_w2 + b.own_w2, "samples": a.sampling_w2 + b.sampling_w2}
    if grid.dimension == 1:
        value = wasserstein(p.values, q.values, grid)
        parts["cells"] = abs(value - wasserstein(normal(a.merged).values, normal(b.merged).values, a.merged.grid))
        return _summed(value, parts, _how("quantiles", a, b))
    found, merged = _transport(p, q), _transport(normal(a.merged), normal(b.merged))
    parts["cells"] = abs(found.distance.value - merged.distance.value)
    lower, upper, value, how = found.lower, found.upper, found.distance.value, found.distance.method
    if upper > WIDE * lower and upper - lower > parts["grid and time steps"]:
        lower, upper, how = _narrowed(p, q, lower, upper, how)
        value = float(np.clip(value, lower, upper))
    bar = sum(parts.values())
    lower, upper = max(0.0, lower - bar), upper + bar
    parts = {"bracket": max(value - lower, upper - value) - bar} | parts
    if a.estimated or b.estimated:
        how = how.replace("certified bracket", "bracket").replace(", certified", "")  # cut by blocks or not
        how = f"{how}; folds put right by twice the cheapest repair, no bound"
    return Entry(value, max(upper - value, value - lower), _how(how, a, b), _shown(parts), lower, upper)


def _transport(p: Field, q: Field, iterations: int = 200) -> Transport:
    """Return the transport of two normalised laws with a little dust, its bracket as wide as that of those without."""
    grid = p.grid
    lengths: tuple[float, ...] = grid.lengths
    flat = DUST / math.prod(lengths)
    found = back_and_forth(p.values + flat, q.values + flat, grid, iterations=iterations)
    shift = 2 * float(np.sqrt(DUST) * np.linalg.norm(lengths))  # W₂²(p, (1 − m)p + m·flat) ≤ m·diagonal²
    return replace(found, lower=max(0.0, found.lower - shift), upper=found.upper + shift)


def _narrowed(p: Field, q: Field, lower: float, upper: float, how: str) -> tuple[float, float, str]:
    """Return a bracket cut with that by blocks, where it can be had."""
    blocks = next((n for n in range(BLOCKS, 7, -1) if all(m % n == 0 for m in p.grid.cells)), 0)
    if p.grid.dimension != 2 or not blocks:
        return lower, upper, how
    try:
        found = wasserstein_by_blocks(p.values, q.values, p.grid, blocks=blocks)
    except MissingLibrary:
        return lower, upper, f"{how} (POT, pip install pot, would narrow it)"
    if found.lower <= lower and found.upper >= upper:
        return lower, upper, how
    return max(lower, found.lower), min(upper, found.upper), f"{how}, cut with {found.method}"


def _far(p: Field, q: Field) -> float:
    """Return a number that W₂ of two laws in the box does not exceed."""
    one, two = normal(p), normal(q)
    if np.array_equal(one.values, two.values):
        return 0.0
    if p.grid.dimension == 1:
        return wasserstein(one.values, two.values, p.grid)
    upper = _transport(one, two, QUICK).upper
    if upper <= NEAR * max(p.grid.spacing):
        return upper
    try:
        exact = by_shared_mass(one.values, two.values, p.grid)
    except MissingLibrary:
        exact = np.inf
    return min(upper, exact if np.isfinite(exact) else least_by_nearest(one.values, two.values, p.grid))


def _most(values: list[float]) -> float:
    """Return a number that a further one like these exceeds in one case of a hundred."""
    return float(np.mean(values) + SPREAD * np.std(values, ddof=1))


def _summed(value: float, parts: dict[str, float], how: str) -> Entry:
    bar = sum(parts.values())
    return Entry(value, bar if np.isfinite(bar) else None, how, _shown(parts))


def _shown(parts: dict[str, float]) -> dict[str, float]:
    return {name: part for name, part in parts.items() if part > 0}


def _how(text: str, *laws: Law) -> str:
    samples = [law for law in laws if law.samples is not None]
    return text + "".join(f"; {law.name} known by {len(law.samples.at)} samples" for law in samples if law.samples)
