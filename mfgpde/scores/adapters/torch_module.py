"""PyTorch modules of points and times, whatever the shape of either and the order of both."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import ClassVar, Protocol, cast

from mfgpde.scores.adapters.contract import Adapter
from mfgpde.scores.contract import DifferentiableScore
from mfgpde.scores.torch_calls import Uncalled, call_of
from mfgpde.scores.torch_score import Module, Tensor, TorchScore


class TorchModule(Adapter):
    """Takes PyTorch modules, and partials of them with a condition fixed; derivatives by PyTorch."""

    rank: ClassVar[int] = 10

    def takes(self, found: object, dimension: int) -> bool:
        """Say whether this is a PyTorch module, or `functools.partial` of one."""
        return isinstance(found.func if isinstance(found, functools.partial) else found, Module)

    def adapt(self, found: object, dimension: int, source: str) -> DifferentiableScore:
        """Return the module as a score. Raises ValueError where it cannot be called on a point and a time."""
        fixed = isinstance(found, functools.partial)
        module = Fixed(cast("functools.partial[object]", found)) if fixed else cast(Uncalled, found)
        return TorchScore(call_of(module, dimension, source), dimension)


class Named(Protocol):
    """A module that names its parameters, as those of PyTorch do."""

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]: ...  # noqa: D102


class Fixed:
    """A module with arguments fixed."""

    def __init__(self, found: functools.partial[object]) -> None:
        self.module = cast(Uncalled, found.func)
        self.first, self.named = found.args, dict(found.keywords)

    def __call__(self, *given: Tensor) -> object:
        """Return what the module says, the fixed arguments repeated for every point where they are tensors of one."""
        return self.module(*self.first, *given, **self.named)

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Return the module's."""
        return cast(Named, self.module).named_parameters()

    def parameters(self) -> Iterator[Tensor]:
        """Return the module's."""
        return self.module.parameters()

    def double(self) -> Fixed:
        """Turn the module to double precision."""
        self.module = self.module.double()
        return self

    def eval(self) -> Fixed:
        """Set the module to evaluation."""
        self.module = self.module.eval()
        return self

    def requires_grad_(self, wanted: bool) -> Fixed:
        """Say whether the module's parameters want derivatives."""
        self.module = self.module.requires_grad_(wanted)
        return self
