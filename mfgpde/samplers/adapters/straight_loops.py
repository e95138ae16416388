"""The ODE loops of flow matching, from noise at 0 to data at 1: flow_matching's ODESolver, and torchcfm's NeuralODE.

Both are called with the exact velocity of a mixture under x = t x₁ + (1 − t) ε. torchcfm's loop is that of torchdyn, around
torchcfm's own wrapper of a network; flow_matching's is that of torchdiffeq.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.register import nearest
from mfgpde.densities import GaussianMixture
from mfgpde.samplers.adapters.loops import Loop, LoopRun
from mfgpde.samplers.adapters.perfect import AtLevel, Exact, denoised

METHODS = {
    "flow_matching:ODESolver": ("method", "euler", ("euler", "midpoint", "heun2", "heun3", "rk4", "explicit_adams")),
    "torchcfm:NeuralODE": ("solver", "euler", ("euler", "midpoint", "rk4")),
}
"""the option that names a method, its default, and methods that follow a list of times"""
ADAPTIVE = "{} is adaptive: it chooses its own times and has no steps to refine; methods that follow a list are {}"

type Solve = Callable[[Any, str, Any, Any], Any]
"""velocity (x, t), method, first states (n, 1), times ↦ last states"""


def begin(
    source: str, options: Mapping[str, Any], steps: int, data: GaussianMixture, score: AtLevel | None = None
) -> LoopRun:
    """Return a run of a loop over equal times. Raises ValueError for loops and methods that there are not."""
    import torch  # pyright: ignore[reportMissingImports]

    if source not in METHODS:
        raise ValueError(f"there is no loop {source!r}; {nearest(source, list(METHODS))}")
    word, method, methods = METHODS[source]
    for one in options:
        if one != word:
            raise ValueError(f"{source} has no option {one!r}; it takes {word}={'|'.join(methods)}")
    method = str(options.get(word, method))
    if method not in methods:
        raise ValueError(ADAPTIVE.format(method, ", ".join(methods)))
    solve: Solve = _flow_matching if source.startswith("flow") else _torchcfm
    at, mean = score or Exact(data), float(data.weights @ data.means[:, 0])

    def velocity(x: Any, t: Any) -> Any:
        now = float(t)
        values, noise = denoised(at, np.asarray(x.reshape(-1), dtype=float), now, 1 - now, mean)
        return torch.as_tensor(values - noise).reshape(x.shape)

    times = torch.linspace(0.0, 1.0, steps + 1, dtype=torch.float64)

    def go(x: Array, first: int, last: int, _: Array | None) -> Array:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            found = solve(velocity, method, torch.as_tensor(x).reshape(-1, 1), times[first : last + 1])
        return np.asarray(found.reshape(-1), dtype=float)

    return LoopRun(Loop([(float(t), 1 - float(t)) for t in times], go), data)


def _library(name: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except ImportError:
        raise ValueError(f"{name.partition('.')[0]} is not installed: pip install {name.partition('.')[0]}") from None


def _flow_matching(velocity: Any, method: str, x: Any, times: Any) -> Any:
    solver = _library("flow_matching.solver").ODESolver(lambda x, t, **_: velocity(x, t))
    return solver.sample(x, step_size=None, method=method, time_grid=times)


def _torchcfm(velocity: Any, method: str, x: Any, times: Any) -> Any:
    import torch  # pyright: ignore[reportMissingImports]

    class Network(torch.nn.Module):
        """A network as torchcfm has them: of states and time in one tensor; torchdyn asks for a parameter."""

        def __init__(self) -> None:
            super().__init__()
            self.unused = torch.nn.Parameter(torch.zeros(1))

        def forward(self, both: Any) -> Any:
            return velocity(both[:, :-1], both[0, -1])

    wrapped = _library("torchcfm.utils").torch_wrapper(Network())
    return _library("torchdyn.core").NeuralODE(wrapped, solver=method).trajectory(x, t_span=times)[-1]
