"""One explicit Fokker–Planck step: its share of the triad bandwidth measured in the same call, and the arrays it needs.

Traffic counts each array once (read or written), as for the triad a = b + s·c. Kernel and triad take turns; best of N. With
an NVIDIA GPU and CuPy the kernels there are measured beside a copy on the device.
"""

import time
import tracemalloc
from typing import Any

import numpy as np
from numba import njit, prange

import mfgpde as mfg

PROCESS, TURNS = mfg.OrnsteinUhlenbeck(), 25


@njit(parallel=True)
def triad(a, b, c, s):
    """A = b + s·c."""
    for i in prange(a.size):
        a[i] = b[i] + s * c[i]


def run(peers: bool) -> dict[str, Any]:
    """Measure 2D and 3D; return rows of stencil, bytes a cell, bandwidth, share of the triad, arrays in memory."""
    rows = []
    for cells, d, arrays in ((2048, 2, 6), (256, 3, 5)):
        grid = mfg.CartesianGrid.cube(5.0, cells, d)
        chain = mfg.FiniteVolume(grid).semidiscretise(mfg.FokkerPlanck.of(PROCESS)).at(0.0)
        p = _density(grid)
        new = np.empty_like(p)
        spare = [np.ones(2**24) for _ in range(3)]
        kernel, reference = [], []
        for _ in range(TURNS):
            kernel.append(_seconds(lambda chain=chain, p=p, new=new: chain.rate(p, 0.0, new)))
            reference.append(_seconds(lambda spare=spare: triad(spare[0], spare[1], spare[2], 0.5)))
        speed = arrays * 8 * p.size / min(kernel) / 1e9
        limit = 3 * 8 * spare[0].size / min(reference) / 1e9
        rows.append((f"{cells}^{d}", 8 * arrays, min(kernel) * 1e3, speed, limit, speed / limit, _arrays(grid, p)))
        del spare, chain, p, new
    rows += _on_device()
    return {
        "title": "An explicit Fokker–Planck step",
        "columns": ("cells", "bytes a cell", "ms", "GB/s", "limit GB/s", "share", "arrays in memory"),
        "rows": rows,
        "goals": "limit: triad on the host, copy on the device; host 0.8, 256³ in 6 arrays; device 0.85 in 2D, 0.75 in 3D",
    }


def _on_device() -> list[tuple[Any, ...]]:
    """Return rows for the device's kernels: rates stored and on the fly, and a fused stage; none without a device."""
    equation, rows = mfg.FokkerPlanck.of(PROCESS), []
    try:
        mfg.FiniteVolume(mfg.CartesianGrid.cube(5.0, 16, 2), backend="cupy").semidiscretise(equation)
    except RuntimeError:
        return []
    import cupy

    for cells, d in ((8192, 2), (384, 3)):
        chain = mfg.FiniteVolume(mfg.CartesianGrid.cube(5.0, cells, d), backend="cupy").semidiscretise(equation).at(0.0)
        stored = chain.stored
        p, levels = cupy.random.random((cells,) * d), [cupy.random.random((cells,) * d) for _ in range(3)]
        new = cupy.empty_like(p)
        limit = 2 * p.nbytes / _device_seconds(cupy, lambda new=new, p=p: cupy.copyto(new, p)) / 1e9
        for name, arrays, action in (
            ("rates stored", 2 * d + 2, lambda f=stored, p=p, new=new: f.rate(p, 0.0, new)),
            ("rates on the fly", d + 2, lambda f=chain, p=p, new=new: f.rate(p, 0.0, new)),
            ("fused stage", d + 5, lambda f=chain, p=p, y=levels, new=new: f.stage(y[0], p, *y[1:], np.ones(5), new)),
        ):
            seconds = _device_seconds(cupy, action)
            speed = arrays * p.nbytes / seconds / 1e9
            label = f"{cells}^{d}, {name}, device"
            rows.append((label, 8 * arrays, seconds * 1e3, speed, limit, speed / limit, float(arrays)))
        del chain, stored, p, levels, new
        cupy.get_default_memory_pool().free_all_blocks()
    return rows


def _device_seconds(xp: Any, action: Any) -> float:
    """Return the best of N, by events on the device."""
    best = np.inf
    for _ in range(TURNS):
        start, end = xp.cuda.Event(), xp.cuda.Event()
        start.record()
        action()
        end.record()
        end.synchronize()
        best = min(best, xp.cuda.get_elapsed_time(start, end) / 1e3)
    return float(best)


def _density(grid: mfg.CartesianGrid) -> np.ndarray:
    factors = [np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi) for x in grid.axes]
    p = factors[0]
    for factor in factors[1:]:
        p = p[..., None] * factor
    return p


def _arrays(grid: mfg.CartesianGrid, p: np.ndarray) -> float:
    """Return the peak of everything allocated from the equation to the new density p + dt·Ap, in arrays like p."""
    tracemalloc.start()
    chain = mfg.FiniteVolume(grid).semidiscretise(mfg.FokkerPlanck.of(PROCESS)).at(0.0)
    tracemalloc.reset_peak()
    new = chain.rate(p, 0.0)
    new *= 0.1 / chain.spectral_radius(p, 0.0)
    new += p
    peak = tracemalloc.get_traced_memory()[1] + p.nbytes
    tracemalloc.stop()
    return peak / p.nbytes


def _seconds(action) -> float:
    clock = time.perf_counter()
    action()
    return time.perf_counter() - clock
