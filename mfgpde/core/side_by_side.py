"""Work beside other work: in a thread of its own, which ends where the other fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar, copy_context

_end: ContextVar[threading.Event | None] = ContextVar("end", default=None)


class Unwanted(BaseException):
    """Raised in work whose result nobody waits for any more."""


def go_on() -> None:
    """Raise `Unwanted` in work beside other work that has failed: for long loops; what tells progress asks by itself."""
    end = _end.get()
    if end is not None and end.is_set():
        raise Unwanted


@contextmanager
def beside[Result](work: Callable[[], Result], *, apart: bool) -> Iterator[Callable[[], Result]]:
    """Do work beside the block; yield what waits for its result, and raises what the work raised.

    Where the block fails, the work ends where it next tells its progress, and is waited for. Not `apart`, it is done by the
    block itself, where that asks for the result. A block's own failure goes before that of the work.

    >>> from mfgpde.core.side_by_side import beside
    >>> with beside(lambda: 6 * 7, apart=True) as product:
    ...     product()
    42
    """
    if not apart:
        yield work
        return
    end, found = threading.Event(), Future[Result]()

    def run() -> None:
        _end.set(end)
        try:
            found.set_result(work())
        except BaseException as problem:  # it is raised where the result is asked for
            found.set_exception(problem)

    thread = threading.Thread(target=copy_context().run, args=(run,), daemon=True)
    thread.start()
    try:
        yield found.result
    finally:
        end.set()
        thread.join()
