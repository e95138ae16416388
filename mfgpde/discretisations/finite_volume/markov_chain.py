"""A finite-volume density as a Markov chain that jumps between neighbouring cells, its rates stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, bicgstab, splu

from mfgpde.core.arrays import Array, contiguous, elsewhere
from mfgpde.core.recent import Recent
from mfgpde.grids import CartesianGrid
from mfgpde.kernels import cpu, stencils
from mfgpde.kernels.launch import Stencil

FORWARD: tuple[Callable[..., None], ...] = (cpu.forward_1d, cpu.forward_2d, cpu.forward_3d)
LARGEST_FACTORISED_3D = 40_000  # cells; beyond, the fill-in of a sparse LU in three dimensions outgrows the iteration


@dataclass(eq=False)
class MarkovChain:
    """du/dt = Au (or Aᵀu) with constant jump rates over faces; one pair of arrays per axis."""

    grid: CartesianGrid
    up: tuple[Array, ...]
    down: tuple[Array, ...]
    peclet: tuple[Array, ...] | None = None
    """face Péclet numbers, if fluxes are to be corrected to fourth order"""
    transposed: bool = False
    _factors: Recent[Callable[[Array], Array]] = field(default_factory=lambda: Recent(3), repr=False)

    def rate(self, u: Array, t: float, out: Array | None = None) -> Array:
        """Return Au, or Aᵀu for the backward equation, in `out` if that is given and fits."""
        u = contiguous(u)
        if self.transposed:
            return self._backward(u)
        if elsewhere(u):
            out = np.empty_like(u) if out is None else out
            self._there.rate(u, out)
            return out
        if self.peclet is not None:
            return self._corrected(u, self.peclet)
        out = np.empty_like(u) if out is None else out
        FORWARD[u.ndim - 1](u, *self._rates, out)
        return out

    @property
    def _rates(self) -> tuple[Array, ...]:
        return tuple(array for pair in zip(self.up, self.down, strict=True) for array in pair)

    @cached_property
    def _there(self) -> Stencil:
        """The same on the device: one launch a rate, and one a stage."""
        if self.peclet is None:
            return stencils.on_device().stencil("stage", self.grid.cells, *self._rates)
        faces = (a for axis in zip(self.up, self.down, self.peclet, strict=True) for a in axis)
        return stencils.on_device().stencil("corrected_stage", self.grid.cells, *faces, *self.grid.periodic)

    def stages(self, y0: Array, f0: Array, rows: Any) -> Array | None:
        """Return Chebyshev's last stage, where each stage is one pass; else None."""
        if self.transposed or not elsewhere(y0):
            return None
        return stencils.on_device().chebyshev(self._there, y0, f0, rows)

    def _corrected(self, u: Array, peclet: tuple[Array, ...]) -> Array:
        out = np.zeros_like(u)
        for axis, n in enumerate(u.shape):
            inner = int(np.prod(u.shape[axis + 1 :]))
            up, down, w = (a.reshape(-1, n + 1, inner) for a in (self.up[axis], self.down[axis], peclet[axis]))
            flux, better = np.empty_like(up), np.empty_like(up)
            if inner == 1:
                periodic, rows = self.grid.periodic[axis], (up[..., 0], down[..., 0], w[..., 0])
                cpu.add_corrected_rows(
                    u.reshape(-1, n), *rows, periodic, flux[..., 0], better[..., 0], out.reshape(-1, n)
                )
                continue
            cpu.face_flux(u.reshape(-1, n, inner), up, down, flux)
            cpu.corrected_flux(flux, w, self.grid.periodic[axis], better)
            cpu.add_inflow(better, out.reshape(-1, n, inner))
        return out

    def _backward(self, u: Array) -> Array:
        out = np.zeros_like(u)
        for axis in range(u.ndim):
            n, inner = u.shape[axis], int(np.prod(u.shape[axis + 1 :]))
            up, down = (rate.reshape(-1, n + 1, inner) for rate in (self.up[axis], self.down[axis]))
            stencils.of(u).backward_axis(u.reshape(-1, n, inner), up, down, out.reshape(-1, n, inner))
        return out

    @property
    def stored(self) -> MarkovChain:
        """The chain itself: its rates are stored."""
        return self

    def leaving(self) -> Array:
        """Return the total rate of leaving each cell, minus the diagonal of A."""
        total = np.zeros_like(self.up[0], shape=self.grid.cells)
        for axis, (up, down) in enumerate(zip(self.up, self.down, strict=True)):
            before = (slice(None),) * axis
            total += up[(*before, slice(1, None))]
            total += down[(*before, slice(None, -1))]
        return total

    def spectral_radius(self, u: Array, t: float) -> float:
        """Return Gershgorin's bound: columns of A sum to zero, so twice the fastest departure.

        The correction multiplies a flux by at most 4/3 (δ² of alternating fluxes).
        """
        return 2 * self._fastest * (1.0 if self.peclet is None else 4 / 3)

    @cached_property
    def _fastest(self) -> float:
        return float(self.leaving().max())

    def frozen(self, t0: float, t1: float) -> MarkovChain:
        """Return itself."""
        return self

    def matrix(self) -> sparse.csc_array:
        """Return A (or Aᵀ) as a sparse matrix over flattened cells."""
        index = np.arange(int(np.prod(self.grid.cells))).reshape(self.grid.cells)
        rows, columns, entries = [], [], []
        for axis, (up, down) in enumerate(zip(self.up, self.down, strict=True)):
            n = self.grid.cells[axis]
            low, high = index, np.roll(index, -1, axis)
            rows += [high.ravel(), low.ravel()]
            columns += [low.ravel(), high.ravel()]
            entries += [np.take(rate, range(1, n + 1), axis).ravel() for rate in (up, down)]
        diagonal = index.ravel()
        entries.append(-self.leaving().ravel())
        coordinates = (np.concatenate([*rows, diagonal]), np.concatenate([*columns, diagonal]))
        A = sparse.coo_array((np.concatenate(entries), coordinates), shape=(index.size, index.size)).tocsc()
        A.eliminate_zeros()
        return A.T.tocsc() if self.transposed else A

    def solve(self, rhs: Array, t: float, shift: float) -> Array:
        """Return (I − shift·A)⁻¹ rhs: sparse LU, or BiCGStab to 1e-13 for large grids in three dimensions."""
        if not isinstance(rhs, np.ndarray):
            raise TypeError("implicit integrators solve on the host: use backend='numpy', or an explicit integrator")
        if self.peclet is not None:
            raise TypeError(
                "the fourth-order scheme is explicit; implicit integrators need FiniteVolume(grid, order=2)"
            )
        return self._factors(shift, lambda: self._factored(rhs, shift))(rhs.ravel()).reshape(rhs.shape)

    def _factored(self, rhs: Array, shift: float) -> Callable[[Array], Array]:
        M = (sparse.eye_array(rhs.size, format="csc") - shift * self.matrix()).tocsc()
        return _solver(M, large=rhs.ndim == 3 and rhs.size > LARGEST_FACTORISED_3D)

    def mass(self, u: Array) -> float:
        """Return ∫u."""
        return float(self.grid.integrate(u))


def rates_on_a_line(chains: Sequence[MarkovChain], fields: Array) -> Array:
    """Return Au of every field (k, n) by every chain on a line, corrected to fourth order, (chains, k, n): in one pass.

    >>> space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 64, 1), order=4)
    >>> from mfgpde.discretisations.finite_volume.markov_chain import rates_on_a_line
    >>> chain, fields = space.semidiscretise(mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck())).at(0.0), np.eye(64)[:3]
    >>> bool((rates_on_a_line([chain], fields)[0] == [chain.rate(u, 0.0) for u in fields]).all())
    True
    """
    several, (k, n) = len(chains), fields.shape
    peclet = [one.peclet[0] for one in chains if one.peclet is not None]
    faces = [one.up[0] for one in chains], [one.down[0] for one in chains], peclet
    rows = (np.repeat(np.stack(one), k, axis=0) for one in faces)
    flux, better, out = np.empty((several * k, n + 1)), np.empty((several * k, n + 1)), np.zeros((several * k, n))
    cpu.add_corrected_rows(np.tile(fields, (several, 1)), *rows, chains[0].grid.periodic[0], flux, better, out)
    return out.reshape(several, k, n)


def _solver(M: sparse.csc_array, large: bool) -> Callable[[Array], Array]:
    if not large:
        return splu(M, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}, diag_pivot_thresh=0.0).solve
    rows = M.tocsr()
    scale = 1 / M.diagonal()
    inverse = LinearOperator(M.shape, matvec=lambda x: scale * x.ravel(), dtype=float)

    def solve(rhs: Array) -> Array:
        x, info = bicgstab(rows, rhs, x0=rhs, rtol=1e-13, atol=0.0, M=inverse, maxiter=2000)
        if info:
            raise RuntimeError(
                f"BiCGStab did not reach 1e-13 in 2000 iterations (info {info}); try a smaller time step"
            )
        return x

    return solve
