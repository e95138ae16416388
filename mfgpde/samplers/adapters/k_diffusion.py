"""The functions sample_… of k-diffusion, called with the exact denoiser of a mixture under x = x₀ + σ ε.

Only the files `sampling.py` and `utils.py` are loaded: the rest of that package asks for what sampling does not.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Mapping
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.register import nearest
from mfgpde.densities import GaussianMixture
from mfgpde.samplers.adapters.intercepted import intercepted, state_of
from mfgpde.samplers.adapters.loops import Loop, LoopRun
from mfgpde.samplers.adapters.perfect import AtLevel, Exact, denoised

GIVEN = {"model", "x", "sigmas", "extra_args", "callback", "disable", "noise_sampler"}
LEVELS = {"levels": "karras", "sigma_min": 0.002, "sigma_max": 80.0}
"""the library's own lists, get_sigmas_…; and ends as published, arXiv:2206.00364"""


def sampling() -> Any:
    """Return the library's module of samplers. Raises ValueError where it is not installed."""
    name = "k_diffusion.sampling"
    if name in sys.modules:
        return sys.modules[name]
    spec = find_spec("k_diffusion")
    if spec is None:
        raise ValueError("k_diffusion is not installed: pip install --no-deps k-diffusion, torchdiffeq, torchsde, tqdm")
    bare = ModuleSpec("k_diffusion", None, is_package=True)
    bare.submodule_search_locations = list(spec.submodule_search_locations or [])
    sys.modules.setdefault("k_diffusion", module_from_spec(bare))
    return importlib.import_module(name)


def sampler(name: str, options: Mapping[str, Any]) -> Any:
    """Return a function by its name. Raises ValueError for one that there is not or cannot be tried, and for options."""
    module = sampling()
    names = sorted(one for one in vars(module) if one.startswith("sample_"))
    found = getattr(module, name, None)
    if name not in names or found is None:
        raise ValueError(f"k_diffusion has no {name!r}; there are {', '.join(names)}")
    takes = list(inspect.signature(found).parameters)
    if "sigmas" not in takes:
        raise ValueError(f"{name} chooses its own levels: it takes no list of them to refine")
    has = [one for one in takes if one not in GIVEN] + list(LEVELS)
    for one in options:
        if one not in has:
            raise ValueError(f"{name} has no option {one!r}; {nearest(one, has)}")
    return found


def begin(
    name: str, options: Mapping[str, Any], steps: int, data: GaussianMixture, score: AtLevel | None = None
) -> LoopRun:
    """Return a run of a sampler along its library's list of levels, which ends at zero."""
    import torch  # pyright: ignore[reportMissingImports]

    function = sampler(name, options)
    known = LEVELS | {one: value for one, value in options.items() if one in LEVELS}
    own = {one: value for one, value in options.items() if one not in LEVELS}
    rule = getattr(sampling(), f"get_sigmas_{known['levels']}", None)
    if rule is None or known["levels"] == "vp":
        raise ValueError(f"levels are karras, exponential or polyexponential, got {known['levels']!r}")
    sigmas = rule(steps, known["sigma_min"], known["sigma_max"]).double()
    at, mean = score or Exact(data), float(data.weights @ data.means[:, 0])

    def model(x: Any, sigma: Any, **_: Any) -> Any:
        flat, level = np.asarray(x.reshape(-1), dtype=float), float(sigma.reshape(-1)[0])
        return torch.as_tensor(denoised(at, flat, 1.0, level, mean)[0]).reshape(x.shape)

    takes = inspect.signature(function).parameters

    def go(x: Array, first: int, last: int, noise: Array | None) -> Array:
        state, part = torch.as_tensor(x).reshape(-1, 1), sigmas[first : last + 1]
        if noise is None:
            torch.manual_seed(first)
            found = function(model, state, part, disable=True, **own)
        else:
            drawn = torch.as_tensor(noise).reshape(-1, 1)
            taken = {"noise_sampler": lambda *_: drawn} if "noise_sampler" in takes else {}
            with intercepted(sampling(), None, drawn):
                found = function(model, state, part, disable=True, **taken, **own)
        return np.asarray(state_of(found).reshape(-1), dtype=float)

    return LoopRun(Loop([(1.0, float(s)) for s in sigmas], go), data)
