"""A lower bound of W₂ between weighted points that anybody can check with integers: dual potentials, exactly feasible.

W₂²(Σp_iδ_{x_i}, Σq_jδ_{y_j}) ≥ Σp_iφ_i + Σq_jψ_j whenever φ_i + ψ_j ≤ |x_i − y_j|². Doubles are integers over powers of 2,
so points and weights enter as they are; φ is rounded and ψ is its transform, both as integers. `verify_dual` checks it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.files import written
from mfgpde.transport.point_clouds import dual_potential

MOST_PAIRS = 4_000_000
"""of points, each of which is compared in whole numbers"""
ROOM = 48
"""bits that potentials keep below the least one of the points' squares: what rounding takes from the bound"""

type Certificate = Mapping[str, object]


def dual_certificate(x: Array, y: Array, p: Array | None = None, q: Array | None = None) -> Certificate:
    """Return integers that prove a lower bound of W₂² of points (n, d), (m, d) with weights, equal by default.

    `lower` are numerator and denominator of the bound, exact for the doubles that are given: weights over their own sums.
    The optimum is missed by rounding of the potentials alone.

    Raises ValueError for what `wasserstein_points` refuses, and for more than four million pairs.

    >>> x = np.array([[0.0], [1.0]])
    >>> found = mfg.transport.dual_certificate(x, x + 3.0)  # a translation
    >>> numerator, denominator = map(int, found["lower"])
    >>> print(f"{numerator / denominator:.9f}")
    9.000000000
    """
    x, y = np.atleast_2d(np.asarray(x, float)), np.atleast_2d(np.asarray(y, float))
    if len(x) * len(y) > MOST_PAIRS:
        raise ValueError(f"a certificate compares at most {MOST_PAIRS} pairs in whole numbers, got {len(x)} × {len(y)}")
    phi = dual_potential(x, y, p, q)
    bits = max(_bits(x), _bits(y), ROOM // 2)
    X, Y = ([[_whole(c, bits) for c in point] for point in points.tolist()] for points in (x, y))
    P, Q = (_weights(w, len(points)) for w, points in ((p, x), (q, y)))
    F = [_whole(value, 2 * bits) for value in phi.tolist()]
    G = [min(sum((a - b) ** 2 for a, b in zip(u, v, strict=True)) - f for u, f in zip(X, F, strict=True)) for v in Y]
    value = Fraction(sum(w * f for w, f in zip(P, F, strict=True)), sum(P))
    value = (value + Fraction(sum(w * g for w, g in zip(Q, G, strict=True)), sum(Q))) / 4**bits
    points = {"x": [list(map(str, u)) for u in X], "y": [list(map(str, v)) for v in Y]}
    rest = {name: list(map(str, numbers)) for name, numbers in (("p", P), ("q", Q), ("phi", F), ("psi", G))}
    return {"bits": str(bits), **points, **rest, "lower": [str(value.numerator), str(value.denominator)]}


def write_certificate(certificate: Certificate, path: str | os.PathLike[str]) -> Path:
    """Write a certificate as JSON, whole numbers as text; return the path.

    >>> certificate = mfg.transport.dual_certificate(np.array([[0.0]]), np.array([[2.0]]))
    >>> mfg.transport.write_certificate(certificate, "two.json").name
    'two.json'
    """
    with written(path) as part:
        part.write_text(json.dumps(certificate), encoding="utf-8")
    return Path(path)


def _bits(values: Array) -> int:
    """Return the power of two by which all values become whole."""
    return max(Fraction(value).denominator.bit_length() - 1 for value in values.ravel().tolist())


def _whole(value: float, bits: int) -> int:
    """Return ⌊value·2^bits⌋, exact where the value has no more bits."""
    exact = Fraction(value)
    return (exact.numerator << bits) // exact.denominator


def _weights(w: Array | None, n: int) -> list[int]:
    given = np.ones(n) if w is None else np.asarray(w, float)
    bits = _bits(given)
    return [_whole(value, bits) for value in given.tolist()]
