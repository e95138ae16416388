"""Cores and caches of this machine: how many threads a process may use, and where compiled functions are kept."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
LOCAL_RANKS = ("MPI_LOCALNRANKS", "OMPI_COMM_WORLD_LOCAL_SIZE", "MV2_COMM_WORLD_LOCAL_SIZE", "SLURM_NTASKS_PER_NODE")
WAITING = {"OMP_WAIT_POLICY": "passive", "KMP_BLOCKTIME": "0"}
"""how threads of GNU's and LLVM's OpenMP wait: asleep; where cores are shared, spinning costs milliseconds a loop"""
QUOTA = Path("/sys/fs/cgroup/cpu.max")


def available(quota: Path = QUOTA) -> int:
    """Return the number of cores that this process may use: its affinity, and any quota of its control group."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        allowed, period = quota.read_text(encoding="utf-8").split()
        count = min(count, max(1, round(int(allowed) / int(period))))
    except (OSError, ValueError):  # no such file, or "max"
        pass
    return count


def granted(environment: Mapping[str, str] = os.environ) -> int:
    """Return the number of threads that this process may use: its cores, or the share of them that it was given."""
    given = environment.get(THREADS[0], "")
    return min(available(), max(1, int(given))) if given.isdigit() else available()


def local_ranks(environment: Mapping[str, str] = os.environ) -> int:
    """Return how many ranks of an MPI program share this machine, one outside MPI."""
    found = (environment.get(name, "") for name in LOCAL_RANKS)
    return max((int(value) for value in found if value.isdigit()), default=1) or 1


def shares(processes: int) -> dict[str, str]:
    """Return the environment that gives each of so many processes its part of the threads that this one may use."""
    return dict.fromkeys(THREADS, str(max(1, granted() // processes)))


@contextmanager
def shared(processes: int) -> Iterator[None]:
    """Have processes that are started in the block share the cores, each with its part."""
    share = shares(processes)
    before = {name: os.environ.get(name) for name in share}
    os.environ.update(share)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def wait_asleep() -> None:
    """Have threads sleep while they wait, unless the user has set something else; before OpenMP is loaded."""
    for name, value in WAITING.items():
        os.environ.setdefault(name, value)


def prepare() -> None:
    """Settle threads among MPI ranks, and JAX's cache on disk; what the user has set stays. Before heavy imports."""
    wait_asleep()
    ranks = local_ranks()
    if ranks > 1:
        for name, value in shares(ranks).items():
            os.environ.setdefault(name, value)
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(home / "mfgpde" / "jax"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.05")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
