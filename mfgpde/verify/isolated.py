"""Claims in processes of their own: whatever one does to itself, a record comes back for it, and nothing else changes."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

from mfgpde.verify import record, trial
from mfgpde.verify.forms import ClaimForm, Listed
from mfgpde.verify.task import ENDED, LIMIT, LISTED, LOST, OUTPUT, RESULT, Task

START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from mfgpde.verify.warm import serve; serve(int(sys.argv[1]))"
)
OF_MPI = ("PMI_", "PMIX_", "OMPI_", "HYDI_", "HYDRA_", "MPI_LOCAL", "MPICH_")
"""how variables of MPI's launchers begin: a claim under them would wait for ranks that do not come"""
SHOWN = 64_000  # characters of a claim's output that are kept
Status = int | str


class Warm:
    """A warm process and the claims at work in it; threads may share it, forks may not."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        words = [sys.executable, "-c", START, str(theirs.fileno()), json.dumps([os.path.abspath(p) for p in sys.path])]
        self.world = world()
        kept = {**self.world[0], "PYTHONIOENCODING": "utf-8:backslashreplace"}
        self.process = subprocess.Popen(
            words, pass_fds=(theirs.fileno(),), env=kept, stdin=subprocess.DEVNULL, start_new_session=True
        )
        theirs.close()
        self.owner, self.line, self.lock = os.getpid(), ours, threading.Lock()
        self.channel = Connection(os.dup(ours.fileno()))
        self.waiting: dict[int, Future[Status]] = {}
        self.count, self.over, self.closing = 0, False, False
        threading.Thread(target=self._listen, daemon=True).start()

    def run(self, task: Task, folder: Path) -> Status:
        """Have a task done with its files in a folder; return the exit status, or in words why there is none."""
        answer: Future[Status] = Future()
        with self.lock:
            self.count += 1
            self.waiting[self.count] = answer
            try:
                if self.over:
                    raise BrokenPipeError
                self.channel.send((self.count, task, folder))
            except OSError:
                del self.waiting[self.count]
                return ENDED if self.closing else LOST
        return answer.result()

    @property
    def alive(self) -> bool:
        """Whether it can be asked, by this process."""
        return not self.over and self.owner == os.getpid() and self.process.poll() is None

    def close(self) -> None:
        """End the process, and all claims with it."""
        self.closing = True
        with suppress(OSError):
            self.line.shutdown(socket.SHUT_WR)  # it ends the claims, and then itself
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.line.close()

    def _listen(self) -> None:
        try:
            while True:
                job, status = self.channel.recv()
                self.waiting.pop(job).set_result(status)
        except (EOFError, OSError):
            with self.lock:
                self.over = True
                self.channel.close()
                for answer in self.waiting.values():
                    answer.set_result(ENDED if self.closing else LOST)
                self.waiting.clear()


def world() -> tuple[dict[str, str], list[str]]:
    """Return what claims inherit: the environment without MPI's and pytest's own words, and where modules are."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith((*OF_MPI, "PYTEST_"))}
    return ours, list(sys.path)


_warm: list[Warm] = []
_starting = threading.Lock()


def warm() -> Warm:
    """Return the warm process of this one, started when first asked for, and anew if it was lost or the world changed."""
    with _starting:
        if not (_warm and _warm[0].alive and _warm[0].world == world()):
            _stop()
            _warm.append(Warm())
        return _warm[0]


@atexit.register
def cool() -> None:
    """End the warm process, if there is one, and the claims at work in it."""
    with _starting:
        _stop()


def _stop() -> None:
    while _warm:
        one = _warm.pop()
        if one.owner == os.getpid():
            one.close()


def work(tasks: Sequence[Task]) -> list[ClaimForm]:
    """Return the records of some tasks, done one after the other in processes of their own; what a worker runs."""
    return [judged(task) for task in tasks]


def judged(task: Task) -> ClaimForm:
    """Return the record of a claim, with what it printed; broken if it is to repeat itself and does not."""
    found = _once(task)
    if not task.twice or not found.get("repeatable"):
        return found
    differs = trial.differences(found, _once(task))
    found["twice"] = not differs
    return {**found, **trial.broken(f"not the same result twice: {differs}")} if differs else found


def described(task: Task) -> Listed | None:
    """Return what a claim says of itself; nothing where its file fails: the trial will say why."""
    found = _in_a_folder(replace(task, listing=True))[0]
    return cast(Listed | None, found.get(LISTED)) if found else None


def _once(task: Task) -> ClaimForm:
    clock = time.monotonic()
    answer, status, output = _in_a_folder(task)
    if answer is None:
        seconds = time.monotonic() - clock
        found = trial.lost(task.entry, task.level, task.seeds[0], _why(status, task.limit, output), seconds)
    else:
        flaw = record.flaw_of(answer)  # of one claim: it must not keep the record of all from being read
        words = f"its record cannot be kept: it {flaw}"
        found = trial.lost(task.entry, task.level, task.seeds[0], words) if flaw else cast(ClaimForm, answer)
    if output:
        found["output"] = output
    return found


def _in_a_folder(task: Task) -> tuple[dict[str, object] | None, Status, str]:
    """Have a task done; return its answer, its exit status and its output.

    Where the warm process was lost, perhaps to another claim, it is done once more under one of its own.
    """
    found = _done(task, warm())
    if found[1] != LOST:
        return found
    own = Warm()
    try:
        return _done(task, own)
    finally:
        own.close()


def _done(task: Task, host: Warm) -> tuple[dict[str, object] | None, Status, str]:
    """Have a task done in a folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="mfgpde."))
    try:
        status = host.run(task, folder)
        output = _tail(folder / OUTPUT)
        found = json.loads((folder / RESULT).read_text(encoding="utf-8")) if status == 0 else None
    except (OSError, ValueError):  # it ended well and left no answer
        return None, 0, _tail(folder / OUTPUT)
    finally:
        shutil.rmtree(folder, onexc=_freed)
    return found, status, output


def _freed(_what: object, path: str, _problem: BaseException) -> None:
    """Remove what a claim had made read-only, or leave it to the system."""
    with suppress(OSError):
        Path(path).parent.chmod(0o700)
        Path(path).unlink()


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - SHOWN))
            return stream.read().decode(errors="replace")
    except OSError:
        return ""


def _why(status: Status, limit: float, output: str) -> str:
    """Say why a process ended without a record."""
    if status == LIMIT:
        return f"not done after {limit:g} s, the limit of one claim; --limit sets another"
    if status == LOST:
        return "lost: it, or something beside it, ended the process that watched over it"
    if isinstance(status, int) and status < 0:
        return f"its process was ended by signal {-status} ({signal.Signals(-status).name}), as by want of memory"
    last = output.strip().splitlines()[-1:] if status else []
    return f"its process ended with code {status} before there was a result" + "".join(
        f": {line:.200}" for line in last
    )
