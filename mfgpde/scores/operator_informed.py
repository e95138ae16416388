"""Scores from what is known of the noising: eigenfunctions of its generator, and plain averages over the data.

s(x, t) = ∇log π + Σ α_n(t) ∇φ_n minimises E_{p_t}[½|s|² + ∇·s] where A_t α = b_t,
    A_t,mn = E_{p_t} Γ(φ_m, φ_n) = Σ_r G_{mn,r} e^{−μ_r τ} E_{p_0} ψ_r,   b_t,n = λ_n e^{−λ_n τ} E_{p_0} φ_n,
Γ = D∇·∇ the carré du champ, for every noise level at once and without simulating the noise: E_{p_t} h = E_{p_0} P_t h.
Written in β = Λ^{1/2} α the system tends to β = 0 with the identity for its matrix as t → ∞; a ridge ρ makes it
(B_t + ρI)β = c_t, with ρ chosen on folds of the data, the loss of each being quadratic in β. — arXiv:2406.09084.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfgpde.core.arrays import Array
from mfgpde.core.recent import Recent
from mfgpde.core.renamed import renamed
from mfgpde.core.sparse import sparse
from mfgpde.processes import ForwardProcess, MarkovGenerator, VariancePreserving
from mfgpde.scores.contract import FORMER, Eigenbasis
from mfgpde.scores.eigenbasis import HermiteBasis

FOLDS, BLOCK = 5, 8192
RIDGES = np.geomspace(1e-12, 1e2, 57)
NODES = 25
ROUNDING, MARGIN = 1e-13, 10.0


@renamed(**FORMER)
@dataclass(frozen=True, eq=False)
class OperatorInformed:
    """The estimator on a basis, for a process that is reversible in the basis's π; a score with all derivatives.

    `clock(t)` is the generator's own time τ, in which eigenfunctions decay as e^{−λτ}. `moments` (folds, q) are means of
    ψ_r over parts of the data. `ridge` None: by cross-validation at 25 times, interpolated in log τ. Polynomials know
    nothing beyond the noised data: past `reach(t)`, along each axis four deviations of the noise from the farthest sample,
    u = Σ α_n φ_n is bent to a constant, and s is that of π.

    Raises ValueError for samples that do not fit, fewer than 10 of them, and a process that is not the basis's semigroup;
    warns (UserWarning) of more functions than half the number of samples, and of a system that is singular without a ridge.

    >>> from scipy.special import ndtri
    >>> samples = ndtri((np.arange(1000) + 0.5) / 1000)[:, None]  # of N(0, 1), which the process keeps
    >>> score = mfg.OperatorInformed(mfg.scores.HermiteBasis(1, 4), mfg.VariancePreserving(), samples)
    >>> print(f"{score(np.array([[1.0]]), 0.5)[0, 0]:.2f}")  # −x
    -1.00
    """

    basis: Eigenbasis
    process: ForwardProcess | MarkovGenerator
    samples: Array
    ridge: float | None = None
    farthest: Array = field(init=False, repr=False)
    moments: Array = field(init=False, repr=False)
    clock: Callable[[float], float] = field(init=False, repr=False)
    _kept: Recent[tuple[Array, Array, Array, float]] = field(default_factory=lambda: Recent(64), init=False, repr=False)
    _chosen: dict[int, float] = field(default_factory=dict[int, float], init=False, repr=False)

    def __post_init__(self) -> None:
        samples = np.asarray(self.samples, dtype=float)
        d, p = self.basis.dimension, len(self.basis.eigenvalues)
        if samples.ndim != 2 or samples.shape[1] != d or not np.isfinite(samples).all():
            raise ValueError(f"samples must be finite numbers of shape (n, {d}), got shape {samples.shape}")
        if len(samples) < 2 * FOLDS:
            raise ValueError(f"at least {2 * FOLDS} samples are needed for cross-validation, got {len(samples)}")
        if self.ridge is not None and not self.ridge >= 0:
            raise ValueError(f"ridge must be ≥ 0, got {self.ridge}")
        object.__setattr__(self, "clock", self.basis.clock(self.process))
        if p - 1 > len(samples) // 2:
            warnings.warn(
                f"{p - 1} basis functions for {len(samples)} samples, which bear about {len(samples) // 2}; "
                "the ridge must do the rest",
                stacklevel=3,
            )
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "farthest", np.abs(samples).max(axis=0))
        object.__setattr__(self, "moments", self._means(np.random.default_rng(0).permutation(len(samples)) % FOLDS))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.basis, self.process, self.samples, self.ridge)  # the rest follows from these

    def _means(self, fold: NDArray[np.int64]) -> Array:
        """Return the means of ψ over the samples of each fold, (folds, q)."""
        total = np.zeros((FOLDS, len(self.basis.extended_eigenvalues)))
        for start in range(0, len(self.samples), BLOCK):
            part = slice(start, start + BLOCK)
            total += (fold[part] == np.arange(FOLDS)[:, None]).astype(float) @ self.basis.extended(self.samples[part])
        return total / np.bincount(fold, minlength=FOLDS)[:, None]

    def reach(self, t: float) -> Array:
        """Return how far along each axis the basis is of use at time t, (d,)."""
        return self.basis.reach(self.process, t, self.farthest)

    def _within(self, x: Array, t: float) -> tuple[Array, Array, Array, Array]:
        """Return c(x) axis by axis with its first three derivatives: x up to the reach R, a constant from 5R/4 on.

        Between them c′ = 1 − (10z³ − 15z⁴ + 6z⁵), z = (|x| − R)/(R/4): three continuous derivatives.
        """
        reach = self.reach(t)
        if not np.isfinite(reach).all():
            one = np.ones_like(x)
            return x, one, 0 * one, 0 * one
        width = 0.25 * reach
        z = np.clip((np.abs(x) - reach) / width, 0.0, 1.0)
        far = reach + width * (z - z**4 * (2.5 - 3 * z + z**2))
        first = 1 - z**3 * (10 - 15 * z + 6 * z**2)
        second = -np.sign(x) * 30 * z**2 * (1 - z) ** 2 / width
        third = -60 * z * (1 - z) * (1 - 2 * z) / width**2
        return np.where(np.abs(x) <= reach, x, np.sign(x) * far), first, second, third

    @property
    def dimension(self) -> int:
        """The dimension d."""
        return self.basis.dimension

    def system(self, tau: float, moments: Array) -> tuple[Array, Array]:
        """Return B (p−1, p−1) and c (p−1,) of one set of moments at time τ of the generator; the constant is left out."""
        basis, p = self.basis, len(self.basis.eigenvalues)
        noised = np.exp(-basis.extended_eigenvalues * tau) * moments
        A = (basis.gram @ noised).reshape(p, p)[1:, 1:]
        roots = np.sqrt(basis.eigenvalues[1:])
        return A / np.outer(roots, roots), roots * noised[1:p]

    def choose_ridge(self, tau: float) -> float:
        """Return the ridge of least cross-validated loss ½βᵀBβ − βᵀc, one fold judging what the others found."""
        losses, least = np.zeros(len(RIDGES)), 0.0
        total = self.moments.sum(axis=0)
        for fold in self.moments:
            B, c = self.system(tau, (total - fold) / (FOLDS - 1))
            judge, target = self.system(tau, fold)
            values, axes = np.linalg.eigh(B)
            least = max(least, _least_ridge(values), _least_ridge(np.linalg.eigvalsh(judge)))
            beta = axes @ ((axes.T @ c)[:, None] / (np.maximum(values, 0)[:, None] + RIDGES))
            losses += 0.5 * np.einsum("ir,ij,jr->r", beta, judge, beta) - target @ beta
        return float(RIDGES[int(np.argmin(np.where(least > RIDGES, np.inf, losses)))])

    def ridge_at(self, tau: float) -> float:
        """Return the given ridge, or the cross-validated one, interpolated in log τ."""
        if self.ridge is not None:
            return self.ridge
        nodes = np.log(self._nodes)
        here = math.log(max(tau, 1e-300))
        first = int(np.clip(np.searchsorted(nodes, here) - 1, 0, NODES - 2))
        beside = slice(first, first + 2)  # no other is asked for
        return math.exp(float(np.interp(here, nodes[beside], np.log([self._ridge(k) for k in range(NODES)[beside]]))))

    @cached_property
    def _nodes(self) -> Array:
        """Times of the generator at which ridges are chosen."""
        end = self.clock(self.process.horizon)
        return np.geomspace(1e-4 * end, end, NODES)

    def _ridge(self, node: int) -> float:
        """Return the ridge chosen at a node, chosen once."""
        if node not in self._chosen:
            self._chosen[node] = self.choose_ridge(float(self._nodes[node]))
        return self._chosen[node]

    def _at(self, t: float) -> tuple[Array, Array, Array, float]:
        return self._kept(t, lambda: self._solved(t))

    def _solved(self, t: float) -> tuple[Array, Array, Array, float]:
        """Return α, and eigenvalues, eigenvectors and ridge of the system."""
        tau = self.clock(t)
        B, c = self.system(tau, self.moments.mean(axis=0))
        values, axes = np.linalg.eigh(B)
        least, ridge = _least_ridge(values), self.ridge_at(tau)
        values = np.maximum(values, 0)
        if ridge < least:
            ridge, decided = least, int(np.sum(values > least))
            if decided < len(values):
                warnings.warn(
                    f"at t = {t:g} the data decide {decided} of {len(values)} coefficients; a ridge of {ridge:.1e} sets "
                    "the others to zero: use fewer functions, or ridge=None to choose it by cross-validation",
                    stacklevel=2,
                )
        beta = axes @ ((axes.T @ c) / (values + ridge))
        return np.concatenate(([0.0], beta / np.sqrt(self.basis.eigenvalues[1:]))), values, axes, ridge

    def coefficients(self, t: float) -> Array:
        """Return α_n(t), shape (p,), the constant's being zero."""
        return self._at(float(t))[0]

    def rank(self, t: float) -> float:
        """Return the effective rank Σ s/(s + ρ) over the eigenvalues s of B_t: how many directions the data decide."""
        _, values, _, ridge = self._at(float(t))
        return float(np.sum(values / np.maximum(values + ridge, 1e-300)))

    def _derivatives(self, y: Array, t: float, order: int) -> list[Array]:
        """Return the derivatives of u = Σ α_n φ_n of orders 1 … `order`, (k, d), (k, d, d), …"""
        return self.basis.differentiate(self.coefficients(t), y, order)[1:]

    def __call__(self, x: Array, t: float) -> Array:
        """Return s(x, t)."""
        flat = x.reshape(-1, self.dimension)
        y, first, _, _ = self._within(flat, t)
        (slope,) = self._derivatives(y, t, 1)
        return (first * slope + self.basis.stationary(flat, 1)[1]).reshape(x.shape)

    def potential(self, x: Array, t: float) -> Array:
        """Return log π + u, an unnormalised log-density."""
        flat = x.reshape(-1, self.dimension)
        (u,) = self.basis.differentiate(self.coefficients(t), self._within(flat, t)[0], 0)
        return (self.basis.stationary(flat, 0)[0] + u).reshape(x.shape[:-1])

    def divergence(self, x: Array, t: float) -> Array:
        """Return ∇·s."""
        return np.trace(self.jacobian(x, t), axis1=-2, axis2=-1)

    def jacobian(self, x: Array, t: float) -> Array:
        """Return ∂_j s_i, shape (..., d, d)."""
        flat = x.reshape(-1, self.dimension)
        y, first, second, _ = self._within(flat, t)
        slope, curved = self._derivatives(y, t, 2)
        jacobian = first[:, :, None] * curved * first[:, None, :] + self.basis.stationary(flat, 2)[2]
        jacobian += np.eye(self.dimension) * (second * slope)[:, None, :]
        return jacobian.reshape(*x.shape, self.dimension)

    def divergence_gradient(self, x: Array, t: float) -> Array:
        """Return ∇(∇·s)."""
        flat = x.reshape(-1, self.dimension)
        y, first, second, third = self._within(flat, t)
        slope, curved, cubic = self._derivatives(y, t, 3)
        inner = np.einsum("ni,niik->nk", first**2, cubic) + np.einsum("ni,nik->nk", second, curved)
        own = 2 * first * second * np.einsum("nkk->nk", curved) + third * slope
        far = np.einsum("niik->nk", self.basis.stationary(flat, 3)[3])
        return (first * inner + own + far).reshape(x.shape)

    def directional_derivatives(self, x: Array, t: float, v: Array) -> tuple[Array, Array, Array]:
        """Return Jv, Jᵀv and ∇(vᵀJv) for one direction v a point, shapes (..., d); J is symmetric."""
        flat = x.reshape(-1, self.dimension)
        y, first, second, third = self._within(flat, t)
        slope, curved, cubic = self._derivatives(y, t, 3)
        w = v.reshape(y.shape)
        pushed = np.einsum("...ij,...j->...i", self.jacobian(x, t), v)
        inner = np.einsum("nijk,ni,nj->nk", cubic, first * w, first * w) + np.einsum(
            "ni,nik->nk", second * w**2, curved
        )
        own = 2 * w * second * np.einsum("nkj,nj->nk", curved, first * w) + third * w**2 * slope
        far = np.einsum("nijk,ni,nj->nk", self.basis.stationary(flat, 3)[3], w, w)
        return pushed, pushed, (first * inner + own + far).reshape(x.shape)

    def time_derivative(self, x: Array, t: float) -> Array:
        """Return ∂_t s, by differences of order four over a thousandth of the time."""
        return self._slope(lambda u: self(x, u), t)

    def potential_time_derivative(self, x: Array, t: float) -> Array:
        """Return ∂_tφ."""
        return self._slope(lambda u: self.potential(x, u), t)

    def _slope(self, f: Callable[[float], Array], t: float) -> Array:
        h = max(1e-3 * min(t, self.process.horizon - t), 1e-9)
        near, far = ((f(t + k * h) - f(t - k * h)) / (2 * k * h) for k in (1, 2))
        return (4 * near - far) / 3

    def pieces(self, x: Array, t: float) -> tuple[Array, Array, Array, Array]:
        """Return φ, ∂_tφ, ∇φ and Δφ."""
        return self.potential(x, t), self.potential_time_derivative(x, t), self(x, t), self.divergence(x, t)

    def standard_error(self, x: Array, t: float) -> Array:
        """Return the standard error of each component of s at points (..., d), by the sandwich formula.

        The equations are means of A_i α − b_i over the samples, each linear in ψ(x_i): their covariance is that of ψ, and
        Var α = (A + ρΛ)⁻¹ Cov (A + ρΛ)⁻¹/n. A ridge that was chosen on the data has a bias, and moves with them: the root
        of the sum of squares with what it moves s by, against the least ridge, holds both. Two standard errors then hold
        the best score of the span in 92 to 97 % of cases, as with `ridge=0`; of a ridge that is given they hold its mean.
        What the span cannot show, the bias of the truncation, is in neither.
        """
        basis, p = self.basis, len(self.basis.eigenvalues)
        alpha, values, axes, ridge = self._at(float(t))
        decay = np.exp(-basis.extended_eigenvalues * self.clock(t))
        tensor = basis.gram.multiply(decay[None, :]).tocsr()
        rows, columns = np.repeat(np.arange(p), p), np.arange(p * p)
        contraction = sparse(np.tile(alpha, p), rows, columns, (p, p * p))  # I ⊗ αᵀ
        equations = contraction.dot(tensor).toarray()[1:]
        equations[:, 1:p] -= np.diag(basis.eigenvalues[1:] * decay[1:p])
        roots = np.sqrt(basis.eigenvalues[1:])
        inverse = (axes / (values + ridge)) @ axes.T
        influence = (inverse @ (equations / roots[:, None])) / roots[:, None]
        spread = influence @ self._feature_root.T / np.sqrt(len(self.samples))
        y, first, _, _ = self._within(x.reshape(-1, self.dimension), t)
        gradients = basis.differentiate(np.eye(p), y, 1)[1][:, :, 1:]
        if self.ridge is None:
            spread = np.column_stack((spread, (alpha - self._at_least_ridge(float(t)))[1:]))
        parts = [first[:, [i]] * gradients[:, i] for i in range(self.dimension)]
        return np.stack([np.linalg.norm(part @ spread, axis=1) for part in parts], axis=-1).reshape(x.shape)

    def _at_least_ridge(self, t: float) -> Array:
        """Return α_n(t) with no more ridge than rounding asks for."""
        B, c = self.system(self.clock(t), self.moments.mean(axis=0))
        values, axes = np.linalg.eigh(B)
        beta = axes @ ((axes.T @ c) / (np.maximum(values, 0) + _least_ridge(values)))
        return np.concatenate(([0.0], beta / np.sqrt(self.basis.eigenvalues[1:])))

    @cached_property
    def _feature_root(self) -> Array:
        """Return R with RᵀR the covariance of ψ: products of it would lose twice the digits, and functions are large."""
        root, mean = np.zeros((0, len(self.basis.extended_eigenvalues))), self.moments.mean(axis=0)
        for start in range(0, len(self.samples), BLOCK):
            away = self.basis.extended(self.samples[start : start + BLOCK]) - mean
            root = np.linalg.qr(np.concatenate((root, away)), mode="r")
        return root / np.sqrt(len(self.samples))


def _least_ridge(values: Array) -> float:
    """Return the least ridge that the system's errors allow: a mean of squares has no negative eigenvalues but by error."""
    return max(ROUNDING * float(values.max()), MARGIN * max(-float(values.min()), 0.0))


def examples() -> Iterator[OperatorInformed]:
    """Yield members to hold the laws to: two blobs in two dimensions, seen in Hermite functions of degree four."""
    rng = np.random.default_rng(0)
    samples = np.concatenate((rng.normal(-0.8, 0.5, (150, 2)), rng.normal(0.9, 0.4, (150, 2))))
    yield OperatorInformed(HermiteBasis(2, 4), VariancePreserving(0.3, 4.0, 2.7), samples, ridge=1e-4)
