"""W₂ on grids in two and three dimensions: the back-and-forth method, with a bracket that holds the truth.

½W₂²(p, q) = max over φ of ∫φ p + ∫φᶜ q,  φᶜ(y) = min_x ½|x − y|² − φ(x). Gradient ascent in the H⁻¹ metric after
Jacobs, Léger, Numer. Math. 146 (2020), exact for the discrete dual and accelerated.

The truth is W₂ of the densities that are constant on cells. Lower bound: potentials on the lattice, extended as convex
functions, never exceed their multilinear interpolants, whose integrals are sums over the lattice. Upper bound: a plan
between the cells' centres (common noise inside the cells does not add to the distance), mass split over neighbours, and
the action of a flux that brings what arrived to where it should be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import cg, splu

from mfgpde.arrays import Backend, contiguous, namespace, require_memory, to_host, transforms
from mfgpde.estimate import Estimate, Kind
from mfgpde.grids import CartesianGrid
from mfgpde.kernels import stencils
from mfgpde.kernels import transport as kernels
from mfgpde.progress import meter

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Transport:
    """W₂ with its bracket, the optimal potential φ, the map x − ∇φ on cell centres, and the dual values per iteration."""

    distance: Estimate
    lower: float
    upper: float
    potential: Array
    map: Array
    history: tuple[float, ...]

    @property
    def squared(self) -> Estimate:
        """W₂², with half the width of the squared bracket as its bar."""
        value = self.distance.value**2
        bar = max(self.upper**2 - value, value - self.lower**2)
        return Estimate(value, bar, self.distance.kind, self.distance.method)


def back_and_forth(
    p: Array,
    q: Array,
    grid: CartesianGrid,
    *,
    tolerance: float = 1e-6,
    iterations: int = 200,
    backend: Backend = "numpy",
    progress: bool = False,
) -> Transport:
    """Return W₂ between two densities given by cell values on one grid in two or three dimensions.

    Both are normalised first. The ascent ends when the dual value changes by less than `tolerance` relative to itself in
    each of five iterations, or after `iterations`. `distance.value` is the dual value with minima between the lattice's
    points found by parabolas; its bar reaches the far end of the certified bracket [lower, upper]. `backend="cupy"` climbs
    on a GPU; the bracket is found on the host.

    Raises ValueError for other dimensions, unequal spacing of the axes, glued axes, negative or vanishing densities.
    """
    d = grid.dimension
    h = grid.spacing[0]
    if d not in (2, 3) or any(grid.periodic) or not np.allclose(grid.spacing, h, rtol=1e-9):
        raise ValueError(f"the back-and-forth method needs square cells in 2D or 3D, with walls; got {grid}")
    mu, nu = (_masses(density, grid) for density in (p, q))
    xp = namespace(backend)
    require_memory(xp, 20 * mu.nbytes, f"transport on {grid.cells} cells")
    ascent = _Ascent(mu, nu, grid, xp)
    with meter("back and forth", show=progress) as bar:
        for k in range(iterations):
            if not ascent.step():
                break
            bar((k + 1) / iterations, f"W2 = {np.sqrt(max(2 * ascent.history[-1], 0)):.6g}")
            recent = ascent.history[-10:]
            if k >= 10 and max(recent) - min(recent) <= tolerance * abs(recent[-1]):
                break
    phi, best, history = to_host(_transform(ascent.psi, h)), ascent.history[-1], ascent.history
    lower = np.sqrt(max(2 * _lower_bound(phi, mu, nu, grid), 0.0))
    target, back = _target(phi, h), _target(_transform(phi, h), h)
    upper = min(_upper_bound(target, mu, nu, grid), _upper_bound(back, nu, mu, grid))
    value = float(np.clip(np.sqrt(max(2 * best, 0.0)), lower, upper))
    method = f"back-and-forth on {'×'.join(map(str, grid.cells))} cells, {len(history)} iterations, certified bracket"
    distance = Estimate(value, max(upper - value, value - lower), Kind.BOUND, method)
    centres = np.stack([a + h * (target[i] + 0.5) for i, a in enumerate(grid.lower)], axis=-1)
    return Transport(distance, float(lower), float(upper), phi, centres, tuple(history))


def _masses(density: Array, grid: CartesianGrid) -> Array:
    density = np.asarray(density, dtype=float)
    if density.shape != grid.cells or not np.isfinite(density).all() or density.min() < 0 or not density.sum() > 0:
        raise ValueError(f"a density needs {grid.cells} finite values ≥ 0 with a positive sum")
    return density / density.sum()


def _first_guess(mu: Array, nu: Array, grid: CartesianGrid) -> Array:
    """Return the potential of the optimal map between the Gaussians with the same means and covariances."""
    x = grid.points
    (a, A), (b, B) = (_moments(m, x) for m in (mu, nu))
    root = _power(A, 0.5)
    inverse = _power(A, -0.5)
    M = inverse @ _power(root @ B @ root, 0.5) @ inverse
    y = x - a
    return 0.5 * np.einsum("...i,...i", x, x) - 0.5 * np.einsum("...i,ij,...j", y, M, y) - x @ b


def _moments(m: Array, x: Array) -> tuple[Array, Array]:
    mean = np.tensordot(m, x, axes=m.ndim)
    y = x - mean
    flat = y.reshape(-1, y.shape[-1])
    return mean, (flat * m.reshape(-1, 1)).T @ flat


def _power(matrix: Array, exponent: float) -> Array:
    values, vectors = np.linalg.eigh(0.5 * (matrix + matrix.T))
    return (vectors * np.maximum(values, 1e-12) ** exponent) @ vectors.T


def _transform(phi: Array, h: float, *, refine: bool = True) -> Array:
    """Return φᶜ at the lattice points."""
    return _traced(phi, h, refine)[0]


Trace = list[tuple[Array, Array]]


def _traced(phi: Array, h: float, refine: bool = True) -> tuple[Array, Trace]:
    """Return φᶜ, and for each axis where its minima lie."""
    g, trace = -phi, []
    for axis in range(phi.ndim):
        lines = contiguous(np.moveaxis(g, axis, -1))
        out, place, offset = np.empty_like(lines), np.empty_like(lines, dtype=np.int32), np.empty_like(lines)
        n = lines.shape[-1]
        flat = (a.reshape(-1, n) for a in (out, place, offset))
        stencils.of(lines).envelope(lines.reshape(-1, n), h, refine, *flat)
        trace.append((place, offset))
        g = np.moveaxis(out, -1, axis)
    return contiguous(g), trace


def _returned(mass: Array, trace: Trace) -> Array:
    """Return the mass at the places whence φᶜ comes: −∂/∂φ of ∫φᶜ d(mass), exactly."""
    for axis in reversed(range(mass.ndim)):
        lines = contiguous(np.moveaxis(mass, axis, -1))
        out, n = np.empty_like(lines), lines.shape[-1]
        place, offset = (a.reshape(-1, n) for a in trace[axis])
        stencils.of(lines).scatter(lines.reshape(-1, n), place, offset, out.reshape(-1, n))
        mass = np.moveaxis(out, -1, axis)
    return contiguous(mass)


class _Ascent:
    """Steps along the exact gradient of the discrete dual in the H⁻¹ metric, in ψ, with Nesterov's momentum."""

    def __init__(self, mu: Array, nu: Array, grid: CartesianGrid, xp: Any) -> None:
        self.h, self.mu, self.nu, self.xp = grid.spacing[0], xp.asarray(mu), xp.asarray(nu), xp
        self.symbol = xp.asarray(_spectrum(mu.shape, self.h))
        self.psi = self.before = _transform(xp.asarray(_first_guess(mu, nu, grid)), self.h)
        self.momentum, self.sigma = 1, 8.0 * self.h**mu.ndim / float(max(mu.max(), nu.max()))
        self.history = [self._value(_transform(self.psi, self.h), self.psi)]

    def _value(self, phi: Array, psi: Array) -> float:
        return float(np.sum(phi * self.mu) + np.sum(psi * self.nu))

    def step(self) -> bool:
        """Go one step; False where no step length gains any more: the lattice shows nothing finer."""
        y = self.psi + (self.momentum - 1) / (self.momentum + 2) * (self.psi - self.before)
        phi, trace = _traced(y, self.h)
        gradient = (self.nu - _returned(self.mu, trace)) / self.h**y.ndim
        direction = self._inverse_laplacian(gradient)
        slope = float(np.sum(gradient * direction)) * self.h**y.ndim
        start, sigma = self._value(phi, y), self.sigma
        for _ in range(8):
            new = y + sigma * direction
            value = self._value(_transform(new, self.h), new)
            if value - start >= 0.5 * sigma * slope and value >= self.history[-1]:
                self.before, self.psi = self.psi, new
                self.momentum, self.sigma = self.momentum + 1, sigma * 1.1
                self.history.append(value)
                return True
            sigma *= 0.5
        if self.momentum == 1:
            return False
        self.momentum, self.before = 1, self.psi  # without momentum once more
        return True

    def _inverse_laplacian(self, f: Array) -> Array:
        """Return (−Δ)⁻¹f with zero normal derivative at the walls and mean zero."""
        fft = transforms(self.xp)
        return fft.idctn(fft.dctn(f) / self.symbol)


def _spectrum(shape: tuple[int, ...], h: float) -> Array:
    """Return the eigenvalues of −Δ between walls, infinity for constants."""
    symbol = np.zeros(shape)
    for axis, n in enumerate(shape):
        k = (2 - 2 * np.cos(np.pi * np.arange(n) / n)) / h**2
        symbol += k.reshape((-1,) + (1,) * (len(shape) - 1 - axis))
    symbol.flat[0] = np.inf
    return symbol


def _target(phi: Array, h: float) -> tuple[Array, ...]:
    """Return x − ∇φ at the cell centres, in units of cells from the first centre."""
    grids = np.meshgrid(*(np.arange(n, dtype=float) for n in phi.shape), indexing="ij")
    slopes = np.gradient(phi, h, edge_order=1)
    return tuple(x - s / h for x, s in zip(grids, slopes, strict=True))


def _carried(mass: Array, target: tuple[Array, ...], split: int) -> tuple[Array, float]:
    """Return the mass carried by the map, and Σ share·|target − source|² in cells²."""
    blocks = 4
    out, cost = np.empty((blocks, *mass.shape)), np.empty(blocks)
    carry: Any = kernels.carry_2d if mass.ndim == 2 else kernels.carry_3d
    carry(mass, *map(np.ascontiguousarray, target), split, out, cost)
    return out.sum(axis=0), float(cost.sum())


def _lower_bound(phi: Array, mu: Array, nu: Array, grid: CartesianGrid) -> float:
    """Return a number that ½W₂² of the cellwise constant densities exceeds, up to rounding."""
    h, d = grid.spacing[0], grid.dimension
    wide = np.pad(phi, 1, mode="reflect", reflect_type="odd")
    psi = _transform(wide, h, refine=False)
    phi = _transform(psi, h, refine=False)
    spread = d * h**2 / 12  # of uniform cells about their centres
    total = 0.0
    for mass, potential in ((mu, phi), (nu, psi)):
        shares = np.pad(mass, 1)
        for axis in range(d):  # uniform cells on hat functions: ⅛, ¾, ⅛
            near = np.roll(shares, 1, axis) + np.roll(shares, -1, axis)
            shares = 0.75 * shares + 0.125 * near
        squares = _squares(grid)
        inflation = 0.5 * (
            float(np.sum(squares * shares)) - float(np.sum(squares[(slice(1, -1),) * d] * mass)) - spread
        )
        total += float(np.sum(potential * shares)) - inflation
    return total


def _squares(grid: CartesianGrid) -> Array:
    """Return |x|² on the lattice with one more point at each end, about the box's middle."""
    h = grid.spacing[0]
    axes = [h * (np.arange(-1, n + 1) + 0.5 - n / 2) for n in grid.cells]
    return np.asarray(sum(np.meshgrid(*(a**2 for a in axes), indexing="ij")))


def _upper_bound(target: tuple[Array, ...], mu: Array, nu: Array, grid: CartesianGrid) -> float:
    """Return the length of a plan from μ to ν on the cell centres: by the map, and what is left by ever larger blocks."""
    arrived, cost = _carried(mu, target, 6 if mu.ndim == 2 else 3)
    return float(np.sqrt(cost) * grid.spacing[0] + _remainder(arrived, nu, grid))


def _remainder(a: Array, b: Array, grid: CartesianGrid) -> float:
    """Return a bound of W₂ of two almost equal laws, constant on cells: the action of a flux along (1 − t²)a + t²b.

    Any flux m with ∇·m = a − b bounds W₂² by ∫|m|²/Λ, Λ the mean of the densities that this path makes, at least b/4
    (Peyre, ESAIM COCV 24, 2018); m = −Λ∇u is the best to first order. Cells where b is below 1e-15 are left out: what
    they and rounding leave over goes straight across the box.
    """
    h, d = grid.spacing[0], grid.dimension
    inside = b > 1e-15
    mean = np.where(inside, _path_mean(a, np.where(inside, b, 1.0)), 0.0)
    number = np.where(inside, np.cumsum(inside.ravel()).reshape(inside.shape) - 1, -1)
    rows, columns, weights = [], [], []
    for axis in range(d):
        left, right = (
            np.take(number, range(*ends), axis) for ends in ((0, grid.cells[axis] - 1), (1, grid.cells[axis]))
        )
        low, high = (np.take(mean, range(*ends), axis) for ends in ((0, grid.cells[axis] - 1), (1, grid.cells[axis])))
        both = (left >= 0) & (right >= 0)
        rows.append(left[both])
        columns.append(right[both])
        weights.append(2 * low[both] * high[both] / (low[both] + high[both]))
    i, j, w = map(np.concatenate, (rows, columns, weights))
    count = int(inside.sum())
    off = sparse.coo_array((w, (i, j)), (count, count)).tocsr()
    off = off + off.T
    degree = np.asarray(off.sum(axis=1)).ravel()
    source = (a - b)[inside]
    laplacian = (sparse.diags_array(degree * (1 + 1e-12) + 1e-300) - off).tocsc()
    if d == 2:
        u = splu(laplacian, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}, diag_pivot_thresh=0.0).solve(
            source
        )
    else:
        u, _ = cg(laplacian, source, rtol=1e-9, maxiter=3000, M=sparse.diags_array(1 / laplacian.diagonal()))
    action, divergence, start = 0.0, np.zeros(count), 0
    density = mean[inside]
    for axis in range(d):  # masses per unit of time through faces; in cells the flux is linear along its axis
        part = slice(start, start + len(rows[axis]))
        start = part.stop
        flow = w[part] * (u[i[part]] - u[j[part]])
        above, below = np.zeros(count), np.zeros(count)
        above[i[part]], below[j[part]] = flow, flow
        divergence += above - below
        action += float(np.sum((above**2 + above * below + below**2) / (3 * density))) * h**2
    left_over = 0.5 * (float(np.abs(source - divergence).sum()) + float(np.abs((a - b)[~inside]).sum()))
    return float(np.sqrt(action) + np.sqrt(left_over * np.sum(np.square(grid.lengths))))


def _path_mean(a: Array, b: Array) -> Array:
    """Return Λ = 1/∫₀¹ 4t²/((1 − t²)a + t²b) dt for a ≥ 0 and b > 0: b/4 for a = 0, ¾a for a = b."""
    r = a / b
    gap = np.where(np.abs(1 - r) < 1e-4, 1e-4, 1 - r)
    safe = np.maximum(1 - gap, 1e-300)
    root = np.sqrt(safe * np.abs(gap))
    angle = np.where(
        gap > 0,
        np.arctan2(np.sqrt(np.maximum(gap, 0)), np.sqrt(safe)),
        np.arctanh(np.minimum(np.sqrt(np.maximum(-gap, 0) / safe), 1 - 1e-16)),
    )
    return b * gap / (4 * (1 - safe * angle / np.maximum(root, 1e-300)))
