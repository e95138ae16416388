"""The lowest eigenvalues of K u = λ M u, symmetric and M positive, and the proof that none is missing.

A Krylov space from one vector sees one copy of a multiple eigenvalue but for rounding. By Sylvester's law the inertia of
K − σM, the signs of its pivots, counts the eigenvalues below σ: what is missing is sought again beside what was found.
The pencil is scaled to a unit diagonal of M and of K's largest ratio, so that nothing depends on units or on how π decays.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.discretisations.finite_element._petsc import PETSc, SLEPc
from mfgpde.discretisations.finite_element.ranks import MPI, over_ranks

TOLERANCE, ITERATIONS = 1e-12, 500
ROUNDS = 8  # of asking again for what the inertia says is missing, or for a gap
GAP = 1e-6  # relative: what separates two eigenvalues well enough for pivots to keep their signs between them


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Eigenvalues in rising order (k,), vectors (own, k) orthonormal in M, and how far rounding moves eigenvalues (k,)."""

    values: Array
    vectors: Array
    rounding: Array


@dataclass(eq=False)
class Pencil:
    """K and M scaled: K′ = SKS/scale, M′ = SMS with S = diag(M)^{−½}; eigenvalues of size one at most, whatever the units.

    `gap` is of the size of the lowest eigenvalue above zero, in the user's units; `kernel`, if known, spans that of K.
    """

    K: Any
    M: Any
    gap: float
    kernel: Array | None = None

    def __post_init__(self) -> None:
        diagonal = self.M.getDiagonal().getArray().copy()
        self.comm = comm = self.K.getComm().tompi4py()
        if not over_ranks(comm, diagonal.min(initial=np.inf), MPI.MIN) > 0:
            raise ValueError(
                "the mass matrix has no weight at some nodes; take a mesh that ends where π is above 1e-300"
            )
        stiff = self.K.getDiagonal().getArray()
        self.scale = float(over_ranks(comm, (stiff / diagonal).max(initial=0.0), MPI.MAX))
        self.S = 1 / np.sqrt(diagonal)
        S = PETSc.Vec().createWithArray(self.S, size=(len(self.S), None), comm=comm)
        self.K, self.M = self.K.copy(), self.M.copy()
        for matrix in (self.K, self.M):
            matrix.diagonalScale(S, S)
        self.K.scale(1 / self.scale)
        self.size = int(self.K.getSize()[0])
        self.target = -self.gap / self.scale
        # what the solver deflates: the kernel, then all that was found
        self.values, self.vectors = np.zeros(0), np.zeros((len(diagonal), 0))
        if self.kernel is not None:
            u = self.kernel / self.S
            norm = np.sqrt(self._dot(u, self._times(self.M, u)))
            self.values, self.vectors = np.zeros(1), (u / norm)[:, None]

    def _dot(self, u: Array, v: Array) -> float:
        return float(over_ranks(self.comm, u @ v, MPI.SUM))

    def _times(self, matrix: Any, u: Array) -> Array:
        x, y = self._vector(u), matrix.createVecLeft()
        matrix.mult(x, y)
        return y.getArray().copy()

    def _vector(self, u: Array) -> Any:
        return PETSc.Vec().createWithArray(np.ascontiguousarray(u), size=(len(u), None), comm=self.comm)

    def extend(self, more: int) -> None:
        """Seek at least `more` pairs from the lower end beside those known, and keep what converged."""
        more = min(more, self.size - len(self.values))
        if more < 1:
            return
        solver = SLEPc.EPS().create(self.comm)
        solver.setOperators(self.K, self.M)
        solver.setProblemType(SLEPc.EPS.ProblemType.GHEP)
        solver.setDimensions(more)
        solver.setTolerances(tol=TOLERANCE, max_it=ITERATIONS)
        solver.setWhichEigenpairs(SLEPc.EPS.Which.TARGET_REAL)
        solver.setTarget(self.target)
        transform = solver.getST()
        transform.setType(SLEPc.ST.Type.SINVERT)
        transform.getKSP().setType("preonly")
        factorisation = transform.getKSP().getPC()
        factorisation.setType("lu")
        factorisation.setFactorSolverType("mumps")
        if len(self.values):
            solver.setDeflationSpace([self._vector(u) for u in self.vectors.T])
        # a start of one size in the user's functions: in the scaled ones it would be huge wherever π is small, and stay
        random = np.random.default_rng((self.comm.rank, len(self.values)))
        solver.setInitialSpace([self._vector(random.uniform(-1, 1, len(self.S)) / self.S)])
        solver.solve()
        vector, values, vectors = self.K.createVecRight(), [], []
        for n in range(solver.getConverged()):
            values.append(solver.getEigenpair(n, vector).real)
            vectors.append(vector.getArray().copy())
        solver.destroy()
        if values:
            self.values = np.concatenate((self.values, values))
            first = int(self.kernel is not None)  # the kernel stays first, whatever rounding makes of the next ones
            order = np.r_[:first, first + np.argsort(self.values[first:], kind="stable")]
            self.values = self.values[order]
            self.vectors = np.column_stack((self.vectors, *vectors))[:, order]

    def below(self, level: float) -> int:
        """Return the number of eigenvalues below `level` (in units of `scale`): negative pivots of K′ − level·M′."""
        shifted = self.K.copy()
        shifted.axpy(-level, self.M, structure=PETSc.Mat.Structure.SAME_NONZERO_PATTERN)
        factorisation = PETSc.PC().create(self.comm)
        factorisation.setOperators(shifted)
        factorisation.setType("cholesky")
        factorisation.setFactorSolverType("mumps")
        factorisation.setFactorSetUpSolverType()
        settings = factorisation.getFactorMatrix()
        settings.setMumpsIcntl(13, 1)  # the last block by MUMPS itself, which counts its signs
        settings.setMumpsIcntl(24, 1)  # pivots that vanish are told apart
        factorisation.setUp()
        negative = int(factorisation.getFactorMatrix().getInertia()[0])
        factorisation.destroy()
        return negative

    def rounding(self, vectors: Array) -> Array:
        """Return ε·|u|ᵀ|K′||u|: what rounding of K's entries does to Rayleigh quotients."""
        magnitude = self.K.copy()
        pointers, columns, entries = magnitude.getValuesCSR()
        magnitude.setValuesCSR(pointers, columns, np.abs(entries))
        magnitude.assemble()
        sizes = [self._dot(np.abs(u), self._times(magnitude, np.abs(u))) for u in vectors.T]
        return float(np.finfo(float).eps) * np.array(sizes)


def lowest(pencil: Pencil, count: int) -> Spectrum:
    """Return the lowest `count` eigenpairs, none missing: the inertia at a level above them counts as many as were found.

    A multiple eigenvalue that `count` cuts through is there with as many copies as fit. Warns if the spectrum has no gap
    to put a level into, so that nothing is proved; raises RuntimeError if pairs that the inertia counts are not found.
    """
    extra, n = max(8, count // 2), 0
    pencil.extend(count + extra - len(pencil.values))
    for _ in range(ROUNDS):
        if len(pencil.values) < count:
            raise RuntimeError(
                f"SLEPc found {len(pencil.values)} of {count} eigenpairs; use a finer mesh or ask for fewer"
            )
        if len(pencil.values) == pencil.size:
            return _unscaled(pencil, count)
        n = _largest_gap(pencil.values, count, pencil.target)
        if not n:
            extra *= 2
            pencil.extend(extra)
            continue
        missing = pencil.below(0.5 * (pencil.values[n - 1] + pencil.values[n])) - n
        if missing == 0:
            return _unscaled(pencil, count)
        if missing < 0:
            raise RuntimeError(f"SLEPc found {n} eigenvalues where the inertia of K − σM counts {n + missing}")
        pencil.extend(missing + 2)
    if n:
        raise RuntimeError(
            f"the inertia of K − σM counts more eigenvalues than the {n} that SLEPc found; use a finer mesh"
        )
    warnings.warn(
        f"no gap was found above the lowest {count} eigenvalues, so that none can be counted: copies may be missing",
        RuntimeWarning,
        stacklevel=4,
    )
    return _unscaled(pencil, count)


def _largest_gap(values: Array, count: int, target: float) -> int:
    """Return n ≥ count with the largest relative gap between the n-th eigenvalue and the next one; 0 without any."""
    gaps = (values[count:] - values[count - 1 : -1]) / (values[count:] - target)
    return count + int(np.argmax(gaps)) if gaps.size and gaps.max() > GAP else 0


def _unscaled(pencil: Pencil, count: int) -> Spectrum:
    vectors = pencil.vectors[:, :count]
    rounding = pencil.scale * pencil.rounding(vectors)
    return Spectrum(pencil.scale * pencil.values[:count], pencil.S[:, None] * vectors, rounding)
