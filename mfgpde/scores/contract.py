"""What a score offers: values, and, each a Protocol of its own, the derivatives and the potential it may have besides.

Ask for what you need by type: offers(score, PotentialScore) is whether it is the gradient of a known potential.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from mfgpde.core.ability import require
from mfgpde.core.arrays import Array, dot
from mfgpde.core.sparse import Sparse
from mfgpde.processes import ForwardProcess, MarkovGenerator

if TYPE_CHECKING:
    from typing_extensions import TypeIs

FORMER = {"rate": "time_derivative", "products": "directional_derivatives"}
"""what members were called one release ago"""

Reversible = ForwardProcess | MarkovGenerator
"""what has eigenfunctions, if it is reversible"""


@runtime_checkable
class Score(Protocol):
    """A vector field s(x, t) meant to be ∇log p_t(x): points (..., d) in, (..., d) out."""

    def __call__(self, x: Array, t: float, /) -> Array:
        """Return s(x, t), per length."""
        ...


@runtime_checkable
class DivergenceScore(Score, Protocol):
    """A score whose divergence is known."""

    def divergence(self, x: Array, t: float) -> Array:
        """Return ∇·s, shape (...)."""
        ...


@runtime_checkable
class DifferentiableScore(DivergenceScore, Protocol):
    """A score with the derivatives that its equation has."""

    def jacobian(self, x: Array, t: float) -> Array:
        """Return ∂_j s_i, shape (..., d, d)."""
        ...

    def time_derivative(self, x: Array, t: float) -> Array:
        """Return ∂_t s, shape (..., d)."""
        ...

    def divergence_gradient(self, x: Array, t: float) -> Array:
        """Return ∇(∇·s), shape (..., d)."""
        ...


@runtime_checkable
class DirectionalScore(Score, Protocol):
    """A score with the derivatives that many dimensions can afford: along one direction a point, and in time."""

    def directional_derivatives(self, x: Array, t: float, v: Array) -> tuple[Array, Array, Array]:
        """Return Jv, Jᵀv and ∇(vᵀJv) for one direction v a point, shapes (..., d)."""
        ...

    def time_derivative(self, x: Array, t: float) -> Array:
        """Return ∂_t s, shape (..., d)."""
        ...


@runtime_checkable
class FormScore(Score, Protocol):
    """A score that gives its value and the quadratic form of its Jacobian in one pass."""

    def with_form(self, x: Array, t: float, v: Array) -> tuple[Array, Array]:
        """Return s and vᵀJv for one direction v a point, shapes (..., d) and (...)."""
        ...


@runtime_checkable
class PotentialScore(DivergenceScore, Protocol):
    """A score that is the gradient of a known potential φ, an unnormalised log-density."""

    def potential(self, x: Array, t: float) -> Array:
        """Return φ(x, t), shape (...)."""
        ...

    def potential_time_derivative(self, x: Array, t: float) -> Array:
        """Return ∂_tφ, shape (...)."""
        ...


@runtime_checkable
class FlowScore(Score, Protocol):
    """A score that knows the velocity of its probability flow better than f − D s does, as one made of velocities."""

    def velocity(self, x: Array, t: float) -> Array:
        """Return dx/dt in process time, shape (..., d)."""
        ...


@runtime_checkable
class FlowFormScore(FlowScore, Protocol):
    """A score that knows the quadratic form of its flow's Jacobian, too."""

    def velocity_with_form(self, x: Array, t: float, v: Array) -> tuple[Array, Array]:
        """Return u = dx/dt and vᵀ(∇u)v for one direction v a point, shapes (..., d) and (...)."""
        ...


@runtime_checkable
class Uncertain(Protocol):
    """A score whose derivatives are approximate, and that keeps account of it."""

    @property
    def uncertainty(self) -> Mapping[str, float]:
        """The largest error estimated so far of each derivative that was asked for, in its own units."""
        ...


@runtime_checkable
class ThreadSafe(Protocol):
    """A score that says whether several threads may ask it at once."""

    @property
    def thread_safe(self) -> bool:
        """Whether it keeps nothing between calls that another could spoil."""
        ...


@runtime_checkable
class InDimension(Protocol):
    """A score that says its dimension."""

    @property
    def dimension(self) -> int:
        """The dimension d."""
        ...


def offers[Ability](score: object, ability: type[Ability]) -> TypeIs[Ability]:
    """Say whether a score has an ability.

    Raises TypeError where it has the ability under names of one release ago, which would otherwise be overlooked.

    >>> mfg.scores.offers(lambda x, t: -x, mfg.scores.Score), mfg.scores.offers(lambda x, t: -x, mfg.scores.PotentialScore)
    (True, False)
    """
    for former, present in FORMER.items():
        if callable(getattr(score, former, None)) and not hasattr(score, present):
            raise TypeError(f"{type(score).__name__}: a score's {former!r} is now called {present!r}")
    if hasattr(score, "potential") and hasattr(score, "time_derivative") and not isinstance(score, PotentialScore):
        raise TypeError(
            f"{type(score).__name__} has a potential φ: its divergence is 'divergence', and ∂_tφ is now called "
            "'potential_time_derivative' ('time_derivative' is ∂_t s)"
        )
    return isinstance(score, ability)


def thread_safe(score: object) -> bool:
    """Say whether several threads may ask a score at once: only where it says so.

    >>> mfg.scores.thread_safe(mfg.JaxScore(lambda x, t: -x, 1)), mfg.scores.thread_safe(lambda x, t: -x)
    (True, False)
    """
    return isinstance(score, ThreadSafe) and score.thread_safe


def with_form(score: DirectionalScore, x: Array, t: float, v: Array) -> tuple[Array, Array]:
    """Return s and vᵀJv for one direction v a point, in one pass where the score can.

    >>> law = mfg.ExactScore(mfg.Brownian(), mfg.gaussian(0.0, 1.0))
    >>> s, form = mfg.scores.with_form(law, np.array([[1.0]]), 1.0, np.array([[2.0]]))  # s = −x/2
    >>> print(f"{s[0, 0]:.1f}, {form[0]:.1f}")
    -0.5, -2.0
    """
    if offers(score, FormScore):
        return score.with_form(x, t, v)
    return score(x, t), dot(v, score.directional_derivatives(x, t, v)[0])


def require_score(score: object, ability: type = Score) -> None:
    """Raise TypeError unless a score has an ability, with what it lacks and what would do.

    >>> mfg.scores.require_score(3.0)
    Traceback (most recent call last):
    TypeError: the score must be a Score, got 3.0
    """
    if not offers(score, ability):
        wrapped = "JaxScore, TorchScore or mfg.scores.Differenced(function, dimension) give derivatives of a function"
        require(score, ability, "the score", "" if ability in (Score, PotentialScore) else wrapped)


class Eigenbasis(Protocol):
    """What an operator-informed score needs of a generator's eigenfunctions; the constant, λ = 0, comes first."""

    @property
    def dimension(self) -> int:
        """The dimension d."""
        ...

    @property
    def eigenvalues(self) -> Array:
        """Return λ_n (p,), per unit of the generator's own time."""
        ...

    @property
    def extended_eigenvalues(self) -> Array:
        """Return the eigenvalues of ψ_r (q,), the first p of them λ."""
        ...

    @property
    def gram(self) -> Sparse:
        """Return G as a sparse matrix (p², q)."""
        ...

    def __call__(self, x: Array) -> Array:
        """Return φ_n at points (k, d), shape (k, p)."""
        ...

    def extended(self, x: Array) -> Array:
        """Return ψ_r at points (k, d), shape (k, q)."""
        ...

    def differentiate(self, c: Array, x: Array, order: int) -> list[Array]:
        """Return the derivatives of Σ c_n φ_n of orders 0 … `order` at points (k, d).

        Coefficients c have shape (p, …), the results (k, …), (k, d, …), (k, d, d, …).
        """
        ...

    def stationary(self, x: Array, order: int) -> list[Array]:
        """Return log π and its derivatives up to `order` at points (k, d), shapes (k,), (k, d), (k, d, d), …"""
        ...

    def clock(self, process: Reversible) -> Callable[[float], float]:
        """Return the generator's own time as a function of the process's; ValueError if this is not its semigroup."""
        ...

    def reach(self, process: Reversible, t: float, farthest: Array) -> Array:
        """Return how far along each axis the functions are of use, (d,), for data whose coordinates end at `farthest`."""
        ...
