"""What an adapter offers: it knows what it takes, and makes a score with derivatives of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from mfgpde.scores.contract import DifferentiableScore

Brought = Callable[..., Any]
"""what somebody brings to be called, in a way that adapters find out"""


class Adapter(ABC):
    """Makes a score with all derivatives of what somebody brings: a module, a function, an object of some library."""

    rank: ClassVar[int]
    """those of lower rank are asked first; what they do not take is offered to the next"""

    @abstractmethod
    def takes(self, found: object, dimension: int) -> bool:
        """Say whether this is of the kind that the adapter knows, whether it can be called or not; nothing long."""

    @abstractmethod
    def adapt(self, found: object, dimension: int, source: str) -> DifferentiableScore:
        """Return the score; ValueError, naming `source`, for what does not keep its own promise."""
