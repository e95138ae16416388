"""Costs of a density, F(ρ) = ∫ f(ρ(x), x) dx: value, first variation, both proximal maps and the convex conjugate.

Methods are elementwise in the density r ≥ 0 and in `c`, the functional's reference at the same points. The proximal maps
solve r + s f′(r) = y, and, relative to the entropy, log r + s f′(r) = log a, in closed form where there is one:
with Wright's ω, y + log y = z is y = ω(z). The conjugate is f*(u) = max over r ≥ 0 of u r − f(r).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, cast

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.densities import Density, gaussian
from mfgpde.games.contract import Functional
from mfgpde.games.special import wright_omega, x_log_x

TINY = 1e-300


def _log_density(law: Density, x: Array) -> Array:
    values = np.asarray(law.log_density(x))
    if values.shape != x.shape[:-1] or np.isnan(values).any():
        raise ValueError(f"a reference density must have a logarithm at all points, got shape {values.shape}")
    return np.maximum(values, -690.0)  # keeps it positive in double precision


@dataclass(frozen=True, eq=False)
class Potential(Functional):
    """F = ∫ g ρ: every particle pays g(x, t).

    >>> pay = mfg.games.Potential(lambda x, t: x[..., 0] ** 2)
    >>> pay.value(np.array([0.5]), pay.reference(np.array([[2.0]]), 0.0))
    array([2.])
    """

    cost: Callable[[Array, float], Array]
    linear = True

    def reference(self, x: Array, t: float) -> Array:
        """Return g."""
        values = np.asarray(self.cost(x, t), dtype=float)
        if values.shape != x.shape[:-1] or not np.isfinite(values).all():
            shaped = values.shape == x.shape[:-1]
            bad = values[~np.isfinite(values)][0] if shaped else values.shape
            raise ValueError(f"a cost of position must be finite with shape {x.shape[:-1]}, got {bad}")
        return values

    def value(self, r: Array, c: Array) -> Array:
        """Return g r."""
        return c * r

    def first_variation(self, r: Array, c: Array) -> Array:
        """Return g."""
        return np.broadcast_to(c, r.shape)

    def second_variation(self, r: Array, c: Array) -> Array:
        """Return zero."""
        return np.zeros_like(r)

    def proximal(self, y: Array, s: float, c: Array) -> Array:
        """Return max(y − s g, 0)."""
        return np.maximum(y - s * c, 0.0)

    def kl_proximal(self, log_a: Array, s: float, c: Array) -> Array:
        """Return log a − s g."""
        return log_a - s * c

    def conjugate(self, u: Array, c: Array) -> Array:
        """Return 0 where u ≤ g, infinity elsewhere."""
        slack = 1e-13 * max(float(np.abs(c).max()), float(np.abs(u).max()))
        return np.where(u <= c + slack, 0.0, np.inf)


def cross_entropy(law: Density) -> Potential:
    """Return −∫ρ log π.

    >>> cost = mfg.games.cross_entropy(mfg.gaussian(0.0, 1.0))
    >>> print(f"{cost.reference(np.zeros((1, 1)), 0.0)[0]:.6f}")  # ½ log 2π
    0.918939
    """
    return Potential(partial(_surprise, law))


def _surprise(law: Density, x: Array, _: float) -> Array:
    return -_log_density(law, x)


@dataclass(frozen=True, eq=False)
class RelativeEntropy(Functional):
    """F = weight·∫(ρ log(ρ/π) − ρ + π): KL(ρ‖π); without a law π = 1, the entropy.

    >>> entropy = mfg.games.RelativeEntropy()  # ∫(ρ log ρ − ρ + 1)
    >>> entropy.first_variation(np.array([np.e]), np.zeros(1))
    array([1.])
    """

    law: Density | None = None
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.weight < np.inf:
            raise ValueError(f"an entropy is convex, and has proximal maps, for a weight > 0, got {self.weight}")

    def reference(self, x: Array, t: float) -> Array:
        """Return log π."""
        return np.zeros(x.shape[:-1]) if self.law is None else _log_density(self.law, x)

    def value(self, r: Array, c: Array) -> Array:
        """Return weight (r log(r/π) − r + π)."""
        return self.weight * (x_log_x(r) - r * c - r + np.exp(c))

    def first_variation(self, r: Array, c: Array) -> Array:
        """Return weight log(r/π)."""
        return self.weight * (np.log(np.maximum(r, TINY)) - c)

    def second_variation(self, r: Array, c: Array) -> Array:
        """Return weight/r."""
        return self.weight / np.maximum(r, TINY)

    def proximal(self, y: Array, s: float, c: Array) -> Array:
        """Solve r + s log r = y + s log π."""
        s = s * self.weight
        return s * wright_omega(y / s + c - np.log(s))

    def kl_proximal(self, log_a: Array, s: float, c: Array) -> Array:
        """Return the geometric mean of a and π."""
        s = s * self.weight
        return (log_a + s * c) / (1 + s)

    def conjugate(self, u: Array, c: Array) -> Array:
        """Return weight π (e^{u/weight} − 1)."""
        return self.weight * np.exp(c) * np.expm1(np.minimum(u / self.weight, 700.0))


@dataclass(frozen=True, eq=False)
class ReverseRelativeEntropy(Functional):
    """F = ∫(π log(π/ρ) − π + ρ): KL(π‖ρ), the likelihood of data π.

    >>> cost = mfg.games.ReverseRelativeEntropy(mfg.gaussian(0.0, 1.0))
    >>> cost.first_variation(np.array([2.0]), np.array([1.0]))  # 1 − π/ρ
    array([0.5])
    """

    law: Density

    def reference(self, x: Array, t: float) -> Array:
        """Return π."""
        return np.exp(_log_density(self.law, x))

    def value(self, r: Array, c: Array) -> Array:
        """Return π log(π/r) − π + r."""
        return x_log_x(c) - c * np.log(np.maximum(r, TINY)) - c + r

    def first_variation(self, r: Array, c: Array) -> Array:
        """Return 1 − π/r."""
        return 1 - c / np.maximum(r, TINY)

    def second_variation(self, r: Array, c: Array) -> Array:
        """Return π/r²."""
        return c / np.maximum(r, TINY) ** 2

    def proximal(self, y: Array, s: float, c: Array) -> Array:
        """Solve r² + (s − y) r = s π."""
        b = y - s
        return 0.5 * (b + np.sqrt(b * b + 4 * s * c))

    def kl_proximal(self, log_a: Array, s: float, c: Array) -> Array:
        """Solve z − s π e^{−z} = log a − s."""
        b = log_a - s
        return b + wright_omega(np.log(s * c) - b)

    def conjugate(self, u: Array, c: Array) -> Array:
        """Return −π log(1 − u) for u < 1."""
        return np.where(u < 1, -c * np.log1p(-np.minimum(u, 1 - 1e-16)), np.inf)


@dataclass(frozen=True, eq=False)
class ChiSquared(Functional):
    """F = ½∫(ρ − π)²/π.

    >>> cost = mfg.games.ChiSquared(mfg.gaussian(0.0, 1.0))
    >>> cost.value(np.array([3.0]), np.array([1.0]))  # ρ = 3, π = 1
    array([2.])
    """

    law: Density

    def reference(self, x: Array, t: float) -> Array:
        """Return π."""
        return np.exp(_log_density(self.law, x))

    def value(self, r: Array, c: Array) -> Array:
        """Return (r − π)²/2π."""
        return 0.5 * (r - c) ** 2 / c

    def first_variation(self, r: Array, c: Array) -> Array:
        """Return r/π − 1."""
        return r / c - 1

    def second_variation(self, r: Array, c: Array) -> Array:
        """Return 1/π."""
        return np.broadcast_to(1 / c, r.shape)

    def proximal(self, y: Array, s: float, c: Array) -> Array:
        """Return (y + s)/(1 + s/π), or zero."""
        return np.maximum(y + s, 0.0) / (1 + s / c)

    def kl_proximal(self, log_a: Array, s: float, c: Array) -> Array:
        """Solve z + (s/π) e^z = log a + s."""
        b = log_a + s
        return b - wright_omega(b + np.log(s / c))

    def conjugate(self, u: Array, c: Array) -> Array:
        """Return π(u + u²/2), −π/2 below u = −1."""
        return c * np.where(u >= -1, u + 0.5 * u * u, -0.5)


@dataclass(frozen=True)
class Power(Functional):
    """F = (weight/exponent)·∫ρ^exponent, exponent > 1: the more are here, the more each pays.

    >>> mfg.games.Power(weight=2.0, exponent=3.0).first_variation(np.array([3.0]), np.zeros(1))  # 2ρ²
    array([18.])
    """

    weight: float = 1.0
    exponent: float = 2.0

    def __post_init__(self) -> None:
        if not (self.weight > 0 and self.exponent > 1):
            raise ValueError(f"a convex power needs weight > 0 and exponent > 1, got {self.weight}, {self.exponent}")

    def reference(self, x: Array, t: float) -> None:
        """Return nothing."""

    def value(self, r: Array, c: Any) -> Array:
        """Return weight r^q / q."""
        return self.weight / self.exponent * r**self.exponent

    def first_variation(self, r: Array, c: Any) -> Array:
        """Return weight r^{q−1}."""
        return self.weight * np.maximum(r, 0.0) ** (self.exponent - 1)

    def second_variation(self, r: Array, c: Any) -> Array:
        """Return weight (q − 1) r^{q−2}."""
        return self.weight * (self.exponent - 1) * np.maximum(r, 1e-12) ** (self.exponent - 2)

    def proximal(self, y: Array, s: float, c: Any) -> Array:
        """Solve r + s w r^{q−1} = y: directly for q = 2, else by Newton's method in log r, monotone from the right.

        It asks for no number on its way: how many steps there are depends on q alone.
        """
        s, q = s * self.weight, self.exponent
        y = np.maximum(y, 0.0)
        if q == 2:
            return y / (1 + s)
        there = np.maximum(y, TINY)
        logs = np.log(there)
        r = np.maximum(np.exp(np.minimum(logs, (logs - np.log(s)) / (q - 1))), TINY)
        for _ in range(_newton_steps(q)):
            r = _nearer(r, there, s, q)
        return np.where(y > TINY, r, 0.0)

    def kl_proximal(self, log_a: Array, s: float, c: Any) -> Array:
        """Solve z + s w e^{(q−1) z} = log a."""
        k = self.exponent - 1
        return log_a - wright_omega(k * log_a + np.log(k * s * self.weight)) / k

    def conjugate(self, u: Array, c: Any) -> Array:
        """Return (1 − 1/q) u₊^{q/(q−1)} w^{−1/(q−1)}."""
        q = self.exponent
        return (1 - 1 / q) * np.maximum(u, 0.0) ** (q / (q - 1)) * self.weight ** (-1 / (q - 1))


def _nearer(r: Array, y: Array, s: float, q: float) -> Array:
    """Return Newton's next r for log(r + s r^{q−1}) = log y: convex in log r, with slopes between 1 and q − 1."""
    power = s * r ** (q - 1)
    total = r + power
    return np.maximum(r * np.exp(-np.log(total / y) * total / (r + (q - 1) * power)), TINY)


@lru_cache(maxsize=64)
def _newton_steps(q: float) -> int:
    """Return after how many steps no root moves by more than roundings.

    In units of y it is that of r + κ r^{q−1} = 1: tried for all κ from 1e-30 to 1e30, outside of which one term is nothing.
    """
    ratios = np.geomspace(1e-30, 1e30, 601)
    r, one = np.maximum(np.exp(np.minimum(0.0, -np.log(ratios) / (q - 1))), TINY), np.ones(601)
    for count in range(1, 100):
        new = _nearer(r, one, cast(float, ratios), q)
        if np.abs(new / r - 1).max() <= 1e-14 * max(1.0, 1 / (q - 1)):  # so much a rounding of the sum moves a root
            return count
        r = new
    raise ValueError(f"the exponent {q} is too near one: its proximal map is not found in a hundred steps")


@dataclass(frozen=True)
class Capacity(Functional):
    """F = 0 where ρ ≤ largest, infinity elsewhere: hard congestion.

    >>> mfg.games.Capacity(2.0).proximal(np.array([1.0, 3.0]), 0.1, np.zeros(2))
    array([1., 2.])
    """

    largest: float
    smooth = False

    def __post_init__(self) -> None:
        if not self.largest > 0:
            raise ValueError(f"a capacity must be positive, got {self.largest}")

    def reference(self, x: Array, t: float) -> None:
        """Return nothing."""

    def value(self, r: Array, c: Any) -> Array:
        """Return zero, or infinity above the capacity (and a millionth of it)."""
        return np.where(r <= self.largest * (1 + 1e-6), 0.0, np.inf)

    def proximal(self, y: Array, s: float, c: Any) -> Array:
        """Return y cut to [0, largest]."""
        return np.clip(y, 0.0, self.largest)

    def kl_proximal(self, log_a: Array, s: float, c: Any) -> Array:
        """Return log a, at most the logarithm of the capacity."""
        return np.minimum(log_a, np.log(self.largest))

    def conjugate(self, u: Array, c: Any) -> Array:
        """Return largest·u₊."""
        return self.largest * np.maximum(u, 0.0)


@dataclass(frozen=True, eq=False)
class Target(Functional):
    """F = 0 for ρ = π, infinity otherwise: a hard terminal condition.

    >>> mfg.games.Target(mfg.gaussian(0.0, 1.0)).proximal(np.array([3.0]), 0.1, np.zeros(1))  # where log π = 0
    array([1.])
    """

    law: Density
    hard = True
    smooth = False

    def reference(self, x: Array, t: float) -> Array:
        """Return log π."""
        return _log_density(self.law, x)

    def value(self, r: Array, c: Array) -> Array:
        """Return zero: how far ρ is from π is reported apart."""
        return np.zeros_like(r)

    def proximal(self, y: Array, s: float, c: Array) -> Array:
        """Return π."""
        return np.exp(c)

    def kl_proximal(self, log_a: Array, s: float, c: Array) -> Array:
        """Return log π."""
        return np.broadcast_to(c, log_a.shape)

    def conjugate(self, u: Array, c: Array) -> Array:
        """Return u π."""
        return u * np.exp(c)


def examples() -> Iterator[Functional]:
    """Yield members to hold the laws to: every cost, other weights and exponents, a law in nanometres."""
    law, tiny = gaussian(0.3, 0.5), gaussian(0.3e-9, 0.5e-18)
    yield from (Potential(_slope), cross_entropy(law), RelativeEntropy(weight=1.7), Capacity(0.7))
    for one in (law, tiny):
        yield from (RelativeEntropy(one, 0.6), ReverseRelativeEntropy(one), ChiSquared(one), Target(one))
    yield from (Power(1.5), Power(0.8, 3.0), Power(0.8, 1.5))


def _slope(x: Array, t: float) -> Array:
    return np.sin(3 * x[..., 0]) + t
