"""Uniform laws on boxes, and what noise makes of them: the checkerboard in closed form at every noise level."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr, logsumexp, ndtr, ndtri, softmax

from mfgpde.core.arrays import Array
from mfgpde.densities.cell_means import periods
from mfgpde.grids import CartesianGrid
from mfgpde.processes import Transition


@dataclass(frozen=True, eq=False)
class UniformBoxes:
    """Uniform on boxes ∏[lower_ki, upper_ki], chosen with `weights`, then blurred by N(0, deviation² I).

    With deviation zero the score is zero inside the boxes and undefined outside.

    >>> box = mfg.densities.UniformBoxes(np.ones(1), np.array([[0.0, 0.0]]), np.array([[2.0, 1.0]]))
    >>> float(np.exp(box.log_density(np.array([1.0, 0.5]))).round(12))
    0.5
    """

    weights: Array
    lower: Array
    upper: Array
    deviation: float = 0.0

    def __post_init__(self) -> None:
        if not (np.all(self.weights > 0) and np.all(self.lower < self.upper) and self.deviation >= 0):
            raise ValueError("boxes need positive weights, lower < upper, and a deviation ≥ 0")

    @property
    def dimension(self) -> int:
        """The dimension d."""
        return self.lower.shape[1]

    def _logs(self, x: Array) -> Array:
        """Return log of the blurred indicator of [lower_ki, upper_ki] per length, shape (..., k, d)."""
        below, above = x[..., None, :] - self.lower, x[..., None, :] - self.upper
        width = np.log(self.upper - self.lower)
        if self.deviation == 0:
            return np.where((below >= 0) & (above < 0), 0.0, -np.inf) - width
        a, b = below / self.deviation, above / self.deviation
        a, b = (
            np.where(a + b > 0, -b, a),
            np.where(a + b > 0, -a, b),
        )  # mirror: differences of small tails only
        top, bottom = log_ndtr(a), log_ndtr(b)
        return top + np.log1p(-np.exp(np.minimum(bottom - top, -1e-300))) - width

    def log_density(self, x: Array) -> Array:
        """Return log p(x), shape (...)."""
        weights = np.log(self.weights / self.weights.sum())
        with np.errstate(divide="ignore"):
            return logsumexp(self._logs(x).sum(axis=-1) + weights, axis=-1)

    def density(self, x: Array) -> Array:
        """Return p(x), shape (...)."""
        return np.exp(self.log_density(x))

    def score(self, x: Array) -> Array:
        """Return ∇log p(x), shape (..., d)."""
        if self.deviation == 0:
            return np.zeros_like(x)
        logs = self._logs(x)
        share = softmax(logs.sum(axis=-1) + np.log(self.weights / self.weights.sum()), axis=-1)
        a, b = ((x[..., None, :] - edge) / self.deviation for edge in (self.lower, self.upper))
        normal = np.log(np.sqrt(2 * np.pi) * self.deviation * (self.upper - self.lower))
        slope = np.exp(-0.5 * a**2 - normal - logs) - np.exp(-0.5 * b**2 - normal - logs)
        return np.einsum("...k,...ki->...i", share, slope)

    def cell_means(self, grid: CartesianGrid) -> Array:
        """Return the means of p over the cells of a grid, wrapped along periodic axes, shape (*cells)."""
        lower, upper = self.box(1 - 1e-15)
        means = np.zeros(grid.cells)
        for shift in periods(grid, lower, upper):
            shares = [self._shares(grid, axis, shift[axis]) for axis in range(self.dimension)]
            letters = "abc"[: self.dimension]
            spec = ",".join(f"k{letter}" for letter in letters)
            means += np.einsum(f"k,{spec}->{letters}", self.weights / self.weights.sum(), *shares, optimize=True)
        return means

    def _shares(self, grid: CartesianGrid, axis: int, shift: float) -> Array:
        """Return the means over the cells of an axis, moved by `shift`, of each box's blurred indicator per length."""
        edges = grid.edges[axis] + shift
        lower, upper = self.lower[:, axis, None], self.upper[:, axis, None]
        if self.deviation == 0:
            inside = np.clip(edges, lower, upper)
            return np.diff(inside, axis=1) / (grid.spacing[axis] * (upper - lower))
        rising = _ramp((edges - lower) / self.deviation) - _ramp((edges - upper) / self.deviation)
        falling = _ramp((upper - edges) / self.deviation) - _ramp((lower - edges) / self.deviation)
        left = edges[1:] + edges[:-1] < lower + upper  # of the middle, where `rising` is a sum of small tails
        found = np.where(left, np.diff(rising, axis=1), -np.diff(falling, axis=1))
        return np.maximum(found, 0.0) * self.deviation / (grid.spacing[axis] * (upper - lower))

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Return n independent points, shape (n, d)."""
        which = rng.choice(len(self.weights), size=n, p=self.weights / self.weights.sum())
        points = rng.uniform(self.lower[which], self.upper[which])
        return points + self.deviation * rng.standard_normal(points.shape)

    def box(self, mass: float) -> tuple[Array, Array]:
        """Return corners of a box that holds at least `mass`."""
        reach = -float(ndtri((1 - mass) / (2 * self.dimension))) * self.deviation
        return self.lower.min(axis=0) - reach, self.upper.max(axis=0) + reach

    def after(self, transition: Transition) -> UniformBoxes:
        """Return the law of factor·X + offset + noise, for a scalar factor > 0 and isotropic noise."""
        if np.ndim(transition.factor) or np.ndim(transition.covariance) or transition.factor <= 0:
            raise ValueError("boxes stay boxes only under a positive scalar factor and isotropic noise")
        m = float(transition.factor)
        deviation = float(np.sqrt(m**2 * self.deviation**2 + transition.covariance))
        return UniformBoxes(
            self.weights, m * self.lower + transition.offset, m * self.upper + transition.offset, deviation
        )


def _ramp(z: Array) -> Array:
    """Return ∫_{−∞}^z Φ = zΦ(z) + φ(z)."""
    return z * ndtr(z) + np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)


def examples() -> Iterator[UniformBoxes]:
    """Yield members to hold the laws to: two unequal boxes, sharp and blurred, from nanometres to gigametres."""
    for unit in (1.0, 1e-9, 1e9):
        lower, upper = unit * np.array([[-1.0, -0.5], [0.2, 0.3]]), unit * np.array([[-0.2, 1.0], [1.5, 0.6]])
        for deviation in (0.0, 0.15 * unit):
            yield UniformBoxes(np.array([2.0, 1.0]), lower, upper, deviation)
