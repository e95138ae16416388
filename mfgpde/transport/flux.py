"""A bound of W₂ of two almost equal laws: the action of a flux that carries one into the other.

Any flux m with ∇·m = a − b bounds W₂² by ∫|m|²/Λ, Λ the mean of the densities that a path from a to b makes (Peyre, ESAIM
COCV 24, 2018); m = −Λ∇u is the best to first order. −∇·(Λ∇u) = a − b is solved by conjugate gradients in √Λ u, where the
operator is −Δ + Δ√Λ/√Λ, preconditioned by −Δ + c, which cosine transforms invert. However far that goes, its flux gives a
bound: what it leaves over goes straight across the box.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import label

from mfgpde.core.arrays import Array, elsewhere, to_host
from mfgpde.discretisations.finite_volume import MarkovChain
from mfgpde.grids import CartesianGrid
from mfgpde.kernels.replay import Replayed, directly
from mfgpde.kernels.tables import transforms

LEAST = 1e-15
"""mass of a cell below which it is left out"""
SHIFT = 4.0
"""c in units of Σ|∇√Λ|²/ΣΛ: the potential Δ√Λ/√Λ has that mean, and grows towards the tails"""
EVERY, MOST, PATIENCE = 20, 400, 2
"""iterations between two bounds, and at most; how often a bound may gain little before they end"""
ENOUGH, FINE = 1e-3, 1e-5
"""what is little, of the flux's own bound and of the length beside it"""
ROUNDED = 1e-28
"""of the squared norm of the first residual: what rounding leaves"""


def by_flux(
    a: Array,
    b: Array,
    grid: CartesianGrid,
    path: Callable[[Array, Array], Array] | None = None,
    xp: Any = np,
    *,
    length: float = 0.0,
    known: float = np.inf,
) -> float:
    """Return `length` and a bound of W₂ of two laws, masses of cells on which they are constant.

    The flux goes along (1 − t²)a + t²b.
    Λ is at least b/4; cells where b is below 1e-15 are left out. The straight path (1 − t)a + tb has the
    logarithmic mean for Λ, larger for laws that are close everywhere; then cells where a is below 1e-15 are left out too.
    It is computed where `xp` keeps its arrays, until the sum gains little, or cannot become less than what is `known`.

    Raises ValueError for cells that are no squares or cubes.
    """
    require_cubes(grid)
    inside = b > LEAST if path is None else np.minimum(a, b) > LEAST
    mean = np.where(inside, (path or path_mean)(*(np.where(inside, c, 1.0) for c in (a, b))), 0.0)
    source = np.where(inside, a - b, 0.0)
    lost = 0.5 * float(np.sum(np.where(inside, 0.0, np.abs(a - b))))
    across = float(np.sum(np.square(grid.lengths)))
    best = length + np.sqrt(across * (lost + 0.5 * float(np.abs(source).sum())))  # no flux at all
    if not np.any(source):
        return float(best)
    idle, before = 0, np.inf
    for action, left in _Flux.of(xp.asarray(mean), xp.asarray(source), grid, xp).improved():
        flux = np.sqrt(action) + np.sqrt(across * (lost + left))
        idle = 0 if flux < before - ENOUGH * flux - FINE * length else idle + 1
        best, before = min(best, length + flux), min(before, flux)
        if idle == PATIENCE or length + np.sqrt(action) > known:
            break
    return float(best)


def require_cubes(grid: CartesianGrid) -> None:
    """Raise ValueError unless cells are as wide along all axes: what counts in cells knows one width."""
    if not np.allclose(grid.spacing, grid.spacing[0], rtol=1e-9):
        raise ValueError(f"cells must be as wide along all axes, got {grid.spacing}")


@dataclass(frozen=True, eq=False)
class _Flux:
    """Λ in cells, its harmonic means on faces as the rates of a chain, the source, and the preconditioner's symbol.

    `lost` is what of the source no flux can bring: parts of the support that do not touch have masses of their own.
    """

    grid: CartesianGrid
    mean: Array
    chain: MarkovChain
    source: Array
    lost: float
    inverse_root: Array
    inverse_mean: Array
    symbol: Array
    xp: Any

    @classmethod
    def of(cls, mean: Array, source: Array, grid: CartesianGrid, xp: Any) -> _Flux:
        weights = []
        for axis in range(grid.dimension):
            low, high = (_between(mean, axis, *ends) for ends in ((0, -1), (1, None)))
            total = low + high
            across = np.zeros_like(mean, shape=tuple(n + (i == axis) for i, n in enumerate(grid.cells)))
            harmonic = 2 * low * high / np.where(total > 0, total, 1.0)
            across[_slice(axis, 1, -1)] = harmonic
            weights.append(across)
        root = np.sqrt(mean)
        steps = sum(float(np.sum(np.diff(root, axis=axis) ** 2)) for axis in range(grid.dimension))
        shift = SHIFT * steps / float(np.sum(mean))
        symbol = xp.asarray(_spectrum(grid.cells)) + max(shift, 1e-12)
        inverse = np.where(mean > 0, 1.0, 0.0) / np.where(mean > 0, root, 1.0)
        chain = MarkovChain(grid, tuple(weights), tuple(weights))
        balanced = _balanced(source, mean, xp)
        lost = 0.5 * float(np.sum(np.abs(source - balanced)))
        return cls(grid, mean, chain, balanced, lost, inverse, inverse**2, symbol, xp)

    def improved(self) -> Any:
        """Yield the action of the flux, and what mass it leaves over, after every so many iterations."""
        u, r = np.zeros_like(self.source), self.source.copy()
        d = self._preconditioned(r)
        size = np.stack([np.sum(r * d)])
        least = np.maximum(ROUNDED * size, 1e-280)  # below, nothing is left but constants, which no flux feels

        def iterate() -> tuple[Array, ...]:
            """Go so many iterations, in place."""
            for _ in range(EVERY):
                Ad = -self.chain.rate(d, 0.0)
                step = np.where(size > least, size, 0.0) / np.maximum(np.sum(d * Ad), 1e-290)
                np.add(u, step * d, out=u)
                np.subtract(r, step * Ad, out=r)
                z = self._preconditioned(r)
                new = np.sum(r * z)
                d[...] = z + new / np.maximum(size, least) * d
                size[...] = new
            return ()

        work = Replayed() if elsewhere(u) else directly
        for _ in range(MOST // EVERY):
            work("iterate", iterate)
            yield self._bounded(u)

    def _preconditioned(self, r: Array) -> Array:
        fft = transforms(self.xp)
        return self.inverse_root * fft.idctn(fft.dctn(self.inverse_root * r) / self.symbol)

    def _bounded(self, u: Array) -> tuple[float, float]:
        """Return ∫|m|²/Λ and half the mass left over of the flux −Λ∇u, linear along its axis in each cell."""
        action = 0.0
        for axis, weight in enumerate(self.chain.up):
            flow = np.zeros_like(weight)
            flow[_slice(axis, 1, -1)] = -_between(weight, axis, 1, -1) * np.diff(u, axis=axis)
            below, above = _between(flow, axis, 0, -1), _between(flow, axis, 1, None)
            action = action + np.sum((above**2 + above * below + below**2) * self.inverse_mean) / 3
        left = np.sum(np.abs(self.source + self.chain.rate(u, 0.0)))
        numbers = to_host(np.stack([action, left]))
        return float(numbers[0]) * self.grid.spacing[0] ** 2, self.lost + 0.5 * float(numbers[1])


def _balanced(source: Array, mean: Array, xp: Any) -> Array:
    """Return the source without what the parts of {Λ > 0} that touch along faces have too much of, in proportion to Λ."""
    if float(to_host(np.stack([np.min(mean)]))[0]) > 0:  # one part, whose sums need not leave the device
        return source - np.sum(source) / np.sum(mean) * mean
    parts, count = label(to_host(mean) > 0)
    sums = [xp.bincount(xp.asarray(parts).ravel(), values.ravel(), count + 1) for values in (source, mean)]
    share = sums[0] / np.where(sums[1] > 0, sums[1], 1.0)
    return source - share[xp.asarray(parts)] * mean


def _slice(axis: int, start: int, stop: int | None) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, slice(start, stop))


def _between(a: Array, axis: int, start: int, stop: int | None) -> Array:
    return a[_slice(axis, start, stop)]


def _spectrum(shape: tuple[int, ...]) -> Array:
    """Return the eigenvalues of −Δ between walls, in units of cells."""
    waves = (2 - 2 * np.cos(np.pi * np.arange(n) / n) for n in shape)
    return sum(np.meshgrid(*waves, indexing="ij"))  # pyright: ignore[reportReturnType]


def logarithmic_mean(a: Array, b: Array) -> Array:
    """Return 1/∫₀¹ dt/((1 − t)a + tb) = (a − b)/log(a/b) for a, b > 0."""
    w = 0.5 * np.log(a / b)  # √(ab) sinh(w)/w
    return np.sqrt(a * b) * np.where(np.abs(w) > 1e-4, np.sinh(w) / np.where(w == 0, 1.0, w), 1 + w**2 / 6)


def path_mean(a: Array, b: Array) -> Array:
    """Return Λ = 1/∫₀¹ 4t²/((1 − t²)a + t²b) dt for a ≥ 0 and b > 0: b/4 for a = 0, ¾a for a = b."""
    r = a / b
    gap = np.where(np.abs(1 - r) < 1e-4, 1e-4, 1 - r)
    safe = np.maximum(1 - gap, 1e-300)
    root = np.sqrt(safe * np.abs(gap))
    angle = np.where(
        gap > 0,
        np.arctan2(np.sqrt(np.maximum(gap, 0)), np.sqrt(safe)),
        np.arctanh(np.minimum(np.sqrt(np.maximum(-gap, 0) / safe), 1 - 1e-16)),
    )
    return b * gap / (4 * (1 - safe * angle / np.maximum(root, 1e-300)))
