"""Still problems of expectations on elements, −Lu = s with u given at some unknowns: mean times, exits, committors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from mfgpde.core.arrays import Array
from mfgpde.discretisations.finite_element._petsc import MPI, Factorised, multiply
from mfgpde.discretisations.finite_element.kolmogorov import KolmogorovSystem
from mfgpde.discretisations.finite_element.ranks import over_ranks
from mfgpde.discretisations.finite_volume.still import Factors, Rates

LOST = 1e-4
"""relative: what rounding of the operator may move a solution by"""


class Pinned:
    """K u = −b where u is not given: K that of a backward system, still; `pinned` the rank's own unknowns that are.

    Fitted elements, a Markov chain on the vertices, are eliminated without subtraction (on one rank, where no weight is
    negative): times of e^{100} are as good as times of one. Galerkin's are refused where rounding decides.
    """

    def __init__(self, system: KolmogorovSystem, pinned: NDArray[Any]) -> None:
        self.system, self.space, self.pinned = system, system.space, pinned
        if not over_ranks(self.space.comm, len(pinned), MPI.SUM):
            raise ValueError("nothing is absorbing: no wall, no target; the first passage never happens")
        self._matrix = system.at(0.0).K
        self._rates = self._chain() if system.fitted and self.space.comm.size == 1 else None
        if self._rates is not None:
            self._kept = np.ones(self.space.own, dtype=bool)
            self._kept[pinned] = False
            self._factors: Factors = self._rates.within(self._kept).factors()
            return
        P = self.space.held_at(self._matrix, pinned, -1.0)
        self._solve = Factorised(P, self.space.domain.topology.dim, direct=True)

    def _chain(self) -> Rates | None:
        """Return the rates of the chain and what is killed; nothing where weights are negative."""
        pointers, columns, entries = self._matrix.getValuesCSR()
        K = sparse.csr_array((entries, columns, pointers), shape=(self.space.own,) * 2)
        among = sparse.csr_array(K - sparse.diags_array(K.diagonal()))
        inside = np.setdiff1d(np.arange(self.space.own), self.system.held)
        if among.min() < 0:
            return None
        among.eliminate_zeros()
        killed, lost = self.system._lost(0.0), np.zeros(self.space.own)
        if killed is not None:
            lost[inside] = self.space.load(killed)[inside]
        return Rates(among, lost)

    def __call__(self, load: Array, values: Array) -> Array:
        """Return u for b (of all own unknowns, ≥ 0) and the values given, ≥ 0."""
        u = np.zeros(self.space.own)
        u[self.pinned] = values
        if self._rates is not None:
            into = np.asarray(self._rates.among[self._kept][:, ~self._kept] @ u[~self._kept])
            u[self._kept] = self._factors.expected(load[self._kept] + into)
            return u
        rhs = -load
        rhs[self.pinned] = -u[self.pinned]
        found = self._solve(rhs)
        self._check(found, rhs)
        return found

    def _check(self, u: Array, rhs: Array) -> None:
        """Raise RuntimeError where one rounding of the operator would move the solution: it multiplies |K||u|."""
        pointers, _, entries = self._matrix.getValuesCSR()
        rows = np.add.reduceat(np.abs(entries), pointers[:-1]) if self.space.own else np.zeros(0)
        noise = float(over_ranks(self.space.comm, np.finfo(float).eps * float(np.sum(rows * np.abs(u))), MPI.SUM))
        size = float(over_ranks(self.space.comm, float(np.sum(np.abs(multiply(self._matrix, u)))), MPI.SUM))
        size = max(size, float(over_ranks(self.space.comm, float(np.sum(np.abs(rhs))), MPI.SUM)))
        if not (np.isfinite(size) and noise <= LOST * size):
            raise RuntimeError(
                f"rounding decides the solution: of rates {noise / size:.1e} are lost, as behind barriers of tens of kT; "
                "scheme='fitted' (one rank, Delaunay meshes) and FiniteVolume subtract nothing and have no such limit"
            )
