"""Costs at the nodes of a game in time: of position and of the density, their proximal maps and their conjugates.

Nodes with equal weights go together, as one field over all of them: a device sees a few launches, not a few a node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from mfgpde.core.arrays import Array, beside, to_host
from mfgpde.games import Functional
from mfgpde.grids import CartesianGrid

GOLDEN, SECTIONS = (np.sqrt(5) - 1) / 2, 22
"""from six spreads to 1.5e-4 of one"""
Pieces = list[tuple[Functional, float, Any]]


@dataclass(frozen=True, eq=False)
class NodeCosts:
    """Costs of position at the nodes 0 … N, weights included, and those of the density, with weight and reference."""

    grid: CartesianGrid
    linear: Sequence[Array]
    pieces: Sequence[Pieces]
    fixed: bool
    """whether the last density is prescribed"""

    @property
    def last(self) -> int:
        """N."""
        return len(self.pieces) - 1

    @cached_property
    def _together(self) -> tuple[Array, Pieces] | None:
        """Costs of the nodes 1 … N − 1 as those of one field over all of them, where their weights are equal."""
        inner = self.pieces[1:-1]
        if not inner or any(len(p) > 1 for p in inner) or len({(p[0][1] if p else 0.0) for p in inner}) > 1:
            return None
        linear = np.stack(self.linear[1:-1])
        if not inner[0]:
            return linear, []
        f, w, c = inner[0][0]
        return linear, [(f, w, None if c is None else np.stack([p[0][2] for p in inner]))]

    def proximal(self, y: Array, s: float) -> Array:
        """Return `node_proximal` at the nodes 1 … N, for y of all of them; nothing moves where the end is prescribed."""
        r = np.empty_like(y)
        if self._together is None:
            for k in range(1, self.last):
                r[k - 1] = self.node_proximal(k, y[k - 1], s)
        else:
            linear, pieces = self._together
            r[:-1] = _proximal(y[:-1] - s * linear, s, pieces)
        r[-1] = y[-1] if self.fixed else self.node_proximal(self.last, y[-1], s)
        return r

    def _conjugates(self, u: Array, near: Array) -> float:
        """Return the sum of `node_conjugate` over the nodes 1 … N − 1, for u of all of them, where they go together.

        Any shift gives a bound: those of all nodes are improved at once, by golden sections.
        """
        assert self._together is not None
        linear, pieces = self._together
        u, axes = u - linear, tuple(range(1, u.ndim))
        if not pieces:
            return float(np.sum(np.max(u, axis=axes)))
        ((f, w, c),) = pieces

        def bound(shift: Array) -> Array:
            at = beside(shift.reshape(-1, *(1,) * len(axes)), u)
            return shift + w * self.grid.volume * to_host(np.sum(f.conjugate((u - at) / w, c), axis=axes))

        mass = np.sum(near, axis=axes)
        middle = (np.sum(u * near, axis=axes) / mass).reshape(-1, *(1,) * len(axes))
        square = np.sum((u - middle) ** 2 * near, axis=axes) / mass
        spread = np.sqrt(to_host(square)) + 1e-12 * to_host(np.max(np.abs(u), axis=axes)) + 1e-300
        low, high = -3 * spread, 3 * spread
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        at_left, at_right = bound(left), bound(right)
        for _ in range(SECTIONS):
            lower = at_left < at_right
            low, high = np.where(lower, low, left), np.where(lower, right, high)
            tried = np.where(lower, high - GOLDEN * (high - low), low + GOLDEN * (high - low))
            left, right = np.where(lower, tried, right), np.where(lower, left, tried)
            value = bound(tried)
            at_left, at_right = np.where(lower, value, at_right), np.where(lower, at_left, value)
        return float(np.minimum(np.minimum(at_left, at_right), bound(np.zeros_like(spread))).sum())

    def at(self, k: int, r: Array) -> float:
        """Return all costs of a density at node k."""
        total = float(self.grid.integrate(self.linear[k] * r))
        return total + sum(w * float(self.grid.integrate(f.value(r, c))) for f, w, c in self.pieces[k])

    def node_proximal(self, k: int, y: Array, s: float) -> Array:
        """Return argmin of s·(cost at node k) + ½(r − y)² over r ≥ 0."""
        return _proximal(y - s * self.linear[k], s, self.pieces[k])

    def node_conjugate(self, k: int, u: Array, near: Array) -> float:
        """Return max of ∫u r − cost at node k over densities r of mass one, or an upper bound by splitting u at `near`."""
        u, total = u - self.linear[k], 0.0
        for f, w, c in self.pieces[k][:-1]:
            share = w * f.first_variation(near, c)
            total += w * float(self.grid.integrate(f.conjugate(share / w, c)))
            u = u - share
        if not self.pieces[k]:
            return float(u.max())
        f, w, c = self.pieces[k][-1]

        def bound(shift: float) -> float:
            return shift + w * float(self.grid.integrate(f.conjugate((u - shift) / w, c)))

        middle = float(np.sum(u * near) / np.sum(near))
        spread = (
            float(np.sqrt(np.sum((u - middle) ** 2 * near) / np.sum(near))) + 1e-12 * float(np.abs(u).max()) + 1e-300
        )
        best = minimize_scalar(
            bound, bounds=(-3 * spread, 3 * spread), method="bounded", options={"xatol": 1e-4 * spread}
        )
        return total + min(best.fun, bound(0.0))

    def values(self, rho: Array) -> dict[str, float]:
        """Return the costs of densities at all nodes."""
        if self._together is None:
            running = sum(self.at(k, r) for k, r in enumerate(rho[:-1]))
        else:
            linear, pieces = self._together
            running = self.at(0, rho[0]) + self.grid.volume * float(np.sum(linear * rho[1:-1]))
            running += sum(w * self.grid.volume * float(np.sum(f.value(rho[1:-1], c))) for f, w, c in pieces)
        return {"running and interaction": running, "terminal": self.at(self.last, rho[-1])}

    def conjugate(self, c: Array, near: Array) -> float:
        """Return the sum of `node_conjugate` over the nodes 1 … N, without the last where it is prescribed."""
        last = self.last - self.fixed
        if self._together is None:
            return sum(self.node_conjugate(k, c[k], near[k]) for k in range(1, last + 1))
        total = 0.0 if self.fixed else self.node_conjugate(last, c[last], near[last])
        return total + self._conjugates(c[1:-1], near[1:-1])


def _proximal(y: Array, s: float, pieces: Pieces) -> Array:
    if not pieces:
        return np.maximum(y, 0.0)
    f, w, c = pieces[-1]
    r = f.proximal(y, s * w, c)
    return r if len(pieces) == 1 else _proximal_of_all(y, r, s, pieces)


def _proximal_of_all(y: Array, start: Array, s: float, pieces: Pieces) -> Array:
    """Solve r + s Σ w f′(r) = y by Newton's method in log r."""
    z = np.log(np.maximum(start, 1e-300))
    for _ in range(60):
        r = np.exp(z)
        defect = r - y + s * sum(w * f.first_variation(r, c) for f, w, c in pieces)
        slope = r * (1 + s * sum(w * f.second_variation(r, c) for f, w, c in pieces))
        step = np.clip(defect / np.maximum(slope, 1e-300), -2.0, 2.0)
        z = np.maximum(z - step, -690.0)
        if np.abs(step).max() < 1e-13:
            break
    return np.exp(z)
