"""Scores that are PyTorch modules: derivatives by torch.func, in double precision on the module's device.

Values and derivatives along directions go through the module many points a call, as many as `MEMORY` holds of what it keeps
for derivatives; full Jacobians point by point. Arrays of a device change hands by DLPack, without copies.
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
MEMORY, MEMORY_THERE = 2**29, 2**33
"""bytes that a call may keep for derivatives, on the host and on a device"""
ORDERS = 4
"""times what first derivatives keep: second ones differentiate the pass there and the pass back"""


class Tensor(Protocol):
    """What is used of a PyTorch tensor; the library is optional, and its types are not there without it."""

    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def device(self) -> object: ...  # noqa: D102
    @property
    def dtype(self) -> object: ...  # noqa: D102
    def __getitem__(self, index: int | slice | tuple[int | slice, ...] | None, /) -> Tensor: ...
    def __sub__(self, other: Tensor, /) -> Tensor: ...
    def __float__(self) -> float: ...
    def numel(self) -> int: ...  # noqa: D102
    def element_size(self) -> int: ...  # noqa: D102
    def __matmul__(self, other: Tensor, /) -> Tensor: ...
    def __mul__(self, other: Tensor | float, /) -> Tensor: ...
    def __add__(self, other: Tensor | float, /) -> Tensor: ...
    def abs(self) -> Tensor: ...  # noqa: D102
    def max(self) -> Tensor: ...  # noqa: D102
    def sin(self) -> Tensor: ...  # noqa: D102
    def flip(self, axis: int, /) -> Tensor: ...  # noqa: D102
    def reshape(self, *shape: int | tuple[int, ...]) -> Tensor: ...  # noqa: D102
    def split(self, size: int, /) -> tuple[Tensor, ...]: ...  # noqa: D102
    def diagonal(self) -> Tensor: ...  # noqa: D102
    def sum(self, axis: int = ..., keepdim: bool = ..., /) -> Tensor: ...  # noqa: D102
    def requires_grad_(self, wanted: bool, /) -> Tensor: ...  # noqa: D102
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
    """What sends arrays to a device, and shows what derivatives keep there."""

    @property
    def autograd(self) -> Any: ...  # noqa: D102
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
    kept: int
    """bytes that the module keeps of a point for its first derivatives"""

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
        self.kept = max(
            1, (_kept(library, module, dimension, device, 5) - _kept(library, module, dimension, device, 1)) // 4
        )
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

    def together(self, there: bool = False) -> int:
        """Return how many points go through the module in one call."""
        most, memory = (MOST_THERE, MEMORY_THERE) if there else (MOST, MEMORY)
        return max(1, min(most, memory // (ORDERS * self.kept)))

    def _values(self, x: Tensor, t: Tensor) -> Tensor:
        """Return what is differentiated of points (n, d), times (n, 1): (n, d), or of a potential (n,)."""
        return self.module(x, t)

    def _scores(self, x: Tensor, t: Tensor) -> Tensor:
        return self._values(x, t)

    def _score(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the score of one point (d,) at a time ()."""
        return self._scores(x[None], t.reshape(1, 1))[0]

    def _divergence(self, x: Tensor, t: Tensor) -> Tensor:
        return self.torch.func.jacrev(self._score)(x, t).diagonal().sum()

    def _each(self, function: Callable[..., Tensor], x: Array, t: float) -> Array:
        """Evaluate a function of one point and one time at all points, one by one as far as derivatives can tell."""
        each = self.torch.func.vmap(function)

        def all_of(y: Tensor, time: Tensor) -> tuple[Tensor, ...]:
            return (each(y, time[:, 0]),)

        return self._evaluate(all_of, x, t)[0]

    def _evaluate(self, function: Callable[..., tuple[Tensor, ...]], x: Array, t: float, *more: Array) -> list[Array]:
        """Evaluate a function of points (n, d), times (n, 1) and more (n, d), part by part."""
        there = elsewhere(x)
        flat = [self._tensor(a).reshape(-1, x.shape[-1]) for a in (x, *more)]
        size = self.together(there)
        attention = self.torch.nn.attention
        with (
            warnings.catch_warnings(),
            attention.sdpa_kernel(attention.SDPBackend.MATH),
        ):  # the others have no second ones
            warnings.simplefilter("ignore", FutureWarning)  # PyTorch deprecates what its own derivatives use
            parts: list[list[Tensor]] = []
            for points, *others in zip(*(a.split(size) for a in flat), strict=True):
                shape, place = (points.shape[0], 1), points.device
                time = self.torch.full(shape, float(t), dtype=self.torch.float64, device=place)
                parts.append([found.detach() for found in function(points, time, *others)])
        whole: list[Tensor] = [self.torch.cat(column) for column in zip(*parts, strict=True)]
        shaped = [one.reshape((*x.shape[:-1], *one.shape[1:])) for one in whole]
        return [namespace_of(x).from_dlpack(one) if there else one.cpu().numpy() for one in shaped]

    def __call__(self, x: Array, t: float) -> Array:
        """Return s(x, t)."""

        def value(y: Tensor, time: Tensor) -> tuple[Tensor, ...]:
            return (self._scores(y, time),)

        with self.torch.no_grad():
            return self._evaluate(value, x, t)[0]

    def divergence(self, x: Array, t: float) -> Array:
        """Return ∇·s."""
        return self._each(self._divergence, x, t)

    def jacobian(self, x: Array, t: float) -> Array:
        """Return ∂_j s_i."""
        return self._each(self.torch.func.jacrev(self._score), x, t)

    def time_derivative(self, x: Array, t: float) -> Array:
        """Return ∂_t s."""

        def slope(y: Tensor, time: Tensor) -> tuple[Tensor, ...]:
            return (self.torch.func.jvp(partial(self._scores, y), (time,), (self.torch.ones_like(time),))[1],)

        return self._evaluate(slope, x, t)[0]

    def divergence_gradient(self, x: Array, t: float) -> Array:
        """Return ∇(∇·s)."""
        return self._each(self.torch.func.grad(self._divergence), x, t)

    def with_form(self, x: Array, t: float, v: Array) -> tuple[Array, Array]:
        """Return s and vᵀJv for one direction v a point, by one pass back."""

        def both(y: Tensor, time: Tensor, w: Tensor) -> tuple[Tensor, ...]:
            value, pull = self.torch.func.vjp(partial(self._scores, t=time), y)
            return value, (pull(w)[0] * w).sum(-1)

        value, form = self._evaluate(both, x, t, v)
        return value, form

    def directional_derivatives(self, x: Array, t: float, v: Array) -> tuple[Array, Array, Array]:
        """Return Jv, Jᵀv and ∇(vᵀJv) for one direction v a point, shapes (..., d).

        Of uᵀJv, the derivative by u is Jv, that by x is ∇(vᵀJv) at u = v: one pass back through Jᵀu gives both.
        """
        func = self.torch.func

        def all_of(y: Tensor, time: Tensor, w: Tensor) -> tuple[Tensor, ...]:
            def product(u: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
                pulled: Tensor = func.vjp(partial(self._scores, t=time), z)[1](u)[0]
                return (pulled * w).sum(), pulled

            (pushed, slope), pulled = func.grad(product, argnums=(0, 1), has_aux=True)(w, y)
            return pushed, pulled, slope

        pushed, pulled, slope = self._evaluate(all_of, x, t, v)
        return pushed, pulled, slope


class TorchPotential(TorchScore):
    """s = ∇φ of a module whose one column is the potential φ."""

    is_potential = True

    def _values(self, x: Tensor, t: Tensor) -> Tensor:
        return self.module(x, t)[:, 0]

    def _scores(self, x: Tensor, t: Tensor) -> Tensor:
        def total(y: Tensor) -> Tensor:
            return self._values(y, t).sum()

        return self.torch.func.grad(total)(x)

    def potential(self, x: Array, t: float) -> Array:
        """Return φ(x, t)."""

        def value(y: Tensor, time: Tensor) -> tuple[Tensor, ...]:
            return (self._values(y, time),)

        return self._evaluate(value, x, t)[0]

    def potential_time_derivative(self, x: Array, t: float) -> Array:
        """Return ∂_tφ."""

        def slope(y: Tensor, time: Tensor) -> tuple[Tensor, ...]:
            return (self.torch.func.jvp(partial(self._values, y), (time,), (self.torch.ones_like(time),))[1],)

        return self._evaluate(slope, x, t)[0]


def _kept(library: Library, module: Module, dimension: int, device: object, n: int) -> int:
    """Return the bytes that a module keeps of n points for their derivatives."""
    sizes: list[int] = []

    def seen(tensor: Tensor) -> Tensor:
        sizes.append(tensor.numel() * tensor.element_size())
        return tensor

    x = _sent(library, np.zeros((n, dimension)), device)
    with library.autograd.graph.saved_tensors_hooks(seen, seen):
        module(x.requires_grad_(True), _sent(library, np.full((n, 1), 0.5), device))
    return sum(sizes)


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
