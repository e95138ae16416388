"""How a PyTorch module wants to be called: found by trying, and said; afterwards it takes (n, d) and (n, 1)."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import isqrt, prod
from typing import Any, Protocol, cast

from mfgpde.scores.other_dimension import other_dimension
from mfgpde.scores.torch_score import Tensor

MANY = 3
"""points in a trial: shapes that agree for one may not for several"""
SAME = 1e-5
"""of the size: what a point's value may depend on its neighbours by; more is a module that mixes its batch"""
DEVICES = ("CUDA", "cuda", "NVIDIA", "same device", "mps", "xpu")
"""words of PyTorch's complaints of where tensors are"""
TIMES = ("t", "time", "times", "timestep", "timesteps", "sigma", "sigmas", "noise_labels", "tau")


class Uncalled(Protocol):
    """What is used of a PyTorch module before it is known how it wants to be called."""

    def __call__(self, *given: Tensor) -> object: ...  # noqa: D102
    def parameters(self) -> Iterator[Tensor]: ...  # noqa: D102
    def double(self) -> Uncalled: ...  # noqa: D102
    def eval(self) -> Uncalled: ...  # noqa: D102
    def requires_grad_(self, wanted: bool, /) -> Uncalled: ...  # noqa: D102


Way = Callable[[Uncalled, Tensor, Tensor], object]
WAYS: dict[str, Way] = {
    "(x, t), t of shape (n, 1)": lambda m, x, t: m(x, t),
    "(x, t), t of shape (n,)": lambda m, x, t: m(x, t[:, 0]),
    "(x, t), t one number": lambda m, x, t: m(x, t[0, 0]),
    "(t, x), t of shape (n,)": lambda m, x, t: m(t[:, 0], x),
    "(t, x), t of shape (n, 1)": lambda m, x, t: m(t, x),
    "(t, x), t one number": lambda m, x, t: m(t[0, 0], x),
    "one tensor, x and t joined": lambda m, x, t: m(_joined(x, t)),
}


@dataclass(eq=False)
class Called:
    """A module called in one of `WAYS` on states of a shape, (d,) or an image's (C, H, W); what it returns is unwrapped."""

    module: Uncalled
    way: str
    shape: tuple[int, ...]

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the prediction (n, d), or (n, 1) for a potential, at points (n, d) and times (n, 1)."""
        n = x.shape[0]
        found = unwrapped(WAYS[self.way](self.module, x.reshape(n, *self.shape), t))
        if prod(found.shape) % n:
            raise ValueError(f"{self.way} returns shape {tuple(found.shape)} for x of shape {(n, *self.shape)}")
        return found.reshape(n, -1)

    @property
    def words(self) -> str:
        """How it is called."""
        of = f", x of shape ({', '.join(map(str, ('n', *self.shape)))})" if len(self.shape) > 1 else ""
        return f"called as {self.way}{of}"

    def parameters(self) -> Iterator[Tensor]:
        """Return the module's parameters."""
        return self.module.parameters()

    def double(self) -> Called:
        """Return the same in double precision."""
        return Called(self.module.double(), self.way, self.shape)

    def eval(self) -> Called:
        """Return the same set to evaluation."""
        return Called(self.module.eval(), self.way, self.shape)

    def requires_grad_(self, wanted: bool) -> Called:
        """Return the same with or without derivatives in its parameters."""
        return Called(self.module.requires_grad_(wanted), self.way, self.shape)


def unwrapped(found: object) -> Tensor:
    """Return the tensor in what a module returns: itself, the first of a tuple, `.sample` (diffusers), `.mean` (azula)."""
    torch = _library()
    if torch.is_tensor(found):
        return cast(Tensor, found)
    if isinstance(found, tuple | list):
        return unwrapped(cast(Sequence[object], found)[0])
    for name in ("sample", "mean"):
        if torch.is_tensor(getattr(found, name, None)):
            return getattr(found, name)
    raise TypeError(f"it returns {type(found).__name__}, no tensor")


def call_of(module: Uncalled, dimension: int, source: str, shapes: Sequence[tuple[int, ...]] = ()) -> Called:
    """Return the module with the first way of calling it that gives each point its own finite value.

    The order of arguments is that of their names where these say it. States are tried flat, as `shapes` say,
    (C, H, W) of images, then as square images of one and three channels.
    Raises ValueError for a module that cannot be called so, and says why: a condition that is missing, whole steps of time,
    half precision, weights that are not finite, a batch that is mixed.
    """
    torch = _library()
    _check_weights(module, source)
    module = copy.deepcopy(module).double().eval().requires_grad_(False)
    first = next(iter(module.parameters()), None)
    device = "cpu" if first is None else first.device
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(MANY, dimension, dtype=torch.float64, generator=generator).to(device)
    t = torch.full((MANY, 1), 0.5, dtype=torch.float64, device=device)
    troubles: list[str] = []
    for shape in (*shapes, (dimension,), *images(dimension)):
        for way in ways(module):
            call = Called(module, way, shape)
            try:
                values = call(x, t)
                alone = torch.cat([call(x[k : k + 1], t[k : k + 1]) for k in range(MANY)])
            except Exception as problem:  # a user's code
                troubles.append(str(problem).split("\n")[0])
                continue
            if tuple(values.shape) not in ((MANY, dimension), (MANY, 1)):
                troubles.append(f"{way} returns shape {tuple(values.shape)} for x of shape ({MANY}, {dimension})")
            elif not torch.isfinite(values).all():
                raise ValueError(f"{source} returns values that are not finite, {way}, near the origin at time 0.5")
            elif float((values - alone).abs().max()) > SAME * float(values.abs().max() + 1e-30):
                raise ValueError(
                    f"{source} gives a point another value among others than alone ({way}): it mixes its batch; each point "
                    "must be its own"
                )
            else:
                return call
    other = other_dimension(lambda d: _takes(module, torch.randn(MANY, d, dtype=x.dtype).to(device), t), dimension)
    raise ValueError(f"{source} {_why(troubles, dimension, other)}")


def _takes(module: Uncalled, x: Tensor, t: Tensor) -> bool:
    """Say whether a module can be called on flat states in one of the ways."""
    for way in WAYS:
        with suppress(Exception):  # a user's code
            if tuple(Called(module, way, (x.shape[1],))(x, t).shape) in (tuple(x.shape), (x.shape[0], 1)):
                return True
    return False


def ways(module: Callable[..., object]) -> list[str]:
    """Return the names of `WAYS` in the order to try: what the argument's names say comes first."""
    try:
        names = list(inspect.signature(getattr(module, "forward", module)).parameters)
    except (TypeError, ValueError):
        names = []
    turned = bool(names) and names[0].lower() in TIMES and not (len(names) > 1 and names[1].lower() in TIMES)
    return sorted(WAYS, key=lambda way: way.startswith("(t, x)") != turned) if turned else list(WAYS)


def images(dimension: int) -> list[tuple[int, ...]]:
    """Return the square images of so many numbers.

    >>> mfg.scores.torch_calls.images(64), mfg.scores.torch_calls.images(5)
    ([(1, 8, 8)], [])
    """
    sides = [(channels, isqrt(dimension // channels)) for channels in (1, 3) if dimension % channels == 0]
    return [(channels, side, side) for channels, side in sides if channels * side**2 == dimension and side > 1]


def _joined(x: Tensor, t: Tensor) -> Tensor:
    return _library().cat((x, t), dim=-1)


def _library() -> Any:
    """Return PyTorch, whose types are there only where it is."""
    import torch  # pyright: ignore[reportMissingImports]

    return torch


def _check_weights(module: Uncalled, source: str) -> None:
    torch = _library()
    for name, values in getattr(module, "named_parameters", lambda: ())():
        if values.dtype in (torch.float16, torch.bfloat16):
            raise ValueError(
                f"{source}: {name} is {str(values.dtype).removeprefix('torch.')}, whose roundings are larger than the "
                "derivatives that are asked for; convert the module as it was trained: module.float()"
            )
        bad = ~torch.isfinite(values)
        if bad.any():
            raise ValueError(f"{source}: {int(bad.sum())} of {bad.numel()} weights of {name} are not finite")


def _why(troubles: Sequence[str], dimension: int, other: str) -> str:
    missing = [text for text in troubles if "missing" in text and "argument" in text and "'t'" not in text]
    device = [text for text in troubles if any(word in text for word in DEVICES)]
    whole = [text for text in troubles if "indices" in text or "Long" in text or "index" in text]
    tried = f"tried: {'; '.join(WAYS)}"
    if missing and len(missing) >= len(troubles) // 3:
        return (
            f"needs more than a point and a time ({missing[0]}): fix the condition, functools.partial(module, …=label) or "
            "a module that calls it with one, and name that"
        )
    if device:
        return (
            f"needs a device that is not here or that its weights are not on ({device[0]}): let it make its tensors where "
            "x is, as in torch.zeros(…, device=x.device), and move it by module.to(…)"
        )
    if whole:
        return (
            f"takes whole steps of time ({whole[0]}): an index of an embedding has no derivative; name a module that "
            "embeds a real number, or one that interpolates its embedding"
        )
    if other:
        return other
    return f"cannot be called on points of dimension {dimension}: {troubles[0] if troubles else 'no way'}; {tried}"
