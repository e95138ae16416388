"""Scores that are PyTorch modules: derivatives by torch.func, in double precision on the module's device.

Arrays of a device change hands by DLPack, without copies.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array, contiguous, elsewhere, namespace_of

MOST, MOST_THERE = 2**14, 2**16  # points a call, on the host and on a device


class TorchScore:
    """s(x, t) from a module called as module(x, t) on a batch x (n, d) and times t (n, 1), returning (n, d) or (n, 1).

    One column is a potential, for d > 1. The module is copied to double precision and set to evaluation.
    Raises ImportError without PyTorch, ValueError for a module that returns another shape, or that lies on another device
    than the arrays of a device it is given.
    """

    def __init__(self, module: Any, dimension: int, *, potential: bool | None = None) -> None:
        import copy

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own deprecations, on import
            import torch  # pyright: ignore[reportMissingImports]

        self.torch, self.dimension = torch, dimension
        self.module = copy.deepcopy(module).double().eval().requires_grad_(False)
        parameter = next(iter(self.module.parameters()), None)
        self.device, self.placed = torch.device("cpu"), parameter is not None
        if parameter is not None:
            self.device = parameter.device
        probe = self.module(self._tensor(np.zeros((2, dimension))), self._tensor(np.full((2, 1), 0.5)))
        width = probe.shape[-1] if probe.ndim == 2 else None
        if width not in (1, dimension):
            raise ValueError(
                f"a PyTorch score must return (n, {dimension}) or (n, 1), got {tuple(probe.shape)} for n = 2"
            )
        self.has_potential = (width == 1 and dimension > 1) if potential is None else potential

    def _tensor(self, values: Any) -> Any:
        if elsewhere(values):
            tensor = self.torch.from_dlpack(contiguous(values))
            if self.placed and tensor.device != self.device:
                place = str(tensor.device)
                raise ValueError(
                    f"the module lies on {self.device}, the points on {place}: move it, module.to({place!r})"
                )
            return tensor
        return self.torch.as_tensor(np.ascontiguousarray(values), dtype=self.torch.float64, device=self.device)

    def _single(self, x: Any, t: Any) -> Any:
        out = self.module(x[None], t.reshape(1, 1))[0]
        return out[0] if self.has_potential else out

    def _score(self, x: Any, t: Any) -> Any:
        return self.torch.func.grad(self._single)(x, t) if self.has_potential else self._single(x, t)

    def _divergence(self, x: Any, t: Any) -> Any:
        return self.torch.func.jacrev(self._score)(x, t).diagonal().sum()

    def _evaluate(self, function: Callable[..., Any], x: Array, t: float, *more: Array) -> Any:
        there = elsewhere(x)
        flat = [self._tensor(a).reshape(-1, x.shape[-1]) for a in (x, *more)]
        time = self.torch.tensor(float(t), dtype=self.torch.float64, device=flat[0].device)
        batched = self.torch.func.vmap(function, (0, None) + (0,) * len(more))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # PyTorch deprecates what its own derivatives use
            parts = [
                batched(points, time, *others).detach()
                for points, *others in zip(*(a.split(MOST_THERE if there else MOST) for a in flat), strict=True)
            ]
        values = self.torch.cat(parts)
        values = values.reshape(x.shape[:-1] + values.shape[1:])
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

    def rate(self, x: Array, t: float) -> Array:
        """Return ∂_t s."""
        return self._evaluate(self.torch.func.jacfwd(self._score, argnums=1), x, t)

    def divergence_gradient(self, x: Array, t: float) -> Array:
        """Return ∇(∇·s)."""
        return self._evaluate(self.torch.func.grad(self._divergence), x, t)

    def products(self, x: Array, t: float, v: Array) -> tuple[Array, Array, Array]:
        """Return Jv, Jᵀv and ∇(vᵀJv) for one direction v a point, shapes (..., d)."""
        func = self.torch.func

        def pushed(y: Any, time: Any, w: Any) -> Any:
            return func.jvp(lambda z: self._score(z, time), (y,), (w,))[1]

        def pulled(y: Any, time: Any, w: Any) -> Any:
            return func.vjp(lambda z: self._score(z, time), y)[1](w)[0]

        def slope(y: Any, time: Any, w: Any) -> Any:
            return func.grad(lambda z: w @ pushed(z, time, w))(y)

        return tuple(self._evaluate(f, x, t, v) for f in (pushed, pulled, slope))  # pyright: ignore[reportReturnType]

    def potential(self, x: Array, t: float) -> Array:
        """Return φ(x, t)."""
        return self._evaluate(self._known(self._single), x, t)

    def time_derivative(self, x: Array, t: float) -> Array:
        """Return ∂_tφ."""
        return self._evaluate(self._known(self.torch.func.grad(self._single, argnums=1)), x, t)

    def _known(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if not self.has_potential:
            raise ValueError("this score is a vector field, not the gradient of a known potential")
        return function
