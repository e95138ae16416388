"""The Field: numbers together with what gives them meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.shown import Shown, box
from mfgpde.discretisations.agreed import together
from mfgpde.discretisations.contract import Discretisation
from mfgpde.discretisations.means import centres_of


@dataclass(frozen=True, eq=False, repr=False)
class Field(Shown):
    """A scalar (*cells) or vector (*cells, d) field given by its values at cell centres, or quadrature points of a mesh.

    With `means` the values are means over the cells of a grid: so finite volumes hold densities.

    >>> grid = mfg.CartesianGrid((0.0,), (1.0,), (64,))
    >>> square = mfg.Field(mfg.FiniteVolume(grid), grid.points[..., 0] ** 2)
    >>> print(f"{square.integral():.4f}, {square(np.array([[0.25]]))[0]:.4f}")  # 1/3, 1/16
    0.3333, 0.0625
    """

    discretisation: Discretisation
    values: Array
    means: bool = False

    def __call__(self, x: Array) -> Array:
        """Return the field at points x (..., d)."""
        return self.discretisation.interpolate(self.at_points, x)

    @property
    def at_points(self) -> Array:
        """The values at the domain's points: `values`, or what has them as its means, to fourth order."""
        return centres_of(self.values, self.grid) if self.means else self.values

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
        return Field(self.discretisation, self.discretisation.gradient(self.at_points))

    def expectation(self, function: Array | Callable[[Array], Array]) -> float:
        """Return ∫ h p for this density p and a function h of points, or its values at the domain's points."""
        values = together(self.grid, lambda: function(self.grid.points)) if callable(function) else function
        return float(self.grid.integrate(values * self.at_points))
