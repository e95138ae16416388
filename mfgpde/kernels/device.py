"""The stencils of `cpu.py` on a GPU: the same names and arrays, CUDA C++ from `cuda/`, compiled when first used.

What runs a kernel is given from outside, as a function of its name and type: CuPy's on a device; anything else that can run
the same source, such as a compilation for the host, in tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import prod
from typing import Any

import numpy as np

PRELUDE = """
#define SHARED(type, name, count) __shared__ type name[count]
#define BARRIER() __syncthreads()
#define ADD(address, value) atomicAdd(address, value)
#ifndef INFINITY
#define INFINITY __longlong_as_double(0x7ff0000000000000LL)
#endif
"""
PARTS = ("transport.cuh", "weno.cuh", "reductions.cuh", "lines.cuh")
THREADS, ROWS, MOST_BLOCKS = 128, 16, 1024
WIDTH, MEASURES = 256, 5  # as in reductions.cuh
TYPES = {"float64": "double", "float32": "float"}
NOTHING = np.zeros(5)


@cache
def source() -> str:
    """Return the CUDA C++ source without its prelude; `real` is what REAL is defined as."""
    folder = files("mfgpde.kernels") / "cuda"
    return "\n".join((folder / part).read_text(encoding="utf-8") for part in PARTS)


@cache
def signatures() -> dict[str, tuple[str, ...]]:
    """Return the parameter types of every kernel: "real*", "int*", "real", "int", "wide"."""
    found = {}
    for name, text in re.findall(r"__global__ void (\w+)\(([^)]*)\)", source()):
        kinds = []
        for parameter in text.split(","):
            words = parameter.replace("const", "").replace("__restrict__", "").split()
            kinds.append(words[0])
        found[name] = tuple(kinds)
    return found


Runner = Callable[[str, str], Callable[[tuple[int, ...], tuple[int, ...], tuple[Any, ...]], None]]
"""(kernel, C type) to a function of (grid, block, arguments), as CuPy's raw kernels are"""


@dataclass(frozen=True, eq=False)
class DeviceStencils:
    """The kernels by name, for arrays of one type that lie where `runner` can reach them.

    Arrays must be C-contiguous, float64 or float32 and of one type. Raises TypeError and ValueError for others.
    """

    runner: Runner

    def _run(self, name: str, grid: tuple[int, ...], block: int, *arguments: Any) -> None:
        kinds = signatures()[name]
        arrays = [a for a, kind in zip(arguments, kinds, strict=True) if kind == "real*"]
        places = [a for a, kind in zip(arguments, kinds, strict=True) if kind == "int*"]
        dtype = arrays[0].dtype
        if str(dtype) not in TYPES or any(a.dtype != dtype for a in arrays):
            names = sorted({str(a.dtype) for a in arrays})
            raise TypeError(f"{name} needs arrays of one type, float64 or float32, got {', '.join(names)}")
        if any(a.dtype != np.int32 for a in places):
            raise TypeError(f"{name} keeps places as int32, got {', '.join(str(a.dtype) for a in places)}")
        if not all(a.flags.c_contiguous for a in (*arrays, *places)):
            raise ValueError(f"{name} needs C-contiguous arrays; copy them with ascontiguousarray")
        casts = {"real": dtype.type, "int": np.int32, "wide": np.int64}
        given = tuple(a if kind.endswith("*") else casts[kind](a) for a, kind in zip(arguments, kinds, strict=True))
        self.runner(name, TYPES[str(dtype)])(grid, (block,), given)

    def _flat(self, name: str, size: int, *arguments: Any) -> None:
        self._run(name, (_blocks(size, THREADS),), THREADS, *arguments)

    def jump_rates(self, peclet: Any, rate: float, up: Any, down: Any) -> None:
        """Fill up = rate·B(−w), down = rate·B(w) for face Péclet numbers w."""
        self._flat("jump_rates", peclet.size, peclet, rate, up, down, peclet.size)

    def upwind_rates(self, velocity: Any, inverse_spacing: float, up: Any, down: Any) -> None:
        """Fill up = v⁺/h, down = v⁻/h."""
        self._flat("upwind_rates", velocity.size, velocity, inverse_spacing, up, down, velocity.size)

    def forward_1d(self, p: Any, up: Any, down: Any, out: Any) -> None:
        """Fill out = Ap."""
        self._flat("forward_1d", p.size, p, up, down, out, p.size)

    def forward_2d(self, p: Any, up0: Any, down0: Any, up1: Any, down1: Any, out: Any) -> None:
        """Fill out = Ap in two dimensions."""
        self._march("stage_2d", p, (up0, down0, up1, down1), out)

    def forward_3d(self, p: Any, up0: Any, down0: Any, up1: Any, down1: Any, up2: Any, down2: Any, out: Any) -> None:
        """Fill out = Ap in three dimensions."""
        self._march("stage_3d", p, (up0, down0, up1, down1, up2, down2), out)

    def stage(self, p: Any, rates: tuple[Any, ...], y0: Any, y2: Any, f0: Any, c: Any, out: Any) -> None:
        """Fill out = c₀y₀ + c₁p + c₂y₂ + c₃Ap + c₄f₀, `rates` up and down of each axis: a Chebyshev stage in one pass."""
        self._march(f"stage_{p.ndim}d", p, rates, out, (y0, y2, f0), c)

    def fitted(self, p: Any, peclet: tuple[Any, ...], rate: Any, glued: Any, out: Any) -> None:
        """Fill out = Ap from face Péclet numbers |w| ≤ 1 (0 on walls) and rate = D/h² per axis, in 2D or 3D."""
        self._march(f"fitted_stage_{p.ndim}d", p, (*peclet, *rate, *glued), out)

    def fitted_stage(
        self, p: Any, peclet: tuple[Any, ...], rate: Any, glued: Any, y0: Any, y2: Any, f0: Any, c: Any, out: Any
    ) -> None:
        """Fill out = c₀y₀ + c₁p + c₂y₂ + c₃Ap + c₄f₀, coefficients on the fly."""
        self._march(f"fitted_stage_{p.ndim}d", p, (*peclet, *rate, *glued), out, (y0, y2, f0), c)

    def _march(
        self, name: str, p: Any, coefficients: tuple[Any, ...], out: Any, levels: tuple[Any, ...] = (), c: Any = NOTHING
    ) -> None:
        n, *others = p.shape
        across = _blocks(others[-1], THREADS)
        grid = (across, _blocks(n, ROWS)) if p.ndim == 2 else (across, others[0], _blocks(n, ROWS))
        levels_ = levels or (p, p, p)  # not read without a stage
        self._run(name, grid, THREADS, p, *coefficients, *levels_, out, *c, bool(levels), n, *others, ROWS)

    def face_flux(self, p: Any, up: Any, down: Any, flux: Any) -> None:
        """Fill the flux over all faces normal to the middle axis of p (outer, n, inner)."""
        self._flat("face_flux", flux.size, p, up, down, flux, *p.shape)

    def corrected_flux(self, flux: Any, peclet: Any, periodic: bool, out: Any) -> None:
        """Fill out with the flux corrected to fourth order, over faces normal to the middle axis (outer, n + 1, inner)."""
        outer, faces, inner = flux.shape
        self._flat("corrected_flux", flux.size, flux, peclet, periodic, out, outer, faces - 1, inner)

    def add_inflow(self, flux: Any, out: Any) -> None:
        """Add F_i − F_{i+1} along the middle axis to out (outer, n, inner)."""
        self._flat("add_inflow", out.size, flux, out, *out.shape)

    def backward_axis(self, u: Any, up: Any, down: Any, out: Any) -> None:
        """Add the transpose Aᵀu along the middle axis of u (outer, n, inner)."""
        self._flat("backward_axis", u.size, u, up, down, out, *u.shape)

    def recurrence(self, y0: Any, y1: Any, y2: Any, f1: Any, f0: Any, c: Any, out: Any) -> None:
        """Fill out = c₀y₀ + c₁y₁ + c₂y₂ + c₃f₁ + c₄f₀."""
        self._flat("recurrence", y0.size, y0, y1, y2, f1, f0, *c, out, y0.size)

    def limited_flux(self, p: Any, velocity: Any, periodic: bool, out: Any) -> None:
        """Add −∂(v p) along the middle axis of p (outer, n, inner), van Leer's limiter; velocity = v/h on faces."""
        self._flat("limited_flux", p.size, p, velocity, periodic, out, *p.shape)

    def score_axis(self, s: Any, drift: Any, spread: float, square: float, out: Any) -> None:
        """Add D(s₊ − s₋)/h + m(Qm − f) along the middle axis of s (outer, n + 1, inner)."""
        self._flat("score_axis", out.size, s, drift, spread, square, out, *out.shape)

    def face_slopes(self, u: Any, inverse_spacing: float, periodic: bool, far: bool, out: Any) -> None:
        """Fill ∂u/∂x on all faces normal to the middle axis of u (outer, n, inner)."""
        self._flat("face_slopes", out.size, u, inverse_spacing, periodic, far, out, *u.shape)

    def weno_slopes(self, u: Any, inverse_spacing: float, low: Any, high: Any) -> None:
        """Fill low and high (outer, n, inner) with WENO5 slopes along the middle axis of u (outer, n + 6, inner)."""
        self._flat("weno_slopes", low.size, u, inverse_spacing, low, high, *low.shape)

    def envelope(self, f: Any, h: float, refine: bool, out: Any, place: Any, offset: Any) -> None:
        """Fill out (rows, n) with lower envelopes of the parabolas ½h²(i − j)² + f, and where their minima lie."""
        rows, n = f.shape
        self._run("envelope", (rows * _blocks(n, THREADS),), THREADS, f, h, refine, out, place, offset, rows, n)

    def scatter(self, mass: Any, place: Any, offset: Any, out: Any) -> None:
        """Fill out (rows, n) with mass at the places of envelopes; sums in no order."""
        out.fill(0)
        self._flat("scatter", mass.size, mass, place, offset, out, *mass.shape)

    def kinetic_proximal(self, m: Any, mu: Any, weight: Any, out_m: Any, out_mu: Any) -> None:
        """Minimise weight·m²/(2μ) + ½|(m, μ) − (m0, μ0)|² over μ ≥ 0; `out_mu` holds a guess. Arrays (lines, n)."""
        self._flat("kinetic_proximal", m.size, m, mu, weight, out_m, out_mu, *m.shape)

    def measures(self, p: Any, q: Any, empty: Callable[..., Any]) -> Any:
        """Return Σp, Σ|p − q|, Σ(p − q)², max|p − q|, Σ p log(p/q) in one pass; `empty(shape, dtype)` makes arrays there.

        The blocks' shares come back as an array (blocks, 5), to be summed, the fourth maximised.
        """
        blocks = min(_blocks(p.size, WIDTH), MOST_BLOCKS)
        shares = empty((blocks, MEASURES), p.dtype)
        self._run("measures", (blocks,), WIDTH, p, q, shares, prod(p.shape))
        return shares


def _blocks(size: int, width: int) -> int:
    return max(-(-int(size) // width), 1)
