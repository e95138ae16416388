"""Dask: the scheduler that DASK_SCHEDULER_ADDRESS names, else a cluster of processes on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class Dask(Executor):
    """A client of Dask's scheduler, which gives claims to its workers."""

    def __init__(self, max_workers: int) -> None:
        import distributed  # pyright: ignore[reportMissingImports]

        dask: Any = distributed
        address = os.environ.get("DASK_SCHEDULER_ADDRESS")
        self.cluster: Any = (
            None if address else dask.LocalCluster(n_workers=max_workers, threads_per_worker=1, dashboard_address=None)
        )
        self.client: Any = dask.Client(address or self.cluster)
        self.pool: Any = self.client.get_executor(pure=False, retries=0)

    def submit[**P, T](self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have it done by one of the workers."""
        return self.pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the scheduler, and end the cluster if it is our own."""
        self.pool.shutdown(wait=wait)
        self.client.close()
        if self.cluster is not None:
            self.cluster.close()
