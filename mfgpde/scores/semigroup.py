"""The semigroup of a reversible generator in its eigenfunctions: kernels, and the embedding of samples by them.

P_τ φ_n = e^{−λ_n τ} φ_n, and a point y started at time 0 has at time τ the density
k_τ(x, y) = π(x) Σ e^{−λ_n τ} φ_n(x) φ_n(y). Samples noised for a time τ have the mean of k_τ(·, X_i) for their density:
their kernel mean embedding, a smoother too, with time for its bandwidth. — arXiv:2406.09084, section 3.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.scores.contract import Eigenbasis


@dataclass(frozen=True, eq=False)
class Semigroup:
    """P_τ on the span of a basis; times are the generator's own.

    >>> P = mfg.scores.Semigroup(mfg.scores.HermiteBasis(1, 2))
    >>> P(np.ones(3), np.log(2.0)).round(12).tolist()  # e^(−λτ)
    [1.0, 0.5, 0.25]
    """

    basis: Eigenbasis

    def __call__(self, c: Array, tau: float) -> Array:
        """Return the coefficients (p, …) of P_τ h, given those of h."""
        fading = np.exp(-self.basis.eigenvalues * tau)
        return (fading * c.T).T

    def kernel(self, x: Array, y: Array, tau: float) -> Array:
        """Return k_τ(x, y) for points x (k, d) and y (l, d), shape (k, l): densities in x."""
        weight = np.exp(self.basis.stationary(x, 0)[0])
        return weight[:, None] * (self.basis(x) @ self(self.basis(y).T, tau))

    def embedding(self, samples: Array) -> Embedding:
        """Return the kernel mean embedding of samples (n, d)."""
        return Embedding(self.basis, np.asarray(samples, dtype=float))


@dataclass(frozen=True, eq=False)
class Embedding:
    """The noised law of samples at all times, from the means of the eigenfunctions over them.

    It is what the basis can show of it: of h = p_τ/π the coefficients from λ_p on are left out, less than e^{−λ_p τ} of
    them; where that is not small the density may be negative.

    >>> basis, samples = mfg.scores.HermiteBasis(1, 8), np.zeros((1, 1))
    >>> noised = mfg.scores.Embedding(basis, samples)
    >>> print(f"{noised.density(np.zeros((1, 1)), 2.0)[0]:.3f}")  # 1/√(2π(1 − e⁻⁴)), of one sample at 0
    0.403
    """

    basis: Eigenbasis
    samples: Array
    moments: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or not len(self.samples) or not np.isfinite(self.samples).all():
            raise ValueError(f"samples must be finite numbers of shape (n, d), got shape {self.samples.shape}")
        object.__setattr__(self, "moments", self.basis(self.samples).mean(axis=0))

    def coefficients(self, tau: float) -> Array:
        """Return e^{−λ_n τ} E φ_n, those of p_τ/π."""
        return Semigroup(self.basis)(self.moments, tau)

    def density(self, x: Array, tau: float) -> Array:
        """Return p_τ at points (k, d); warns (UserWarning) where the truncation makes it negative."""
        h = self.basis.differentiate(self.coefficients(tau), x, 0)[0]
        self._tell(h, tau)
        return np.exp(self.basis.stationary(x, 0)[0]) * h

    def score(self, x: Array, tau: float) -> Array:
        """Return ∇log p_τ; NaN, with a warning, where the truncated density is not positive."""
        h, slope = self.basis.differentiate(self.coefficients(tau), x, 1)
        self._tell(h, tau)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = slope / np.where(h > 0, h, np.nan)[:, None]
        return self.basis.stationary(x, 1)[1] + found

    def _tell(self, h: Array, tau: float) -> None:
        if (h <= 0).any():
            warnings.warn(
                f"the density at τ = {tau:g} is not positive at {int((h <= 0).sum())} of {h.size} points: the basis of "
                f"{len(self.moments)} functions cannot show so short a time; take more of them, or a later time",
                stacklevel=3,
            )

    def expectation(self, c: Array, tau: float) -> float:
        """Return E_{p_τ} h = E_{p_0} P_τ h for h = Σ c_n φ_n."""
        return float(self.coefficients(tau) @ c)

    def norm_squared(self, tau: float) -> float:
        """Return E k_τ(X, Y)/π(X) over pairs of samples, Σ e^{−λ_n τ} (E φ_n)² = 1 + χ²(p_{τ/2} ‖ π)."""
        return float(self.moments @ self.coefficients(tau))
