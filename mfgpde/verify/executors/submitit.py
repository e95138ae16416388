"""SLURM by submitit: a job for each share of the claims; on this machine where there is no SLURM.

MFGPDE_SUBMITIT names a JSON file of submitit's own parameters, as {"slurm_partition": "short", "timeout_min": 60}.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from pathlib import Path
from typing import Any

PAUSE = 0.2  # seconds between looks at the jobs' files
SHARES = 4  # jobs for each worker: few enough to be cheap, enough to even out


class Submitit(Executor):
    """Jobs of submitit, watched by a thread until each has a result or has failed."""

    def __init__(self, max_workers: int) -> None:
        import submitit

        self.submissions = SHARES * max_workers
        self.folder = Path(tempfile.mkdtemp(prefix="mfgpde.submitit.", dir=os.environ.get("MFGPDE_SHARED", ".")))
        library: Any = submitit
        self.executor: Any = library.AutoExecutor(self.folder)
        given = os.environ.get("MFGPDE_SUBMITIT")
        self.executor.update_parameters(
            **(json.loads(Path(given).read_text(encoding="utf-8")) if given else {"timeout_min": 24 * 60})
        )
        self.free, self.over = threading.Semaphore(max_workers), False

    def submit[**P, T](self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Submit a job as soon as one of the workers is free."""
        future: Future[T] = Future()
        task = partial(fn, *args, **kwargs)
        threading.Thread(target=self._follow, args=(future, task), daemon=True).start()
        return future

    def _follow[T](self, future: Future[T], task: Callable[[], T]) -> None:
        with self.free:
            if self.over or not future.set_running_or_notify_cancel():
                return
            job: Any = self.executor.submit(task)
            while not job.done():
                if self.over:
                    job.cancel()
                time.sleep(PAUSE)
            try:
                future.set_result(job.result())
            except BaseException as problem:
                future.set_exception(problem)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the jobs that still run, if they are not to be waited for."""
        self.over = cancel_futures or not wait
