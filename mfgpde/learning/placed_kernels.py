"""Kernels placed on samples and shaped by their neighbours: the local covariances that a kernel model is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mfgpde.core.arrays import Array
from mfgpde.densities import Dense, GaussianMixture, LowRank

Shape = Literal["isotropic", "diagonal", "low-rank", "full"]
NEIGHBOURS = (3, 5, 8, 12, 20, 30, 50, 80, 130, 200)


@dataclass(frozen=True, eq=False)
class Placed:
    """Kernels on some samples, with the eigenvectors and eigenvalues of what lies around each."""

    centres: Array
    weights: Array
    precision: Shape
    rank: int
    floor: float

    @cached_property
    def _near(self) -> NDArray[np.int64]:
        most = min(max(NEIGHBOURS), len(self.centres) - 1)
        return cKDTree(self.centres).query(self.centres, k=range(2, most + 2), workers=-1)[1]

    def spread(self, neighbours: int) -> tuple[Array, Array | None]:
        """Return the mean squares about each centre: matrices, diagonals, or (diagonal, factors) of low rank."""
        if neighbours not in self._known:
            self._known[neighbours] = self._spread(neighbours)
        return self._known[neighbours]

    @cached_property
    def _known(self) -> dict[int, tuple[Array, Array | None]]:
        return {}

    def _spread(self, neighbours: int) -> tuple[Array, Array | None]:
        d, parts, factors = self.centres.shape[1], [], []
        block = max(1, (64 << 20) // (8 * neighbours * d))
        for start in range(0, len(self.centres), block):
            near = self._near[start : start + block, :neighbours]
            away = self.centres[near] - self.centres[start : start + block, None]
            share = self.weights[near] / self.weights[near].sum(axis=1, keepdims=True)
            away *= np.sqrt(share)[..., None]
            if self.precision == "full":
                parts.append(np.swapaxes(away, 1, 2) @ away)
            elif self.precision == "low-rank":
                values, axes = _leading(away)
                rank = min(self.rank, values.shape[1])
                rest = values[:, rank:].sum(axis=1) / (d - rank)
                parts.append(np.repeat(rest[:, None], d, axis=1))
                length = np.sqrt(np.maximum(values[:, :rank] - rest[:, None], 0))
                factors.append(axes[:, :, :rank] * length[:, None, :])
            else:
                parts.append((away**2).sum(axis=1))
        return np.concatenate(parts), np.concatenate(factors) if factors else None

    def kernels(self, neighbours: int, shrinkage: float, scale: float) -> GaussianMixture:
        """Return the mixture of one choice."""
        spread, factors = self.spread(min(neighbours, len(self.centres) - 1))
        d = self.centres.shape[1]
        if self.precision == "full":
            mean = np.trace(spread, axis1=1, axis2=2)[:, None, None] / d
            matrices = (1 - shrinkage) * spread + shrinkage * mean * np.eye(d)
            covariances: Any = Dense(scale**2 * matrices + self.floor**2 * np.eye(d))
        else:
            total = spread + (0 if factors is None else (factors**2).sum(axis=2))
            mean = total.mean(axis=1, keepdims=True)
            shrinkage = 1.0 if self.precision == "isotropic" else shrinkage
            diagonal = scale**2 * ((1 - shrinkage) * spread + shrinkage * mean) + self.floor**2
            covariances = LowRank(
                diagonal,
                np.zeros((*diagonal.shape, 0)) if factors is None else np.sqrt(1 - shrinkage) * scale * factors,
            )
        return GaussianMixture(self.weights, self.centres, covariances)


@dataclass(frozen=True, eq=False)
class Joined(Placed):
    """Several placements of one kind, one after the other: covariances and precisions are computed at once."""

    parts: tuple[Placed, ...] = ()

    @classmethod
    def of(cls, parts: Sequence[Placed]) -> Joined:
        """Join placements of one precision, rank and floor."""
        centres, weights = (np.concatenate([getattr(p, name) for p in parts]) for name in ("centres", "weights"))
        return cls(centres, weights, parts[0].precision, parts[0].rank, parts[0].floor, tuple(parts))

    def each(self, neighbours: int, shrinkage: float, scale: float) -> list[GaussianMixture]:
        """Return the mixtures of one choice, of fewer neighbours than any placement has kernels."""
        return self.kernels(neighbours, shrinkage, scale).groups([len(part.centres) for part in self.parts])

    def _spread(self, neighbours: int) -> tuple[Array, Array | None]:
        spreads, factors = zip(*(part._spread(neighbours) for part in self.parts), strict=True)
        return np.concatenate(spreads), None if factors[0] is None else np.concatenate(factors)


def _leading(away: Array) -> tuple[Array, Array]:
    """Return eigenvalues (m, r), falling, and eigenvectors (m, d, r) of AᵀA for many A (m, n, d), r the least of n and d.

    Where there are more rows than columns, those of the small matrices AᵀA: a tenth of the time of a decomposition of A.
    """
    if away.shape[1] <= away.shape[2]:
        _, values, axes = np.linalg.svd(away, full_matrices=False)
        return values**2, np.swapaxes(axes, 1, 2)
    values, axes = np.linalg.eigh(np.swapaxes(away, 1, 2) @ away)
    return np.maximum(values[:, ::-1], 0.0), axes[:, :, ::-1]
