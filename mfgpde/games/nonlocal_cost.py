"""Costs that see the density elsewhere too: an even kernel between all pairs, by fast convolution, and its convexity."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from mfgpde.core.arrays import Array
from mfgpde.games.contract import Functional

DENSE = 512  # cells up to which all eigenvalues are computed
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Nonlocal(Functional):
    """F = ½∫∫ k(x − y) ρ(x) ρ(y) dx dy for an even kernel k, by fast convolution on the grid.

    >>> grid = mfg.CartesianGrid.cube(6.0, 64, 1)
    >>> p = np.exp(mfg.gaussian(0.0, 0.5).log_density(grid.points))
    >>> spread = mfg.games.Nonlocal(lambda z: (z**2).sum(axis=-1))
    >>> print(f"{grid.integrate(spread.value(p, spread.reference(grid.points, 0.0))):.6f}")  # the variance
    0.500000
    """

    kernel: Callable[[Array], Array]
    local = False

    def reference(self, x: Array, t: float) -> Any:
        """Return the kernel's transform on twice the grid and the cell volume."""
        shape = x.shape[:-1]
        spacing = [
            float(np.take(x[..., i], 1, axis=i).flat[0] - np.take(x[..., i], 0, axis=i).flat[0])
            for i in range(x.shape[-1])
        ]
        offsets = [h * (np.fft.fftfreq(2 * n) * 2 * n) for n, h in zip(shape, spacing, strict=True)]
        values = np.asarray(self.kernel(np.stack(np.meshgrid(*offsets, indexing="ij"), axis=-1)), dtype=float)
        if not np.isfinite(values).all() or values.shape != tuple(2 * n for n in shape):
            raise ValueError(f"a kernel must be finite at differences of points (..., d), got {values.shape}")
        mirrored = np.roll(np.flip(values), 1, axis=range(values.ndim))
        inner = tuple(np.r_[0:n, n + 1 : 2 * n] for n in shape)
        if np.abs(values - mirrored)[np.ix_(*inner)].max() > 1e-12 * np.abs(values).max():
            raise ValueError("a kernel must be even, k(−z) = k(z): the cost sees each pair twice")
        return np.fft.rfftn(values), float(np.prod(spacing))

    def first_variation(self, r: Array, c: tuple[Array, float]) -> Array:
        """Return k ∗ ρ."""
        transform, volume = c
        double = tuple(2 * n for n in r.shape)
        whole = np.fft.irfftn(np.fft.rfftn(r, double, axes=range(r.ndim)) * transform, double, axes=range(r.ndim))
        return volume * whole[tuple(slice(n) for n in r.shape)]

    def value(self, r: Array, c: tuple[Array, float]) -> Array:
        """Return ½ ρ (k ∗ ρ), whose integral is the cost."""
        return 0.5 * r * self.first_variation(r, c)

    def monotone(self, x: Array, t: float) -> bool:
        """Say whether ∫∫ k(x − y) σ(x) σ(y) ≥ 0 for all σ of mass zero on this grid: then F is convex at fixed mass.

        It suffices that the transform on twice the grid is ≥ 0 but for the mean, which no σ sees; where it is not, the
        least eigenvalue among differences of densities decides.
        """
        known = self.reference(x, t)
        waves = known[0].real.ravel()[1:]
        if waves.min() >= -ROUNDING * np.abs(waves).max():
            return True
        return _least_share(lambda r: self.first_variation(r, known), x.shape[:-1]) >= -ROUNDING


def _least_share(convolved: Callable[[Array], Array], shape: tuple[int, ...]) -> float:
    """Return the least eigenvalue among arrays of mean zero over the largest in size."""
    n = int(np.prod(shape))

    def apply(v: Array) -> Array:
        r = v.reshape(shape)
        change = convolved(r - r.mean())
        return (change - change.mean()).ravel()

    if n <= DENSE:
        found = np.linalg.eigvalsh(np.stack([apply(e) for e in np.eye(n)]))
        return float(found[0] / np.abs(found).max())
    start = np.random.default_rng(0).standard_normal(n)
    largest = abs(float(_extreme(apply, n, "LM", start, 1e-3)))
    shifted = float(_extreme(lambda v: apply(v) + 2 * largest * v, n, "SA", start, ROUNDING / 4))
    return shifted / largest - 2


def _extreme(apply: Callable[[Array], Array], n: int, which: str, start: Array, tolerance: float) -> float:
    operator = LinearOperator((n, n), apply, dtype=float)  # pyright: ignore[reportCallIssue]
    try:
        return eigsh(operator, 1, which=which, v0=start, tol=tolerance, return_eigenvectors=False)[0]
    except ArpackNoConvergence as trouble:
        raise RuntimeError(
            f"whether a kernel is positive at fixed mass was not found out on {n} cells: ask on a coarser grid"
        ) from trouble


def examples() -> Iterator[Nonlocal]:
    """Yield members to hold the laws to: a kernel that repels and one that attracts."""
    yield Nonlocal(_bump)
    yield Nonlocal(_well)


def _bump(z: Array) -> Array:
    return np.exp(-np.sum(z * z, axis=-1))


def _well(z: Array) -> Array:
    return -_bump(z)
