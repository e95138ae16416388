"""Fully connected networks at complex points near the real ones: where they are analytic, and how large they are there.

silu z = z/(1 + e^{−z}) has its nearest poles at ±iπ. Where |Im z| ≤ 1 for what enters each unit, |silu z| ≤ |z|, silu′ lies
in a disc around ½ and silu″ below a number (both largest on the edge of the strip, where balls hold them); so a network
is analytic for |Im x_i| ≤ a, with a from its weights alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.scores.predictions import Predicted

STRIP = 1.0
"""|Im z| of what enters a unit, at most"""
DISC = 0.70
"""|silu′ z − ½| at most on that strip: 0.6901 at z = ±1.398 ± i"""
BENT = 0.84
"""|silu″ z| at most on that strip: 0.8266 at z = ±i"""


@dataclass(frozen=True)
class Tube:
    """|Im x_i| ≤ width: |N(x)|_∞ ≤ level + steep·|x|_∞, |∂_j N_i| ≤ slopes[i, j], |∂_j∂_j N_i| ≤ bends[i, j]; x complex."""

    width: float
    level: float
    steep: float
    slopes: Array
    bends: Array


def tube(layers: Sequence[tuple[Array, Array]], t: float) -> Tube:
    """Return where a network of silu units with inputs (x, t) is analytic in x, and its bounds there.

    `layers` are its matrices (width, inputs) and vectors (width,), the last one without units after it.
    Raises ValueError for fewer than two layers.

    >>> from mfgpde.scores.tubes import tube
    >>> one = tube([(np.array([[2.0, 0.0]]), np.zeros(1)), (np.array([[3.0]]), np.zeros(1))], 0.5)
    >>> one.width, one.steep  # 3 silu(2x)
    (0.5, 6.0)
    """
    if len(layers) < 2:
        raise ValueError("a network has at least two layers, or it is affine")
    first, offset = np.asarray(layers[0][0], float), np.asarray(layers[0][1], float)
    d = first.shape[1] - 1
    centre, radius = (
        first[:, :d],
        np.zeros((len(first), d)),
    )  # ∂z of what enters the units: centre ± radius, entry by entry
    steep, level = np.abs(centre).sum(axis=1), np.abs(offset + first[:, d] * t)
    bends = np.zeros((len(first), d))
    width = STRIP / _reach(centre, radius)
    for k, (W, b) in enumerate([(np.asarray(W, float), np.asarray(b, float)) for W, b in layers[1:]], 2):
        # after the units: slopes (½ ± DISC)(centre ± radius), and silu″ (∂z)² + silu′ ∂∂z
        top = np.abs(centre) + radius
        bends = BENT * top**2 + (0.5 + DISC) * bends
        centre, radius = 0.5 * centre, DISC * np.abs(centre) + (0.5 + DISC) * radius
        # through the matrix; |silu z| ≤ |z|
        centre, radius, bends = W @ centre, np.abs(W) @ radius, np.abs(W) @ bends
        steep, level = np.abs(W) @ steep, np.abs(W) @ level + np.abs(b)
        if k < len(layers):
            width = min(width, STRIP / _reach(centre, radius))
    return Tube(float(width), float(level.max()), float(steep.max()), np.abs(centre) + radius, bends)


def _reach(centre: Array, radius: Array) -> float:
    """Return the largest |Im z| per |Im x_i|."""
    return float((np.abs(centre) + radius).sum(axis=1).max())


@dataclass(frozen=True)
class Bounded:
    """|Im x_i| ≤ width: |s(x)| ≤ level + steep·|x| and |∇·s(x)| ≤ divergence, x complex, lengths Euclidean."""

    width: float
    level: float
    steep: float
    divergence: float


def around(score: object, t: float) -> Bounded:
    """Return where the score of a saved network of silu units, or of what it predicts, is analytic, and its bounds there.

    Raises TypeError for any other score.

    >>> mfg.scores.around(mfg.ExactScore(mfg.Brownian(), mfg.gaussian(0.0, 1.0)), 0.5)
    Traceback (most recent call last):
    TypeError: a tube is known of saved networks with silu units, got ExactScore
    """
    a, b, c, tau = 0.0, 1.0, 1.0, float(t)
    network: Any = score
    if isinstance(score, Predicted):
        (a, b, c, tau), network = score.parts(t), score.network
    described: Any = getattr(getattr(network, "function", None), "network", None)
    if getattr(described, "activation", None) != "silu" or described.inputs != "xt":
        raise TypeError(f"a tube is known of saved networks with silu units, got {type(network).__name__}")
    layers: Any = network.parameters
    found = tube(layers, tau)
    d = found.slopes.shape[1]
    if described.output == "potential":
        level, steep, divergence = float(np.sqrt((found.slopes[0] ** 2).sum())), 0.0, float(found.bends[0].sum())
    else:
        root = d**0.5
        level, steep, divergence = root * found.level, root * found.steep, float(found.slopes.diagonal().sum())
    grown = abs(b * c)
    return Bounded(found.width / c, abs(b) * level, abs(a) + grown * steep, d * abs(a) + grown * divergence)
