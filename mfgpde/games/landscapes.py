"""Landscapes: scalar functions V(x) of points (..., d) that games take as costs of where the mass ends or wants to go."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mfgpde.core.arrays import Array


class Landscape(ABC):
    """A function V from points (..., d) to values (...), in units of cost."""

    @abstractmethod
    def __call__(self, x: Array) -> Array:
        """Return V(x)."""


@dataclass(frozen=True)
class QuadraticWell(Landscape):
    """V(x) = ½ weight |x − centre|².

    >>> mfg.games.QuadraticWell(weight=2.0, centre=1.0)(np.array([[0.0], [3.0]]))
    array([1., 4.])
    """

    weight: float = 1.0
    centre: ArrayLike = 0.0

    def __call__(self, x: Array) -> Array:
        """Return V(x)."""
        return 0.5 * self.weight * np.sum((x - np.asarray(self.centre, dtype=float)) ** 2, axis=-1)


@dataclass(frozen=True)
class DoubleWell(Landscape):
    """V(x) = height (|x|²/width² − 1)²: zero on the sphere of radius `width`.

    >>> mfg.games.landscapes.DoubleWell(height=2.0)(np.array([[0.0], [1.0]]))
    array([2., 0.])
    """

    height: float = 1.0
    width: float = 1.0

    def __call__(self, x: Array) -> Array:
        """Return V(x)."""
        return self.height * (np.sum(x * x, axis=-1) / self.width**2 - 1) ** 2
