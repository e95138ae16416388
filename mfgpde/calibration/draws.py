"""Draws from families: what came of each, made here or by several processes, and kept in a file as soon as it is there."""

from __future__ import annotations

import errno
import json
import os
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from mfgpde.calibration.contract import Case, Family
from mfgpde.core.errors import NotConverged
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.core.files import write_text
from mfgpde.core.identity import difference, identity
from mfgpde.core.lock import locked
from mfgpde.core.optional import is_own
from mfgpde.core.parent import end_with_parent
from mfgpde.core.threads import shared

type Place = tuple[str, int, int]
"""family, seed and number of a draw"""


@dataclass(frozen=True)
class Draw:
    """What came of a draw: cases, then perhaps why there are no more, by the library's own word or by an accident."""

    place: Place
    cases: Sequence[Case] = ()
    refused: str = ""
    broken: str = ""
    missing: str = ""
    """the library that its family needs and that is not here"""


def generator(family: str, seed: int, draw: int) -> np.random.Generator:
    """Return the generator of one draw: any can be made again alone."""
    return np.random.default_rng([seed, draw, zlib.crc32(family.encode())])


def outcome(family: Family, place: Place) -> Draw:
    """Return what comes of a draw, whatever it raises."""
    cases: list[Case] = []
    try:
        cases += family.cases(generator(*place))  # what came before an exception is kept
    except (ValueError, NotConverged) as problem:  # before a number: an honest no
        return Draw(place, cases, refused=str(problem))
    except ImportError as problem:
        if is_own(problem):
            return Draw(place, cases, broken=f"ImportError: {problem}")
        return Draw(place, cases, missing=str(problem))
    except Exception as problem:
        return Draw(place, cases, broken=f"{type(problem).__name__}: {problem}")
    return Draw(place, cases)


def made(
    families: Mapping[str, Family], places: Iterable[Place], kept: KeptDraws, jobs: int, ahead: int
) -> Iterator[Draw]:
    """Yield draws in the order of their places, those that were kept as they are, others made by so many processes.

    Several processes are `ahead` of what is yielded by so many draws. Raises RuntimeError where the system ends a process.
    """
    with _pool(jobs) as submit:
        waiting: deque[Future[Draw]] = deque()
        for place in places:
            known = kept.get(place)
            waiting.append(_there(known) if known else submit(partial(outcome, families[place[0]], place), kept.add))
            if len(waiting) > (ahead if jobs > 1 else 0):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


type Submit = Callable[[Callable[[], Draw], Callable[[Draw], None]], Future[Draw]]


@contextmanager
def _pool(jobs: int) -> Iterator[Submit]:
    """Yield what has a draw made and kept: at once, or beside others by `jobs` processes, which share the cores."""
    if jobs == 1:
        yield _at_once
        return
    with shared(jobs), ProcessPoolExecutor(jobs, get_context("spawn"), end_with_parent, (os.getpid(),)) as pool:

        def submit(make: Callable[[], Draw], keep: Callable[[Draw], None]) -> Future[Draw]:
            answer = Future[Draw]()
            pool.submit(make).add_done_callback(partial(_answered, answer, keep))
            return answer

        try:
            yield submit
        finally:  # what nobody counts any more is not begun
            pool.shutdown(wait=False, cancel_futures=True)


def _at_once(make: Callable[[], Draw], keep: Callable[[Draw], None]) -> Future[Draw]:
    found = make()
    keep(found)
    return _there(found)


def _there(found: Draw) -> Future[Draw]:
    answer = Future[Draw]()
    answer.set_result(found)
    return answer


def _answered(answer: Future[Draw], keep: Callable[[Draw], None], done: Future[Draw]) -> None:
    """Keep what a process has made before it is waited for."""
    try:
        found = done.result()
        keep(found)
    except BrokenProcessPool:
        words = "the system ended a process that made draws, as for want of memory; ask for fewer --jobs"
        answer.set_exception(RuntimeError(words))
    except BaseException as problem:
        answer.set_exception(problem)
    else:
        answer.set_result(found)


class KeptDraws:
    """Draws in a file, a line each, added as they are made; nothing is kept without a path.

    `parts` are all that decides what comes of a draw, and which draws are asked for.
    """

    def __init__(self, path: Path | None, parts: Mapping[str, Any]) -> None:
        self.path, self.found, self._file = path, dict[Place, Draw](), None
        self.setting = {} if path is None else identity(**parts)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Take up what an interrupted trial left, and keep other runs away for the block.

        Raises ValueError where it was another trial, with what differs, and where lines are not what was written; Busy
        where another run is at it.
        """
        if self.path is None:
            yield
            return
        with locked(self.path, "the draws in"):
            self._load(self.path)
            with self.path.open("ab") as self._file:
                yield
            self._file = None

    def get(self, place: Place) -> Draw | None:
        """Return a draw that was kept, if it was."""
        return self.found.get(place)

    def add(self, draw: Draw) -> None:
        """Write a draw; one that broke, or whose library is missing, is made again by a run that goes on."""
        if self._file is None or self.path is None or draw.broken or draw.missing:
            return
        try:
            self._file.write(_line(_plain(draw)))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as problem:
            raise OSError(problem.errno or errno.EIO, problem.strerror, str(self.path)) from problem

    def done(self, counted: Iterable[Place]) -> None:
        """Remove the file, unless it held draws that a longer trial would count."""
        if self.path is not None and self.found.keys() <= set(counted):
            self.path.unlink(missing_ok=True)

    def _load(self, path: Path) -> None:
        if not path.exists():
            write_text(path, _line({"setting": self.setting}).decode())
            return
        *lines, rest = path.read_bytes().split(b"\n")
        head, *others = [_read(line, path) for line in lines] or [{}]
        apart = difference(head.get("setting", {}), self.setting)
        if apart:
            raise ValueError(
                f"{path} holds draws of an interrupted trial that was another, by its {apart}; ask for that one again, "
                "remove the file, or name another place"
            )
        self.found = {draw.place: draw for draw in map(_restored, others)}
        if rest:  # a line that was cut off
            os.truncate(path, path.stat().st_size - len(rest))


def _line(data: Mapping[str, Any]) -> bytes:
    """Return plain data as a line of JSON that says itself whether it is whole."""
    text = json.dumps(data, ensure_ascii=True)
    return f'{{"check": {zlib.crc32(text.encode())}, "data": {text}}}\n'.encode()


def _read(line: bytes, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(line)
        if zlib.crc32(json.dumps(found["data"], ensure_ascii=True).encode()) == found["check"]:
            return found["data"]
    except (ValueError, LookupError, TypeError):
        pass
    raise ValueError(f"{path} is no whole file of draws: a line was changed after it was written; remove it")


def _plain(draw: Draw) -> dict[str, Any]:
    """Return a draw as JSON has it; numbers come back to the last bit."""
    cases = [(one.what, float(one.truth), float(one.known), *_said(one.estimate)) for one in draw.cases]
    return {"place": list(draw.place), "cases": cases, "refused": draw.refused}


def _said(one: Estimate) -> tuple[float, float, str, str]:
    return one.value, one.half_width, one.kind.name, one.method


def _restored(data: Mapping[str, Any]) -> Draw:
    family, seed, number = data["place"]
    cases = [
        Case(what, Estimate(value, half, Kind[kind], method), truth, known)
        for what, truth, known, value, half, kind, method in data["cases"]
    ]
    return Draw((family, seed, number), cases, data["refused"])
