"""DOLFINx, PETSc and MPI, imported in this one place, and linear solves sized to the problem."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import h5py  # noqa: F401  # before DOLFINx: otherwise it would find the HDF5 of that, of another version
import numpy as np
from numpy.typing import NDArray

from mfgpde.core.arrays import Array
from mfgpde.core.optional import told

with contextlib.suppress(ModuleNotFoundError):
    import dolfinx_solver  # noqa: F401  # makes its own MPI visible before dolfinx asks for one

basix: Any  # their type stubs and their code do not agree
fem: Any
geometry: Any
mesh: Any
petsc_forms: Any
ufl: Any
MPI: Any
PETSc: Any
SLEPc: Any
with told():
    import basix
    import basix.ufl
    import dolfinx.fem.petsc as petsc_forms
    import ufl
    from dolfinx import fem, geometry, mesh
    from mpi4py import MPI
    from petsc4py import PETSc
    from slepc4py import SLEPc

__all__ = ["MPI", "PETSc", "SLEPc", "basix", "fem", "geometry", "mesh", "petsc_forms", "ufl"]

LARGEST_DIRECT = {1: 10_000_000, 2: 20_000, 3: 5_000}
"""unknowns up to which a sparse LU is the better choice, by dimension of the cells"""


@dataclass(eq=False)
class Factorised:
    """A linear system kept for many right-hand sides: LU where that is cheap, else BiCGStab with Jacobi's preconditioner.

    Steps that an error tolerance allows leave the mass matrix dominant. Measured on 66 049 unknowns in the plane, one and
    two processes: 4.3 and 2.7 s, the same iterations on both; GMRES with incomplete LU 4.4 and 7.4 s, sparse LU 15 s. In
    space, on 185 193, algebraic multigrid (GAMG) took 2.6 times as long as either. PETSC_OPTIONS="-mfgpde_pc_type gamg"
    and the like try others.
    """

    matrix: Any
    dimension: int
    rtol: float = 1e-12
    work: Counter[str] = field(default_factory=Counter)
    """counts matrices set up, solves and iterations; of the system it belongs to, if given"""
    direct: bool | None = None
    """whether to use LU; by default a matter of size"""

    def __post_init__(self) -> None:
        size = self.matrix.getSize()[0]
        comm = self.matrix.getComm()
        direct = size <= LARGEST_DIRECT[self.dimension] if self.direct is None else self.direct
        self._ksp = ksp = PETSc.KSP().create(comm)
        ksp.setOperators(self.matrix)
        pc = ksp.getPC()
        if direct:
            ksp.setType("preonly")
            pc.setType("lu")
            pc.setFactorSolverType("mumps" if comm.size > 1 or size > 20_000 else "petsc")
            pc.setFactorPivot(zeropivot=0.0)  # PETSc's own limit is a number in the user's units
        else:
            ksp.setType("bcgs")
            pc.setType("jacobi")
            ksp.setTolerances(rtol=self.rtol, atol=1e-300, max_it=2000)
            ksp.setConvergenceHistory()
            ksp.setOptionsPrefix("mfgpde_")
            ksp.setFromOptions()
        ksp.setUp()
        self.work["factorisations" if direct else "preconditioners"] += 1

    def __call__(self, rhs: Array) -> Array:
        """Return the solution for this right-hand side (the rank's own entries)."""
        b = PETSc.Vec().createWithArray(rhs, size=(len(rhs), None), comm=self.matrix.getComm())
        x = self.matrix.createVecRight()
        self._ksp.solve(b, x)
        reason = self._ksp.getConvergedReason()
        if reason < 0:
            history = ", ".join(f"{r:.1e}" for r in self._ksp.getConvergenceHistory()[-5:])
            raise RuntimeError(
                f"the linear solve stopped (PETSc reason {reason}) after {self._ksp.getIterationNumber()} iterations, "
                f"last residuals {history or 'none'}; try a smaller time step or a finer mesh"
            )
        self.work["linear solves"] += 1
        self.work["linear iterations"] += self._ksp.getIterationNumber()
        return x.getArray().copy()


def multiply(matrix: Any, u: Array) -> Array:
    """Return matrix·u, the rank's own entries."""
    x = PETSc.Vec().createWithArray(np.ascontiguousarray(u), size=(len(u), None), comm=matrix.getComm())
    y = matrix.createVecLeft()
    matrix.mult(x, y)
    return y.getArray().copy()


def fetch(own: Array, wanted: NDArray[Any], comm: Any) -> Array:
    """Return the entries with these global numbers of a vector spread over all ranks."""
    spread = PETSc.Vec().createWithArray(np.ascontiguousarray(own), size=(len(own), None), comm=comm)
    here = PETSc.Vec().createSeq(len(wanted))
    numbers = PETSc.IS().createGeneral(wanted.astype(PETSc.IntType), comm=PETSc.COMM_SELF)
    scatter = PETSc.Scatter().create(spread, numbers, here, None)
    scatter.scatter(spread, here)
    return here.getArray().copy()
