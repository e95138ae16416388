"""Whole solves on a GPU beside two cores of its host, at equal error: seconds, launches, copies, share of time at work.

A launch and a rate first, then solves. Times are the best of a few after one that is not counted; the host runs in a
process of its own with two cores. Where PyTorch is installed its profiler counts every launch and copy of a solve, whoever
made them. Cases that the clock leaves no time for are left out and named.
"""

import gc
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

import mfgpde as mfg
from mfgpde.core import arrays
from mfgpde.verify import load_module

BUDGET = float(os.environ.get("MFGPDE_BENCH_SECONDS", "420"))
"""seconds after which no further case is begun"""
TURNS = 3
RATES = ((256, 2, 2), (1024, 2, 2), (2048, 2, 2), (256, 2, 4), (1024, 2, 4), (4096, 2, 4), (128, 3, 2), (384, 3, 2))
"""cells a side, dimension, order"""
HOST_CORES = 2
LAUNCHES = re.compile("cu(da)?(GraphLaunch|LaunchKernel)")
"""what the host calls: a kernel, or a recorded step"""
OU, VP, DATA = mfg.OrnsteinUhlenbeck(), mfg.VariancePreserving(), mfg.densities.four_blobs()
COLUMNS = (
    "case", "cells", "device s", "host s", "× faster", "error", "steps", "launches a step", "kernels a step",
    "copies a step", "bytes copied a step", "share of time it computes",
)  # fmt: skip

Solve = Callable[[], tuple[float, float]]
"""returns an error, or a gap, and how many steps or iterations there were"""


@dataclass(frozen=True)
class Case:
    """A problem, its sizes on the device, and those that the host solves as well."""

    name: str
    prepare: Callable[[int, str], Solve]
    sizes: tuple[int, ...]
    host: tuple[int, ...] = ()
    counted: bool = True
    """launches and copies, at the first size: a profiler takes its time"""


def density(process: Any, space: Callable[..., Any], width: float, rtol: Callable[[int], float], d: int = 2):
    """Return how to prepare a Fokker–Planck solve with a known answer."""
    data = DATA if d == 2 else mfg.densities.bimodal(3)
    times = (0.0, 1.0) if process is OU else (0.02, 1.0)

    def prepare(n: int, backend: str) -> Solve:
        where = space(mfg.CartesianGrid.cube(width, n, d), backend=backend)
        start, end = (mfg.marginal(process, data, t) for t in times)
        truth, equation = end.density(where.grid.points), mfg.FokkerPlanck.of(process)

        def solve() -> tuple[float, float]:
            found = mfg.solve(equation, where, start, times, rtol=rtol(n), largest_wall_mass=1e-3)
            error = float(np.abs(found.at(times[1]).at_points - truth).sum() / truth.sum())
            return error, found.cost["steps"] + found.cost["rejected"]

        return solve

    return prepare


def eikonal(n: int, backend: str) -> Solve:
    """Return the solve of u_t + |∇u| = 0 from a cone beside a parabola, by WENO; the error is against Hopf and Lax."""
    grid = mfg.CartesianGrid.cube(2.0, n, 2)
    radius = np.linalg.norm(grid.points, axis=-1)
    truth = np.maximum(radius - 0.5, 0.0) ** 2

    def size(x: Any, p: Any, t: float) -> Any:
        return np.sqrt(p[..., 0] ** 2 + p[..., 1] ** 2)

    equation, space = (
        mfg.HamiltonJacobiBellman(size, lambda t: 0.0),
        mfg.FiniteVolume(grid, order=5, backend=backend),  # pyright: ignore[reportArgumentType]
    )

    def solve() -> tuple[float, float]:
        found = mfg.solve(equation, space, lambda x: np.sum(x**2, axis=-1), (0.0, 0.5), rtol=1e-4)
        away = np.abs(found.at(0.5).values - truth)[(radius > 0.6) & (radius < 1.2)]
        return float(away.mean()), found.cost["steps"] + found.cost["rejected"]

    return solve


def transport(n: int, backend: str) -> Solve:
    """Return W₂ of two Gaussians; the error is against the closed form."""
    laws = load_module(Path(__file__).with_name("wasserstein_grid.py"))
    grid = mfg.CartesianGrid.cube(4.0, n, 2)
    p, q = (mfg.gaussian(*law).density(grid.points) for law in (laws.A, laws.B))
    truth = mfg.transport.wasserstein_gaussian(*laws.A, *laws.B)

    def solve() -> tuple[float, float]:
        found = mfg.back_and_forth(p, q, grid, backend=backend)  # pyright: ignore[reportArgumentType]
        return abs(found.distance.value - truth), len(found.history)

    return solve


def game(method: str, steps: int, tolerance: float, n: int, backend: str) -> Solve:
    """Return the equilibrium of a crowd; the error is the duality gap."""
    crowd = load_module(Path(__file__).with_name("mean_field_games.py")).crowd(2)
    grid = mfg.CartesianGrid.cube(3.0, n, 2)

    def solve() -> tuple[float, float]:
        found = mfg.equilibrium(crowd, grid, method=method, steps=steps, tolerance=tolerance, backend=backend)
        return found.discrete_primal - found.discrete_dual, found.cost["iterations"]

    return solve


def order(k: int) -> Callable[..., Any]:
    """Return finite volumes of that order."""
    return partial(mfg.FiniteVolume, order=k)


CASES = (
    Case("P1, order 2", density(OU, order(2), 5.0, lambda n: 2 / n**2), (256, 512, 1024), (256, 512)),
    Case("P2, order 2", density(VP, order(2), 5.0, lambda n: 2 / n**2), (256, 512, 1024), (256, 512)),
    Case("W₂ of Gaussians", transport, (256, 512, 1024), (256, 512)),
    Case("crowd, entropic, 64 steps", partial(game, "entropic", 64, 1e-6), (128,), (128,), counted=False),
    Case("eikonal, WENO", eikonal, (256, 512), (256,)),
    Case(
        "P1, order 4", density(OU, order(4), 5.0, lambda n: 500 / n**4 if n < 512 else 2e-8), (256, 512, 1024), (256,)
    ),
    Case("P2 in 3D, order 2", density(VP, order(2), 6.0, lambda n: 2 / n**2, 3), (64, 128), (64,)),
    Case("P1, spectral", density(OU, mfg.Spectral, 5.0, lambda n: 1e-9), (128, 256, 512), (128,)),
    Case("crowd, entropic, 128 steps", partial(game, "entropic", 128, 1e-6), (256,), counted=False),
    Case("crowd, primal-dual, 64 steps", partial(game, "primal-dual", 64, 1e-2), (256,), counted=False),
    Case("crowd, primal-dual, 16 steps", partial(game, "primal-dual", 16, 1e-2), (128,), (128,), counted=False),
)
"""those that the host cannot do in half a minute are left to the device"""


def run(peers: bool) -> dict[str, Any]:
    """Return a row a case and size; without a device nothing is measured, and the title says why."""
    clock, rows, left_out = time.perf_counter(), [], []
    try:
        xp = arrays.device_namespace()
    except RuntimeError as problem:
        return {"title": f"Solves on a device: none here ({problem})", "columns": COLUMNS, "rows": [], "goals": GOALS}
    _on_two_cores("P1, order 2", 64, 2)  # compiles what the others use
    for row in chain(_launches(xp), _rates(xp), _beside_others(xp) if peers else []):
        rows.append(_said(row))
    for case in CASES:
        for n in case.sizes:
            if time.perf_counter() - clock > BUDGET:
                left_out.append(f"{case.name} {n}")
                continue
            rows.append(_said(_measured(case, n, xp)))
    left = f"; no time was left for {', '.join(left_out)}" if left_out else ""
    return {"title": f"Solves on a device: {_machine(xp)}{left}", "columns": COLUMNS, "rows": rows, "goals": GOALS}


GOALS = (
    "a launch ≤ 5e-6 s; steps one recorded launch each, driven by −a(t) x as well; never slower than two cores "
    "from 256² on, ≥ 10 × at 512², ≥ 30 × at 1024² and 128³; copies a step O(1), a few scalars each"
)


def _machine(xp: Any) -> str:
    about = xp.cuda.runtime.getDeviceProperties(0)
    driver, runtime = xp.cuda.runtime.driverGetVersion(), xp.cuda.runtime.runtimeGetVersion()
    versions = f"driver for CUDA {driver}, runtime {runtime}, CuPy {xp.__version__}"
    return f"{about['name'].decode()}, {versions}, {os.cpu_count()} cores"


def _said(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a row that has been printed: what is measured stays if the time is up."""
    print(*row, sep=" | ", file=sys.stderr, flush=True)
    return row


def _row(case: str, cells: str, device: float | None, *more: Any) -> tuple[Any, ...]:
    row = (case, cells, device, *more)
    return row + (None,) * (len(COLUMNS) - len(row))


def _measured(case: Case, n: int, xp: Any) -> tuple[Any, ...]:
    """Return the row of one solve."""
    try:
        solve = case.prepare(n, "cupy")
        error, steps = solve()
        best = np.inf
        for _ in range(TURNS):
            begin = time.perf_counter()
            solve()
            xp.cuda.Device().synchronize()
            best = min(best, time.perf_counter() - begin)
            if best > 10:
                break
        counts = _profiled(solve, steps) if case.counted and n == case.sizes[0] else ()
    except Exception as problem:  # one case that fails shall not cost the others
        return _row(f"{case.name}: {type(problem).__name__}: {str(problem)[:200]}", str(n), None)
    finally:
        gc.collect()
        xp.get_default_memory_pool().free_all_blocks()
    host = _on_two_cores(case.name, n, TURNS) if n in case.host else None
    return _row(case.name, str(n), best, host, None if host is None else host / best, error, steps, *counts)


def _profiled(solve: Solve, steps: float) -> tuple[float | None, ...]:
    """Return what a step takes, by PyTorch's profiler: see `of_trace`; nothing where that is not installed."""
    try:
        import torch
    except ImportError:
        return (None,) * 5
    if not torch.cuda.is_available():
        return (None,) * 5
    from torch.profiler import ProfilerActivity, profile

    torch.cuda.init()
    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        begin = time.perf_counter()
        solve()
        torch.cuda.synchronize()
        seconds = time.perf_counter() - begin
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        seen.export_chrome_trace(str(path))
        events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    return of_trace(events, steps, seconds)


def of_trace(events: list[dict[str, Any]], steps: float, seconds: float) -> tuple[float, ...]:
    """Return launches by the host, kernels, copies to and fro and their bytes a step, and the share of time that they fill.

    Of a trace in Chrome's format: a recorded step is one launch of many kernels.
    """
    kinds: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        kinds.setdefault(str(event.get("cat", "")), []).append(event)
    calls = [e for kind in ("cuda_runtime", "cuda_driver") for e in kinds.get(kind, [])]
    launches = [e for e in calls if LAUNCHES.match(e["name"])]
    kernels, copies = kinds.get("kernel", []), kinds.get("gpu_memcpy", [])
    between = [e for e in copies if "HtoD" in e["name"] or "DtoH" in e["name"]]
    busy = sum(float(e["dur"]) for e in (*kernels, *copies, *kinds.get("gpu_memset", []))) * 1e-6 / seconds
    moved = sum(float(e["args"]["bytes"]) for e in between)
    return len(launches) / steps, len(kernels) / steps, len(between) / steps, moved / steps, busy


def _on_two_cores(name: str, n: int, turns: int) -> float:
    """Return the best time of a case on two cores of the host, in another process."""
    script = (
        f"import os, json; os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:{HOST_CORES}])\n"
        "from mfgpde.core import threads; threads.prepare()\n"
        "from mfgpde.verify import load_module\nfrom pathlib import Path\n"
        f"print(json.dumps(load_module(Path({str(Path(__file__).resolve())!r})).on_the_host({name!r}, {n}, {turns})))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=300)
    return float(json.loads(done.stdout.splitlines()[-1]))


def on_the_host(name: str, n: int, turns: int) -> float:
    """Return the best time of a case here, without a device."""
    solve = next(case for case in CASES if case.name == name).prepare(n, "numpy")
    best = np.inf
    for _ in range(turns):
        begin = time.perf_counter()
        solve()
        best = min(best, time.perf_counter() - begin)
        if best > 10:
            break
    return best


def _each(action: Callable[[], Any], xp: Any, count: int = 300) -> float:
    """Return the seconds of one of many calls, the device idle before and after."""
    best = np.inf
    for _ in range(5):
        xp.cuda.Device().synchronize()
        begin = time.perf_counter()
        for _ in range(count):
            action()
        xp.cuda.Device().synchronize()
        best = min(best, (time.perf_counter() - begin) / count)
    return best


def _chain(n: int, d: int, k: int) -> Any:
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(5.0, n, d), order=k, backend="cupy")  # pyright: ignore
    return space.semidiscretise(mfg.FokkerPlanck.of(OU)).at(0.0)


def _launches(xp: Any) -> Iterator[tuple[Any, ...]]:
    """Yield what one launch costs: bare, and ours, on a grid that is nothing to a device."""
    bare = xp.RawKernel('extern "C" __global__ void nothing(double* a, int n) {}', "nothing")
    given = (xp.zeros(64), np.int32(64))
    yield _row("one launch, bare", "–", _each(lambda: bare((1,), (64,), given), xp))
    stages = 50
    for label, k in (("one stage of a step, ours", 2), ("one stage of order 4, ours", 4)):
        system, y0 = _chain(64, 2, k), xp.random.random((64, 64))
        f0, rows = system.rate(y0, 0.0), list(xp.full((stages, 5), 1e-10))
        seconds = _each(lambda f=system, y0=y0, f0=f0, rows=rows: f.stages(y0, f0, rows), xp, 20)
        yield _row(label, "64²", seconds / stages)
    a, b = xp.random.random((1000, 1000)), xp.random.random((1000, 1000))
    yield _row("one product of 1000² matrices", "–", _each(lambda: a @ b, xp, 50))
    yield _row("one sum of 64² numbers by CuPy", "–", _each(lambda: y0 + y0, xp))


def _rates(xp: Any) -> Iterator[tuple[Any, ...]]:
    """Yield what one rate of change takes, beside a copy that moves as many bytes as it must."""
    for n, d, k in RATES:
        system, p = _chain(n, d, k), xp.random.random((n,) * d)
        out = xp.empty_like(p)
        seconds = _each(lambda f=system, p=p, out=out: f.rate(p, 0.0, out), xp, 100 if n < 2048 else 20)
        copy = _each(lambda p=p, out=out: xp.copyto(out, p), xp, 100 if n < 2048 else 20)
        words = (d + 2) / 2  # the density read and written, a coefficient a face
        yield _row(f"one rate, order {k} (as many bytes copied: {copy * words:.3g} s)", f"{n}{'²³'[d - 2]}", seconds)
        del system, p, out
        xp.get_default_memory_pool().free_all_blocks()


def _beside_others(xp: Any) -> list[tuple[Any, ...]]:
    """Return the same rate, exponentially fitted with stored rates, as others would write it."""
    n = 2048
    system, p = _chain(n, 2, 2).stored, xp.random.random((n, n))
    out = xp.empty_like(p)
    (u0, u1), (d0, d1) = system.up, system.down

    def change(p: Any, u0: Any, d0: Any, u1: Any, d1: Any, pad: Any) -> Any:
        wide, tall = pad(p, ((0, 0), (1, 1))), pad(p, ((1, 1), (0, 0)))
        f0, f1 = u0 * tall[:-1] - d0 * tall[1:], u1 * wide[:, :-1] - d1 * wide[:, 1:]
        return f0[:-1] - f0[1:] + f1[:, :-1] - f1[:, 1:]

    ours = _each(lambda: system.rate(p, 0.0, out), xp, 50)
    rows = [_row("one rate, rates stored: ours", f"{n}²", ours)]
    rows.append(_row("… in CuPy", f"{n}²", _each(lambda: change(p, u0, d0, u1, d1, xp.pad), xp, 20)))
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # it would take most of the device's memory
    import jax

    if jax.default_backend() == "gpu":
        jax.config.update("jax_enable_x64", True)
        given = [jax.numpy.asarray(a.get()) for a in (p, u0, d0, u1, d1)]
        compiled = jax.jit(lambda *a: change(*a, jax.numpy.pad))
        theirs = compiled(*given)
        assert np.allclose(np.asarray(theirs), out.get(), rtol=1e-9, atol=1e-9)
        rows.append(_row("… in JAX, compiled", f"{n}²", _each(lambda: compiled(*given).block_until_ready(), xp, 50)))
    numba = load_module(Path(__file__).with_name("_numba_cuda.py"))
    theirs = xp.empty_like(p)
    numba.rate(p, u0, d0, u1, d1, theirs)
    xp.testing.assert_allclose(theirs, out, rtol=1e-9, atol=1e-9)
    rows.append(_row("… in Numba-CUDA", f"{n}²", _each(lambda: numba.rate(p, u0, d0, u1, d1, theirs), xp, 50)))
    return rows
