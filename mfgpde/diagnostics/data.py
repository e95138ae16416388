"""The law of the data as a trial needs it: named or known by samples, with the noise that it has at the stopping time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
from scipy.ndimage import gaussian_filter  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

from mfgpde.core.arrays import Array
from mfgpde.densities import Density, GaussianMixture, Propagated, cell_means, marginal
from mfgpde.discretisations import Field, FiniteVolume
from mfgpde.grids import CartesianGrid
from mfgpde.processes import LinearProcess

SPLITS = 6
"""of samples in random halves; their spread is that of the sampling error"""
WIDTHS = tuple(0.6 * 2 ** (k / 2) for k in range(13))
"""of the kernels tried for a density estimate, in cells"""
SPREAD = 2.6
"""standard deviations in a bar of 99 %"""


def noised(process: LinearProcess, samples: Array, t: float, rng: np.random.Generator) -> Array:
    """Return samples of X_t from samples (n, d) of X_0."""
    factor, mean, covariance = process.transition(0.0, t).in_dimension(samples.shape[1])
    widths, axes = np.linalg.eigh(covariance)
    noise = rng.standard_normal(samples.shape) @ (axes * np.sqrt(np.maximum(widths, 0.0))).T
    return samples @ factor.T + mean + noise


@dataclass(frozen=True, eq=False)
class Named:
    """A law in closed form, at t = 0; `at` is it at the stopping time."""

    start: Propagated
    at: Density

    @classmethod
    def stopped(cls, process: LinearProcess, law: Propagated, stop: float) -> Named:
        """Return a law with its noise at t = stop."""
        return cls(law, law if stop == 0 else marginal(process, law, stop))

    def on(self, grid: CartesianGrid) -> Field:
        """Return the means over the cells; what lies outside is missing."""
        return Field(FiniteVolume(grid), cell_means(self.at, grid), means=True)

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Return samples of the law at the stopping time."""
        return self.at.sample(n, rng)

    def moments(self) -> tuple[Array, Array]:
        """Return mean and covariance at t = 0, of a mixture in closed form, else of 20 000 samples."""
        law = self.start
        if not isinstance(law, GaussianMixture):
            return _moments(law.sample(20_000, np.random.default_rng(0)))
        mean = law.weights @ law.means
        off = law.means - mean
        return mean, np.einsum("k,kij->ij", law.weights, law.covariances) + np.einsum(
            "k,ki,kj->ij", law.weights, off, off
        )


@dataclass(frozen=True, eq=False)
class Sampled:
    """A law known by samples, raw (n, d) and with the noise of t = `stop`: the error of sampling is in every bar."""

    raw: Array
    at: Array
    seed: int = 0

    @classmethod
    def stopped(cls, process: LinearProcess, samples: Array, stop: float, seed: int = 0) -> Sampled:
        """Return samples with their noise at t = stop."""
        rng = np.random.default_rng([seed, 1])
        return cls(samples, noised(process, samples, stop, rng) if stop > 0 else samples, seed)

    def on(self, grid: CartesianGrid) -> Field:
        """Return the histogram; what lies outside is missing. Raises ValueError where half of the samples do."""
        masses = _masses(self.at, grid)
        if masses.sum() < 0.5:
            raise ValueError(
                f"only {masses.sum() * len(self.at):.0f} of {len(self.at)} samples lie in the box; "
                "give a larger --half-width"
            )
        return Field(FiniteVolume(grid), masses / grid.volume, means=True)

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Return n of the samples, all once before any twice."""
        return np.concatenate([rng.permutation(self.at) for _ in range(-(-n // len(self.at)))])[:n]

    def moments(self) -> tuple[Array, Array]:
        """Return mean and covariance at t = 0."""
        return _moments(self.raw)

    def halves(self, grid: CartesianGrid) -> Iterator[tuple[Field, Field]]:
        """Yield the histograms of random halves."""
        rng = np.random.default_rng([self.seed, 2])
        for _ in range(SPLITS):
            order = rng.permutation(len(self.at))
            parts = np.array_split(order, 2)
            yield tuple(  # pyright: ignore[reportReturnType]
                Field(FiniteVolume(grid), _masses(self.at[part], grid) / grid.volume, means=True) for part in parts
            )

    @cached_property
    def widths(self) -> dict[CartesianGrid, float]:
        """The kernel's width by grid, in cells, once it was chosen."""
        return {}

    def width(self, grid: CartesianGrid) -> float:
        """Return the width, in cells, of the kernel whose estimate from one half says most of the other; zero: none."""
        if grid not in self.widths:
            one, other = next(self.halves(grid))
            scores = {w: _told(one, other, w) + _told(other, one, w) for w in WIDTHS if w < min(grid.cells) / 4}
            self.widths[grid] = max(scores, key=lambda w: scores[w])
        return self.widths[grid]


Data = Named | Sampled


def smooth(field: Field, width: float) -> Field:
    """Return a density smoothed by a Gaussian of some cells' width, mirrored at the walls: the mass is kept."""
    values = cast(Array, gaussian_filter(field.values, width, mode="reflect", truncate=6.0))
    return Field(field.discretisation, values, means=True)


def _told(one: Field, other: Field, width: float) -> float:
    """Return the mean log-density that one half gives the other, a thousandth of it flat: nothing is impossible."""
    grid, estimate = one.grid, smooth(one, width).values
    lengths: tuple[float, ...] = grid.lengths
    flat = 1e-3 / math.prod(lengths)
    return float(grid.integrate(other.values * np.log(estimate + flat)))


def _masses(points: Array, grid: CartesianGrid) -> Array:
    counts, _ = np.histogramdd(points, grid.edges)
    return counts / len(points)


def _moments(points: Array) -> tuple[Array, Array]:
    return points.mean(axis=0), np.atleast_2d(np.cov(points.T))
