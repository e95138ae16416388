"""Stationary laws of Markov chains by elimination of states without a subtraction: each entry has all its digits.

States are censored one after the other; what leaves a state is the sum of what goes elsewhere, never a diagonal entry. —
Grassmann, Taksar, Heyman, Operations Research 33 (1985); O'Cinneide, Numer. Math. 65 (1993), on its entrywise errors.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy import sparse
from scipy.sparse.csgraph import connected_components, reverse_cuthill_mckee

from mfgpde.core.arrays import Array

LARGEST = 1e250  # a law is scaled down where an entry exceeds it


def stationary_law(rates: sparse.csr_array, work: float = 2e10) -> Array:
    """Return the law (n,), of mass one, that rates (n, n) ≥ 0 from column to row keep; the diagonal is not read.

    Raises ValueError for negative rates, states that do not all lead to each other, and chains whose band takes more than
    `work` operations.

    >>> rates = sparse.csr_array(np.array([[0.0, 3.0], [1e-30, 0.0]]))  # from 0 to 1 hardly ever
    >>> stationary_law(rates)
    array([1.00000000e+00, 3.33333333e-31])
    """
    n = rates.shape[0]
    entries = rates.tocoo()
    off = entries.coords[0] != entries.coords[1]
    if entries.data[off].min(initial=0.0) < 0:
        raise ValueError(f"rates must be ≥ 0, got {entries.data[off].min():.2e}")
    rows, columns, values = entries.coords[0][off], entries.coords[1][off], entries.data[off]
    plain = sparse.csr_array((values, (rows, columns)), shape=(n, n))
    plain.eliminate_zeros()  # of rates that underflowed
    pieces = connected_components(plain, connection="strong")[0]
    if pieces > 1:
        raise ValueError(
            f"the states fall into {pieces} classes that do not all lead to each other: no law is the only one"
        )
    order = reverse_cuthill_mckee(sparse.csr_matrix(plain + plain.T), symmetric_mode=True)
    place = np.empty(n, dtype=np.int64)
    place[order] = np.arange(n)
    starts, ends = place[columns], place[rows]
    width = int(np.abs(starts - ends).max(initial=0))
    if n * float(width) ** 2 > work:
        raise ValueError(f"{n} states in a band of {width} take more than {work:.0e} operations")
    band = np.zeros((n, 2 * width + 1))
    np.add.at(band, (starts, ends - starts + width), values)
    law = _eliminated(band, width)
    return law[place] / law.sum()


@njit(cache=True)
def _eliminated(band: Array, width: int) -> Array:  # pragma: no cover  # compiled
    """Return the law of a chain; band[i, j − i + width] is the rate from i to j."""
    n = len(band)
    for k in range(n - 1, 0, -1):
        first, leaving = max(0, k - width), 0.0
        for j in range(first, k):
            leaving += band[k, j - k + width]
        for i in range(first, k):
            share = band[i, k - i + width] / leaving
            band[i, k - i + width] = share
            for j in range(first, k):
                if share > 0 and j != i:
                    band[i, j - i + width] += share * band[k, j - k + width]
    law = np.zeros(n)
    law[0] = 1.0
    for k in range(1, n):
        for i in range(max(0, k - width), k):
            law[k] += law[i] * band[i, k - i + width]
        if law[k] > LARGEST:
            law[: k + 1] /= law[k]
    return law
