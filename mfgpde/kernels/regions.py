"""Parallel loops on as many threads as their work is worth.

To begin and end a parallel region takes microseconds a thread; where threads outnumber idle cores and wait by spinning,
tens of milliseconds. So a region whose work on one core is short runs on one, without a region at all; a long one takes
more threads, in powers of two, while each has several times the work that it adds; none takes more than there are cores.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import update_wrapper
from types import FunctionType
from typing import Any, ClassVar

from numba import get_num_threads, njit, set_num_threads

from mfgpde.core.arrays import Array
from mfgpde.core.threads import available

JOIN = 5e-6
"""seconds that each thread adds to a region when idle threads sleep: 9, 20, 40 µs for 2, 4, 8 of them (measured)"""
WORTH = 2.0
"""how many times that a thread's own work must be"""
LEAST = WORTH * JOIN * 2**2
"""seconds of work below which two threads are not worth it"""

Decorator = Callable[[Callable[..., Any]], "Region"]


def worth(work: float, most: int) -> int:
    """Return how many threads so many seconds of work on one core are worth: the largest power of two, or `most`.

    >>> [worth(work, 16) for work in (5e-6, 1e-4, 1e-3, 1e-2)]
    [1, 2, 8, 16]
    """
    count = 1
    while count < most and work >= WORTH * JOIN * min(2 * count, most) ** 2:
        count = min(2 * count, most)
    return count


def read(*arrays: Array) -> tuple[Array, ...]:
    """Return views that cannot be written to: arguments of one type, so that a loop is compiled once, whoever owns them.

    >>> from mfgpde.kernels.regions import read
    >>> x = np.ones(3)
    >>> (seen,) = read(x)
    >>> seen.flags.writeable, seen.base is x
    (False, True)
    """
    views = tuple(a.view() for a in arrays)
    for view in views:
        view.flags.writeable = False
    return views


class Region:
    """A loop over `prange`, compiled for one thread and for several; `cost` is seconds on one core per entry."""

    def __init__(self, function: Callable[..., Any], cost: float, entries: Callable[..., int]) -> None:
        self.cost, self.entries, self.cores = cost, entries, available()
        self.alone = njit(cache=True, error_model="numpy")(_twin(function))
        self.together = njit(parallel=True, cache=True, error_model="numpy")(function)
        update_wrapper(self, function)

    one: ClassVar[threading.Lock] = threading.Lock()
    """held by a loop on several threads: Numba's own layer of threads allows one at a time"""

    def threads(self, *arguments: Any) -> int:
        """Return how many threads a call with these arguments takes."""
        work = self.cost * self.entries(*arguments)
        return 1 if work < LEAST else worth(work, min(get_num_threads(), self.cores))

    def __call__(self, *arguments: Any) -> Any:
        """Run it."""
        count = self.threads(*arguments)
        if count == 1:
            return self.alone(*arguments)
        allowed = get_num_threads()
        with Region.one:
            if count == allowed:
                return self.together(*arguments)
            set_num_threads(count)
            try:
                return self.together(*arguments)
            finally:
                set_num_threads(allowed)


def _afresh() -> None:
    Region.one = threading.Lock()


os.register_at_fork(after_in_child=_afresh)  # a thread that held it does not survive a fork


def first(a: Any, *_: Any) -> int:
    """Return the size of the first argument."""
    return a.size


def region(nanoseconds: float, entries: Callable[..., int] = first) -> Decorator:
    """Make a loop over `prange` a Region; `nanoseconds` per entry, measured on one core, of `entries(*arguments)`."""
    return lambda function: Region(function, 1e-9 * nanoseconds, entries)


def _twin(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the same function under another name: compiled code is kept on disk by name."""
    assert isinstance(function, FunctionType)
    twin = FunctionType(function.__code__, function.__globals__, f"{function.__name__}_alone", function.__defaults__)
    twin.__qualname__, twin.__module__ = f"{function.__qualname__}_alone", function.__module__
    return twin
