"""MPI: `mpiexec -n 4 mfgpde validate --executor mpi`; rank 0 hands claims out, the others judge them, each in a process."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

RANKS = ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID")


class Mpi(Executor):
    """The ranks of the world beside the first; `max_workers` is what the launcher says."""

    def __init__(self, max_workers: int = 0) -> None:
        from mpi4py import MPI
        from mpi4py.futures import MPICommExecutor

        self.context = MPICommExecutor(MPI.COMM_WORLD, root=0)
        self.pool: Any = self.context.__enter__()

    def submit[**P, T](self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have it done by one of the other ranks."""
        return self.pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the other ranks go."""
        if self.pool is not None:
            self.pool.shutdown(wait=wait, cancel_futures=cancel_futures)
            self.context.__exit__(None, None, None)


def serves() -> bool:
    """Work for rank 0 until it is done and return True; return False at once on rank 0, or outside MPI."""
    rank = next((os.environ[name] for name in RANKS if name in os.environ), "0")
    if rank == "0":
        return False
    Mpi().shutdown()
    return True
