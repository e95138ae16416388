"""What a discretisation offers: a domain, and a way to write equations on it as systems of ordinary ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from mfgpde.core.arrays import Array
from mfgpde.equations import Equation
from mfgpde.integrators import Integrator, System


class Semidiscrete(System, Protocol):
    """A system that also knows how to enter and leave its own unknowns."""

    default_integrator: Integrator

    def start(self, initial: Callable[[Array], Array]) -> Array:
        """Return the unknowns of an initial condition, a function of points that may know its means over cells."""
        ...

    def values(self, u: Array) -> Array:
        """Return the values at the domain's points, (*cells) or (*cells, d); of densities by volumes, means over cells."""
        ...


@runtime_checkable
class Inviscid(Protocol):
    """A system that may be `inviscid`: D = 0 is allowed."""

    @property
    def inviscid(self) -> bool:
        """Whether it is."""
        ...


@runtime_checkable
class Fed(Protocol):
    """A system that is given values or fluxes at walls."""

    @property
    def fed(self) -> Sequence[Callable[[float], Array]]:
        """Those that are functions of time, each as an array at any one time."""
        ...


@runtime_checkable
class Limited(Protocol):
    """A system whose error is no power of the cell width: it has limiters, or solves for kinks."""

    @property
    def limited(self) -> bool:
        """True."""
        ...


@runtime_checkable
class Working(Protocol):
    """A system that counts its work."""

    @property
    def work(self) -> Mapping[str, float]:
        """How much of what."""
        ...


@runtime_checkable
class OrderOf(Protocol):
    """A discretisation whose order of accuracy depends on the equation."""

    def order_of(self, equation: Equation) -> float:
        """Return the order for one equation."""
        ...


def order_of(space: Discretisation, equation: Equation) -> float:
    """Return the order of accuracy of a discretisation for an equation: its own where it says no other."""
    return space.order_of(equation) if isinstance(space, OrderOf) else space.order


class Domain(Protocol):
    """The points at which fields are known, and how to integrate over them: a CartesianGrid or a mesh."""

    @property
    def points(self) -> Array:
        """The points, shape (..., d)."""
        ...

    @property
    def cells(self) -> tuple[int, ...]:
        """The numbers of cells per axis; a mesh has one."""
        ...

    @property
    def lower(self) -> Any:
        """The lower corner of the bounding box."""
        ...

    @property
    def upper(self) -> Any:
        """The upper corner of the bounding box."""
        ...

    @property
    def periodic(self) -> tuple[bool, ...]:
        """Which axes are periodic; meshes have no axes."""
        ...

    def integrate(self, values: Array) -> Array:
        """Return ∫ of values at the points; trailing axes stay."""
        ...

    def minimum(self, values: Array) -> float:
        """Return the least value."""
        ...

    def outer_share(self, values: Array) -> float:
        """Return the share of ∫|values| next to walls."""
        ...


class Ranks(Protocol):
    """A communicator of MPI."""

    @property
    def rank(self) -> int:
        """The number of this process."""
        ...

    @property
    def size(self) -> int:
        """How many processes there are."""
        ...

    def allgather(self, sendobj: Any) -> list[Any]:
        """Return what every rank gave, on every rank."""
        ...


@runtime_checkable
class Distributed(Protocol):
    """A domain that may be spread over several processes."""

    @property
    def comm(self) -> Ranks:
        """What they talk by."""
        ...


@runtime_checkable
class Celled(Protocol):
    """What has cells whose width tells how steep a drift it sees between neighbours."""

    @property
    def widths(self) -> Array:
        """Widths of the cells along each axis (d,), or at each of the grid's points (n, 1)."""
        ...

    @property
    def steepest(self) -> tuple[float, str]:
        """The cell Péclet number beyond which it is out of its depth, and what it is then, in words."""
        ...


@runtime_checkable
class Discretisation(Protocol):
    """A domain and a way to write equations on it."""

    @property
    def grid(self) -> Any:
        """The domain: a CartesianGrid, or the quadrature points of a mesh."""
        ...

    @property
    def walls(self) -> Any:
        """What walls stand for: "far" (infinity), "reflecting" or "absorbing"; on a grid also side by side."""
        ...

    @property
    def order(self) -> float:
        """The order of accuracy in the cell width; infinity for spectral methods."""
        ...

    def semidiscretise(self, equation: Equation) -> Semidiscrete:
        """Return the system of ordinary differential equations that stands for `equation`."""
        ...

    def interpolate(self, values: Array, x: Array) -> Array:
        """Return the field with these cell values at points x (..., d)."""
        ...

    def gradient(self, values: Array) -> Array:
        """Return the gradient (..., d) of a scalar field, at the points where its values are."""
        ...

    def refined(self, k: int = 1) -> Discretisation:
        """Return the same scheme with 2^k times as many cells per axis."""
        ...
