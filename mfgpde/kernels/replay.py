"""Work of fixed shape on a device, recorded once and launched as one: a launch costs microseconds whatever it does.

What is recorded reads and writes the same memory whenever it is launched, and numbers in it are those of the recording. So
it is kept under a key that holds all of them, and the arrays that it takes and returns are its own.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from mfgpde.core.arrays import device_namespace
from mfgpde.core.recent import Recent

LARGEST = 2**21
"""entries of a state beyond which kernels take longer than their launches"""
KEPT = 4
"""recordings kept, each with the memory of what it computes"""

Work = Callable[..., tuple[Any, ...]]


@dataclass(frozen=True, eq=False)
class Recording:
    """Arrays to arrays, as a graph of launches over memory of its own."""

    graph: Any
    given: tuple[Any, ...]
    found: tuple[Any, ...]
    kept: Any
    """the pool that holds what the work allocated, and whatever else it reads"""

    def __call__(self, *given: Any) -> tuple[Any, ...]:
        """Return what it finds for these arrays; it lasts until the next call."""
        for own, new in zip(self.given, given, strict=True):
            own[...] = new
        self.graph.launch()
        return self.found


def record(work: Work, given: tuple[Any, ...], kept: Any) -> Recording:
    """Record the launches of work that has been done before: its kernels are compiled, its tables lie on the device.

    While it records, nothing is computed, so work that asks for a number fails, with a RuntimeError, and so does what CuPy
    cannot record, with a NotImplementedError. Where memory is short, what is kept for other work is given back first.
    """
    try:
        return _recorded(work, given, kept)
    except MemoryError:
        gc.collect()
        device_namespace().get_default_memory_pool().free_all_blocks()
        return _recorded(work, given, kept)


def _recorded(work: Work, given: tuple[Any, ...], kept: Any) -> Recording:
    cuda = device_namespace().cuda
    pool, stream, own = cuda.MemoryPool(), cuda.Stream(non_blocking=True), tuple(a.copy() for a in given)
    with cuda.using_allocator(pool.malloc), stream:
        stream.begin_capture()
        try:
            found = work(*own)
        except BaseException:
            with suppress(RuntimeError):  # what was recorded is void
                stream.end_capture()
            raise
        graph = stream.end_capture()
    return Recording(graph, own, found, (pool, work, kept))


def directly(key: Hashable, work: Work, *given: Any) -> tuple[Any, ...]:
    """Do work as it is, in the place of what records it: nothing waits for launches on the host."""
    del key
    return work(*given)


@dataclass(eq=False)
class Replayed:
    """Work by key, such as the length of a step: done the first time, from the second on replayed.

    Work that asks for numbers on its way, calls what cannot be recorded, or leaves no memory for a recording, is done as it
    is; `recordable` says so then.
    """

    recordable: bool = True
    _seen: Recent[bool] = field(default_factory=lambda: Recent(64))
    _recordings: Recent[Recording] = field(default_factory=lambda: Recent(KEPT))

    def __call__(
        self, key: Hashable, work: Work, *given: Any, kept: Callable[[], Any] = lambda: None
    ) -> tuple[Any, ...]:
        """Return `work(*given)`, arrays that last until the next call with this key.

        `kept()` is what the work reads besides, if nothing else holds on to it.
        """
        if not self.recordable:
            return work(*given)
        key, fresh = (key, *((a.shape, a.dtype) for a in given)), []
        self._seen(key, lambda: fresh.append(True) or True)
        if fresh:
            return work(*given)
        try:
            recording = self._recordings(key, lambda: record(work, given, kept()))
        except (RuntimeError, NotImplementedError, MemoryError):
            self.recordable = False
            return work(*given)
        return recording(*given)
