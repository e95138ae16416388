"""The regularised Wasserstein proximal operator by its kernel formula: on grids, and by sampling in high dimensions.

    ρ_T(x) = ∫ K(x, y) ρ_0(y) dy,   K(x, y) = e^{−(V(x) + |x−y|²/2T)/2β} / ∫ e^{−(V(z) + |z−y|²/2T)/2β} dz,
the end of the game min ∫½|v|²ρ + ∫Vρ_T with viscosity β. With G the Gaussian of variance 2βT per axis,
ρ_T = e^{−V/2β} G∗(ρ_0 / G∗e^{−V/2β}), U(·, 0) = −2β log G∗e^{−V/2β}, and the cost is ∫U(·, 0)ρ_0.
— Li, Liu, Osher, Res. Math. Sci. 10 (2023), arXiv:2301.10301; arXiv:2402.06162, section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, softmax

from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.core.intervals import half_width
from mfgpde.discretisations import Field, FiniteVolume
from mfgpde.equilibria.heat import Heat
from mfgpde.grids import CartesianGrid


@dataclass(frozen=True, eq=False)
class Proximal:
    """ρ_T, the value function U(·, 0), and the cost of the step, kinetic and potential."""

    density: Field
    value: Field
    cost: float


def wasserstein_proximal(
    density: Field | Array,
    potential: Callable[[Array], Array],
    grid: CartesianGrid,
    *,
    horizon: float = 1.0,
    beta: float,
) -> Proximal:
    """Return the proximal operator of ∫Vρ, regularised by β > 0, of a density given by its values on a grid.

    Computed in logarithms, in O(N·n) by separable Gaussian transforms; walls reflect. Raises ValueError for β or T ≤ 0, a
    potential that is not finite, noise that the grid does not resolve, and a law that piles up at the walls, as it does
    where e^{−V/2β} is not integrable against the Gaussian.

    >>> grid = mfg.CartesianGrid.cube(6.0, 128, 1)
    >>> start = np.exp(mfg.gaussian(0.0, 1.0).log_density(grid.points))
    >>> law = mfg.wasserstein_proximal(start, lambda x: 0.5 * x[..., 0] ** 2, grid, beta=0.5).density
    >>> print(f"{law.expectation(lambda x: x[..., 0] ** 2):.4f}")  # ¼ + β
    0.7500
    """
    if not (beta > 0 and horizon > 0):
        raise ValueError(f"beta and horizon must be positive, got {beta} and {horizon}")
    values = density.values if isinstance(density, Field) else np.asarray(density, dtype=float)
    V = np.asarray(potential(grid.points), dtype=float)
    if values.shape != grid.cells or not (np.isfinite(values).all() and values.min() >= 0 and values.sum() > 0):
        raise ValueError(f"a density needs {grid.cells} finite values ≥ 0, got shape {values.shape}")
    if V.shape != grid.cells or not np.isfinite(V).all():
        raise ValueError(f"the potential must be finite with shape {grid.cells}, got {V.shape}")
    noise = Heat.on(grid, 2 * beta * horizon)
    ahead = noise(-V / (2 * beta))
    start = values / float(grid.integrate(values))
    end = np.exp(noise(np.log(np.maximum(start, 1e-300)) - ahead) - V / (2 * beta))
    inside = end[tuple(slice(1, -1) for _ in grid.cells)].sum() / end.sum()
    share = 1 - np.prod([1 - 2 / n for n in grid.cells])  # of the outermost cells in the volume
    if 1 - inside > max(3 * share, 0.01):
        raise ValueError(
            f"{1 - inside:.1%} of ρ_T lie in the outermost cells: the potential falls too fast for the noise √(2βT) = "
            f"{np.sqrt(2 * beta * horizon):.2g} (e^(−V/2β) must be integrable against it), or the box is too small"
        )
    value = -2 * beta * ahead
    space = FiniteVolume(grid)
    return Proximal(Field(space, end), Field(space, value), float(grid.integrate(value * start)))


@dataclass(frozen=True, eq=False)
class SampledProximal:
    """A proximal operator by Monte Carlo: points (n, m, d), m to each of n samples of ρ_0, their shares (n, m), U (n,).

    Shares of one sample add up to one. Means over ρ_T and the cost carry a 99 % interval over the n samples and the bias
    of finite m, estimated from the halves of the m draws: with bias c/m, that of the whole is the difference once more.
    """

    points: Array
    shares: Array
    value: Estimate
    start: Array
    potential: Callable[[Array], Array]
    variance: float
    beta: float

    def mean(self, function: Callable[[Array], Array]) -> Estimate:
        """Return ∫ f ρ_T for f of points (..., d)."""
        values = np.asarray(function(self.points), dtype=float)
        half = self.points.shape[1] // 2
        whole = (self.shares * values).sum(axis=1)
        parts = [
            (self.shares[:, part] * values[:, part]).sum(axis=1) / self.shares[:, part].sum(axis=1)
            for part in (slice(half), slice(half, 2 * half))
        ]
        return _with_bias(whole, 0.5 * (parts[0] + parts[1]))

    def density(self, x: Array) -> list[Estimate]:
        """Return ρ_T at points x (k, d), e^{−V/2β} times the mean of G(x − y)/Z(y)."""
        half = self.points.shape[1] // 2
        logs = -self.potential(self.points) / (2 * self.beta)
        whole = logsumexp(logs, axis=1) - np.log(logs.shape[1])
        parts = [logsumexp(logs[:, part], axis=1) - np.log(half) for part in (slice(half), slice(half, 2 * half))]
        found = []
        for point, log_weight in zip(x, -self.potential(x) / (2 * self.beta), strict=True):
            square = ((point - self.start) ** 2).sum(axis=1)
            log_kernel = (
                log_weight - 0.5 * square / self.variance - 0.5 * len(point) * np.log(2 * np.pi * self.variance)
            )
            halves = 0.5 * (np.exp(log_kernel - parts[0]) + np.exp(log_kernel - parts[1]))
            found.append(_with_bias(np.exp(log_kernel - whole), halves))
        return found

    def resample(self, rng: np.random.Generator) -> Array:
        """Return one point of ρ_T for each sample of ρ_0, drawn by the shares, shape (n, d)."""
        picks = (rng.random((len(self.shares), 1)) > np.cumsum(self.shares, axis=1)).sum(axis=1)
        return self.points[np.arange(len(picks)), np.minimum(picks, self.shares.shape[1] - 1)]

    @property
    def effective(self) -> Array:
        """How many of the m draws count, 1/Σ share², for each sample: near one, the noise is too narrow for V."""
        return 1 / (self.shares**2).sum(axis=1)


def proximal_by_sampling(
    samples: Array,
    potential: Callable[[Array], Array],
    *,
    horizon: float = 1.0,
    beta: float,
    draws: int = 256,
    rng: np.random.Generator,
) -> SampledProximal:
    """Return the proximal operator of ∫Vρ of the law of samples (n, d), in any dimension, with error bars.

    The kernel's normaliser is a mean over the noise: Z(y) = E e^{−V(y + √(2βT) ξ)/2β}. Given y, a draw z has the share
    e^{−V(z)/2β} over their sum, and U(y, 0) = −2β log Z(y).
    Raises ValueError for β or T ≤ 0, fewer than 20 samples or 8 draws, a potential that is not finite, and draws of which
    hardly one counts.

    >>> rng = np.random.default_rng(0)
    >>> samples = mfg.gaussian(0.0, 1.0).sample(2000, rng)
    >>> found = mfg.equilibria.proximal_by_sampling(samples, lambda x: 0.5 * x[..., 0] ** 2, beta=0.5, rng=rng)
    >>> 0.75 in found.mean(lambda x: x[..., 0] ** 2)  # ¼ + β
    True
    """
    if not (beta > 0 and horizon > 0):
        raise ValueError(f"beta and horizon must be positive, got {beta} and {horizon}")
    samples = np.asarray(samples, dtype=float)
    if samples.ndim != 2 or len(samples) < 20 or not np.isfinite(samples).all() or draws < 8:
        raise ValueError(f"at least 20 finite samples (n, d) and 8 draws are needed, got {samples.shape} and {draws}")
    variance = 2 * beta * horizon
    noise = rng.standard_normal((len(samples), draws, samples.shape[1]))
    points = samples[:, None] + np.sqrt(variance) * noise
    logs = -np.asarray(potential(points), dtype=float) / (2 * beta)
    if logs.shape != points.shape[:2] or not np.isfinite(logs).all():
        raise ValueError(f"the potential must be finite with shape {points.shape[:2]}, got {logs.shape}")
    shares = softmax(logs, axis=1)
    if np.median(1 / (shares**2).sum(axis=1)) < 4:
        raise ValueError(
            f"of {draws} draws hardly one counts: the potential varies too much over the noise √(2βT) = "
            f"{np.sqrt(variance):.2g}; take more draws, a larger β, or a shorter horizon"
        )
    half = draws // 2
    whole = -2 * beta * (logsumexp(logs, axis=1) - np.log(draws))
    parts = [
        -2 * beta * (logsumexp(logs[:, part], axis=1) - np.log(half)) for part in (slice(half), slice(half, 2 * half))
    ]
    value = _with_bias(whole, 0.5 * (parts[0] + parts[1]))
    return SampledProximal(points, shares, value, samples, potential, variance, beta)


def _with_bias(whole: Array, halves: Array) -> Estimate:
    """Return the mean with its bias of order 1/m removed, the removed part added to the interval: weights have tails."""
    corrected = 2 * whole - halves
    n = len(whole)
    error = float(half_width(corrected) + abs(np.mean(whole - halves)))
    return Estimate(float(corrected.mean()), error, Kind.CONFIDENCE, f"{n} samples, 99%, and the bias removed")
