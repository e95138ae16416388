"""Fokker–Planck by exponential fitting (Scharfetter–Gummel): a Markov chain that jumps between neighbouring cells.

Face flux F = (D/h)[B(−w) p_left − B(w) p_right], w = v h/D, B(w) = w/(e^w − 1): positive, conservative, second order,
and exact for the Gibbs density when w is the difference of potentials. With order 4 the leading error of the flux,
itself a combination of fluxes, is taken off: equilibria stay exact, positivity is no longer guaranteed.
Scharfetter, Gummel, IEEE Trans. ED 16 (1969).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, bicgstab, splu

from mfgpde.discretisations.base import Array, checked
from mfgpde.equations import BackwardKolmogorov, FokkerPlanck
from mfgpde.grids import CartesianGrid
from mfgpde.integrators import Integrator, RungeKuttaChebyshev
from mfgpde.kernels import cpu

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
    _factors: OrderedDict = field(default_factory=OrderedDict, repr=False)

    def rate(self, u: Array, t: float) -> Array:
        """Return Au, or Aᵀu for the backward equation."""
        u = np.ascontiguousarray(u)
        if self.transposed:
            return self._backward(u)
        if self.peclet is not None:
            return self._corrected(u, self.peclet)
        out = np.empty_like(u)
        stencil: Any = (cpu.forward_1d, cpu.forward_2d, cpu.forward_3d)[u.ndim - 1]
        stencil(u, *(array for pair in zip(self.up, self.down, strict=True) for array in pair), out)
        return out

    def _corrected(self, u: Array, peclet: tuple[Array, ...]) -> Array:
        out = np.zeros_like(u)
        for axis, n in enumerate(u.shape):
            inner = int(np.prod(u.shape[axis + 1 :]))
            up, down, w = (a.reshape(-1, n + 1, inner) for a in (self.up[axis], self.down[axis], peclet[axis]))
            flux, better = np.empty_like(up), np.empty_like(up)
            if inner == 1:
                glued, rows = self.grid.periodic[axis], (up[..., 0], down[..., 0], w[..., 0])
                cpu.add_corrected_rows(u.reshape(-1, n), *rows, glued, flux[..., 0], better[..., 0], out.reshape(-1, n))
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
            cpu.backward_axis(u.reshape(-1, n, inner), up, down, out.reshape(-1, n, inner))
        return out

    def leaving(self) -> Array:
        """Return the total rate of leaving each cell, minus the diagonal of A."""
        total = np.zeros(self.grid.cells)
        for axis, (up, down) in enumerate(zip(self.up, self.down, strict=True)):
            total += np.take(up, range(1, up.shape[axis]), axis) + np.take(down, range(up.shape[axis] - 1), axis)
        return total

    def spectral_radius(self, u: Array, t: float) -> float:
        """Return Gershgorin's bound: columns of A sum to zero, so twice the fastest departure.

        The correction multiplies a flux by at most 4/3 (δ² of alternating fluxes).
        """
        return 2 * float(self.leaving().max()) * (1.0 if self.peclet is None else 4 / 3)

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
        if self.peclet is not None:
            raise TypeError(
                "the fourth-order scheme is explicit; implicit integrators need FiniteVolume(grid, order=2)"
            )
        if shift not in self._factors:
            while len(self._factors) > 2:
                self._factors.popitem(last=False)
            M = (sparse.eye_array(rhs.size, format="csc") - shift * self.matrix()).tocsc()
            self._factors[shift] = _solver(M, large=rhs.ndim == 3 and rhs.size > LARGEST_FACTORISED_3D)
        return self._factors[shift](rhs.ravel()).reshape(rhs.shape)

    def mass(self, u: Array) -> float:
        """Return ∫u."""
        return float(self.grid.integrate(u))


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


def _check_glued(velocity: Array, axis: int, t: float) -> None:
    """Raise ValueError unless both ends of a glued axis see the same velocity: else mass would be lost there."""
    ends = np.take(velocity, [0, -1], axis)
    jump = float(np.abs(np.diff(ends, axis=axis)).max())
    if jump > 1e-8 * (1 + float(np.abs(velocity).max())):
        raise ValueError(
            f"the drift at t = {t:g} jumps by {jump:.2g} across the glued walls of axis {axis}; "
            "use a drift periodic in the box, or a grid with walls"
        )


def _segment_mean(velocity: Array, axis: int, periodic: bool) -> Array:
    """Return the mean velocity between the centres beside each face, v + h²v″/24 + O(h⁴); walls carry no flux."""
    v = np.moveaxis(velocity, axis, 0)
    mean = v.copy()
    mean[1:-1] += (v[2:] - 2 * v[1:-1] + v[:-2]) / 24
    if periodic:
        mean[[0, -1]] += (v[1] - 2 * v[0] + v[-2]) / 24
    return np.moveaxis(mean, 0, axis)


def _means(a: tuple[Array, ...], b: tuple[Array, ...]) -> tuple[Array, ...]:
    return tuple(0.5 * (x + y) for x, y in zip(a, b, strict=True))


@dataclass(eq=False)
class DrivenChain:
    """The same with rates that may depend on time; each instant's rates are computed once."""

    equation: FokkerPlanck | BackwardKolmogorov
    grid: CartesianGrid
    order: int = 2
    default_integrator: Integrator = field(default_factory=RungeKuttaChebyshev)
    _recent: OrderedDict = field(default_factory=OrderedDict, repr=False)

    def at(self, t: float) -> MarkovChain:
        """Return the chain at one instant."""
        key = t if self.equation.time_dependent else 0.0
        if key not in self._recent:
            while len(self._recent) > 2:
                self._recent.popitem(last=False)
            self._recent[key] = self._chain(key)
        return self._recent[key]

    def _chain(self, t: float) -> MarkovChain:
        grid, D = self.grid, float(self.equation.diffusivity(t))
        if not (np.isfinite(D) and D >= 0):
            raise ValueError(f"the diffusivity must be ≥ 0 and finite, got {D!r} at t = {t:g}")
        if self.order == 4 and D == 0:
            raise ValueError(f"the fourth-order scheme needs D > 0, got 0 at t = {t:g}; start later or use order=2")
        up, down, peclets = [], [], []
        for axis, h in enumerate(grid.spacing):
            peclet = self._face_integral(axis, t, D)
            u, d = np.empty_like(peclet), np.empty_like(peclet)
            if D > 0:
                cpu.jump_rates(peclet.ravel(), D / h**2, u.ravel(), d.ravel())
            else:
                cpu.upwind_rates(peclet.ravel(), 1 / h, u.ravel(), d.ravel())
            if not grid.periodic[axis]:
                walls = (slice(None),) * axis + ([0, -1],)
                u[walls] = d[walls] = 0.0
            up.append(u)
            down.append(d)
            peclets.append(peclet)
        transposed = isinstance(self.equation, BackwardKolmogorov)
        corrected = tuple(peclets) if self.order == 4 else None
        return MarkovChain(grid, tuple(up), tuple(down), corrected, transposed)

    def _face_integral(self, axis: int, t: float, D: float) -> Array:
        """Return the face Péclet numbers w = ∫f dl/D from centre to centre; the velocities themselves if D = 0."""
        grid, h = self.grid, self.grid.spacing[axis]
        if self.equation.potential is not None and D > 0:
            V = checked(self.equation.potential(grid.points), grid.cells, "the potential")
            ends = [(0, 0)] * axis + [(1, 1)] + [(0, 0)] * (grid.dimension - axis - 1)
            return -np.diff(np.pad(V, ends, mode="wrap" if grid.periodic[axis] else "edge"), axis=axis)
        faces = grid.faces(axis)
        velocity = checked(self.equation.drift(faces, t), faces.shape, f"the drift at t = {t:g}")[..., axis]
        if grid.periodic[axis]:
            _check_glued(velocity, axis, t)
        if self.order == 4:
            velocity = _segment_mean(velocity, axis, grid.periodic[axis])
        return np.ascontiguousarray(velocity * (h / D if D > 0 else 1.0))

    def frozen(self, t0: float, t1: float) -> MarkovChain:
        """Return the chain with the mean of the rates at both ends: second-order accurate over the step."""
        a, b = self.at(t0), self.at(t1)
        if a is b:
            return a
        peclet = None if a.peclet is None or b.peclet is None else _means(a.peclet, b.peclet)
        return MarkovChain(self.grid, _means(a.up, b.up), _means(a.down, b.down), peclet, a.transposed)

    def rate(self, u: Array, t: float) -> Array:
        """Return A(t)u."""
        return self.at(t).rate(u, t)

    def spectral_radius(self, u: Array, t: float) -> float:
        """Return a bound at time t, with room for growth over one step."""
        return self.at(t).spectral_radius(u, t) * (1.1 if self.equation.time_dependent else 1.0)

    def solve(self, rhs: Array, t: float, shift: float) -> Array:
        """Return (I − shift·A(t))⁻¹ rhs."""
        return self.at(t).solve(rhs, t, shift)

    def mass(self, u: Array) -> float:
        """Return ∫u."""
        return float(self.grid.integrate(u))

    def start(self, initial: Callable[[Array], Array]) -> Array:
        """Return the values of the initial condition at cell centres."""
        return np.ascontiguousarray(checked(initial(self.grid.points), self.grid.cells, "the initial condition"))

    def values(self, u: Array) -> Array:
        """Return the values at cell centres."""
        return u
