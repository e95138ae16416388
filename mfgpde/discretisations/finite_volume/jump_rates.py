"""From a tensor and a drift on a grid to the jump rates of a chain: Selling's weights, fitted along each lattice vector."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from mfgpde.core.arrays import Array
from mfgpde.discretisations.checks import check_tensor
from mfgpde.equations.kolmogorov import Kolmogorov
from mfgpde.grids import CartesianGrid
from mfgpde.kernels import jumps as kernels
from mfgpde.kernels.regions import read
from mfgpde.kernels.selling import decompose

REACH = {1: 1, 2: 8, 3: 3}
"""cells that lattice vectors may go along an axis, by dimension; on small grids less"""
RANK = 1e-10
"""of the largest eigenvalue of D in units of cells: what is less is no noise"""
FIRM = 1e-4
"""of the trace to the power d: above it the determinant of D keeps twelve digits"""
DIFFERENCE = 0.125
"""of a cell: half the width of the differences that ∇·D is taken by"""


@dataclass(eq=False)
class Jumps:
    """Rates of jumps along `offsets` (K, 3), arrays (K, a, b, c) of three axes, those that the grid lacks of length one."""

    equation: Kolmogorov
    grid: CartesianGrid
    offsets: NDArray[np.int64]
    weight: Array
    slope: Array
    middle: Array
    """offset·D⁻¹g half way along each edge, g the Fickian drift; `slope` is D⁻¹g at centres, in units of cells"""
    up: Array
    down: Array
    monotone: bool
    degenerate: bool
    """whether D has no inverse somewhere"""
    word: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """The three axes."""
        return self.up.shape[1:]  # pyright: ignore[reportReturnType]

    def departures(self) -> Array:
        """Return the total rate of leaving each cell by jumps, (a, b, c)."""
        total = np.zeros(self.shape)
        kernels.departures(self.up, self.down, self.offsets, total)
        return total

    def sizes(self) -> Array:
        """Return the sum of |rates| instead."""
        total = np.zeros(self.shape)
        kernels.departures(np.abs(self.up), np.abs(self.down), self.offsets, total)
        return total

    def through(self, axis: int, side: int) -> tuple[Array, Array]:
        """Return the rates of leaving through one wall, and of entering from the value one on it, (a, b, c)."""
        leave, enter = np.zeros(self.shape), np.zeros(self.shape)
        lead = 3 - self.grid.dimension
        kernels.wall_rates(self.weight, self.slope, self.offsets, _periodic(self.grid), axis + lead, side, leave, enter)
        return leave, enter

    def mean(self, other: Jumps) -> Jumps:
        """Return the jumps with the mean of both rates, along all lattice vectors that either has."""
        offsets = np.unique(np.concatenate((self.offsets, other.offsets)), axis=0)

        def spread(jumps: Jumps, values: Array) -> Array:
            if np.array_equal(jumps.offsets, offsets):
                return values
            wide = np.zeros((len(offsets), *self.shape))
            for offset, part in zip(jumps.offsets, values, strict=True):
                wide[np.flatnonzero((offsets == offset).all(axis=1))[0]] = part
            return wide

        up, down = (0.5 * (spread(self, getattr(self, n)) + spread(other, getattr(other, n))) for n in ("up", "down"))
        weight = 0.5 * (spread(self, self.weight) + spread(other, other.weight))
        slope, middle = (
            0.5 * (self.slope + other.slope),
            0.5 * (spread(self, self.middle) + spread(other, other.middle)),
        )
        both = self.monotone and other.monotone, self.degenerate or other.degenerate
        return Jumps(self.equation, self.grid, offsets, weight, slope, middle, up, down, *both, self.word or other.word)

    def left_over(self, x: Array, t: float) -> Array:
        """Return the part of the Fickian drift at points (..., d) that does not lie in the range of D."""
        diffusion = self.equation.diffusion
        return _split(self.grid, diffusion.diffusion_tensor(x, t), diffusion.fickian_drift(x, t, widths(self.grid)))[1]

    def matrix(self) -> sparse.csc_array:
        """Return the gains, A plus the diagonal of departures, over flattened cells."""
        index = np.arange(int(np.prod(self.shape))).reshape(self.shape)
        rows, columns, entries = [], [], []
        for offset, up, down in zip(self.offsets, self.up, self.down, strict=True):
            there = np.roll(index, tuple(-offset), axis=(0, 1, 2))
            rows += [there.ravel(), index.ravel()]
            columns += [index.ravel(), there.ravel()]
            entries += [up.ravel(), down.ravel()]
        joined = np.concatenate(entries), (np.concatenate(rows), np.concatenate(columns))
        A = sparse.coo_array(joined, shape=(index.size, index.size)).tocsc()
        A.eliminate_zeros()
        return A


def jumps(equation: Kolmogorov, grid: CartesianGrid, t: float) -> Jumps:
    """Return the rates at one time. Raises ValueError where D is not finite, symmetric, or positive semidefinite."""
    diffusion, d, x = equation.diffusion, grid.dimension, grid.points
    D = diffusion.diffusion_tensor(x, t)
    check_tensor(D, x, np.asarray(grid.spacing), t)
    h = np.asarray(grid.spacing)
    scaled = (D / (h[:, None] * h)).reshape(-1, d, d)
    offsets, weight, monotone = _weights(scaled, grid)
    three = (1,) * (3 - d) + grid.cells
    slope, potential = np.zeros((*three, 3)), np.zeros((0, 0, 0))
    drift = diffusion.fickian_drift(x, t, widths(grid))
    if not np.isfinite(drift).all():
        where = x[tuple(np.argwhere(~np.isfinite(drift))[0][:-1])]
        raise ValueError(f"the drift at t = {t:g} is not finite at x = {where.tolist()}")
    along, left, degenerate = _split(grid, D, drift)
    if equation.potential is not None:
        potential = np.ascontiguousarray(
            np.broadcast_to(equation.potential(x, t), grid.cells).reshape(three), dtype=float
        )
        left = np.zeros_like(left)
    slope[..., 3 - d :] = (along * h).reshape(*three, d)
    middle = np.zeros_like(weight)
    if equation.potential is None:
        for k, offset in enumerate(offsets[:, 3 - d :]):
            _fill_middle(equation, grid, t, offset, middle[k].reshape(grid.cells))
    up, down = np.empty_like(weight), np.empty_like(weight)
    kernels.edge_rates(weight, slope, middle, *read(potential), offsets, _periodic(grid), up, down)
    word = "" if monotone.all() else _word(D.reshape(-1, d, d), monotone, grid, REACH[d])
    return Jumps(
        equation, grid, offsets, weight, slope, middle, up, down, not word, degenerate and bool(np.any(left)), word
    )


def pull_along_noise(equation: Kolmogorov, grid: CartesianGrid, t: float) -> Array:
    """Return D⁻¹g at cell centres along what has noise, (*cells, d), per length: times cell widths, Péclet numbers."""
    diffusion, x = equation.diffusion, grid.points
    return _split(grid, diffusion.diffusion_tensor(x, t), diffusion.fickian_drift(x, t, widths(grid)))[0]


def with_slope(fixed: Jumps, along: Array) -> Jumps:
    """Return the same chain where D⁻¹g has this in addition at centres, (*cells, d), in units of cells."""
    d = fixed.grid.dimension
    more = np.zeros_like(fixed.slope)
    more[..., 3 - d :] = along.reshape(*fixed.shape, d)
    middle = fixed.middle.copy()
    for part, offset in zip(middle, fixed.offsets, strict=True):
        part += 0.5 * (more + np.roll(more, tuple(-offset), axis=(0, 1, 2))) @ offset
    slope, nothing = fixed.slope + more, np.zeros((0, 0, 0))
    up, down = np.empty_like(fixed.up), np.empty_like(fixed.up)
    kernels.edge_rates(fixed.weight, slope, middle, *read(nothing), fixed.offsets, _periodic(fixed.grid), up, down)
    return replace(fixed, slope=slope, middle=middle, up=up, down=down)


def _fill_middle(equation: Kolmogorov, grid: CartesianGrid, t: float, offset: NDArray[np.int64], out: Array) -> None:
    """Fill offset·D⁻¹g, in units of cells, half way along the edges that begin in each cell and stay in the box."""
    inside = tuple(
        slice(None) if periodic else slice(max(0, -step), n - max(0, step))
        for step, n, periodic in zip(offset.tolist(), grid.cells, grid.periodic, strict=True)
    )
    h, lower, sides = (np.asarray(part) for part in (grid.spacing, grid.lower, grid.lengths))
    x = grid.points[inside] + 0.5 * offset * h
    x = np.where(grid.periodic, lower + np.mod(x - lower, sides), x)
    diffusion = equation.diffusion
    along = _split(grid, diffusion.diffusion_tensor(x, t), diffusion.fickian_drift(x, t, widths(grid)))[0]
    out[inside] = (along * h) @ offset


def widths(grid: CartesianGrid) -> Array:
    """Return half the widths of differences of coefficients along each axis: within the cells, so never on a wall."""
    return DIFFERENCE * np.asarray(grid.spacing)


def _split(grid: CartesianGrid, D: Array, g: Array) -> tuple[Array, Array, bool]:
    """Return D⁺g, what of g is not in the range of D, and whether D has no inverse somewhere."""
    h = np.asarray(grid.spacing)
    scaled, pull = D / (h[:, None] * h), g / h
    if D.shape[-1] == 1:
        noise = scaled[..., 0, 0] > 0
        with np.errstate(divide="ignore", invalid="ignore"):
            along = np.where(noise[..., None], pull / scaled[..., 0], 0.0)
        return along / h, np.where(noise[..., None], 0.0, g), not bool(noise.all())
    along = _solved(scaled, pull)
    if along is not None:
        return along / h, np.zeros_like(g), False
    values, vectors = np.linalg.eigh(scaled)
    noise = values > RANK * values[..., -1:]
    parts = np.einsum("...ij,...i->...j", vectors, pull)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.where(noise, parts / values, 0.0)
    along = np.einsum("...ij,...j->...i", vectors, inverse)
    left = np.einsum("...ij,...j->...i", vectors, np.where(noise, 0.0, parts))
    tiny = np.abs(left) <= 1e-12 * np.abs(pull).max(initial=0.0)
    return along / h, np.where(tiny, 0.0, left) * h, not bool(noise.all())


def _solved(D: Array, g: Array) -> Array | None:
    """Return D⁻¹g by Cramer's rule where every tensor of two or three axes is far from degenerate, else nothing.

    The least eigenvalue is at least det D/(tr D)^(d−1): above `FIRM` of the trace determinants lose few digits.
    """
    rows = np.moveaxis(D, (-2, -1), (0, 1))
    if len(rows) == 2:
        (a, b), (_, c) = rows
        det, trace = a * c - b * b, a + c
        if np.all(det > FIRM * trace**2):
            return np.stack(((c * g[..., 0] - b * g[..., 1]) / det, (a * g[..., 1] - b * g[..., 0]) / det), axis=-1)
        return None
    (a, b, c), (_, e, f), (_, _, i) = rows
    A, B, C = e * i - f * f, c * f - b * i, b * f - c * e
    E, F, G = a * i - c * c, b * c - a * f, a * e - b * b
    det = a * A + b * B + c * C
    if not np.all(det > FIRM * (a + e + i) ** 3):
        return None
    x, y, z = np.moveaxis(g, -1, 0)
    return (
        np.stack(((A * x + B * y + C * z), (B * x + E * y + F * z), (C * x + F * y + G * z)), axis=-1) / det[..., None]
    )


def _weights(D: Array, grid: CartesianGrid) -> tuple[NDArray[np.int64], Array, NDArray[np.bool_]]:
    """Return all lattice vectors in use (K, 3), their weights in every cell (K, a, b, c), and where none is negative."""
    n, d = len(D), grid.dimension
    count = d * (d + 1) // 2
    weights, vectors = np.zeros((n, count)), np.zeros((n, count, d), dtype=np.int64)
    monotone = np.ones(n, dtype=bool)
    reach = max(1, min(REACH[d], min(grid.cells) // 4))
    still = n > 1 and not np.any(D[:1] != D)
    if still:
        decompose(np.ascontiguousarray(D[:1]), reach, weights[:1], vectors[:1], monotone[:1])
        weights[:], vectors[:], monotone[:] = weights[:1], vectors[:1], monotone[:1]
    else:
        decompose(np.ascontiguousarray(D), reach, weights, vectors, monotone)
    base = 4 * max(REACH.values()) ** 2 + 1
    codes = ((vectors + base // 2) * base ** np.arange(d)).sum(axis=-1)
    used = np.unique(codes[weights != 0.0])
    three = (1,) * (3 - d) + grid.cells
    weight, offsets = np.zeros((len(used), n)), np.zeros((len(used), 3), dtype=np.int64)
    for k, code in enumerate(used):
        cell, slot = np.nonzero((codes == code) & (weights != 0.0))
        weight[k, cell] = weights[cell, slot]
        offsets[k, 3 - d :] = vectors[cell[0], slot[0]]
    far = np.abs(offsets[:, 3 - d :]) * 2 >= np.asarray(grid.cells)
    if far.any():
        raise ValueError(
            f"D asks for jumps of {offsets[far.any(axis=1)][0][3 - d :].tolist()} cells on a grid of {grid.cells}: "
            "take more cells"
        )
    order = np.lexsort(offsets.T[::-1])
    return offsets[order], weight[order].reshape(len(used), *three), monotone


def _word(D: Array, monotone: NDArray[np.bool_], grid: CartesianGrid, reach: int) -> str:
    where = grid.points.reshape(-1, grid.dimension)[~monotone][0]
    values = np.linalg.eigvalsh(D[~monotone])
    ratio = float((values[:, -1] / np.maximum(values[:, 0], 1e-300)).max())
    return (
        f"the scheme is not monotone in {(~monotone).mean():.2g} of the cells, at x = {where.tolist()} for one: a tensor "
        f"with eigenvalues {ratio:.3g} : 1 needs jumps longer than {reach} cells there, so densities may become slightly "
        "negative; cells whose widths follow the tensor, or axes along it, make it monotone"
    )


def _periodic(grid: CartesianGrid) -> NDArray[np.bool_]:
    return np.array((False,) * (3 - grid.dimension) + grid.periodic)
