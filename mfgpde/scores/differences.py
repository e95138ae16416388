"""A score known by its values alone: derivatives by central differences of order four, with what they are off by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from mfgpde.core.arrays import Array, dot
from mfgpde.core.renamed import renamed
from mfgpde.scores.contract import FORMER


@renamed(**FORMER)
@dataclass(eq=False)
class Differenced:
    """Any s(x, t) on points (..., d), with divergence, Jacobian, ∂_t s and ∇(∇·s) by differences over `step`.

    Times stay in [start, end].
    `uncertainty` collects, per derivative, the largest difference between the formulas of width h and 2h so far: an
    estimate of the error of the wider one, and an upper one of what was returned, down to rounding.

    >>> cubic = mfg.scores.Differenced(lambda x, t: -(x**3), 1)
    >>> print(f"{cubic.divergence(np.ones((1, 1)), 0.5)[0]:.6f}")  # −3x²
    -3.000000
    """

    function: Callable[[Array, float], Array]
    dimension: int
    step: float = 2e-3
    time_step: float = 1e-3
    start: float = 0.0
    end: float = np.inf
    uncertainty: dict[str, float] = field(default_factory=dict[str, float])

    def __call__(self, x: Array, t: float) -> Array:
        """Return s(x, t)."""
        return np.asarray(self.function(x, t), dtype=float)

    def _slope(self, f: Callable[[float], Array], h: float, name: str) -> Array:
        near, far, further = ((f(k * h) - f(-k * h)) / (2 * k * h) for k in (1, 2, 4))
        fine, coarse = (4 * near - far) / 3, (4 * far - further) / 3
        gap = float(np.abs(fine - coarse).max(initial=0.0))
        self.uncertainty[name] = max(self.uncertainty.get(name, 0.0), gap)
        return fine

    def jacobian(self, x: Array, t: float) -> Array:
        """Return ∂_j s_i, shape (..., d, d)."""
        unit = np.eye(self.dimension)
        columns = [self._slope(lambda h, e=e: self(x + h * e, t), self.step, "jacobian") for e in unit]
        return np.stack(columns, axis=-1)

    def divergence(self, x: Array, t: float) -> Array:
        """Return ∇·s."""
        return np.trace(self.jacobian(x, t), axis1=-2, axis2=-1)

    def time_derivative(self, x: Array, t: float) -> Array:
        """Return ∂_t s; within four steps of an end of [start, end] by one-sided differences, of order four too."""
        h = self.time_step
        if self.start <= t - 4 * h and t + 4 * h <= self.end:
            return self._slope(lambda dt: self(x, t + dt), h, "time derivative")
        h = h if t + 8 * h <= self.end else -h
        values = [self(x, t + k * h) for k in (0, 1, 2, 3, 4, 6, 8)]
        weights = np.array([-25, 48, -36, 16, -3]) / 12
        fine = sum(w * values[k] for w, k in zip(weights, (0, 1, 2, 3, 4), strict=True)) / h
        coarse = sum(w * values[k] for w, k in zip(weights, (0, 2, 4, 5, 6), strict=True)) / (2 * h)
        gap = float(np.abs(fine - coarse).max(initial=0.0))
        self.uncertainty["time derivative"] = max(self.uncertainty.get("time derivative", 0.0), gap)
        return np.asarray(fine)

    def divergence_gradient(self, x: Array, t: float) -> Array:
        """Return ∇(∇·s), by wider steps: second derivatives lose more digits."""
        unit, h = np.eye(self.dimension), 8 * self.step
        parts = [self._slope(lambda k, e=e: self.divergence(x + k * e, t), h, "divergence gradient") for e in unit]
        return np.stack(parts, axis=-1)

    def directional_derivatives(self, x: Array, t: float, v: Array) -> tuple[Array, Array, Array]:
        """Return Jv, Jᵀv and ∇(vᵀJv) for one direction v a point, shapes (..., d); the last two take d differences."""

        def pushed(y: Array) -> Array:
            return self._slope(lambda h: self(y + h * v, t), self.step, "jacobian")

        def along(y: Array) -> Array:
            return dot(v, pushed(y))

        unit, wide = np.eye(self.dimension), 8 * self.step
        pulled = [self._slope(lambda h, e=e: dot(v, self(x + h * e, t)), self.step, "jacobian") for e in unit]
        slope = [self._slope(lambda h, e=e: along(x + h * e), wide, "divergence gradient") for e in unit]
        return pushed(x), np.stack(pulled, axis=-1), np.stack(slope, axis=-1)


def examples() -> Iterator[Differenced]:
    """Yield members to hold the laws to: a field that turns and changes in time, in the middle and at an end of time."""
    yield Differenced(_turning, 2, end=1.0)
    yield Differenced(_turning, 3)


def _turning(x: Array, t: float) -> Array:
    return np.sin(np.roll(x, 1, axis=-1) + t) - 0.5 * x * np.cos(2 * t)
