"""What a discretisation offers, and the Field: numbers together with what gives them meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mfgpde.core.arrays import Array, elsewhere, to_host
from mfgpde.core.shown import Shown, box
from mfgpde.grids import CartesianGrid
from mfgpde.integrators import Integrator, System


class Semidiscrete(System, Protocol):
    """A system that also knows how to enter and leave its own unknowns."""

    default_integrator: Integrator

    def start(self, initial: Callable[[Array], Array]) -> Array:
        """Return the unknowns of an initial condition given as a function of points."""
        ...

    def values(self, u: Array) -> Array:
        """Return the values at cell centres, (*cells) or (*cells, d)."""
        ...


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
        """Which axes are glued; meshes have no axes."""
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


class Discretisation(Protocol):
    """A domain and a way to write equations on it."""

    @property
    def grid(self) -> Any:
        """The domain: a CartesianGrid, or the quadrature points of a mesh."""
        ...

    @property
    def order(self) -> float:
        """The order of accuracy in the cell width; infinity for spectral methods."""
        ...

    def semidiscretise(self, equation: Any) -> Semidiscrete:
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


@dataclass(frozen=True, eq=False, repr=False)
class Field(Shown):
    """A scalar (*cells) or vector (*cells, d) field given by its values at cell centres, or quadrature points of a mesh."""

    discretisation: Discretisation
    values: Array

    def __call__(self, x: Array) -> Array:
        """Return the field at points x (..., d)."""
        return self.discretisation.interpolate(self.values, x)

    @property
    def grid(self) -> Any:
        """The domain whose points carry the values."""
        return self.discretisation.grid

    def summary(self) -> tuple[str, dict[str, str]]:
        """Return what the field is and its range."""
        kind = "scalar" if self.values.ndim < self.grid.points.ndim else "vector"
        low, high = float(np.min(self.values)), float(np.max(self.values))
        facts = {
            "by": type(self.discretisation).__name__,
            "on": box(self.grid),
            "from": f"{low:.4g}",
            "to": f"{high:.4g}",
        }
        if kind == "scalar":
            facts["integral"] = f"{float(self.integral()):.6g}"
        return f"{kind} field", facts

    def integral(self) -> Array:
        """Return the integral over the box; for a density its mass."""
        return self.grid.integrate(self.values)

    def gradient(self) -> Field:
        """Return the gradient of a scalar field, a vector field on the same points."""
        return Field(self.discretisation, self.discretisation.gradient(self.values))

    def expectation(self, function: Array | Callable[[Array], Array]) -> float:
        """Return ∫ h p for this density p and a function h of points, or its values at the cells."""
        values = function(self.grid.points) if callable(function) else function
        return float(self.grid.integrate(values * self.values))


def checked(values: Any, shape: tuple[int, ...], what: str) -> Array:
    """Return `values` as an array if it has this shape and is finite; else say what came and where."""
    values = values if elsewhere(values) else np.asarray(values)
    if values.shape != shape:
        raise ValueError(f"{what} must return an array of shape {shape} on points of shape {shape}, got {values.shape}")
    if values.dtype.kind in "cO":
        raise TypeError(f"{what} must return real numbers, got dtype {values.dtype}")
    if not np.isfinite(values).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(to_host(values)))[0])
        raise ValueError(f"{what} returned {values[where]} at array index {where}")
    return values.astype(float, copy=False)


def computing(function: Callable[..., Any], what: str, grid: CartesianGrid, xp: Any) -> Any:
    """Return the cell centres as `xp` holds them; TypeError unless function(x, p, t) computes with such arrays."""
    if xp is np:
        return grid.points
    few = xp.asarray(np.ascontiguousarray(grid.points.reshape(-1, grid.dimension)[:2]))
    reason = trouble(lambda: function(few, few, 0.0))
    if reason:
        raise TypeError(
            f"{what} does not compute with arrays on the device: {reason}; write it with operators and NumPy functions of "
            "its arguments alone, without NumPy arrays of its own, or use backend='numpy'"
        )
    return xp.asarray(grid.points)


def trouble(evaluate: Callable[[], Any]) -> str:
    """Return why an evaluation with arrays on the device does not give one, or nothing."""
    try:
        values = evaluate()
    except Exception as problem:  # whatever a user's function meets there
        return f"{type(problem).__name__}: {problem}"
    return "" if elsewhere(values) else f"it returned {type(values).__name__}"
