"""Stencils over grid sizes and cores: bandwidth of every kernel beside the triad's, from cache to memory.

Bytes count each array once (read or written), as for the triad a = b + s·c on as many bytes as the kernel at that size.
Kernel and triad take turns; best of N.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np

import mfgpde as mfg
from mfgpde.core import threads
from mfgpde.kernels import cpu
from mfgpde.verify import load_module

TURNS, LEAST = 7, 2e-3  # best of so many, each of at least so many seconds
SIZES = {2: (64, 128, 256, 512, 1024, 2048, 4096), 3: (16, 32, 64, 128, 256)}


def run(peers: bool) -> dict[str, Any]:
    """Return rows of kernel, cells, threads, bytes a cell, bandwidth, the triad's, and its share; panels of the figure."""
    most = min(threads.available(), numba.config.NUMBA_NUM_THREADS)
    rows, panels = [], []
    for count in sorted({1, most}):
        numba.set_num_threads(count)
        rows += [(name, n, count, *found) for name, n, found in _measured()]
    numba.set_num_threads(most)
    names = list(dict.fromkeys(row[0] for row in rows))
    for count in sorted({1, most}):
        curves = []
        for name in names:
            mine = [row for row in rows if row[0] == name and row[2] == count]
            d = 3 if "3D" in name else 2
            curves.append(
                {"label": name, "x": [row[1] ** d * row[3] / 2**20 for row in mine], "y": [row[4] for row in mine]}
            )
        known = sorted((row[1] ** 2 * row[3] / 2**20, row[5]) for row in rows if "2D" in row[0] and row[2] == count)
        curves.append({"label": "triad", "x": [x for x, _ in known], "y": [y for _, y in known], "grey": True})
        title = f"{count} thread{'s' * (count > 1)}"
        panels.append({"title": title, "x": "MiB read and written", "y": "GB/s", "curves": curves})
    return {
        "title": "Stencils from cache to memory",
        "columns": ("kernel", "cells a side", "threads", "bytes a cell", "GB/s", "triad GB/s", "share"),
        "rows": rows,
        "panels": panels,
        "goals": "0.8 of the triad beyond the caches; in them arithmetic is the limit of what is evaluated on the fly",
    }


def _measured() -> Iterator[tuple[str, int, tuple[float, ...]]]:
    triad = load_module(Path(__file__).with_name("stencil_bandwidth.py")).triad
    for d, sizes in SIZES.items():
        for n in sizes:
            count = n**d
            for name, arrays, action in _kernels(n, d):
                size = max(count * arrays // 3, 1)
                a, b, c = (np.ones(size) for _ in range(3))
                times = [(_seconds(action), _seconds(lambda a=a, b=b, c=c: triad(a, b, c, 0.5))) for _ in range(TURNS)]
                kernel, reference = (min(column) for column in zip(*times, strict=True))
                speed, limit = 8 * arrays * count / kernel / 1e9, 24 * size / reference / 1e9
                yield name, n, (8 * arrays, speed, limit, speed / limit)


def _kernels(n: int, d: int) -> Iterator[tuple[str, int, Callable[[], Any]]]:
    """Yield name, arrays that go through memory, and what runs it once."""
    grid = mfg.CartesianGrid.cube(5.0, n, d)
    equation = mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck())
    chain = mfg.FiniteVolume(grid).semidiscretise(equation).at(0.0)
    rng = np.random.default_rng(0)
    p, new = rng.random(grid.cells), np.empty(grid.cells)
    where = "on the fly" if type(chain).__name__ == "FittedChain" else "stored"
    yield f"Fokker–Planck {d}D, {where}", 2 + (d if where == "on the fly" else 2 * d), lambda: chain.rate(p, 0.0, new)
    if d == 3:
        return
    levels = [rng.random(p.size) for _ in range(5)]
    c = np.full(5, 0.2)
    yield "Chebyshev recurrence, 2D", 6, lambda: cpu.recurrence(*levels, c, new.ravel())
    flow = mfg.FiniteVolume(grid).semidiscretise(mfg.Continuity(lambda x, t: -x, time_dependent=False))
    faces = flow.velocities(0.0)
    shape = (-1, n, n)
    yield (
        "limited upwind, axis 0, 2D",
        4,
        lambda: cpu.limited_flux(p.reshape(shape), faces[0], False, new.reshape(shape)),
    )
    lines, found = rng.random((1, n, n)), np.empty((3, n * n, 1))
    yield "WENO5 slopes, axis 0, 2D", 4, lambda: cpu.weno_slopes(lines, 1.0, 1, 0, found[0], found[1], found[2, :, 0])


def _seconds(action: Callable[[], Any]) -> float:
    """Return the seconds of one of as many runs as last long enough to be timed."""
    repeats = 1
    while True:
        clock = time.perf_counter()
        for _ in range(repeats):
            action()
        spent = time.perf_counter() - clock
        if spent > LEAST:
            return spent / repeats
        repeats *= 4
