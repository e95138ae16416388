"""Scores that are PyTorch modules: derivatives by torch.func, in double precision on the module's device.

Arrays of a device change hands by DLPack, without copies.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np

from mfgpde.core.arrays import Array, contiguous, elsewhere, namespace_of
from mfgpde.core.renamed import renamed
from mfgpde.scores.contract import FORMER

MOST, MOST_THERE = 2**14, 2**16  # points a call, on the host and on a device


class Tensor(Protocol):
    """What is used of a PyTorch tensor; the library is optional, and its types are not there without it."""

    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def device(self) -> object: ...  # noqa: D102
    def __getitem__(self, index: int | None, /) -> Tensor: ...
    def __matmul__(self, other: Tensor, /) -> Tensor: ...
    def __mul__(self, other: Tensor | float, /) -> Tensor: ...
    def __add__(self, other: Tensor | float, /) -> Tensor: ...
    def sin(self) -> Tensor: ...  # noqa: D102
    def flip(self, axis: int, /) -> Tensor: ...  # noqa: D102
    def reshape(self, *shape: int) -> Tensor: ...  # noqa: D102
    def split(self, size: int, /) -> tuple[Tensor, ...]: ...  # noqa: D102
    def diagonal(self) -> Tensor: ...  # noqa: D102
    def sum(self, axis: int = ..., keepdim: bool = ..., /) -> Tensor: ...  # noqa: D102
    def detach(self) -> Tensor: ...  # noqa: D102
    def cpu(self) -> Tensor: ...  # noqa: D102
    def numpy(self) -> Array: ...  # noqa: D102


@runtime_checkable
class Module(Protocol):
    """What is used of a PyTorch module."""

    def __call__(self, x: Tensor, t: Tensor, /) -> Tensor: ...  # noqa: D102
    def parameters(self) -> Iterator[Tensor]: ...  # noqa: D102
    def double(self) -> Module: ...  # noqa: D102
    def eval(self) -> Module: ...  # noqa: D102
    def requires_grad_(self, wanted: bool, /) -> Module: ...  # noqa: D102


class Library(Protocol):
    """What sends arrays to a device."""

    @property
    def float64(self) -> object: ...  # noqa: D102
    def as_tensor(self, values: Array, dtype: object, device: object) -> Tensor: ...  # noqa: D102


@renamed(**FORMER)
class TorchScore:
    """s(x, t) from a module called as module(x, t) on a batch x (n, d) and times t (n, 1), returning (n, d) or (n, 1).

    One column is a potential, for d > 1, and makes a `TorchPotential`; for d = 1 say `potential=True`. The module is copied
    to double precision and set to evaluation. Raises ImportError without PyTorch, ValueError for a module that returns
    another shape, or that lies on another device than the arrays of a device it is given.

    >>> import torch
    >>> class Heat(torch.nn.Module):
    ...     def forward(self, x, t):
    ...         return -x / (1 + t)
    >>> print(f"{mfg.TorchScore(Heat(), 1)(np.array([[1.0]]), 1.0)[0, 0]:.3f}")
    -0.500
    """

    is_potential = False
    torch: Any
    """the library"""
    module: Module
    dimension: int
    device: object
    placed: bool
    """whether parameters tie the module to its device"""

    def __new__(cls, module: Module, dimension: int, *, potential: bool | None = None) -> TorchScore:
        """Make a potential of a module that returns one column."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own deprecations, on import
            import torch  # pyright: ignore[reportMissingImports]

        library: Any = torch
        module = copy.deepcopy(module).double().eval().requires_grad_(False)
        parameter = next(iter(module.parameters()), None)
        device = library.device("cpu") if parameter is None else parameter.device
        probe = module(_sent(library, np.zeros((2, dimension)), device), _sent(library, np.full((2, 1), 0.5), device))
        width = probe.shape[-1] if len(probe.shape) == 2 else None
        if width not in (1, dimension) or (width != (1 if potential else dimension) and potential is not None):
            kind = {True: " a potential", False: " a vector", None: ""}[potential]
            raise ValueError(
                f"a PyTorch score must return (n, {dimension}) or (n, 1), got{kind} {tuple(probe.shape)} for n = 2: "
                f"it is called with x of shape (2, {dimension}) and t of shape (2, 1)"
            )
        scalar = (width == 1 and dimension > 1) if potential is None else potential
        self = object.__new__(TorchPotential if scalar else TorchScore)
        self.torch, self.module, self.dimension = library, module, dimension
        self.device, self.placed = device, parameter is not None
        return self

    def __reduce__(self) -> tuple[Callable[[Module, int], TorchScore], tuple[Module, int]]:
        return partial(TorchScore, potential=self.is_potential), (self.module, self.dimension)

    def _tensor(self, values: Array) -> Tensor:
        if elsewhere(values):
            tensor: Tensor = self.torch.from_dlpack(contiguous(values))
            if self.placed and tensor.device != self.device:
                place = str(tensor.device)
                raise ValueError(
                    f"the module lies on {self.device}, the points on {place}: move it, module.to({place!r})"
                )
            return tensor
        return _sent(self.torch, values, self.device)

    def _value(self, x: Tensor, t: Tensor) -> Tensor:
        return self.module(x[None], t.reshape(1, 1))[0]

    def _score(self, x: Tensor, t: Tensor) -> Tensor:
        return self._value(x, t)

    def _divergence(self, x: Tensor, t: Tensor) -> Tensor:
        return self.torch.func.jacrev(self._score)(x, t).diagonal().sum()

    def _evaluate(self, function: Callable[..., Tensor], x: Array, t: float, *more: Array) -> Array:
        there = elsewhere(x)
        flat = [self._tensor(a).reshape(-1, x.shape[-1]) for a in (x, *more)]
        time = self.torch.tensor(float(t), dtype=self.torch.float64, device=flat[0].device)
        batched = self.torch.func.vmap(function, (0, None) + (0,) * len(more))
        attention = self.torch.nn.attention
        with (
            warnings.catch_warnings(),
            attention.sdpa_kernel(attention.SDPBackend.MATH),
        ):  # the others have no second ones
            warnings.simplefilter("ignore", FutureWarning)  # PyTorch deprecates what its own derivatives use
            parts = [
                batched(points, time, *others).detach()
                for points, *others in zip(*(a.split(MOST_THERE if there else MOST) for a in flat), strict=True)
            ]
        values: Tensor = self.torch.cat(parts)
        values = values.reshape((*x.shape[:-1], *values.shape[1:]))  # pyright: ignore[reportArgumentType]
        return namespace_of(x).from_dlpack(values) if there else values.cpu().numpy()

    def __call__(self, x: Array, t: float) -> Array:
        """Return s(x, t)."""
        return self._evaluate(self._score, x, t)

    def divergence(self, x: Array, t: float) -> Array:
        """Return ∇·s."""
        return self._evaluate(self._divergence, x, t)

    def jacobian(self, x: Array, t: float) -> Array:
        """Return ∂_j s_i."""
        return self._evaluate(self.torch.func.jacrev(self._score), x, t)

    def time_derivative(self, x: Array, t: float) -> Array:
        """Return ∂_t s."""
        return self._evaluate(self.torch.func.jacfwd(self._score, argnums=1), x, t)

    def divergence_gradient(self, x: Array, t: float) -> Array:
        """Return ∇(∇·s)."""
        return self._evaluate(self.torch.func.grad(self._divergence), x, t)

    def directional_derivatives(self, x: Array, t: float, v: Array) -> tuple[Array, Array, Array]:
        """Return Jv, Jᵀv and ∇(vᵀJv) for one direction v a point, shapes (..., d)."""
        func = self.torch.func

        def pushed(y: Tensor, time: Tensor, w: Tensor) -> Tensor:
            return func.jvp(partial(self._score, t=time), (y,), (w,))[1]

        def pulled(y: Tensor, time: Tensor, w: Tensor) -> Tensor:
            return func.vjp(partial(self._score, t=time), y)[1](w)[0]

        def slope(y: Tensor, time: Tensor, w: Tensor) -> Tensor:
            def bent(z: Tensor) -> Tensor:
                return w @ pushed(z, time, w)

            return func.grad(bent)(y)

        return self._evaluate(pushed, x, t, v), self._evaluate(pulled, x, t, v), self._evaluate(slope, x, t, v)


class TorchPotential(TorchScore):
    """s = ∇φ of a module whose one column is the potential φ."""

    is_potential = True

    def _value(self, x: Tensor, t: Tensor) -> Tensor:
        return super()._value(x, t)[0]

    def _score(self, x: Tensor, t: Tensor) -> Tensor:
        return self.torch.func.grad(self._value)(x, t)

    def potential(self, x: Array, t: float) -> Array:
        """Return φ(x, t)."""
        return self._evaluate(self._value, x, t)

    def potential_time_derivative(self, x: Array, t: float) -> Array:
        """Return ∂_tφ."""
        return self._evaluate(self.torch.func.grad(self._value, argnums=1), x, t)


def _sent(library: Library, values: Array, device: object) -> Tensor:
    return library.as_tensor(np.ascontiguousarray(values), dtype=library.float64, device=device)


def examples() -> Iterator[TorchScore]:
    """Yield members to hold the laws to: a field that is no gradient, and a potential."""
    yield TorchScore(_Field(), 2)
    yield TorchScore(_Hill(), 2)


class _Field:
    """A module without parameters: sin x_{i+1} (1 + ½ sin t), which turns."""

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        return x.flip(1).sin() * (t.sin() * 0.5 + 1.0)

    def parameters(self) -> Iterator[Tensor]:
        return iter(())

    def double(self) -> _Field:
        return self

    def eval(self) -> _Field:
        return self

    def requires_grad_(self, wanted: bool, /) -> _Field:
        return self


class _Hill(_Field):
    """Its components' sum."""

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        return super().__call__(x, t).sum(1, True)
