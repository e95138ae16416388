"""Which kernels belong to an array: Numba's for NumPy's, those on the device for a device's."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from mfgpde.core.arrays import device_namespace
from mfgpde.kernels import cpu
from mfgpde.kernels.device import DeviceStencils
from mfgpde.kernels.launch import PRELUDE, source


def of(array: Any) -> Any:
    """Return the module `cpu`, or the device's kernels."""
    return cpu if isinstance(array, np.ndarray) else on_device()


@cache
def on_device() -> DeviceStencils:
    """Return the kernels compiled for this machine's device, one module a type."""
    cupy = device_namespace()

    @cache
    def module(real: str) -> Any:
        return cupy.RawModule(code=PRELUDE + source(), options=("--std=c++17", f"-DREAL={real}"))

    return DeviceStencils(lambda name, real: module(real).get_function(name))
