"""Sparse matrices: what is asked of them, as types, and how they are made from their entries."""

from __future__ import annotations

from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

from mfgpde.core.arrays import Array


class Sparse(Protocol):
    """A sparse matrix, as SciPy's are: products with arrays and with its like, entries scaled, all of them as an array."""

    def __matmul__(self, other: Array, /) -> Array:
        """Return the product with a vector (n,) or a matrix (n, m)."""
        ...

    def multiply(self, other: Array, /) -> Sparse:
        """Return the entries times those of an array that broadcasts."""
        ...

    def dot(self, other: Sparse, /) -> Sparse:
        """Return the product with another sparse matrix."""
        ...

    def tocsr(self) -> Sparse:
        """Return it by compressed rows."""
        ...

    def toarray(self) -> Array:
        """Return all entries."""
        ...


def sparse(values: Array, rows: NDArray[np.int64], columns: NDArray[np.int64], shape: tuple[int, int]) -> Sparse:
    """Return the matrix with these values in these rows and columns; those of one place are added.

    >>> sparse(np.array([1.0, 2.0]), np.array([0, 0]), np.array([1, 1]), (2, 2)).toarray()
    array([[0., 3.],
           [0., 0.]])
    """
    return cast(Sparse, csr_matrix((values, (rows, columns)), shape=shape))
