"""Solves on 1, 2, 4, 8 and 16 threads, more than there are cores too, and two solves at once that share them.

Each in a process of its own, so that the number of threads is what a user would set; best of a few after one that compiles.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import mfgpde as mfg
from mfgpde.core import threads

TURNS = 3
COUNTS = (1, 2, 4, 8, 16)
CASES = {"order 2": (2, (64, 512, 1024)), "order 4": (4, (256,))}
"""order of accuracy and cells a side"""
TOLERANCE = 1e-4


def run(peers: bool) -> dict[str, Any]:
    """Return rows of problem, cells, threads, solves at once, seconds of the slowest, and its ratio to the best alone."""
    rows = []
    for name, (_, sizes) in CASES.items():
        for n in sizes:
            alone = {count: max(_together(1, count, name, n)) for count in COUNTS}
            best = min(alone[1], alone[2])
            rows += [(name, f"{n}²", count, 1, seconds, seconds / best) for count, seconds in alone.items()]
            both = max(_together(2, max(2, threads.available()), name, n))
            rows.append((name, f"{n}²", max(2, threads.available()), 2, both, both / best))
    return {
        "title": f"Solves on threads: {threads.available()} cores",
        "columns": ("problem", "cells", "threads", "at once", "seconds", "× the best of one and two threads"),
        "rows": rows,
        "goals": "alone ≤ 1.5, whatever the threads; two at once ≤ 2.2; on sixteen cores 1024² ≥ 8 × as fast as on one",
    }


def _together(processes: int, count: int, name: str, n: int) -> list[float]:
    """Return the times of so many solves at once, each on so many threads."""
    place = str(Path(__file__).resolve())
    script = (
        "from mfgpde.verify import load_module\nfrom pathlib import Path\n"
        f"print(load_module(Path({place!r})).here({name!r}, {n}))"
    )
    environment = os.environ | {"NUMBA_NUM_THREADS": str(count), "OMP_NUM_THREADS": str(count)}
    begun = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(processes)
    ]
    return [json.loads(process.communicate(timeout=600)[0].splitlines()[-1]) for process in begun]


def here(name: str, n: int) -> float:
    """Return the best time of a solve in this process."""
    equation, data = mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), mfg.densities.four_blobs()
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(5.0, n, 2), order=CASES[name][0])  # pyright: ignore
    times = []
    for _ in range(1 + TURNS):
        clock = time.perf_counter()
        mfg.solve(equation, space, data, (0.0, 0.1), rtol=TOLERANCE, largest_wall_mass=1e-2)
        times.append(time.perf_counter() - clock)
    return min(times[1:])
