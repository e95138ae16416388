"""Where claims are judged: on this machine, on MPI's ranks, on a cluster; one back end a file, others by entry point."""

from collections.abc import Callable
from concurrent.futures import Executor
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from mfgpde.core.register import Register, nearest
from mfgpde.verify.executors.contract import GROUP

__all__ = ["EXECUTORS", "executor"]

EXECUTORS: Register[Executor] = Register(__name__, Executor, "executor")


def executor(name: str) -> Callable[[int], Executor]:
    """Return what makes an executor of so many workers. Raises ValueError for a name that nothing has.

    >>> from mfgpde.verify.executors import executor
    >>> with executor("processes")(2) as pool:
    ...     pool.submit(max, 1, 2).result()
    2
    """
    others = _others()
    if name in others:
        return others[name].load()
    if name not in EXECUTORS._places:  # pyright: ignore[reportPrivateUsage]
        raise ValueError(f"unknown executor {name!r}; {nearest(name, [*EXECUTORS, *others])}")
    return EXECUTORS.named(name)


@cache
def _others() -> dict[str, EntryPoint]:
    """Return what other packages bring: all that are installed are looked through, once a process."""
    return {point.name: point for point in entry_points(group=GROUP)}
