"""What all processes of a domain do together: a complaint of one is heard by every one, so that none waits for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mfgpde.discretisations.contract import Distributed, Ranks


def agreed[Found](ranks: Ranks, work: Callable[[], Found]) -> Found:
    """Return work(), which may raise on some ranks alone: then every rank raises, so that none waits for the others.

    A rank of its own raises what it met; the others ValueError, or RuntimeError for other kinds, with the same words.
    Collective, where `work` is not: what waits for other ranks cannot be stopped by them.

    >>> from types import SimpleNamespace
    >>> from mfgpde.discretisations.agreed import agreed
    >>> agreed(SimpleNamespace(rank=0, size=1), lambda: 2 + 2)
    4
    """
    if ranks.size == 1:
        return work()
    problem, found = None, []
    try:
        found = [work()]
    except Exception as complaint:
        problem = complaint
    heard = ranks.allgather(None if problem is None else (isinstance(problem, ValueError), str(problem)))
    if problem is not None:
        raise problem
    for rank, said in enumerate(heard):
        if said is not None:
            raise (ValueError if said[0] else RuntimeError)(f"rank {rank}: {said[1]}")
    return found[0]


def together[Found](domain: Any, work: Callable[[], Found]) -> Found:
    """Return work(), `agreed` upon by all processes that a domain is spread over."""
    return agreed(domain.comm, work) if isinstance(domain, Distributed) else work()


def everywhere(domain: Any, value: float) -> list[float]:
    """Return the numbers of all processes that a domain is spread over, on each of them."""
    return domain.comm.allgather(value) if isinstance(domain, Distributed) else [value]
