"""One explicit Fokker–Planck step: its share of the triad bandwidth measured in the same call, and the arrays it needs.

Traffic counts each array once (read or written), as for the triad a = b + s·c. Kernel and triad take turns; best of N.
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
    return {
        "title": "An explicit Fokker–Planck step",
        "columns": ("cells", "bytes a cell", "ms", "GB/s", "triad GB/s", "share", "arrays in memory"),
        "rows": rows,
        "goals": "2D ≥ 0.7 of the triad; 256³ within 6 arrays (density, coefficients, new density)",
    }


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
