"""Still problems of a chain: stationary laws, mean times, committors, by elimination that subtracts nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, reverse_cuthill_mckee

from mfgpde.core.arrays import Array
from mfgpde.discretisations.finite_volume.jump_chain import Instant
from mfgpde.kernels import dominant

LARGEST_WORK = 4e10
"""multiplications that an elimination may take, about a minute"""


@dataclass(frozen=True, eq=False)
class Rates:
    """Jump rates `among` cells (row from, column to) and rates of leaving for good, `lost`, per cell."""

    among: csr_array
    lost: Array

    @classmethod
    def of(cls, instant: Instant) -> Rates:
        """Read the rates of an instant, killing, resetting and open walls as losses; TypeError where it is not monotone."""
        if instant.transport is not None:
            raise TypeError(
                "the diffusion has no noise along some direction: still problems need noise along all of them; march in "
                "time until the law is still"
            )
        if not instant.jumps.monotone:
            raise TypeError(f"still problems need a monotone scheme; {instant.jumps.word}")
        return cls(csr_array(instant.jumps.matrix().T), instant.lost.ravel())

    def within(self, kept: NDArray[np.bool_]) -> Rates:
        """Return the chain that is lost where it leaves the kept cells."""
        out = np.asarray(self.among[kept][:, ~kept].sum(axis=1)).ravel()
        return Rates(csr_array(self.among[kept][:, kept]), self.lost[kept] + out)

    def factors(self) -> Factors:
        """Return the elimination. Raises ValueError where it would take too long, or no cell of a part is ever left."""
        n = self.among.shape[0]
        order = np.asarray(reverse_cuthill_mckee(self.among, symmetric_mode=False))
        place = np.empty(n, dtype=np.int64)
        place[order] = np.arange(n)
        entries = self.among.tocoo()
        rows, columns = place[entries.coords[0]], place[entries.coords[1]]
        band = int(np.abs(rows - columns).max(initial=1))
        if 2 * n * float(band) ** 2 > LARGEST_WORK:
            raise ValueError(
                f"elimination on {n} cells takes 2·{n}·{band}² multiplications, more than {LARGEST_WORK:.0e}: "
                "take fewer cells"
            )
        a, excess, pivots = np.zeros((n, 2 * band + 1)), self.lost[order].copy(), np.zeros(n)
        a[rows, columns - rows + band] = entries.data
        dominant.factorise(a, excess, pivots)
        return Factors(a, pivots, order)

    @property
    def parts(self) -> int:
        """How many parts the chain has between which nothing jumps."""
        return int(connected_components(self.among, directed=True, connection="strong")[0])


@dataclass(frozen=True, eq=False)
class Factors:
    """M = diag(lost + departures) − rates, eliminated."""

    a: Array
    pivots: Array
    order: NDArray[np.int64]

    def expected(self, r: Array) -> Array:
        """Return x with Mx = r ≥ 0. Raises OverflowError where it exceeds what numbers hold."""
        x = r.ravel()[self.order].astype(float)
        dominant.solve_rows(self.a, self.pivots, x)
        return self._back(x)

    def occupied(self, r: Array | None = None) -> Array:
        """Return x with Mᵀx = r ≥ 0; without r the law that stays, up to a factor."""
        x = np.zeros(len(self.order)) if r is None else r.ravel()[self.order].astype(float)
        dominant.solve_columns(self.a, self.pivots, x, r is None)
        return self._back(x)

    def _back(self, x: Array) -> Array:
        if not np.isfinite(x).all():
            raise OverflowError(
                "the result exceeds the largest number, about e^709: barriers are higher, or some cells cannot reach what "
                "they must; lower the barrier, or ask for the rate along its way by the potential"
            )
        back = np.empty_like(x)
        back[self.order] = x
        return back
