"""One kernel ready to be launched: arrays are checked and numbers cast once, where a launch must cost microseconds."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

PRELUDE = """
#define SHARED(type, name, count) __shared__ type name[count]
#define BARRIER() __syncthreads()
#define ADD(address, value) atomicAdd(address, value)
#define STAGE __global__ void __launch_bounds__(128, 8)
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 1000
#define WIDE_STAGE __global__ void __launch_bounds__(128, 5)
#else
#define WIDE_STAGE __global__ void __launch_bounds__(128, 7)
#endif
#define PAIRS_STAGE __global__ void __launch_bounds__(128, 4)
#ifndef INFINITY
#define INFINITY __longlong_as_double(0x7ff0000000000000LL)
#endif
"""
PARTS = (
    "transport.cuh",
    "corrected.cuh",
    "pairs.cuh",
    "weno.cuh",
    "reductions.cuh",
    "lines.cuh",
    "carry.cuh",
    "tables.cuh",
    "jumps.cuh",
)
THREADS = 128
TILE = 32, 4
"""threads of a block along the two faster axes in three dimensions: what neighbours share is read once"""
ROWS, ENOUGH = 16, 1024
"""rows that a thread marches along at most, and blocks that keep a device busy: small grids march less"""
WORD = 16
"""bytes that a thread reads and writes at once, at most"""
MOST_ACROSS = 65535
"""blocks along any axis of a launch but the first; along that two billion"""
TYPES = {"float64": "double", "float32": "float"}

Launch = Callable[[tuple[int, ...], tuple[int, ...], tuple[Any, ...]], None]
"""of (grid, block, arguments), as CuPy's raw kernels are"""
Runner = Callable[[str, str], Launch]
"""(kernel, C type) to what launches it"""


@cache
def source() -> str:
    """Return the CUDA C++ source without its prelude; `real` is what REAL is defined as."""
    folder = files("mfgpde.kernels") / "cuda"
    return "\n".join((folder / part).read_text(encoding="utf-8") for part in PARTS)


@cache
def signatures() -> dict[str, tuple[str, ...]]:
    """Return the parameter types of every kernel: "real*", "int*", "real", "int", "wide"."""
    found = {}
    for name, text in re.findall(r"(?:__global__ void|STAGE|WIDE_STAGE|PAIRS_STAGE) (\w+)\(([^)]*)\)", source()):
        kinds = []
        for parameter in text.split(","):
            words = parameter.replace("const", "").replace("__restrict__", "").split()
            kinds.append(words[0])
        found[name] = tuple(kinds)
    return found


class Kernel:
    """A kernel for arrays of one type."""

    def __init__(self, name: str, dtype: Any, runner: Runner) -> None:
        if str(dtype) not in TYPES:
            raise TypeError(f"{name} needs arrays of one type, float64 or float32, got {dtype}")
        self.name, self.dtype, self.kinds = name, dtype, signatures()[name]
        self.casts = tuple({"real": dtype.type, "int": np.int32, "wide": np.int64}.get(kind) for kind in self.kinds)
        self.launch = runner(name, TYPES[str(dtype)])

    def given(self, arguments: tuple[Any, ...], first: int = 0) -> tuple[Any, ...]:
        """Return arguments from parameter `first` on, as a launch takes them; TypeError or ValueError for unfit arrays."""
        end = first + len(arguments)
        for a, kind in zip(arguments, self.kinds[first:end], strict=True):
            if kind == "real*" and a.dtype != self.dtype:
                names = ", ".join(sorted({str(a.dtype), str(self.dtype)}))
                raise TypeError(f"{self.name} needs arrays of one type, float64 or float32, got {names}")
            if kind == "int*" and a.dtype != np.int32:
                raise TypeError(f"{self.name} keeps places as int32, got {a.dtype}")
            if kind[-1] == "*" and not a.flags.c_contiguous:
                raise ValueError(f"{self.name} needs C-contiguous arrays; copy them with ascontiguousarray")
        return tuple(a if cast is None else cast(a) for a, cast in zip(arguments, self.casts[first:end], strict=True))

    def __call__(self, grid: tuple[int, ...], threads: int, *arguments: Any) -> None:
        """Launch it."""
        self.launch(grid, (threads,), self.given(arguments))


class Stencil:
    """A rate of change on one grid, its coefficients checked and cast: p ↦ Ap, and Chebyshev's stages.

    `kernel` takes p, coefficients, three levels, the output, five weights, whether it is a stage, and sizes; a thread of it
    owns so many neighbouring cells of the fastest axis.
    """

    def __init__(
        self, kernel: Kernel, shape: tuple[int, ...], coefficients: tuple[Any, ...], *, cells_a_thread: int = 1
    ) -> None:
        self.kernel, self.shape = kernel, shape
        self.fixed = kernel.given(coefficients, 1)
        n, *others = shape
        owned = (*shape[:-1], shape[-1] // cells_a_thread)
        rows = marched(owned)
        self.block = TILE if len(shape) == 3 else (THREADS,)
        across = [blocks(m, width) for m, width in zip(reversed(owned), self.block, strict=False)]
        self.grid = (*across, blocks(n, rows)) if others else tuple(across)
        sizes = (*map(np.int32, shape), *([np.int32(rows)] if others else []))
        self.as_rate, self.as_stage = (np.int32(0), *sizes), (np.int32(1), *sizes)

    def rate(self, p: Any, out: Any) -> None:
        """Fill out = Ap."""
        p, out = self._fit(p), self._fit(out)
        self.kernel.launch(self.grid, self.block, (p, *self.fixed, p, p, p, out, p, *self.as_rate))

    def stages(self, y: tuple[Any, Any, Any, Any], rows: list[Any]) -> Any:
        """Return the last y_j = c₀y₀ + c₁y_{j−1} + c₂y_{j−2} + c₃Ay_{j−1} + c₄f₀, weights c of stage j in rows[j − 2].

        `y` is y_0, y_1, f_0 and an array of scratch, which may be the output; y_1 is overwritten.
        """
        y0, here, f0, new = map(self._fit, y)
        before = y0
        launch, grid, block, fixed, ends = self.kernel.launch, self.grid, self.block, self.fixed, self.as_stage
        for c in rows:
            launch(grid, block, (here, *fixed, y0, before, f0, new, c, *ends))
            before, here, new = here, new, here
        return here

    def _fit(self, a: Any) -> Any:
        if a.shape != self.shape:
            raise ValueError(f"{self.kernel.name} is bound to a grid of {self.shape}, got an array {a.shape}")
        return self.kernel.given((a,))[0]


def marched(shape: tuple[int, ...]) -> int:
    """Return how many rows a thread marches along the first axis: as many as leave enough blocks."""
    n, *others = shape
    if not others:
        return 1
    columns = blocks(int(np.prod(others, dtype=int)), THREADS)
    return max(min(ROWS, n * columns // ENOUGH), blocks(n, MOST_ACROSS))


def blocks(size: int, width: int) -> int:
    """Return how many blocks of a width cover a size, at least one."""
    return max(-(-int(size) // width), 1)
