"""Numbers between which W₂ lies of two densities that are constant on the cells of a grid.

Below: potentials on the lattice, extended as convex functions, never exceed their multilinear interpolants, whose integrals
are sums over the lattice; splines whose curvature is known (`_by_splines`), which lose nothing where laws are close; means
and covariances (Gelbrich 1990). Above: a plan between the cells' centres (common noise inside the cells does not add to the
distance), mass split over neighbours, and the action of a flux that brings what arrived to where it should be; for close
laws the flux alone.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter

from mfgpde.core.arrays import Array, beside, contiguous, elsewhere, to_host
from mfgpde.grids import CartesianGrid
from mfgpde.kernels import stencils
from mfgpde.kernels import transport as kernels
from mfgpde.kernels.regions import read
from mfgpde.transport.c_transform import transform
from mfgpde.transport.flux import by_flux, logarithmic_mean, require_cubes
from mfgpde.transport.gaussian import moments, wasserstein_gaussian

GAUSS = ((-np.sqrt(0.15), 5 / 18), (0.0, 8 / 18), (np.sqrt(0.15), 5 / 18))
"""points and weights on a cell, exact for degree five"""
SHARES = (1.0, 0.8, 0.6, 0.4)
"""of a potential: where it is too steep for a bound, a part of it may not be"""
SMOOTHED = (0.0, 1.0, 2.0)
"""cells over which a potential is smoothed for the same reason"""
CLOSE = 4.0
"""cells, in W₂, below which splines and the flux alone are tried as well"""
ROUNDING = 1e-14
"""of sums of squares of places in the box, by which a lower bound of W₂² is lowered"""
STEEPEST = 0.99
"""curvature of a potential above which its c-transform is bounded by its largest value alone"""


def bracket(
    phi: Array, mu: Array, nu: Array, grid: CartesianGrid, xp: Any = np
) -> tuple[float, float, tuple[Array, ...]]:
    """Return W₂ from below and from above, and where the map of a potential φ takes the cells' centres, in cells.

    μ and ν are masses of the cells, of sum one; the closer φ is to the optimal potential, the narrower the bracket. Fluxes
    are computed where `xp` keeps its arrays. Raises ValueError for cells that are no squares or cubes.
    """
    require_cubes(grid)
    h = grid.spacing[0]
    phi, p, q = map(xp.asarray, (phi, mu, nu))
    psi = transform(phi, h)
    half = _by_lattice(phi, p, q, grid)
    target, back = target_of(phi, h), target_of(psi, h)
    upper = _by_plan(target, p, q, grid, xp)
    upper = min(upper, _by_plan(back, q, p, grid, xp, upper))
    if 2 * half < (CLOSE * h) ** 2:
        upper = min(upper, by_flux(p, q, grid, logarithmic_mean, xp))
        potentials = to_host(phi), to_host(psi)
        for cells in SMOOTHED:
            rounder = (gaussian_filter(u, cells, mode="nearest") for u in potentials)
            half = max(half, *(_by_splines(u, *pair, h) for u, pair in zip(rounder, ((mu, nu), (nu, mu)), strict=True)))
    squared = max(2 * half, _by_moments(mu, nu, grid) ** 2) - ROUNDING * float(np.sum(np.square(grid.lengths)))
    lower = np.sqrt(max(squared, 0.0))
    return float(lower), float(upper), tuple(map(to_host, target))


def _by_moments(mu: Array, nu: Array, grid: CartesianGrid) -> float:
    """Return W₂ of the Gaussians with the same means and covariances, which no two laws undercut."""
    inside = grid.spacing[0] ** 2 / 12 * np.eye(grid.dimension)  # of uniform cells
    (a, A), (b, B) = (moments(m, grid.points) for m in (mu, nu))
    return wasserstein_gaussian(a, A + inside, b, B + inside)


def _by_splines(phi: Array, mu: Array, nu: Array, h: float) -> float:
    """Return a number that ½W₂² exceeds, from the quadratic spline s with coefficients φ, or a share of φ.

    Where ∇²s ≤ L along all ways of length r from y, and ½r² exceeds the range of s,
    min_x ½|x − y|² − s(x) ≥ −s(y) − |∇s(y)|²/(2(1 − L)); the right side, from cell to cell with its own L, is integrated
    exactly. It loses a share L of W₂², nothing for translations, and nothing to the width of cells.
    """
    d = phi.ndim
    c = np.pad(phi, 1, mode="reflect", reflect_type="odd")
    means = _taps(c, [(1 / 6, 2 / 3, 1 / 6)] * d)
    slopes = np.zeros(phi.shape)
    for places in np.ndindex((len(GAUSS),) * d):
        nodes = [GAUSS[k] for k in places]
        for axis in range(d):
            taps = [_slope(u) if axis == k else _value(u) for k, (u, _) in enumerate(nodes)]
            slopes += np.prod([w for _, w in nodes]) * (_taps(c, taps) / h) ** 2
    curvature, found = _curvature(c, h), 0.0
    for share in SHARES:
        far = int(np.ceil(np.sqrt(2 * share * np.ptp(c)) / h))
        L = share * maximum_filter(curvature, size=[min(2 * far + 1, 2 * n + 1) for n in phi.shape], mode="nearest")
        near = -share * means - share**2 * slopes / (2 * (1 - np.minimum(L, STEEPEST)))
        below = np.maximum(np.where(L < STEEPEST, near, -np.inf), -share * c.max())
        found = max(found, float(share * np.sum(means * mu) + np.sum(below * nu)))
    return found


def _value(u: float) -> tuple[float, float, float]:
    """Return the three quadratic B-splines that do not vanish at u cells from a cell's centre."""
    return 0.5 * (0.5 - u) ** 2, 0.75 - u**2, 0.5 * (0.5 + u) ** 2


def _slope(u: float) -> tuple[float, float, float]:
    """Return their derivatives."""
    return u - 0.5, -2 * u, u + 0.5


def _taps(c: Array, weights: list[tuple[float, float, float]]) -> Array:
    """Return Σ w_k c_{i+k} over the three neighbours along each axis in turn."""
    for axis, three in enumerate(weights):
        n = c.shape[axis] - 2
        c = sum(w * c[(slice(None),) * axis + (slice(k, k + n),)] for k, w in enumerate(three))  # pyright: ignore
    return c


def _curvature(c: Array, h: float) -> Array:
    """Return in each cell a bound from above of the eigenvalues of ∇²s (Gershgorin): differences bound derivatives."""
    d = c.ndim
    rows = np.full([n - 2 for n in c.shape], -np.inf)
    for i in range(d):
        row = _widest(np.diff(c, 2, axis=i), [k for k in range(d) if k != i], 3)
        for j in range(d):
            if j != i:
                mixed = np.abs(np.diff(np.diff(c, axis=i), axis=j))
                row = row + _widest(_widest(mixed, [i, j], 2), [k for k in range(d) if k not in (i, j)], 3)
        rows = np.maximum(rows, row)
    return rows / h**2


def _widest(a: Array, axes: list[int], size: int) -> Array:
    """Return the largest of `size` neighbours along the axes, which shrink by size − 1."""
    for axis in axes:
        n = a.shape[axis] - size + 1
        a = reduce(np.maximum, (a[(slice(None),) * axis + (slice(k, k + n),)] for k in range(size)))
    return a


def target_of(phi: Array, h: float) -> tuple[Array, ...]:
    """Return x − ∇φ at the cell centres, in units of cells from the first centre."""
    found = []
    for axis, n in enumerate(phi.shape):
        x = beside(np.arange(n, dtype=float).reshape(-1, *(1,) * (phi.ndim - 1 - axis)), phi)
        found.append(x - np.gradient(phi, h, axis=axis, edge_order=1) / h)
    return tuple(found)


def _carried(mass: Array, target: tuple[Array, ...], split: int) -> tuple[Array, float]:
    """Return the mass carried by the map, and Σ share·|target − source|² in cells²."""
    if elsewhere(mass):
        arrived, costs = np.empty_like(mass), np.empty_like(mass)
        stencils.on_device().carry(mass, tuple(map(contiguous, target)), split, arrived, costs)
        return arrived, float(np.sum(costs))
    blocks = 4
    out, cost = np.empty((blocks, *mass.shape)), np.empty(blocks)
    carry: Any = kernels.carry_2d if mass.ndim == 2 else kernels.carry_3d
    carry(mass, *read(*map(np.ascontiguousarray, target)), split, out, cost)
    return out.sum(axis=0), float(cost.sum())


def _by_lattice(phi: Array, mu: Array, nu: Array, grid: CartesianGrid) -> float:
    """Return a number that ½W₂² of the cellwise constant densities exceeds, up to rounding."""
    h, d = grid.spacing[0], grid.dimension
    wide = _reflected(phi)
    psi = transform(wide, h, refine=False)
    phi = transform(psi, h, refine=False)
    spread = d * h**2 / 12  # of uniform cells about their centres
    squares = beside(_squares(grid), phi)
    total = 0.0
    for mass, potential in ((mu, phi), (nu, psi)):
        shares = np.pad(mass, 1)
        for axis in range(d):  # uniform cells on hat functions: ⅛, ¾, ⅛
            near = np.roll(shares, 1, axis) + np.roll(shares, -1, axis)
            shares = 0.75 * shares + 0.125 * near
        inflation = 0.5 * (
            float(np.sum(squares * shares)) - float(np.sum(squares[(slice(1, -1),) * d] * mass)) - spread
        )
        total += float(np.sum(potential * shares)) - inflation
    return total


def _reflected(u: Array) -> Array:
    """Return u with one more value at each end of each axis, on the line through the last two."""
    for axis in range(u.ndim):
        first, second, last, before = (u[(slice(None),) * axis + (slice(k, k + 1 or None),)] for k in (0, 1, -1, -2))
        u = np.concatenate((2 * first - second, u, 2 * last - before), axis=axis)
    return u


def _squares(grid: CartesianGrid) -> Array:
    """Return |x|² on the lattice with one more point at each end, about the box's middle (any point would do)."""
    h = grid.spacing[0]
    axes = [h * (np.arange(-1, n + 1) + 0.5 - n / 2) for n in grid.cells]
    return np.asarray(sum(np.meshgrid(*(a**2 for a in axes), indexing="ij")))


def _by_plan(
    target: tuple[Array, ...], mu: Array, nu: Array, grid: CartesianGrid, xp: Any, known: float = np.inf
) -> float:
    """Return the length of a plan from μ to ν on the cell centres: by the map, and what is left by ever larger blocks."""
    arrived, cost = _carried(mu, target, 6 if mu.ndim == 2 else 3)
    return by_flux(arrived, nu, grid, xp=xp, length=float(np.sqrt(cost)) * grid.spacing[0], known=known)
