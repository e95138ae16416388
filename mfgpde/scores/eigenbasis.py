"""Eigenfunctions of noising generators in closed form: Hermite for Ornstein–Uhlenbeck, Fourier on a torus.

L φ_n = −λ_n φ_n for L reversible in π. Products close on a larger basis ψ_r of the same family, so that
Γ(φ_m, φ_n) = D∇φ_m·∇φ_n = Σ_r G_{mn,r} ψ_r exactly: the carré du champ ½(L(φ_mφ_n) − φ_mLφ_n − φ_nLφ_m).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import comb, factorial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mfgpde.core.arrays import Array
from mfgpde.core.sparse import Sparse, sparse
from mfgpde.processes import IsotropicProcess
from mfgpde.scores.contract import Reversible

Truncation = Literal["total", "hyperbolic"]


def kept_variance(process: IsotropicProcess) -> float:
    """Return κ for a linear isotropic process whose law N(0, κI) stays, v = κ(1 − m²); infinity for others."""
    times = process.horizon * np.array([0.1, 0.5, 1.0])
    m, v = (np.array([float(f(t)) for t in times]) for f in (process.mean_coefficient, process.variance))
    kept = v / (1 - m**2) if np.all(m < 1) else np.full(3, np.inf)
    return float(kept[-1]) if np.allclose(kept, kept[-1], rtol=1e-6) else float("inf")


def _isotropic(process: Reversible) -> IsotropicProcess:
    if not isinstance(process, IsotropicProcess):
        raise ValueError(f"Hermite functions are those of linear isotropic processes, got {process!r}")
    return process


@dataclass(frozen=True)
class _Contracted:
    """−log m(t), the time of Ornstein–Uhlenbeck's generator of rate one."""

    process: IsotropicProcess

    def __call__(self, t: float) -> float:
        return -float(np.log(self.process.mean_coefficient(t)))


@dataclass(frozen=True)
class _Spread:
    """∫D = v(t)/2, the time of the heat flow."""

    process: IsotropicProcess

    def __call__(self, t: float) -> float:
        return 0.5 * float(self.process.variance(t))


def _differentiate(basis: HermiteBasis | FourierBasis, c: Array, x: Array, order: int) -> list[Array]:
    """Return derivatives of a basis that is closed under them, by its sparse matrices."""
    d, values = basis.dimension, basis(x)
    columns, found = [c.reshape(len(c), -1)], list[Array]()
    for k in range(order + 1):
        table = np.einsum("km,amj->kaj", values, np.stack(columns)) if k else (values @ columns[0])[:, None]
        found.append(table.reshape(len(x), *[d] * k, *c.shape[1:]))
        columns = [E @ column for column in columns for E in basis.derivatives]
    return found


@dataclass(frozen=True, eq=False)
class HermiteBasis:
    """Products of normalised Hermite polynomials h_n(x/√κ), λ_n = |n|: of L = κΔ − x·∇, reversible in N(0, κI).

    `degree` N bounds Σ n_i ("total") or Π (n_i + 1) ≤ N + 1 ("hyperbolic": few mixed ones, for high dimensions).

    >>> mfg.scores.HermiteBasis(1, 3).eigenvalues.tolist()
    [0.0, 1.0, 2.0, 3.0]
    """

    dimension: int
    degree: int
    variance: float = 1.0
    truncation: Truncation = "total"

    def __post_init__(self) -> None:
        if self.truncation not in ("total", "hyperbolic"):
            raise ValueError(f"truncation must be 'total' or 'hyperbolic', got {self.truncation!r}")
        if self.degree < 1 or self.dimension < 1 or not self.variance > 0:
            raise ValueError("degree and dimension must be at least 1, variance positive")

    @cached_property
    def indices(self) -> NDArray[np.int64]:
        """The multi-indices (p, d), the constant first, by rising degree."""
        hyperbolic = self.truncation == "hyperbolic"
        found: list[tuple[int, ...]] = []

        def grow(head: tuple[int, ...], room: int) -> None:
            if len(head) == self.dimension:
                found.append(head)
                return
            for n in range(room if hyperbolic else room + 1):
                grow((*head, n), room // (n + 1) if hyperbolic else room - n)

        grow((), self.degree + 1 if hyperbolic else self.degree)
        table = np.array(found, dtype=np.int64)
        return table[np.lexsort((*table.T, table.sum(axis=1)))]

    @property
    def eigenvalues(self) -> Array:
        """Return λ_n = |n|."""
        return self.indices.sum(axis=1).astype(float)

    @cached_property
    def _gram(self) -> tuple[NDArray[np.int64], Sparse]:
        """Return the indices of ψ and G, from h_a h_b = Σ_k k! C(a,k) C(b,k) √((a+b−2k)!/a!b!) h_{a+b−2k}."""
        n, p = self.indices, len(self.indices)
        most, roots = 2 * int(n.max()) + 1, np.sqrt([float(factorial(k)) for k in range(2 * int(n.max()) + 1)])
        one, other = (a.ravel() for a in np.meshgrid(np.arange(p), np.arange(p), indexing="ij"))
        base = most ** np.arange(self.dimension)
        rows, codes, values = list[NDArray[np.int64]](), list[NDArray[np.int64]](), list[Array]()
        for axis in range(self.dimension):
            both = (n[one, axis] > 0) & (n[other, axis] > 0)
            pairs = np.flatnonzero(both)
            a, b = n[one[pairs]].copy(), n[other[pairs]].copy()
            weight = np.sqrt(a[:, axis] * b[:, axis])
            a[:, axis] -= 1
            b[:, axis] -= 1
            least = np.minimum(a, b)
            for k in itertools.product(*(range(int(m) + 1) for m in least.max(axis=0))):
                fits = np.flatnonzero((least >= k).all(axis=1))
                if not len(fits):
                    continue
                value = weight[fits]
                for j, kj in enumerate(k):
                    A, B = a[fits, j], b[fits, j]
                    ways = np.array(
                        [[comb(s, kj) * comb(t, kj) for t in range(most)] for s in range(most)], dtype=float
                    )
                    value = value * factorial(kj) * ways[A, B] * roots[A + B - 2 * kj] / (roots[A] * roots[B])
                rows.append(pairs[fits])
                codes.append((a[fits] + b[fits] - 2 * np.array(k)) @ base)
                values.append(value)
        row, code, value = np.concatenate(rows), np.concatenate(codes), np.concatenate(values)
        own = n @ base
        more = np.setdiff1d(code, own)
        table = np.concatenate((n, (more[:, None] // base) % most))
        order = np.argsort(np.concatenate((own, more)))
        column = order[np.searchsorted(np.concatenate((own, more))[order], code)]
        return table, sparse(value, row, column, (p * p, len(table)))

    @property
    def gram(self) -> Sparse:
        """Return G (p², q)."""
        return self._gram[1]

    @property
    def extended_eigenvalues(self) -> Array:
        """Return the degrees of ψ."""
        return self._gram[0].sum(axis=1).astype(float)

    @cached_property
    def derivatives(self) -> tuple[Sparse, ...]:
        """Return ∂_i on coefficients: ∂h_n = √n h_{n−1}/√κ."""
        n, where = self.indices, {tuple(index): k for k, index in enumerate(self.indices)}
        found = list[Sparse]()
        for axis in range(self.dimension):
            columns = np.flatnonzero(n[:, axis])
            lower = n[columns].copy()
            lower[:, axis] -= 1
            rows = np.array([where[tuple(index)] for index in lower])
            entries = np.sqrt(n[columns, axis] / self.variance)
            found.append(sparse(entries, rows, columns, (len(n), len(n))))
        return tuple(found)

    def __call__(self, x: Array) -> Array:
        """Return φ_n at points (k, d), shape (k, p)."""
        return self._products(x, self.indices)

    def extended(self, x: Array) -> Array:
        """Return ψ_r at points (k, d), shape (k, q)."""
        return self._products(x, self._gram[0])

    def _products(self, x: Array, indices: NDArray[np.int64]) -> Array:
        y, top = x / np.sqrt(self.variance), int(indices.max())
        table = np.ones((self.dimension, top + 1, len(x)))
        table[:, 1] = y.T
        for k in range(1, top):
            table[:, k + 1] = (y.T * table[:, k] - np.sqrt(k) * table[:, k - 1]) / np.sqrt(k + 1)
        values = table[0, indices[:, 0]]
        for axis in range(1, self.dimension):
            values = values * table[axis, indices[:, axis]]
        return values.T

    def differentiate(self, c: Array, x: Array, order: int) -> list[Array]:
        """Return the derivatives of Σ c_n φ_n of orders 0 … `order`."""
        return _differentiate(self, c, x, order)

    def stationary(self, x: Array, order: int) -> list[Array]:
        """Return log N(x; 0, κI) and its derivatives."""
        d, k = self.dimension, self.variance
        found = [-0.5 * (x**2).sum(axis=-1) / k - 0.5 * d * np.log(2 * np.pi * k), -x / k]
        found += [np.broadcast_to(-np.eye(d) / k, (len(x), d, d))]
        return (found + [np.zeros((len(x), *[d] * r)) for r in range(3, order + 1)])[: order + 1]

    def clock(self, process: Reversible) -> Callable[[float], float]:
        """Return −log m(t). Raises ValueError unless the process has N(0, κI) for its law that stays."""
        process = _isotropic(process)
        kept = kept_variance(process)
        if not np.isclose(kept, self.variance, rtol=1e-6):
            law = f"N(0, {kept:.4g} I)" if np.isfinite(kept) else "no Gaussian"
            raise ValueError(
                f"{process!r} is reversible in {law}, the basis in N(0, {self.variance:.4g} I); "
                "variance-preserving and Ornstein–Uhlenbeck processes have a law that stays, others have none"
            )
        return _Contracted(process)

    def reach(self, process: Reversible, t: float, farthest: Array) -> Array:
        """Return how far noised data go, m(t)·max|x_i| + 4√v(t): polynomials know nothing beyond."""
        process = _isotropic(process)
        return float(process.mean_coefficient(t)) * farthest + 4 * float(process.variance(t)) ** 0.5


@dataclass(frozen=True, eq=False)
class FourierBasis:
    """√2 cos and √2 sin of k·x for integer k up to |k|_∞ ≤ `degree`, λ = |k|²: of L = Δ on the torus [0, 2π)^d.

    >>> sorted(mfg.scores.FourierBasis(1, 2).eigenvalues.tolist())  # |k|², twice each
    [0.0, 1.0, 1.0, 4.0, 4.0]
    """

    dimension: int
    degree: int

    def __post_init__(self) -> None:
        if self.degree < 1 or self.dimension < 1:
            raise ValueError("degree and dimension must be at least 1")

    @cached_property
    def waves(self) -> NDArray[np.int64]:
        """The wave vectors of one half-space, zero first: each but zero stands for a cosine and a sine."""
        return _half(self.degree, self.dimension)

    @property
    def eigenvalues(self) -> Array:
        """Return |k|², zero first, then cosines, then sines."""
        return _squares(self.waves)

    @cached_property
    def _extended_waves(self) -> NDArray[np.int64]:
        more = _half(2 * self.degree, self.dimension)
        inside = (np.abs(more) <= self.degree).all(axis=1)
        return np.concatenate((self.waves, more[~inside]))

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        """Where cosines and sines of the larger basis are, its first p being the smaller's."""
        h, q = len(self.waves), len(self._extended_waves)
        cosines = np.concatenate((np.arange(h), 2 * h - 1 + np.arange(q - h)))
        sines = np.concatenate((np.r_[0, h + np.arange(h - 1)], 2 * h - 1 + (q - h) + np.arange(q - h)))
        return np.stack((cosines, sines))

    @property
    def extended_eigenvalues(self) -> Array:
        """Return |k|² of ψ."""
        values = np.zeros(2 * len(self._extended_waves) - 1)
        for place in self._places:
            values[place] = (self._extended_waves**2).sum(axis=1)
        return values

    @cached_property
    def gram(self) -> Sparse:
        """Return G (p², q), from products of sines and cosines; k·l of the wave vectors is the gradients' product."""
        waves, h = self._extended_waves, len(self.waves)
        where = {tuple(k): j for j, k in enumerate(waves)}
        cosine, sine = self._places
        p, rows, columns, values = 2 * h - 1, list[int](), list[int](), list[float]()
        for i, j in itertools.product(range(1, h), repeat=2):
            k, l = waves[i], waves[j]
            inner = float(k @ l)
            if inner == 0:
                continue
            for sign in (1, -1):
                total = tuple(k + sign * l)
                flip = 1
                if total not in where:
                    total, flip = tuple(-c for c in total), -1
                r = where[total]
                unit = 1.0 if r == 0 else np.sqrt(0.5)
                # ∇(√2 cos k)·∇(√2 cos l) = k·l (cos(k−l) − cos(k+l)), sines with +, mixed −(sin(k+l) ∓ sin(k−l))
                for a, b, value, place in (
                    (i, j, -sign * inner * unit, cosine[r]),
                    (h - 1 + i, h - 1 + j, inner * unit, cosine[r]),
                    (i, h - 1 + j, -inner * flip * unit, sine[r]),
                    (h - 1 + i, j, -inner * sign * flip * unit, sine[r]),
                ):
                    if not (place == sine[r] and r == 0 and (a < h) != (b < h)):
                        rows.append(a * p + b)
                        columns.append(place)
                        values.append(value)
        return sparse(np.array(values), np.array(rows), np.array(columns), (p * p, 2 * len(waves) - 1))

    @cached_property
    def derivatives(self) -> tuple[Sparse, ...]:
        """Return ∂_i on coefficients: cos → −k_i sin, sin → k_i cos."""
        h = len(self.waves)
        index, p = np.arange(1, h), 2 * h - 1
        found = list[Sparse]()
        for axis in range(self.dimension):
            k = self.waves[1:, axis].astype(float)
            rows, columns = np.concatenate((h - 1 + index, index)), np.concatenate((index, h - 1 + index))
            found.append(sparse(np.concatenate((-k, k)), rows, columns, (p, p)))
        return tuple(found)

    def __call__(self, x: Array) -> Array:
        """Return φ_n at points (k, d), shape (k, p)."""
        phase = x @ self.waves[1:].T
        return np.concatenate((np.ones((len(x), 1)), np.sqrt(2) * np.cos(phase), np.sqrt(2) * np.sin(phase)), axis=1)

    def extended(self, x: Array) -> Array:
        """Return ψ_r at points (k, d), shape (k, q)."""
        phase = x @ self._extended_waves.T
        values = np.empty((len(x), 2 * len(self._extended_waves) - 1))
        values[:, self._places[1]] = np.sqrt(2) * np.sin(phase)
        values[:, self._places[0]] = np.sqrt(2) * np.cos(phase)
        values[:, 0] = 1.0
        return values

    def differentiate(self, c: Array, x: Array, order: int) -> list[Array]:
        """Return the derivatives of Σ c_n φ_n of orders 0 … `order`."""
        return _differentiate(self, c, x, order)

    def stationary(self, x: Array, order: int) -> list[Array]:
        """Return −d log 2π and zeros."""
        found = [np.zeros((len(x), *[self.dimension] * r)) for r in range(order + 1)]
        found[0] -= self.dimension * np.log(2 * np.pi)
        return found

    def clock(self, process: Reversible) -> Callable[[float], float]:
        """Return ∫D. Raises ValueError unless the process is a heat flow."""
        times = process.horizon * np.array([0.1, 0.5, 1.0])
        still = isinstance(process, IsotropicProcess) and np.allclose(
            [float(process.mean_coefficient(t)) for t in times], 1.0
        )
        if not isinstance(process, IsotropicProcess) or not still:
            raise ValueError(f"{process!r} is no heat flow, whose eigenfunctions the basis has")
        return _Spread(process)

    def reach(self, process: Reversible, t: float, farthest: Array) -> Array:
        """Return infinity: waves are bounded."""
        return np.full(self.dimension, np.inf)


def _half(degree: int, dimension: int) -> NDArray[np.int64]:
    """Return zero and the wave vectors whose first component that does not vanish is positive, by rising |k|²."""
    waves = np.array(
        [k for k in itertools.product(range(-degree, degree + 1), repeat=dimension) if k >= (0,) * dimension]
    )
    return waves[np.lexsort((*waves.T, (waves**2).sum(axis=1)))]


def _squares(waves: NDArray[np.int64]) -> Array:
    values = (waves**2).sum(axis=1).astype(float)
    return np.concatenate((values, values[1:]))
