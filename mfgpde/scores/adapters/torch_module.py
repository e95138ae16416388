"""PyTorch modules of points (n, d) and times (n, 1)."""

from __future__ import annotations

from typing import ClassVar

from mfgpde.scores.adapters.contract import Adapter, Brought
from mfgpde.scores.contract import DifferentiableScore
from mfgpde.scores.torch_score import Module, TorchScore


class TorchModule(Adapter):
    """Takes PyTorch modules; derivatives by PyTorch."""

    rank: ClassVar[int] = 10

    def takes(self, found: Brought, dimension: int) -> bool:
        """Say whether this is a PyTorch module."""
        return isinstance(found, Module)

    def adapt(self, found: Brought, dimension: int, source: str) -> DifferentiableScore:
        """Return the module as a score."""
        assert isinstance(found, Module), "what is taken is one"
        return TorchScore(found, dimension)
