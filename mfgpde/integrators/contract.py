"""The seam between space and time: what an integrator may ask of a semidiscrete system, and nothing more."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mfgpde.core.arrays import contiguous, elsewhere, to_host
from mfgpde.kernels import stencils

Array = NDArray[Any]


class System(Protocol):
    """du/dt = rate(u, t), with u an array of any shape."""

    def rate(self, u: Array, t: float) -> Array:
        """Return du/dt."""
        ...

    def mass(self, u: Array) -> float:
        """Return the integral that the equation conserves (or would, were it conservative)."""
        ...


class Stabilised(System, Protocol):
    """A system for explicit stabilised methods: the spectrum lies near the negative real axis."""

    def rate(self, u: Array, t: float, out: Array | None = None) -> Array:
        """Return du/dt; it may be written into `out`, since fresh memory costs a third of a large stencil's time."""
        ...

    def spectral_radius(self, u: Array, t: float) -> float:
        """Return an upper bound of the spectral radius of ∂rate/∂u."""
        ...

    def frozen(self, t0: float, t1: float) -> Stabilised:
        """Return a system to use over the step [t0, t1]: itself, or a time average that errs by O((t1−t0)³) a step."""
        ...


@runtime_checkable
class Fused(Protocol):
    """A stabilised system whose stages may be one pass each, over coefficients that do not change within a step."""

    def stages(self, y0: Array, f0: Array, rows: Any) -> Array | None:
        """Return the last of y_j = c₀y₀ + c₁y_{j−1} + c₂y_{j−2} + c₃ rate(y_{j−1}) + c₄f₀, or None if it cannot.

        The weights c of stage j are rows[j − 1], where y₀ lies; y₁ = c₀y₀ + c₃f₀.
        """
        ...


class Implicit(System, Protocol):
    """A linear system du/dt = A(t)u that can be solved with."""

    def solve(self, rhs: Array, t: float, shift: float) -> Array:
        """Return (I − shift·A(t))⁻¹ rhs."""
        ...

    def frozen(self, t0: float, t1: float) -> Implicit:
        """Return a system to use over the step [t0, t1]."""
        ...


@runtime_checkable
class Filtered(Implicit, Protocol):
    """A nonlinear system, whose `solve` is none for error estimates: it has a linear filter of its own."""

    def filtered(self, defect: Array, t: float, shift: float) -> Array:
        """Return (I − shift·J)⁻¹ defect with a Jacobian J of the step."""
        ...


@runtime_checkable
class Normed(Protocol):
    """A system whose unknowns are spread over several processes."""

    def size(self, u: Array) -> float:
        """Return the root mean square of all of them."""
        ...


class Split(System, Protocol):
    """A system whose stiff part is diagonal: du/dt = λ u + nonstiff(u, t), λ frozen over a step."""

    def stiff(self, t0: float, t1: float) -> Array:
        """Return the real diagonal λ ≤ 0 to use on [t0, t1], shaped to broadcast against u."""
        ...

    def nonstiff(self, u: Array, t: float, stiff: Array) -> Array:
        """Return rate(u, t) − stiff·u, computed without the cancellation."""
        ...


@runtime_checkable
class Integrator(Protocol):
    """One step of a method: returns the new state and an estimate of the local error."""

    order: ClassVar[int]
    embedded_order: ClassVar[int]
    """the error estimate is O(dt^(embedded_order + 1))"""
    reference: ClassVar[str]

    def step(self, system: Any, u: Array, t: float, dt: float) -> tuple[Array, Array]:
        """Advance u from t to t + dt; return the new state and the local error estimate, both shaped like u."""
        ...


@runtime_checkable
class Still(Protocol):
    """A system that may be `still`: the same at all times, and a step of it asks for nothing but launches on a device."""

    @property
    def still(self) -> bool:
        """Whether it is."""
        ...


@dataclass(frozen=True, eq=False)
class Moving:
    """What of a system's coefficients differs from step to step, and the systems that are made of it where it lies.

    `made(numbers, arrays)` returns those that an integrator asks for: of a stabilised system those at the start, over the
    step, as `frozen` does, and at the end; of a split one itself, its times 0, 1, 2 for the start, the middle and the end.
    It calls nothing of the equation, so that a step of them, recorded once, serves all steps of its `kind`.
    """

    numbers: Array
    arrays: tuple[Any, ...]
    made: Callable[[Any, tuple[Any, ...]], Any]
    kind: Hashable
    asked: Any = None
    """numbers on the device that the host should see, so that they come with the norms of the step"""
    told: Callable[[Array], bool] = lambda numbers: True
    """hears them, and says whether the step may stand"""

    @classmethod
    def still(cls, system: Any) -> Moving:
        """Return nothing: the system is the same at all times."""
        return cls(np.empty(0), (), lambda numbers, arrays: (system,) * 3, "still")


@runtime_checkable
class Driven(Protocol):
    """A system whose coefficients may change in time."""

    def over(self, t: float, dt: float) -> Moving | None:
        """Return what does over a step, or None where it cannot be told apart."""
        ...


@runtime_checkable
class Asking(Protocol):
    """A system whose rate asks the equation about every state, as a Hamiltonian of slopes is.

    What lies between two questions may be recorded; the equation is asked outside of recordings, by one call a stage.
    """

    @property
    def askable(self) -> bool:
        """Whether one call answers a question."""
        ...

    def diffusivity(self, t: float) -> float:
        """Return the number D that a rate takes."""
        ...

    def question(self, u: Any) -> tuple[Any, Any]:
        """Return what the equation is asked about, and beside it, as a line of numbers, what else the rate is made of."""
        ...

    def answer(self, points: Any, t: float) -> Any:
        """Return what the equation says."""
        ...

    def rate_of(self, rest: Any, answer: Any, D: Any) -> Any:
        """Return the rate from an answer and the rest, D a number or an array of one."""
        ...


Replay = Callable[..., tuple[Any, ...]]
"""of (key, work, *given), as `kernels.replay.Replayed` is"""
Recorded = tuple[Any, Any, tuple[float, float]]
"""the new state and the error, which last until the next step, and the root mean squares of the old state and the error"""


@runtime_checkable
class Replayable(Protocol):
    """An integrator whose steps may be recorded."""

    def recorded(self, replay: Replay, system: Any, u: Array, t: float, dt: float) -> Recorded | None:
        """Return what `step` does, by `replay`; None where the system cannot."""
        ...


def trapezoid_defect(system: System, u: Array, t: float, new: Array, dt: float) -> Array:
    """Return new − u − ½dt(rate(u, t) + rate(new, t+dt)) = −dt³u‴/12 + O(dt⁴) for any second-order step."""
    defect = system.rate(u, t)
    defect = defect + system.rate(new, t + dt)
    defect *= -0.5 * dt
    defect += new
    defect -= u
    return defect


def size(u: Array) -> float:
    """Return the root mean square of an array.

    >>> mfg.integrators.size(np.array([1.0, 7.0]))
    5.0
    """
    return float(np.sqrt(np.mean(np.abs(u) ** 2)))


def sizes(u: Array, error: Array) -> tuple[float, float]:
    """Return the root mean squares of both; from a device in one transfer.

    >>> tuple(map(float, mfg.integrators.sizes(np.array([3.0, 3.0]), np.array([0.5, -0.5]))))
    (3.0, 0.5)
    """
    if not elsewhere(u):
        return size(u), size(error)
    return norms(to_host(squares(u, error)), u.size)


def squares(u: Any, error: Any) -> Any:
    """Return the sums of squares of a state and its error, (1, 2), on the device where they lie."""
    real = [a.ravel().view(np.finfo(a.dtype).dtype) if a.dtype.kind == "c" else contiguous(a) for a in (u, error)]
    return stencils.on_device().sums_of_squares(*real)


def may_be_recorded(integrator: Integrator, system: System) -> bool:
    """Say whether steps may be: a subclass may do more in its own than the class whose recordings it inherits."""
    own = isinstance(integrator, Replayable) and "recorded" in vars(type(integrator))
    if isinstance(system, Asking):
        return own and system.askable
    return own and (isinstance(system, Driven) or (isinstance(system, Still) and system.still))


def judged(moving: Moving, u: Any, found: tuple[Any, ...]) -> Recorded | None:
    """Return a recorded step from its state, error and sums of squares, by one transfer; None if an answer forbids it."""
    new, error, sums = found
    if moving.asked is None:
        return new, error, norms(to_host(sums), u.size)
    answer = to_host(np.concatenate([sums.ravel(), moving.asked.ravel()]))
    return (new, error, norms(answer, u.size)) if moving.told(answer[2:]) else None


def norms(sums: Array, size: int) -> tuple[float, float]:
    """Return root mean squares of two arrays of so many entries from their sums of squares."""
    first, second = np.sqrt(sums.ravel()[:2] / size)
    return float(first), float(second)
