"""The stencils of `cpu.py` on a GPU: the same names and arrays, CUDA C++ from `cuda/`, compiled when first used.

What runs a kernel is given from outside, as a function of its name and type: CuPy's on a device; anything else that can run
the same source, such as a compilation for the host, in tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from mfgpde.core.recent import Recent
from mfgpde.kernels.launch import THREADS, WORD, Kernel, Runner, Stencil, blocks

MOST_BLOCKS = 1024
WIDTH, MEASURES = 256, 5  # as in reductions.cuh
EDGE, SQUARES = 32, 64  # as in tables.cuh


@dataclass(frozen=True, eq=False)
class DeviceStencils:
    """The kernels by name, for arrays of one type that lie where `runner` can reach them.

    Arrays must be C-contiguous, float64 or float32 and of one type. Raises TypeError and ValueError for others.
    """

    runner: Runner
    _kernels: dict[tuple[str, Any], Kernel] = field(default_factory=dict, repr=False)
    _tables: Recent[tuple[Any, list[Any]]] = field(default_factory=lambda: Recent(64), repr=False)

    def kernel(self, name: str, dtype: Any) -> Kernel:
        """Return a kernel for a type, made when first asked for."""
        found = self._kernels.get((name, dtype))
        if found is None:
            found = self._kernels[name, dtype] = Kernel(name, dtype, self.runner)
        return found

    def stencil(self, name: str, shape: tuple[int, ...], *coefficients: Any) -> Stencil:
        """Return a rate of change bound to its coefficients: "stage", "fitted_stage", "corrected_stage" and so on.

        Fourth order on the fly in three dimensions has a second kernel, of as many cells a thread as sixteen bytes hold. It
        is taken, by this rule and not by a measurement, where rows are a multiple of that: it has fewer than two thirds of
        the instructions, and a third of the loads.
        """
        dtype, cells = coefficients[0].dtype, WORD // coefficients[0].dtype.itemsize
        if name == "corrected_fitted_stage" and len(shape) == 3 and shape[-1] % cells == 0:
            return Stencil(self.kernel("corrected_fitted_pairs_3d", dtype), shape, coefficients, cells_a_thread=cells)
        return Stencil(self.kernel(f"{name}_{len(shape)}d", dtype), shape, coefficients)

    def chebyshev(self, stencil: Stencil, y0: Any, f0: Any, rows: list[Any]) -> Any:
        """Return the last of Chebyshev's stages from y₀ and f₀ = Ay₀; `rows` of five weights a stage, on the device."""
        y1, scratch = np.empty_like(y0), np.empty_like(y0)
        self.recurrence(y0, y0, y0, f0, f0, rows[0], y1)
        return stencil.stages((y0, y1, f0, scratch), rows[1:])

    def rows(self, table: Any, like: Any) -> list[Any]:
        """Return the rows of a table of weights on the device, sent there once."""
        return self._tables((id(table), like.dtype), lambda: (table, _sent(table, like)))[1]

    def _run(self, name: str, grid: tuple[int, ...], threads: int, *arguments: Any) -> None:
        self.kernel(name, arguments[0].dtype)(grid, threads, *arguments)

    def _flat(self, name: str, size: int, *arguments: Any) -> None:
        self._run(name, (blocks(size, THREADS),), THREADS, *arguments)

    def jump_rates(self, peclet: Any, rate: Any, up: Any, down: Any) -> None:
        """Fill up = rate·B(−w), down = rate·B(w) for face Péclet numbers w; the rate is an array of one, there."""
        self._flat("jump_rates", peclet.size, peclet, rate, up, down, peclet.size)

    def upwind_rates(self, velocity: Any, inverse_spacing: float, up: Any, down: Any) -> None:
        """Fill up = v⁺/h, down = v⁻/h."""
        self._flat("upwind_rates", velocity.size, velocity, inverse_spacing, up, down, velocity.size)

    def backward_axis(self, u: Any, up: Any, down: Any, out: Any) -> None:
        """Add the transpose Aᵀu along the middle axis of u (outer, n, inner)."""
        self._flat("backward_axis", u.size, u, up, down, out, *u.shape)

    def recurrence(self, y0: Any, y1: Any, y2: Any, f1: Any, f0: Any, c: Any, out: Any) -> None:
        """Fill out = c₀y₀ + c₁y₁ + c₂y₂ + c₃f₁ + c₄f₀, the weights c on the device."""
        self._flat("recurrence", y0.size, y0, y1, y2, f1, f0, c, out, y0.size)

    def limited_flux(self, p: Any, velocity: Any, periodic: bool, out: Any) -> None:
        """Add −∂(v p) along the middle axis of p (outer, n, inner), van Leer's limiter; velocity = v/h on faces."""
        self._flat("limited_flux", p.size, p, velocity, periodic, out, *p.shape)

    def jump(self, p: Any, offsets: Any, up: Any, down: Any, leave: Any, out: Any) -> None:
        """Fill out = Ap for jumps along `offsets` (m, 3), int32, rates (m, a, b, c); Aᵀp with up and down exchanged."""
        self._flat("jump", p.size, p, offsets, up, down, leave, out, len(offsets), *p.shape)

    def score_axis(self, s: Any, drift: Any, spread: float, square: float, out: Any) -> None:
        """Add D(s₊ − s₋)/h + m(Qm − f) along the middle axis of s (outer, n + 1, inner)."""
        self._flat("score_axis", out.size, s, drift, spread, square, out, *out.shape)

    def face_slopes(self, u: Any, inverse_spacing: float, periodic: bool, far: bool, out: Any) -> None:
        """Fill ∂u/∂x on all faces normal to the middle axis of u (outer, n, inner)."""
        self._flat("face_slopes", out.size, u, inverse_spacing, periodic, far, out, *u.shape)

    def weno_slopes(
        self, u: Any, inverse_spacing: float, walls: int, axis: int, low: Any, high: Any, laplacian: Any
    ) -> None:
        """Fill component `axis` of low and high (cells, d) with WENO5 slopes along the middle axis of u; sum Δu."""
        d = low.shape[-1]
        self._flat("weno_slopes", u.size, u, inverse_spacing, walls, low, high, laplacian, d, axis, *u.shape)

    def envelope(self, f: Any, h: float, refine: bool, out: Any, place: Any, offset: Any) -> None:
        """Fill out (rows, n) with lower envelopes of the parabolas ½h²(i − j)² + f, and where their minima lie."""
        rows, n = f.shape
        self._run("envelope", (rows * blocks(n, THREADS),), THREADS, f, h, refine, out, place, offset, rows, n)

    def scatter(self, mass: Any, place: Any, offset: Any, out: Any) -> None:
        """Fill out (rows, n) with mass at the places of envelopes; sums in no order."""
        out.fill(0)
        self._flat("scatter", mass.size, mass, place, offset, out, *mass.shape)

    def carry(self, mass: Any, target: tuple[Any, ...], least: int, out: Any, cost: Any) -> None:
        """Fill `out` with mass carried to target, in cells, by multilinear shares, and `cost` with share·distance²."""
        out.fill(0)
        self._flat(f"carry_{mass.ndim}d", mass.size, mass, *target, least, out, cost, *mass.shape)

    def kinetic_proximal(self, m: Any, mu: Any, weight: Any, out_m: Any, out_mu: Any) -> None:
        """Minimise weight·m²/(2μ) + ½|(m, μ) − (m0, μ0)|² over μ ≥ 0; `out_mu` holds a guess. Arrays (lines, n)."""
        self._flat("kinetic_proximal", m.size, m, mu, weight, out_m, out_mu, *m.shape)

    def substitute(self, right: Any, factors: Any, inverses: Any, beside: Any) -> None:
        """Solve tridiagonal systems along the first axis of right (n, systems) in place, eliminated before."""
        n, systems = right.shape
        self._flat("substitute", systems, right, factors, inverses, beside, n, systems)

    def table_product(self, table: Any, u: Any, out: Any) -> None:
        """Fill out (outer, m, inner) with Σ_j table[i, j] u[b, j, a], a table (m, n) times u (outer, n, inner)."""
        outer, n, inner = u.shape
        grid = (blocks(outer * inner, EDGE), blocks(len(table), EDGE))
        self._run("table_product", grid, SQUARES, table, u, out, len(table), outer * inner, n, inner)

    def measures(self, p: Any, q: Any, empty: Callable[..., Any]) -> Any:
        """Return Σp, Σ|p − q|, Σ(p − q)², max|p − q|, Σ p log(p/q) in one pass; `empty(shape, dtype)` makes arrays there.

        The blocks' shares come back as an array (blocks, 5), to be summed, the fourth maximised.
        """
        count = min(blocks(p.size, WIDTH), MOST_BLOCKS)
        shares = empty((count, MEASURES), p.dtype)
        self._run("measures", (count,), WIDTH, p, q, shares, prod(p.shape))
        return shares

    def departures(self, peclet: tuple[Any, ...], periodic: tuple[bool, ...]) -> Any:
        """Return, an axis a row, max|w| of its face Péclet numbers and the fastest departure from a cell in units of D/h².

        As an array (axes, 2) there, two launches an axis; max|w| is infinite where one is no number.
        """
        found = np.empty_like(peclet[0], shape=(len(peclet), 2))
        for axis, (w, closed) in enumerate(zip(peclet, periodic, strict=True)):
            inner = prod(w.shape[axis + 1 :])
            lines = (w.size // (w.shape[axis] * inner), w.shape[axis] - 1, inner)
            count = min(blocks(prod(lines), WIDTH), MOST_BLOCKS)
            shares = np.empty_like(w, shape=(count, 2))
            self._run("departures", (count,), WIDTH, w, closed, shares, *lines)
            self._run("largest_of_pairs", (1,), WIDTH, shares, found[axis], count)
        return found

    def sums_of_squares(self, u: Any, e: Any) -> Any:
        """Return Σu² and Σe² of two arrays of one size, as an array (1, 2) there: two launches, in one order."""
        count = min(blocks(u.size, WIDTH), MOST_BLOCKS)
        shares, sums = np.empty_like(u, shape=(2 * count,)), np.empty_like(u, shape=(1, 2))
        self._run("pair_of_sums", (count,), WIDTH, u, e, True, shares, u.size, 1)
        self._run("pair_of_sums", (1,), WIDTH, shares, shares[1:], False, sums, count, 2)
        return sums


def _sent(table: Any, like: Any) -> list[Any]:
    there = np.asarray(table.astype(like.dtype), like=like)
    return [there[k] for k in range(len(table))]
