"""Leaps of maps between levels, and what a distance by sums over levels may owe to them."""

from __future__ import annotations

import numpy as np

from mfgpde.core.arrays import Array

LEAP = 3.0
"""how many times as steep as the next intervals one is, where a map is steeper than its levels show"""


def shares(x: Array, q: Array, spans: tuple[Array, Array], order: int) -> Array:
    """Return what the sum for W^order may owe to each interval between two levels.

    Between two levels both maps are between their values there, so that the gap |x − q| is between its least and its
    largest. That counts where an interval is `LEAP` times as steep as one beside it: the map is steeper than its levels
    show.
    """
    lengths, masses = spans
    leaps = np.zeros(len(x) - 1, dtype=bool)
    for steps in (np.abs(np.diff(x)) / lengths, np.abs(np.diff(q)) / lengths):
        leaps[1:] |= steps[1:] > LEAP * steps[:-1]
        leaps[:-1] |= steps[:-1] > LEAP * steps[1:]
    (x_low, x_high), (q_low, q_high) = ((np.minimum(y[1:], y[:-1]), np.maximum(y[1:], y[:-1])) for y in (x, q))
    high = np.maximum(x_high - q_low, q_high - x_low)
    low = np.maximum(np.maximum(x_low - q_high, q_low - x_high), 0.0)
    return np.where(leaps, masses * (high**order - low**order), 0.0)


def rough(x: Array, q: Array, z: Array, order: int) -> Array:
    """Return, for each interval, by how much the rule of trapezoids at levels z differs from that of every second one.

    That is three times the error where the gap is resolved. Differences are taken without their signs: near a leap, where
    steps change, those of a whole sum cancel.
    """
    steps, values = np.diff(z), np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) * np.abs(x - q) ** order
    left, right = steps[:-1], steps[1:]
    apart = 0.5 * np.abs(values[1:-1] * (left + right) - values[2:] * left - values[:-2] * right)
    return 0.5 * (np.append(apart, 0.0) + np.insert(apart, 0, 0.0))


def hidden(owed: float, whole: float, order: int) -> float:
    """Return what W_order may owe to what its power, a sum, owes, where that sum is `whole`."""
    return owed ** (1 / order) if owed >= whole else whole ** (1 / order) - (whole - owed) ** (1 / order)
