"""Quadratic finite elements on one and two processes: accuracy against finite volumes, scaling, a million unknowns in 3D.

The 2D problem is that of ornstein_uhlenbeck_2d; each finite-element run is a process group of its own under mpiexec, one
thread each, so that compilation and memory are counted alike. Seconds are those of the solve, without the mesh.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import mfgpde as mfg

HERE = Path(__file__).parent
RUNS = (  # what, ranks, dimension, cells a side, tolerance in time
    ("P2, 1 process", 1, 2, 128, 1e-4),
    ("P2, 2 processes (strong scaling)", 2, 2, 128, 1e-4),
    ("P2, 2 processes, twice the unknowns (weak scaling)", 2, 2, 181, 1e-4),
    ("P2 in 3D, 1 process", 1, 3, 50, 1e-2),
    ("P2 in 3D, 2 processes (strong scaling)", 2, 3, 50, 1e-2),
)


def run(peers: bool) -> dict[str, Any]:
    """Measure all runs; return rows of unknowns, error, seconds, iterations and memory, and the finite-volume ratio."""
    rows, target, seconds = [], np.inf, np.inf
    for what, ranks, dimension, cells, rtol in RUNS:
        found = elements(ranks, dimension, cells, rtol)
        if what == RUNS[0][0]:
            target, seconds = found["error"], found["seconds"]
        per_step = found["linear iterations"] / found["linear solves"]
        efficiency = found["linear iterations"] * found["unknowns"] / found["seconds"] / ranks / 1e6
        row = (found["unknowns"], found["error"], found["steps"], per_step, found["seconds"], efficiency, found["GiB"])
        rows.append((what, *row))
    spent, cells, error = volumes(target)
    rows.append(
        (
            f"finite volume of order 4, {cells}²: {seconds / spent:.0f} × faster",
            cells**2,
            error,
            None,
            None,
            spent,
            None,
            None,
        )
    )
    return {
        "title": "Finite elements for Ornstein–Uhlenbeck processes",
        "columns": (
            "what",
            "unknowns",
            "relative L1 error",
            "steps",
            "iterations a solve",
            "seconds",
            "10⁶ unknowns × iterations / s / process",
            "GiB in all",
        ),
        "rows": rows,
        "goals": "P2 on 128²: error ≤ 1e-4; over 10⁶ unknowns in 3D within 8 GiB",
    }


def elements(ranks: int, dimension: int, cells: int, rtol: float) -> dict[str, Any]:
    """Return what the first rank of such a run printed."""
    launcher = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
    if launcher is None:
        raise ValueError("the benchmark of finite elements needs mpiexec; it comes with dolfinx-solver-real")
    command = [
        launcher,
        "-n",
        str(ranks),
        sys.executable,
        str(HERE / "_ranks.py"),
        str(dimension),
        str(cells),
        str(rtol),
    ]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=one_thread, timeout=1800)
    if done.returncode:
        raise ValueError(f"{' '.join(command)} failed: {done.stderr[-500:]}")
    return json.loads(done.stdout)


def volumes(target: float) -> tuple[float, int, float]:
    """Return seconds, cells a side and error of the coarsest fourth-order finite-volume solve at least as accurate."""
    process, data = mfg.OrnsteinUhlenbeck(), mfg.densities.four_blobs()
    for cells in (128, 160, 192, 224, 256, 320, 384, 512):
        space = mfg.FiniteVolume(mfg.CartesianGrid.cube(5.0, cells, 2), order=4)
        truth = mfg.marginal(process, data, 1.0)
        best, error = np.inf, np.inf
        for _ in range(3):
            clock = time.perf_counter()
            solution = mfg.solve(mfg.FokkerPlanck.of(process), space, data, (0.0, 1.0), rtol=2e-4)
            best, error = min(best, time.perf_counter() - clock), mfg.l1_distance(solution.at(1.0), truth)
        if error <= target:
            return best, cells, error
    raise ValueError(f"no grid up to 512² reaches {target:.1e}")
