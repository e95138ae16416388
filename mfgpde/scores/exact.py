"""The score of noised data in closed form, and deliberate disturbances of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from mfgpde.core.arrays import Array, dot
from mfgpde.core.recent import Recent
from mfgpde.core.renamed import renamed
from mfgpde.densities import GaussianMixture
from mfgpde.processes import (
    Linear,
    LinearProcess,
    OrnsteinUhlenbeck,
    SubVariancePreserving,
    VarianceExploding,
    VariancePreserving,
)
from mfgpde.processes.contract import Broken
from mfgpde.scores.contract import FORMER, PotentialScore, Score


@renamed(**FORMER)
@dataclass(frozen=True, eq=False)
class ExactScore:
    """s = ∇log p_t of a Gaussian mixture under a linear process, with all its derivatives; φ = log p_t.

    With a mixture fitted to data it is the kernel score model of arXiv:2402.06162, section 5: fitted at t = 0 only,
    carried through all t in closed form. Derivatives in time come from the motion of the mixture's parameters: the
    transition laws are differentiated numerically (order eight, about 1e-12), not taken from the drift, so that a
    process whose laws and drift disagree is found out.

    Points are (..., d), times in [0, horizon]; s is per length.

    >>> score = mfg.ExactScore(mfg.Brownian(), mfg.gaussian(0.0, 1.0))
    >>> print(f"{score(np.array([[1.0]]), 1.0)[0, 0]:.6f}")  # −x/(1 + t)
    -0.500000
    """

    process: LinearProcess
    data: GaussianMixture

    _laws: Recent[GaussianMixture] = field(default_factory=lambda: Recent(8), init=False, repr=False)

    def at(self, t: float) -> GaussianMixture:
        """Return p_t; that of the last eight times is kept."""
        return self._laws(t, lambda: self.data.after(self.process.transition(0.0, t)))

    @property
    def dimension(self) -> int:
        """The dimension d."""
        return self.data.dimension

    def __call__(self, x: Array, t: float) -> Array:
        """Return ∇log p_t(x)."""
        return self.at(float(t)).score(x)

    def potential(self, x: Array, t: float) -> Array:
        """Return log p_t(x)."""
        return self.at(float(t)).log_density(x)

    def divergence(self, x: Array, t: float) -> Array:
        """Return Δlog p_t(x)."""
        return self.at(float(t)).laplacian(x)

    def jacobian(self, x: Array, t: float) -> Array:
        """Return ∇²log p_t, shape (..., d, d)."""
        return self.at(float(t)).hessian(x)

    def directional_derivatives(self, x: Array, t: float, v: Array) -> tuple[Array, Array, Array]:
        """Return Jv, Jᵀv and ∇(vᵀJv) for one direction v a point, shapes (..., d); J is symmetric."""
        pushed, slope = self.at(float(t)).directional_derivatives(x, v)
        return pushed, pushed, slope

    def divergence_gradient(self, x: Array, t: float) -> Array:
        """Return ∇Δlog p_t(x)."""
        return _bending(self.at(float(t)), x, np.eye(self.dimension))

    def potential_time_derivative(self, x: Array, t: float) -> Array:
        """Return ∂_t log p_t(x)."""
        return self.pieces(x, t)[1]

    def pieces(self, x: Array, t: float) -> tuple[Array, Array, Array, Array]:
        """Return φ, ∂_tφ, ∇φ and Δφ in one pass."""
        phi, slope, laplacian = self.at(float(t)).pieces(x)
        A, c, D = motion(self.process, float(t), self.dimension)
        spread = np.trace(D) / len(D) * laplacian
        if not self.process.alike:
            spread = np.einsum("ij,...ij->...", D, self.at(float(t)).hessian(x))
        rate = spread + dot(slope, slope @ D - x @ A.T - c) - np.trace(A)
        return phi, rate, slope, laplacian

    def time_derivative(self, x: Array, t: float) -> Array:
        """Return ∂_t s."""
        law, (A, c, D) = self.at(float(t)), motion(self.process, float(t), self.dimension)
        s, drift = law.score(x), x @ A.T + c
        return _bending(law, x, D) + law.directional_derivatives(x, 2 * s @ D - drift)[0] - s @ A


def _bending(law: GaussianMixture, x: Array, D: Array) -> Array:
    """Return ∇(tr D∇²log p) of a symmetric D (d, d), direction by direction of its noise."""
    values, vectors = np.linalg.eigh(D)
    parts = [k * law.directional_derivatives(x, v)[1] for k, v in zip(values, vectors.T, strict=True)]
    return np.sum(parts, axis=0)


def motion(process: LinearProcess, t: float, dimension: int) -> tuple[Array, Array, Array]:
    """Return A, c, D with ṁ = A m + c, Ċ = AC + CAᵀ + 2D for means and covariances, from the transition laws alone.

    With X_t = F X_0 + b + N(0, Q): A = ḞF⁻¹, c = ḃ − Ab, 2D = Q̇ − AQ − QAᵀ, its mean over the
    axes where noise is alike; derivatives by nine equidistant times, at
    first 3e-3 of the horizon apart, an eighth of that while the formula without its last two times says another thing.
    """
    found: list[tuple[float, float, list[Array]]] = []
    for share in (3e-3, 3e-3 / 8, 3e-3 / 64):
        found.append(_rates(process, t, dimension, share * process.horizon))
        if found[-1][0] <= 1e-8:
            break
    since, (F_, b_, Q_) = min(found, key=lambda one: one[0])[1:]
    F, b, Q = process.transition(since, t).in_dimension(dimension)
    A = np.linalg.solve(F.T, F_.T).T
    noise = Q_ - A @ Q - Q @ A.T
    D = np.trace(noise) / dimension * np.eye(dimension) if process.alike else 0.5 * (noise + noise.T)
    return A, b_ - A @ b, 0.5 * D


def _rates(process: LinearProcess, t: float, dimension: int, h: float) -> tuple[float, float, list[Array]]:
    """Return by how much of their size seven of nine times h apart say otherwise, the start of laws, and their Ḟ, ḃ, Q̇.

    Laws are those since 0; where noise differs by direction, since the first of the nine: matrices F that forget places and
    velocities at different rates are soon of no rank in numbers.
    """
    lower, upper = _smooth(process, t)
    h = min(h, (upper - lower) / 8)
    middle = min(max(t, lower + 4 * h), upper - 4 * h)
    nodes = h * np.arange(-4, 5)
    powers = ((nodes[None, :] + middle - t) / h) ** np.arange(9)[:, None]
    weights, fewer = np.zeros(9), np.zeros(9)
    weights[:] = np.linalg.solve(powers, np.eye(9)[1]) / h
    fewer[1:-1] = np.linalg.solve(powers[:7, 1:-1], np.eye(7)[1]) / h
    times = [min(max(middle + u, 0.0), process.horizon) for u in nodes.tolist()]
    since = 0.0 if process.alike else min(times[0], t)
    parts = [process.transition(since, u).in_dimension(dimension) for u in times]
    columns = [np.stack(column) for column in zip(*parts, strict=True)]
    rates = [np.tensordot(weights, column, axes=1) for column in columns]
    worst = 0.0
    for column, rate in zip(columns, rates, strict=True):
        size = max(float(np.abs(rate).max()), float(np.abs(column).max()) / process.horizon)
        gap = float(np.abs(np.tensordot(fewer, column, axes=1) - rate).max())
        worst = max(worst, gap / size if size > 0 else 0.0)
    return worst, since, rates


def _smooth(process: LinearProcess, t: float) -> tuple[float, float]:
    """Return the times around t between which the process's coefficients do not jump."""
    if not isinstance(process, Broken):
        return 0.0, process.horizon
    k = min(max(int(np.searchsorted(process.instants, t)), 1), len(process.instants) - 1)
    return float(process.instants[k - 1]), float(process.instants[k])


def empirical_score(process: LinearProcess, points: Array, variance: float = 0.0) -> ExactScore:
    """Return the score of the noised training points, each blurred by `variance` at t = 0.

    It is what denoising score matching tends to with unlimited capacity. With variance 0 the points are blurred by 1e-16
    of the data's variance, below rounding at all times that matter: point masses have no score at t = 0.
    Raises ValueError for points that are not finite numbers of shape (n, d), and for a negative variance.

    >>> score = mfg.empirical_score(mfg.Brownian(), np.zeros((1, 1)))  # one training point
    >>> print(f"{score(np.array([[1.0]]), 0.5)[0, 0]:.6f}")  # −x/t
    -2.000000
    """
    points = np.asarray(points, dtype=float)
    if points.ndim != 2 or not len(points) or not np.isfinite(points).all():
        raise ValueError(f"points must be finite numbers of shape (n, d), got shape {points.shape}")
    if variance < 0:
        raise ValueError(f"variance must be ≥ 0, got {variance}")
    least = 1e-16 * (float(np.var(points)) or 1e-16)
    return ExactScore(process, GaussianMixture(np.ones(len(points)), points, max(variance, least)))


@dataclass(frozen=True, eq=False)
class Bump:
    """The potential amplitude·cos(frequency·t)·exp(−|x − centre|²/(2 width²)), with its derivatives: a disturbance.

    >>> bump = mfg.scores.Bump(0.3, (0.0,), 1.0)
    >>> print(f"{bump.potential(np.ones((1, 1)), 0.0)[0]:.4f}, {bump(np.ones((1, 1)), 0.0)[0, 0]:.4f}")  # ±0.3e^(−½)
    0.1820, -0.1820
    """

    amplitude: float
    centre: tuple[float, ...]
    width: float
    frequency: float = 0.0

    def _shape(self, x: Array, t: float) -> tuple[Array, Array]:
        z = (x - np.asarray(self.centre)) / self.width
        return z, self.amplitude * np.cos(self.frequency * t) * np.exp(-0.5 * dot(z, z))

    def __call__(self, x: Array, t: float) -> Array:
        """Return its gradient."""
        z, value = self._shape(x, t)
        return -z * value[..., None] / self.width

    def potential(self, x: Array, t: float) -> Array:
        """Return its value."""
        return self._shape(x, t)[1]

    def divergence(self, x: Array, t: float) -> Array:
        """Return its Laplacian."""
        z, value = self._shape(x, t)
        return value * (dot(z, z) - x.shape[-1]) / self.width**2

    def potential_time_derivative(self, x: Array, t: float) -> Array:
        """Return its time derivative."""
        z = (x - np.asarray(self.centre)) / self.width
        rate = -self.amplitude * self.frequency * np.sin(self.frequency * t)
        return rate * np.exp(-0.5 * dot(z, z))


@dataclass(frozen=True, eq=False)
class Sum:
    """The sum of two potential scores: a synthetic learned score is the exact one plus a disturbance.

    >>> exact = mfg.ExactScore(mfg.Brownian(), mfg.gaussian(0.0, 1.0))
    >>> disturbed = mfg.scores.Sum(exact, mfg.scores.Bump(0.3, (0.0,), 1.0))
    >>> print(f"{disturbed(np.ones((1, 1)), 1.0)[0, 0]:.4f}")  # −½ − 0.3e^(−½)
    -0.6820
    """

    first: PotentialScore
    second: PotentialScore

    def __call__(self, x: Array, t: float) -> Array:
        """Return the sum of the scores."""
        return self.first(x, t) + self.second(x, t)

    def potential(self, x: Array, t: float) -> Array:
        """Return the sum of the potentials."""
        return self.first.potential(x, t) + self.second.potential(x, t)

    def divergence(self, x: Array, t: float) -> Array:
        """Return the sum of the divergences."""
        return self.first.divergence(x, t) + self.second.divergence(x, t)

    def potential_time_derivative(self, x: Array, t: float) -> Array:
        """Return the sum of the time derivatives."""
        return self.first.potential_time_derivative(x, t) + self.second.potential_time_derivative(x, t)


@dataclass(frozen=True, eq=False)
class Swirl:
    """The non-gradient disturbance strength·(−x₂, x₁)·exp(−|x|²/(2 width²)) in 2D, of problem P4 (0.3, 2).

    >>> exact = mfg.ExactScore(mfg.Brownian(), mfg.gaussian(0.0, 1.0, dimension=2))
    >>> mfg.scores.Swirl(exact)(np.array([[0.0, 2.0]]), 1.0).round(6)  # −0.6e^(−½) across, −1 along
    array([[-0.363918, -1.      ]])
    """

    base: Score
    strength: float = 0.3
    width: float = 2.0

    def __call__(self, x: Array, t: float) -> Array:
        """Return base + swirl."""
        envelope = self.strength * np.exp(-0.5 * dot(x, x) / self.width**2)
        return self.base(x, t) + envelope[..., None] * np.stack((-x[..., 1], x[..., 0]), axis=-1)


def examples() -> Iterator[ExactScore | Bump | Sum]:
    """Yield members to hold the laws to: several processes and horizons, nanometres and gigametres, three dimensions."""
    law = _spread(1.0, 2)
    yield ExactScore(VariancePreserving(), law)
    yield ExactScore(SubVariancePreserving(0.3, 4.0, 2.7), law)
    yield ExactScore(VarianceExploding(0.01, 30.0, 2.7), _spread(1.0, 3))
    yield ExactScore(Linear(np.array([[-1.0, 2.0], [-1.5, -0.5]]), 0.7, np.array([0.3, -0.2]), 2.7), law)
    for length, time in ((1e-9, 1e9), (1e9, 1e-9)):
        yield ExactScore(OrnsteinUhlenbeck(1 / time, 1.3 * length * time**-0.5, 2.7 * time), _spread(length, 2))
        yield Bump(0.3, (0.5 * length, -0.2 * length), 0.8 * length, 3.0)
    yield Sum(ExactScore(VariancePreserving(), law), Bump(0.3, (0.5, -0.2), 0.8, 3.0))


def _spread(length: float, dimension: int) -> GaussianMixture:
    means = length * np.stack((np.linspace(-1.0, 0.5, dimension), np.linspace(1.2, 0.7, dimension)))
    return GaussianMixture([0.4, 0.6], means, length**2 * np.array([0.2, 0.3]))
