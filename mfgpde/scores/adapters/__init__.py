"""From what people hold to a score with derivatives: one kind of thing a file, asked in order of rank."""

from __future__ import annotations

from mfgpde.core.register import Register
from mfgpde.scores.adapters.contract import Adapter
from mfgpde.scores.contract import DifferentiableScore, offers

__all__ = ["ADAPTERS", "Adapter", "adapted"]

ADAPTERS = Register(__name__, Adapter, "adapter")


def adapted(found: object, source: str, dimension: int | None) -> DifferentiableScore:
    """Return a score with derivatives from whatever a name stands for.

    Adapters are asked also about what cannot be called: one may know another way to get values from it. Raises
    ValueError for what has no dimension or is taken by no adapter.
    """
    if offers(found, DifferentiableScore):
        return found
    if dimension is None:
        raise ValueError(f"{source} does not say its dimension; give --dimension, or data")
    adapters = sorted((make() for make in ADAPTERS.values()), key=lambda adapter: adapter.rank)
    for adapter in adapters:
        if adapter.takes(found, dimension):
            return adapter.adapt(found, dimension, source)
    why = "" if callable(found) else "cannot be called as s(x, t), and "
    raise ValueError(f"{source} is {type(found).__name__}, which {why}none of {', '.join(sorted(ADAPTERS))} takes")
