"""Schedulers of the library diffusers: called step by step with the exact prediction of a mixture, noise intercepted."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import sys
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.register import nearest
from mfgpde.densities import GaussianMixture, gaussian
from mfgpde.processes import Transition
from mfgpde.samplers.adapters.intercepted import intercepted, state_of
from mfgpde.samplers.adapters.perfect import AtLevel, Exact
from mfgpde.samplers.black_box import Standing

TRAINED = "num_train_timesteps"


class Prediction:
    """What a perfect network returns, given x = α x₀ + σ ε: E[ε], E[x₀], E[αε − σx₀] or E[ε − x₀]."""

    def __init__(self, scheduler: Any, data: GaussianMixture, score: AtLevel | None = None) -> None:
        config = scheduler.config
        self.data, self.kind = data, config.get("prediction_type", "epsilon")
        self.exact = Exact(data)
        self.score = score or self.exact
        self.trained = config.get(TRAINED, 1000)
        bars = getattr(scheduler, "alphas_cumprod", None)
        self.table = None if bars is None else np.asarray(bars, dtype=float)
        self.data_deviation = config.get("sigma_data") if self.table is None else None
        if self.table is None and self.data_deviation is None:
            self.kind = "flow_prediction"

    def level(self, t: float) -> tuple[float, float]:
        """Return α and σ of the network's input at its time t; between integers log(σ/α) is linear, as it is there."""
        if self.kind == "flow_prediction":
            return 1 - t / self.trained, t / self.trained
        if self.table is None:
            sigma = float(np.exp(4 * t))  # c_noise = log(σ)/4
            size = float(np.hypot(sigma, float(self.data_deviation or 0.0)))
            return 1 / size, sigma / size
        logs = 0.5 * np.log((1 - self.table) / self.table)
        w = np.exp(2 * np.interp(t, np.arange(len(logs)), logs))
        return float(1 / np.sqrt(1 + w)), float(np.sqrt(w / (1 + w)))

    def law(self, t: float) -> GaussianMixture:
        """Return the law of the network's input."""
        return self.exact.law(*self.level(t))

    def __call__(self, x: Array, t: float) -> Array:
        """Return the prediction for (n,) inputs."""
        alpha, sigma = self.level(t)
        noise = -sigma * self.score(x, alpha, sigma)
        if self.kind == "epsilon" and self.table is not None:
            return noise
        data = (
            (x - sigma * noise) / alpha
            if alpha > 0
            else np.full_like(x, float(self.data.weights @ self.data.means[:, 0]))
        )
        if self.table is None and self.data_deviation is not None:
            return self._preconditioned(x, data, t)
        return {"sample": data, "v_prediction": alpha * noise - sigma * data, "flow_prediction": noise - data}[
            self.kind
        ]

    def _preconditioned(self, x: Array, data: Array, t: float) -> Array:
        """Return F of x̂₀ = c_skip y + c_out F, y = x √(σ² + σ_d²). — arXiv:2206.00364, table 1."""
        sigma, own = float(np.exp(4 * t)), float(self.data_deviation or 0.5)
        root = float(np.hypot(sigma, own))
        return (data - own**2 / root**2 * (x * root)) / (sigma * own / root)


class SchedulerRun:
    """One run of a scheduler over its list of times, states as 64-bit numbers wherever it takes them."""

    def __init__(
        self,
        make: Any,
        options: dict[str, Any],
        steps: int,
        data: GaussianMixture,
        double: bool = True,
        score: AtLevel | None = None,
        seed: int = 0,
    ) -> None:
        import torch  # pyright: ignore[reportMissingImports]

        self.torch, self.real = torch, torch.float64 if double else torch.float32
        self.scheduler, self.seed = make(**options), seed
        self.network = Prediction(self.scheduler, data, score)
        self.scheduler.set_timesteps(steps)
        self.times = [t for t in self.scheduler.timesteps]
        self.calls, self.place, self.data = len(self.times), 0, data
        self.takes = inspect.signature(self.scheduler.step).parameters
        factor, law = self._scaled(make(**options), steps)
        self.start = law.after(Transition(1 / factor, 0.0, 0.0 * factor)) if factor != 1 else law
        self.prior = gaussian(0.0, float(getattr(self.scheduler, "init_noise_sigma", 1.0)) ** 2)

    def _scaled(self, twin: Any, steps: int) -> tuple[float, GaussianMixture]:
        """Return how the first state is scaled for the network, and the law of its input there; a twin is asked."""
        twin.set_timesteps(steps)
        return self._input(twin, self.torch.ones(1, 1, 1, 1, dtype=self.real), self.times[0]).item(), self.network.law(
            float(self.times[0])
        )

    @staticmethod
    def _input(scheduler: Any, x: Any, t: Any) -> Any:
        return scheduler.scale_model_input(x, t) if hasattr(scheduler, "scale_model_input") else x

    def call(self, x: Array, noise: Array | None) -> Array:
        """Return the next state."""
        t = self.times[self.place]
        state = self.torch.as_tensor(x, dtype=self.real).reshape(-1, 1, 1, 1)
        seen = self._input(self.scheduler, state, t)
        said = self.network(np.asarray(seen.reshape(-1), dtype=float), float(t))
        output = self.torch.as_tensor(said, dtype=self.real).reshape(-1, 1, 1, 1)
        if noise is None:
            self.torch.manual_seed(self.seed + self.place)
            found = state_of(self.scheduler.step(output, t, state))
        else:
            drawn = self.torch.as_tensor(noise, dtype=self.real).reshape(-1, 1, 1, 1)
            with intercepted(sys.modules[type(self.scheduler).__module__], self.scheduler, drawn):
                found = state_of(self.scheduler.step(output, t, state))
        self.place += 1
        return np.asarray(found.reshape(-1), dtype=float)

    def standing(self) -> Standing | None:
        """Return the level of the state before the next call; the data's own at the end."""
        if self.place == self.calls:
            return Standing(1.0, self.data, 1.0, 0.0)
        t = self.times[self.place]
        if self.place and float(t) == float(self.times[self.place - 1]):
            return None
        one = self.torch.ones(1, 1, 1, 1, dtype=self.real)
        with contextlib.suppress(Exception):
            scale = float(self._input(self.scheduler, one, t).item())
            return Standing(scale, self.network.law(float(t)), *self.network.level(float(t)))
        return None


def accepted(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options. Raises ValueError for one that the scheduler does not have, with those it has."""
    has = [one for one in inspect.signature(scheduler_class(name).__init__).parameters if one not in ("self", "kwargs")]
    for one in options:
        if one not in has:
            raise ValueError(f"{name} has no option {one!r}; {nearest(one, has)}")
    return dict(options)


def scheduler_class(name: str) -> Any:
    """Return a class of the library by its name. Raises ValueError that lists what there is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = getattr(importlib.import_module("diffusers.schedulers"), name, None)
    if found is None:
        raise ValueError(f"diffusers has no {name}; there are {', '.join(schedulers())}")
    return found


def schedulers() -> Iterator[str]:
    """Yield the names of the library's schedulers that have times and steps."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library = importlib.import_module("diffusers.schedulers")
        for name in sorted(dir(library)):
            one = getattr(library, name, None) if name.endswith("Scheduler") else None
            if inspect.isclass(one) and hasattr(one, "step") and hasattr(one, "set_timesteps"):
                yield name
