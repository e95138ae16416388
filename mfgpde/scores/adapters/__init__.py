"""From what people hold to a score with derivatives: one kind of thing a file, asked in order of rank."""

from __future__ import annotations

from collections.abc import Callable

from mfgpde.core.register import Register
from mfgpde.scores.adapters.contract import Adapter
from mfgpde.scores.contract import DifferentiableScore, offers

__all__ = ["ADAPTERS", "Adapter", "adapted"]

ADAPTERS = Register(__name__, Adapter, "adapter")


def adapted(found: Callable[..., object] | object, source: str, dimension: int | None) -> DifferentiableScore:
    """Return a score with derivatives from whatever a name stands for.

    Raises ValueError for what cannot be called, has no dimension, or is taken by no adapter.
    """
    if offers(found, DifferentiableScore):
        return found
    if not callable(found):
        raise ValueError(f"{source} is {type(found).__name__}, which cannot be called as s(x, t)")
    if dimension is None:
        raise ValueError(f"{source} does not say its dimension; give --dimension, or data")
    adapters = sorted((make() for make in ADAPTERS.values()), key=lambda adapter: adapter.rank)
    for adapter in adapters:
        if adapter.takes(found, dimension):
            return adapter.adapt(found, dimension, source)
    raise ValueError(f"{source} is {type(found).__name__}, which none of {', '.join(sorted(ADAPTERS))} takes")
