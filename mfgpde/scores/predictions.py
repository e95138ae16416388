"""What networks predict in place of a score: noise, data, v, a flow's velocity, preconditioned data; each becomes a score.

On x_t = α x₀ + σ ε every one is the mean of p x₀ + q ε given x_t. With the identity x = α x̂₀ + σ ε̂ that is two equations
for x̂₀ and ε̂, and s = −ε̂/σ: a score is a(t) x + b(t) P(c(t) x, τ(t)) of the network P, and so are its derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import numpy as np

from mfgpde.core.arrays import Array, dot
from mfgpde.processes import DiscreteSchedule, IsotropicProcess, Schedule, Straight, VariancePreserving, schedule_of
from mfgpde.scores.contract import (
    DifferentiableScore,
    DirectionalScore,
    InDimension,
    Score,
    Uncertain,
    thread_safe,
    with_form,
)
from mfgpde.scores.differences import Differenced

PREDICTIONS = ("noise", "data", "v", "flow", "edm", "score")
"""ε̂, x̂₀, αε − σx₀, α̇x₀ + σ̇ε, the preconditioned F, ∇log p"""
Clock = Callable[[float], float]


class Linear(NamedTuple):
    """The value a x + b P of a prediction P."""

    a: float
    b: float


def combination(predicts: str, now: Schedule) -> tuple[Array, Array]:
    """Return p and q of the mean of p x₀ + q ε that is predicted. Raises ValueError for an unknown prediction.

    >>> now = mfg.processes.Straight().schedule(0.25)
    >>> [float(one) for one in mfg.scores.combination("flow", now)]  # α̇ = −1, σ̇ = 1
    [-1.0, 1.0]
    """
    one, zero = np.ones_like(now.alpha), np.zeros_like(now.alpha)
    if predicts == "noise":
        return zero, one
    if predicts in ("data", "edm"):
        return one, zero
    if predicts == "v":
        return -now.sigma, now.alpha
    if predicts == "flow":
        return now.alpha_rate, now.sigma_rate
    if predicts == "score":
        return zero, -1 / now.sigma
    raise ValueError(f"a network predicts one of {', '.join(PREDICTIONS)}, or a potential; got {predicts!r}")


def converted(values: Array, x: Array, now: Schedule, predicts: str, wanted: str, sigma_data: float = 0.5) -> Array:
    """Return the prediction `wanted` that says the same as `values`, of what is predicted, at points x of one time.

    Exact but for rounding where σ > 0 and α > 0; a prediction of the noise says nothing of the data at α = 0, one of the
    data nothing of the noise at σ = 0, and a score needs σ > 0. `edm` is F of x̂₀ = c_skip x/α + c_out F, with `sigma_data`.

    >>> now = mfg.processes.Straight().schedule(0.5)
    >>> x, velocity = np.array([[1.0]]), np.array([[0.4]])
    >>> mfg.scores.converted(velocity, x, now, "flow", "data").round(12)  # x₀ = x − t u
    array([[0.8]])
    """
    if predicts == wanted:
        return values
    if predicts == "edm":
        skip, out, _ = preconditioning(now, sigma_data)
        values = skip * x / now.alpha + out * values
    p, q = combination(predicts, now)
    turn = q * now.alpha - p * now.sigma
    noise, data = (now.alpha * values - p * x) / turn, (q * x - now.sigma * values) / turn
    p, q = combination(wanted, now)
    found = p * data + q * noise if predicts != "data" or wanted != "edm" else values
    if wanted == "edm":
        skip, out, _ = preconditioning(now, sigma_data)
        return (found - skip * x / now.alpha) / out
    return found


def preconditioning(now: Schedule, sigma_data: float) -> tuple[Array, Array, Array]:
    """Return c_skip, c_out and c_in at the noise σ/α of x/α. — arXiv:2206.00364, table 1."""
    noise = now.sigma / now.alpha
    total = noise**2 + sigma_data**2
    return sigma_data**2 / total, noise * sigma_data / np.sqrt(total), 1 / np.sqrt(total)


@dataclass(frozen=True, eq=False)
class Predicted:
    """The score that a network's prediction makes on a process, with the derivatives that the network has.

    `network` is P(x, τ) as a score's file has it, `predicts` one of noise, data, v, flow, edm, score; `clock` gives the
    network's own time τ at process time t, by default t itself. Its velocity is that of the probability flow, finite where
    α = 0 but for a prediction of noise or score; one of a flow is passed on as it is.
    Raises ValueError for an unknown prediction.

    >>> law = mfg.scores.Differenced(lambda x, t: (2 * t - 1) / (1 - 2 * t + 2 * t**2) * x, 1)  # of N(0, 1), straight
    >>> score = mfg.scores.Predicted(mfg.processes.Straight(), law, "flow")
    >>> print(f"{score(np.array([[1.0]]), 0.5)[0, 0]:.6f}, {score.divergence(np.array([[1.0]]), 0.5)[0]:.6f}")  # −x/½
    -2.000000, -2.000000
    """

    process: IsotropicProcess
    network: Score
    predicts: str
    clock: Clock | None = None
    sigma_data: float = 0.5
    _largest: dict[str, float] = field(default_factory=dict[str, float], init=False, repr=False)

    def __post_init__(self) -> None:
        combination(self.predicts, schedule_of(self.process, 0.5 * self.process.horizon))

    @property
    def dimension(self) -> int:
        """The dimension of the network."""
        return cast(InDimension, self.network).dimension

    @property
    def thread_safe(self) -> bool:
        """Whether several threads may ask the network at once."""
        return thread_safe(self.network)

    @property
    def uncertainty(self) -> Mapping[str, float]:
        """What the network's derivatives are off by, times the largest factor that they had so far."""
        found: Mapping[str, float] = self.network.uncertainty if isinstance(self.network, Uncertain) else {}
        return {name: self._largest.get("factor", 0.0) * value for name, value in found.items()}

    def _time(self, t: float) -> float:
        return t if self.clock is None else self.clock(t)

    def parts(self, t: float) -> tuple[float, float, float, float]:
        """Return a, b, c and τ of s = a x + b P(c x, τ)."""
        now = schedule_of(self.process, t)
        p, q = combination(self.predicts, now)
        if self.predicts in ("noise", "score"):  # also where α = 0
            a, b, c = 0.0, -1 / now.sigma if self.predicts == "noise" else 1.0, 1.0
        else:
            turn = q * now.alpha - p * now.sigma
            a, b, c = p / (now.sigma * turn), -now.alpha / (now.sigma * turn), 1.0
        if self.predicts == "edm":
            skip, out, into = preconditioning(now, self.sigma_data)
            a, b, c = a + b * skip / now.alpha, b * out, into / now.alpha
        factor = abs(float(b)) * max(1.0, float(c)) ** 2
        self._largest["factor"] = max(self._largest.get("factor", 0.0), factor)
        return float(a), float(b), float(c), self._time(t)

    def _rates(self, t: float) -> tuple[float, float, float, float]:
        """Return their derivatives, of the polynomial through twelve times around t within a step of the schedule."""
        end = self.process.horizon
        low, high = max(0.9 * t, t - 0.05 * end), min(1.1 * t, t + 0.05 * end, end)
        if isinstance(self.process, DiscreteSchedule):
            k = max(int(np.searchsorted(self.process.instants, t * (1 - 1e-12))), 1)  # of two steps the earlier
            low, high = max(low, self.process.instants[k - 1]), min(high, self.process.instants[k])
        nodes = 0.5 * (low + high) - 0.5 * (high - low) * np.cos(np.pi * (np.arange(12) + 0.5) / 12)
        values = np.array([self.parts(float(u)) for u in nodes])
        fitted = np.polynomial.Chebyshev.fit
        return tuple(  # pyright: ignore[reportReturnType]
            float(fitted(nodes, column, 11, domain=[low, high]).deriv()(t)) for column in values.T
        )

    def __call__(self, x: Array, t: float) -> Array:
        """Return s(x, t)."""
        a, b, c, tau = self.parts(float(t))
        return a * x + b * self.network(c * x, tau)

    def velocity(self, x: Array, t: float) -> Array:
        """Return the velocity of the probability flow in process time."""
        t = float(t)
        if self.predicts in ("noise", "score"):
            return self.process.drift(x, t) - float(self.process.diffusivity(t)) * self(x, t)
        a, b, c, tau = self._flow_parts(t)
        values = self.network(c * x, tau)
        return values if self.predicts == "flow" else a * x + b * values

    def velocity_with_form(self, x: Array, t: float, v: Array) -> tuple[Array, Array]:
        """Return that velocity u and vᵀ(∇u)v for one direction v a point."""
        t = float(t)
        a, b, c, tau = self._flow_parts(t)
        values, form = with_form(self._directions, c * x, tau, v)
        return a * x + b * values, a * dot(v, v) + b * c * form

    def _flow_parts(self, t: float) -> tuple[float, float, float, float]:
        """Return a, b, c and τ of the velocity a x + b P(c x, τ)."""
        if self.predicts in ("noise", "score"):
            a, b, c, tau = self.parts(t)
            now, D = schedule_of(self.process, t), float(self.process.diffusivity(t))
            return float(now.alpha_rate / now.alpha) - D * a, -D * b, c, tau
        if self.predicts == "flow":
            return 0.0, 1.0, 1.0, self._time(t)
        now = schedule_of(self.process, t)
        p, q = combination(self.predicts, now)
        turn = q * now.alpha - p * now.sigma
        a = (now.alpha_rate * q - now.sigma_rate * p) / turn
        b = (now.sigma_rate * now.alpha - now.alpha_rate * now.sigma) / turn
        if self.predicts == "edm":
            skip, out, into = preconditioning(now, self.sigma_data)
            return float(a + b * skip / now.alpha), float(b * out), float(into / now.alpha), self._time(t)
        return float(a), float(b), 1.0, self._time(t)

    def divergence(self, x: Array, t: float) -> Array:
        """Return ∇·s."""
        a, b, c, tau = self.parts(float(t))
        return a * x.shape[-1] + b * c * self._known.divergence(c * x, tau)

    def jacobian(self, x: Array, t: float) -> Array:
        """Return ∂_j s_i."""
        a, b, c, tau = self.parts(float(t))
        return a * np.eye(x.shape[-1]) + b * c * self._known.jacobian(c * x, tau)

    def time_derivative(self, x: Array, t: float) -> Array:
        """Return ∂_t s."""
        _, b, c, tau = self.parts(float(t))
        da, db, dc, dtau = self._rates(float(t))
        self._largest["factor"] = max(self._largest["factor"], abs(b * dtau), abs(b * dc))
        found = da * x + db * self.network(c * x, tau) + b * dtau * self._known.time_derivative(c * x, tau)
        return found + b * dc * self._directions.directional_derivatives(c * x, tau, x)[0] if dc else found

    def divergence_gradient(self, x: Array, t: float) -> Array:
        """Return ∇(∇·s)."""
        _, b, c, tau = self.parts(float(t))
        return b * c**2 * self._known.divergence_gradient(c * x, tau)

    def directional_derivatives(self, x: Array, t: float, v: Array) -> tuple[Array, Array, Array]:
        """Return Jv, Jᵀv and ∇(vᵀJv)."""
        a, b, c, tau = self.parts(float(t))
        pushed, pulled, turned = self._directions.directional_derivatives(c * x, tau, v)
        return a * v + b * c * pushed, a * v + b * c * pulled, b * c**2 * turned

    def with_form(self, x: Array, t: float, v: Array) -> tuple[Array, Array]:
        """Return s and vᵀJv."""
        a, b, c, tau = self.parts(float(t))
        values, form = with_form(self._directions, c * x, tau, v)
        return a * x + b * values, a * dot(v, v) + b * c * form

    @property
    def _known(self) -> DifferentiableScore:
        assert isinstance(self.network, DifferentiableScore), "what load_score returns has derivatives"
        return self.network

    @property
    def _directions(self) -> DirectionalScore:
        assert isinstance(self.network, DirectionalScore), "what load_score returns has derivatives along directions"
        return self.network


@dataclass(frozen=True, eq=False)
class Turned:
    """A network whose time runs from noise to data, −P: its velocities are those of the process with the other sign.

    >>> mfg.scores.Turned(mfg.scores.Differenced(lambda x, t: x, 1))(np.ones((1, 1)), 0.5)
    array([[-1.]])
    """

    network: DifferentiableScore

    @property
    def dimension(self) -> int:
        """The dimension of the network."""
        return cast(InDimension, self.network).dimension

    @property
    def thread_safe(self) -> bool:
        """Whether several threads may ask the network at once."""
        return thread_safe(self.network)

    @property
    def uncertainty(self) -> Mapping[str, float]:
        """That of the network."""
        return self.network.uncertainty if isinstance(self.network, Uncertain) else {}

    def __call__(self, x: Array, t: float) -> Array:
        """Return −P(x, t)."""
        return -self.network(x, t)

    def divergence(self, x: Array, t: float) -> Array:
        """Return −∇·P."""
        return -self.network.divergence(x, t)

    def jacobian(self, x: Array, t: float) -> Array:
        """Return −∂_j P_i."""
        return -self.network.jacobian(x, t)

    def time_derivative(self, x: Array, t: float) -> Array:
        """Return −∂_t P by the network's own time."""
        return -self.network.time_derivative(x, t)

    def divergence_gradient(self, x: Array, t: float) -> Array:
        """Return −∇(∇·P)."""
        return -self.network.divergence_gradient(x, t)

    def directional_derivatives(self, x: Array, t: float, v: Array) -> tuple[Array, Array, Array]:
        """Return those of −P."""
        assert isinstance(self.network, DirectionalScore), "what load_score returns has derivatives along directions"
        pushed, pulled, turned = self.network.directional_derivatives(x, t, v)
        return -pushed, -pulled, -turned

    def with_form(self, x: Array, t: float, v: Array) -> tuple[Array, Array]:
        """Return those of −P."""
        assert isinstance(self.network, DirectionalScore), "what load_score returns has derivatives along directions"
        values, form = with_form(self.network, x, t, v)
        return -values, -form


def guided(conditional: Score, unconditional: Score, weight: float) -> Callable[[Array, float], Array]:
    """Return s + w (s_c − s), guidance without a classifier. — arXiv:2207.12598, eq. (6).

    The law that it generates is not the tilted one, p (p_c/p)^w: only at t = 0 is s_w its score; of noised laws the score
    is another. Its residual is therefore not zero even for exact scores.

    >>> law = [mfg.ExactScore(mfg.Brownian(), mfg.gaussian(mean, 1.0)) for mean in (1.0, 0.0)]
    >>> mfg.scores.guided(*law, weight=2.0)(np.array([[0.0]]), 1.0).round(6)  # 2 · ½
    array([[1.]])
    """

    def score(x: Array, t: float) -> Array:
        base = unconditional(x, t)
        return base + weight * (conditional(x, t) - base)

    return score


def examples() -> Iterator[Predicted | Turned]:
    """Yield members to hold the laws to: predictions that differ from what any law makes, on two processes."""
    yield Turned(Differenced(_turning, 2, end=1.0))
    for predicts in PREDICTIONS:
        yield Predicted(VariancePreserving(0.3, 4.0, 1.0), Differenced(_turning, 2, end=40.0), predicts)
        yield Predicted(Straight(), Differenced(_turning, 2, end=40.0), predicts, _hundredth)


def _turning(x: Array, t: float) -> Array:
    return np.sin(np.roll(x, 1, axis=-1) + t) - 0.5 * x * np.cos(2 * t)


def _hundredth(t: float) -> float:
    return 3.0 * t + 0.5
