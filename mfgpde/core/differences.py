"""Derivatives by differences that bring a bound of their own error: what laws compare derivatives with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mfgpde.core.arrays import Array

WIDTHS = 10
"""widths tried where nothing else is said, each half of the one before"""


def slope(f: Callable[[float], Array], reach: float, count: int = WIDTHS) -> tuple[Array, float]:
    """Return f′(0) and a bound of the largest error among its entries, from values of f within `reach` of 0.

    Central differences of `count` widths reach/2^k, extrapolated once (order four). The width is taken at which the
    extrapolated values change least when it is doubled or halved: before it truncation errs more, after it rounding.
    That change bounds the truncation, which falls by 16, and the rounding, which doubles; what is added is 8 roundings of
    f over the width. Ridders, Adv. Eng. Softw. 4 (1982).
    """
    widths = reach * 0.5 ** np.arange(count)
    pairs = [(np.asarray(f(h), dtype=float), np.asarray(f(-h), dtype=float)) for h in widths]
    plain = np.stack([(after - before) / (2 * h) for (after, before), h in zip(pairs, widths, strict=True)])
    better = (4 * plain[1:] - plain[:-1]) / 3
    change = np.abs(np.diff(better, axis=0)).reshape(count - 2, -1).max(axis=1, initial=0.0)
    sizes = np.array([max(float(np.abs(values).max(initial=0.0)) for values in pair) for pair in pairs])
    errors = np.maximum(change[1:], change[:-1]) + 8 * np.finfo(float).eps * sizes[1:-2] / widths[2:-1]
    best = int(np.nanargmin(errors)) if np.isfinite(errors).any() else 0
    return better[best + 1], float(errors[best])


def gradient(f: Callable[[Array], Array], x: Array, reach: float, count: int = WIDTHS) -> tuple[Array, float]:
    """Return ∂_i f at points (..., d), the index i last, and a bound of the largest error among all entries."""
    parts = [slope(lambda h, e=e: f(x + h * e), reach, count) for e in np.eye(x.shape[-1])]
    return np.stack([values for values, _ in parts], axis=-1), max(error for _, error in parts)
