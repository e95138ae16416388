"""The seam between space and time: what an integrator may ask of a semidiscrete system, and nothing more."""

from __future__ import annotations

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

    def stages(self, y0: Array, f0: Array, weights: Array, dt: float) -> Array | None:
        """Return the last of y_j = c₀y₀ + c₁y_{j−1} + c₂y_{j−2} + dt(c₃ rate(y_{j−1}) + c₄f₀), or None if it cannot.

        y₁ = y₀ + c₃ dt f₀, and c = weights[j].
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


@runtime_checkable
class Replayable(Protocol):
    """An integrator whose steps of a still system may be recorded."""

    def constants(self, system: Any, u: Array, t: float, dt: float) -> Any:
        """Return what a step reads besides the state: weights, on the device."""
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
    """Return the root mean squares of both; from a device in one transfer."""
    if not elsewhere(u):
        return size(u), size(error)
    real = [a.ravel().view(np.finfo(a.dtype).dtype) if a.dtype.kind == "c" else contiguous(a) for a in (u, error)]
    both = to_host(stencils.on_device().sums_of_squares(*real))[0] / u.size
    return float(np.sqrt(both[0])), float(np.sqrt(both[1]))
