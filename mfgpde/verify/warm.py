"""A warm process: it has imported what claims need, and forks for every one of them: a claim starts in milliseconds.

It has no threads of its own when it forks, and loads nothing that does not survive a fork: JAX, PyTorch and MPI are loaded
by the claims that want them. Each claim gets a session and an empty working folder of its own, no input, its output in a
file, and a time limit; with this process, or whoever talks to it, all claims end.
"""

from __future__ import annotations

import importlib
import os
import select
import signal
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path

from mfgpde.core.parent import ask_for_end
from mfgpde.verify import record, trial
from mfgpde.verify.task import LIMIT, LISTED, OUTPUT, RESULT, WORK, Task

PRELOADED = (
    *("numpy", "scipy.fft", "scipy.linalg", "scipy.optimize", "scipy.sparse.linalg", "scipy.special", "scipy.stats"),
    *("numba", "mfgpde.solvers", "mfgpde.equilibria", "mfgpde.transport", "mfgpde.diagnostics"),
)
COMPILED = "mfgpde.kernels.mixtures", "ready"
"""what is called once, on one thread, before the first claim"""


@dataclass(frozen=True)
class Running:
    """A claim at work: which job it is, and when it is to have ended."""

    job: int
    deadline: float


def load() -> None:
    """Import what claims need; what is not installed they do without."""
    for name in PRELOADED:
        with suppress(ImportError):
            importlib.import_module(name)


@cache
def compiled() -> None:
    """Let Numba get ready: that takes three quarters of a second, and nearly all claims would."""
    module, name = COMPILED
    with suppress(ImportError):
        getattr(importlib.import_module(module), name)()


def serve(handle: int) -> None:
    """Take tasks from a connection, fork for each, and answer (job, exit status); end when the connection does."""
    load()
    channel, running = Connection(handle), dict[int, Running]()
    wake, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, _woken)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the keyboard is for whoever talks to this process
    try:
        while True:
            soonest = min((one.deadline for one in running.values()), default=time.monotonic() + 3600)
            ready, _, _ = select.select([channel, wake], [], [], max(0.0, min(soonest - time.monotonic(), 3600.0)))
            if wake in ready:
                os.read(wake, 4096)
            if channel in ready:
                job, task, folder = channel.recv()
                if not task.listing:
                    compiled()
                running[_fork(task, folder, (channel.fileno(), wake, woken))] = Running(
                    job, time.monotonic() + task.limit
                )
            _ended(running, channel)
    except (EOFError, OSError):
        pass
    finally:
        for child in running:
            _kill(child)


def _woken(_signal: int, _frame: object) -> None:
    """Wake the loop; the signal itself writes what it reads."""


def _ended(running: dict[int, Running], channel: Connection) -> None:
    """Report the claims that have ended, and end those whose time is over."""
    now = time.monotonic()
    for child in [child for child, one in running.items() if one.deadline <= now]:
        _kill(child)
        os.waitpid(child, 0)
        channel.send((running.pop(child).job, LIMIT))
    for child in list(running):
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            _kill(child)  # what it started ends with it
            channel.send((running.pop(child).job, os.waitstatus_to_exitcode(status)))


def _kill(child: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)


def _fork(task: Task, folder: Path, ours: tuple[int, ...]) -> int:
    child = os.fork()
    if child:
        with suppress(OSError):
            os.setpgid(child, child)  # whoever comes first
        return child
    code = 1
    try:
        _alone(folder, ours)
        if task.listing:
            record.write(folder / RESULT, {LISTED: trial.described(task.entry)})
        else:
            record.write(folder / RESULT, trial.over_seeds(task.entry, task.level, task.seeds, strict=task.strict))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _alone(folder: Path, ours: tuple[int, ...]) -> None:
    """Leave behind what belongs to the warm process: its session, signals, handles, input and output."""
    with suppress(OSError):
        os.setsid()
    ask_for_end()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for handle in ours:
        os.close(handle)
    for handle, path, flags in ((0, os.devnull, os.O_RDONLY), (1, folder / OUTPUT, os.O_WRONLY | os.O_CREAT)):
        opened = os.open(path, flags, 0o666)
        os.dup2(opened, handle)
        os.close(opened)
    os.dup2(1, 2)
    (folder / WORK).mkdir()
    os.chdir(folder / WORK)
