"""Where a function of time jumps or bends sharply: found by a scan before it is integrated, so that no step misses it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mfgpde.core.arrays import Array

SAMPLES = 2000
"""a pulse as wide as 1e-3 of the interval holds two of them"""
DENSER = 10
"""times as many, where a coefficient gives all samples at once"""
SHARP = 0.02
"""of its range, by which a coefficient may change between two samples, unless it does so everywhere"""
MOST = 64
"""places at which one march is broken; a coefficient with more is left to the steps, which are short then"""
SHORT = 0.5
"""of the usual distance between two sharp changes, where there are more, or between samples, where these do not resolve the
coefficient: no step is longer"""
COARSE = 0.25
"""of its range: samples do not resolve a coefficient that usually changes by more between two of them, or lies so far
from both in between"""
BETWEEN = 32
"""times between samples, in no ratio to them, at which it is read as well"""


BLOCK = 2**16
"""numbers that are computed with while a cache holds them"""
EQUAL = 1, 59, 177
"""parts of one length that 20 001 samples have: a function that is compiled for a length is compiled once"""


def nothing_sharp(time_scale: float, start: float, end: float) -> bool:
    """Say whether a scan could find nothing: by no pair of samples does what needs `time_scale` change by 2 %."""
    return abs(end - start) <= SAMPLES * SHARP * time_scale


Break = tuple[float, float]
"""the last time before a jump and the first one after it; the same time twice where a step should end"""


def breaks(
    coefficient: Callable[[float], Array],
    start: float,
    end: float,
    many: Callable[[Array], Array] | None = None,
    finer: int = DENSER,
) -> list[Break]:
    """Return where a vector of coefficients, of any units, jumps or changes sharply between two times; see `scanned`."""
    return scanned(coefficient, start, end, many, finer)[0]


def scanned(
    coefficient: Callable[[float], Array],
    start: float,
    end: float,
    many: Callable[[Array], Array] | None = None,
    finer: int = DENSER,
) -> tuple[list[Break], float, float]:
    """Return where a vector of coefficients jumps or changes sharply, how far apart the times are, and the longest step.

    What lasts less than the times are apart may lie between two of them. Where there are more places than a march is
    broken at, as in a comb of pulses, steps as long as their distance would see one phase alone. Sampled at 2001 times,
    from one call where `many` gives all samples at once, as four of them show, and then at `finer` times as many; and at 32
    in no ratio to them. No clock decides, so that a run finds the same on any machine. A change of more than 2 % of its
    range, eight times the usual one, is halved down: to neighbouring numbers if it is a jump, else to its own width.
    """
    times = np.linspace(start, end, SAMPLES + 1)
    values = None if many is None else at_once(coefficient, many, times)
    if values is None:
        values, denser = np.array([coefficient(float(t)) for t in times]), None
    else:
        denser = np.linspace(start, end, finer * SAMPLES + 1) if finer > 1 else None
    gap = float(times[1] - times[0])
    if not np.isfinite(values).all():
        return [], gap, math.inf
    seen = _Seen.of(values)
    size, (found, longest) = seen.size, _sharp(times, seen)
    if denser is not None and many is not None:
        known, values = found, _in_blocks(many, denser, values.shape[1])
        seen = _Seen.of(values)
        size = np.maximum(size, seen.size)
        more, shorter = _sharp(denser, seen)
        found, longest = (
            known + [(a, b) for a, b in more if not any(c <= a < d for c, d in known)],
            min(longest, shorter),
        )
        gap, times = gap / finer, denser
    if _unresolved(coefficient, times, values, seen):
        longest = min(longest, SHORT * gap)
    width = 1e-13 * (end - start)
    places = [place for a, b in found for place in _narrowed(coefficient, a, b, size, width)]
    return merged(places), gap, longest


@dataclass(frozen=True, eq=False)
class _Seen:
    """Samples of coefficients: of those that change by any bit, which are often none, a column each."""

    moving: NDArray[np.intp]
    """which do"""
    changes: Array
    """of those, from each sample to the next"""
    ends: tuple[Array, Array]
    """the highest and the lowest of those"""
    size: Array
    """the range of each coefficient, the unit of its changes"""

    @classmethod
    def of(cls, values: Array) -> _Seen:
        moving = np.flatnonzero((values != values[0]).any(axis=0))
        columns = values if len(moving) == values.shape[1] else values[:, moving]
        highest, lowest = values[0].copy(), values[0].copy()
        highest[moving], lowest[moving] = columns.max(axis=0), columns.min(axis=0)
        changes = np.diff(columns, axis=0)
        np.abs(changes, out=changes)
        return cls(moving, changes, (highest[moving], lowest[moving]), _sizes(highest, lowest))

    @property
    def largest(self) -> Array:
        """The largest change from each sample to the next, in units of the ranges, a block of samples after the other."""
        size = self.size[self.moving]
        return np.concatenate([(part / size).max(axis=1) for part in np.array_split(self.changes, self.blocks)])

    @property
    def blocks(self) -> int:
        """How many of them are so small that a cache holds them."""
        return 1 + self.changes.size // BLOCK


def _sizes(highest: Array, lowest: Array) -> Array:
    size = np.maximum(highest - lowest, 1e-9 * np.maximum(highest, -lowest))
    size[size == 0] = 1.0
    return size


def _unresolved(coefficient: Callable[[float], Array], times: Array, values: Array, seen: _Seen) -> bool:
    """Say whether a coefficient does between samples what they do not see: they are too few, or in step with it."""
    k = np.arange(1, BETWEEN + 1)
    places = np.floor((k * 0.6180339887498949 % 1) * (len(times) - 1)).astype(int)
    shares = 0.15 + 0.7 * (k * 0.4142135623730951 % 1)
    found = np.array([coefficient(float(t)) for t in times[places] + shares * (times[places + 1] - times[places])])
    highest, lowest = values[0].copy(), values[0].copy()
    highest[seen.moving], lowest[seen.moving] = seen.ends
    size = _sizes(np.maximum(highest, found.max(axis=0)), np.minimum(lowest, found.min(axis=0)))
    ends = np.stack((values[places], values[places + 1]))
    off = np.maximum(found - ends.max(axis=0), ends.min(axis=0) - found) / size
    return _usually_above(seen.changes, COARSE * size[seen.moving]) or bool(
        ((off > COARSE).sum(axis=0) > BETWEEN // 8).any()
    )


def _usually_above(changes: Array, limits: Array) -> bool:
    """Say whether the median of some column is above its limit, which a count says; ties alone are sorted."""
    above, n = np.count_nonzero(changes > limits, axis=0), len(changes)
    tied = 2 * above == n
    return bool((2 * above > n).any() or (np.median(changes[:, tied], axis=0) > limits[tied]).any())


def _in_blocks(many: Callable[[Array], Array], times: Array, width: int) -> Array:
    """Return so many samples a time, from calls for as many times each as a cache holds."""
    count = next(k for k in EQUAL if len(times) * width <= k * BLOCK or k == EQUAL[-1])
    return np.concatenate([np.asarray(many(part), dtype=float) for part in times.reshape(count, -1)])


def at_once(coefficient: Callable[[float], Array], many: Callable[[Array], Array], times: Array) -> Array | None:
    """Return all samples from one call, or None where that is not what single calls give, by four of them."""
    try:
        values, few = np.asarray(many(times), dtype=float), np.linspace(0, len(times) - 1, 4).astype(int)
        same = np.array_equal(values[few], np.array([coefficient(float(times[k])) for k in few]))
    except Exception:  # whatever a function of one time does with many
        return None
    return values if same else None


def _sharp(times: Array, seen: _Seen) -> tuple[list[Break], float]:
    """Return between which two times a coefficient changes sharply, the sharpest 64; of more, the longest step."""
    if not len(seen.moving):
        return [], math.inf
    changes = seen.largest
    sharp = np.flatnonzero(changes > max(SHARP, 8 * float(np.median(changes))))
    kept = np.sort(sharp[np.argsort(-changes[sharp], kind="stable")][:MOST])
    paths = seen.changes.sum(axis=0) / seen.size[seen.moving] if len(sharp) > MOST else np.zeros(1)
    comb = float(paths.max()) > MOST / 2  # up and down: one steep rise is none
    longest = SHORT * float(np.median(np.diff(times[sharp]))) if comb else math.inf
    return [(float(times[k]), float(times[k + 1])) for k in kept], longest


def _narrowed(coefficient: Callable[[float], Array], a: float, b: float, size: Array, width: float) -> list[Break]:
    below, above = coefficient(a), coefficient(b)
    while b - a > max(width, 4 * np.spacing(max(abs(a), abs(b)))):
        middle = 0.5 * (a + b)
        here = coefficient(middle)
        left, right = (float((np.abs(x - y) / size).max()) for x, y in ((here, below), (above, here)))
        if max(left, right) < 0.75 * (left + right) or not np.isfinite(left + right):
            return [(a, a), (b, b)]
        if left > right:
            b, above = middle, here
        else:
            a, below = middle, here
    return [(a, b)]


def named(times: Sequence[float], start: float, end: float) -> list[Break]:
    """Return breaks at times that somebody names: the coefficients are not read within 1e-12 of the interval of them.

    Raises ValueError for times that are not finite.
    """
    array = np.asarray(times, dtype=float)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise ValueError(f"breaks must be a sequence of finite times, got {times!r}")
    gap = 1e-12 * (end - start)
    return merged([(t - gap, t + gap) for t in array.tolist() if start < t < end])


def merged(found: Sequence[Break]) -> list[Break]:
    """Return breaks in order; those that overlap are one."""
    kept: list[Break] = []
    for a, b in sorted(found):
        if kept and a <= kept[-1][1]:
            kept[-1] = (kept[-1][0], max(b, kept[-1][1]))
        else:
            kept.append((a, b))
    return kept


def pieces(found: Sequence[Break], start: float, end: float) -> list[Break]:
    """Return the intervals between breaks, forwards or backwards, that make up [start, end] but for the jumps."""
    low, high = min(start, end), max(start, end)
    inner = [(max(a, low), min(b, high)) for a, b in found if b > low and a < high]
    ends = [low, *(t for pair in inner for t in pair), high]
    parts = [(a, b) for a, b in list(pairwise(ends))[::2] if b > a]
    return parts if start <= end else [(b, a) for a, b in reversed(parts)]
