"""Functions that are polynomials on every interval or triangle of a mesh: what elements know of a field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mfgpde.core.arrays import Array

STRAIGHT = 1e-9
"""of a cell: points that are nearer to where an affine map puts them are there"""


@dataclass(frozen=True, eq=False)
class Simplices:
    """Straight cells by their corners (m, d + 1, d), and a function by its monomials on the unit simplex of each (m, n).

    >>> from mfgpde.discretisations.simplices import Simplices
    >>> points, reference = np.array([[[1.0], [2.0], [3.0]]]), np.array([[0.0], [0.5], [1.0]])
    >>> square = Simplices.of(points, reference, points[..., 0] ** 2, 2)
    >>> square.value(np.array([0]), np.array([[0.25]]))  # at 1.5
    array([2.25])
    """

    corners: Array
    powers: Array
    """exponents of each monomial (n, d)"""
    coefficients: Array

    @classmethod
    def of(cls, points: Array, reference: Array, values: Array, degree: int) -> Simplices:
        """Return it from values (m, q) at points (m, q, d), images of points (q, d) of the unit simplex.

        TypeError where cells are not straight.
        """
        affine = np.column_stack((np.ones(len(reference)), reference))
        maps = np.linalg.pinv(affine) @ points  # (m, d + 1, d): an origin and edges
        size = np.abs(maps[:, 1:]).max(initial=0.0)
        if points.shape[-1] != reference.shape[-1] or np.abs(affine @ maps - points).max() > STRAIGHT * size:
            raise TypeError(
                "cells of this mesh are curved, or lie on a surface: there is a bound on straight ones of intervals and "
                "rectangles; `mfg.solve_with_error` estimates errors on this mesh, from a finer one"
            )
        corners = np.concatenate((maps[:, :1], maps[:, :1] + maps[:, 1:]), axis=1)
        powers = np.array([k for k in np.ndindex(*(degree + 1,) * reference.shape[-1]) if sum(k) <= degree])
        return cls(corners, powers, values @ np.linalg.pinv(_monomials(reference, powers)).T)

    @property
    def degree(self) -> int:
        """The degree of the polynomials."""
        return int(self.powers.sum(axis=1).max())

    @cached_property
    def measures(self) -> Array:
        """The lengths or areas (m,)."""
        edges = self.corners[:, 1:] - self.corners[:, :1]
        return np.abs(np.linalg.det(edges)) / (1, 1, 2, 6)[edges.shape[-1]]

    def value(self, cells: NDArray[np.intp], reference: Array) -> Array:
        """Return the function at points (q, d) of the unit simplex, in cells (q,)."""
        return np.sum(self.coefficients[cells] * _monomials(reference, self.powers), axis=-1)

    def values(self, reference: Array, cells: NDArray[np.intp] | slice = slice(None)) -> Array:
        """Return the function at points (q, d) of the unit simplex, in cells, or all of them: (m, q)."""
        return self.coefficients[cells] @ _monomials(reference, self.powers).T

    def points(self, reference: Array) -> Array:
        """Return the images of points (q, d) of the unit simplex in all cells (m, q, d)."""
        edges = self.corners[:, 1:] - self.corners[:, :1]
        return self.corners[:, :1] + reference @ edges

    def parts(self, n: int) -> Iterator[tuple[Array, Array]]:
        """Yield the unit simplex in n^d equal parts, each as origin and edges: x = origin + ξ @ edges."""
        d = self.corners.shape[-1]
        if d == 1:
            yield from ((np.array([k / n]), np.eye(1) / n) for k in range(n))
            return
        for i in range(n):
            for j in range(n - i):
                yield np.array([i, j]) / n, np.eye(2) / n
                if i + j < n - 1:  # the one that stands on its head
                    yield np.array([i + 1, j + 1]) / n, -np.eye(2) / n


@runtime_checkable
class Piecewise(Protocol):
    """A discretisation whose functions are polynomials on straight cells."""

    def simplices(self, values: Array) -> Simplices:
        """Return a field as polynomials; TypeError where cells are curved."""
        ...


def gauss(dimension: int, nodes: int) -> tuple[Array, Array]:
    """Return points (n^d, d) and weights on the unit simplex, exact for polynomials of degree 2n − 1, in a plane 2n − 2.

    Stroud's conical product (1971).
    """
    return conical(dimension, np.polynomial.legendre.leggauss(nodes))


def conical(dimension: int, rule: tuple[Array, Array]) -> tuple[Array, Array]:
    """Return the points and weights on the unit simplex that a rule on [−1, 1] makes."""
    at, weight = 0.5 * (rule[0] + 1), 0.5 * rule[1]
    if dimension == 1:
        return at[:, None], weight
    x, y = np.meshgrid(at, at, indexing="ij")
    return np.stack((x, y * (1 - x)), axis=-1).reshape(-1, 2), (np.outer(weight * (1 - at), weight)).ravel()


def _monomials(x: Array, powers: Array) -> Array:
    return np.prod(x[..., None, :] ** powers, axis=-1)
