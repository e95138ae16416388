"""The device's kernels on the host: the same CUDA C++ behind a shim that loops over blocks and threads."""

import ctypes
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mfgpde.kernels.device import DeviceStencils
from mfgpde.kernels.launch import signatures, source

FLAGS = ["-std=c++17", "-O1", "-shared", "-fPIC", "-Wall", "-Werror", "-Wno-unused-function", "-Wno-unknown-pragmas"]
TRAPS = ["-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", "-ffp-contract=off"]


@cache
def library(kernels, real, backwards):
    """Return a source compiled for the host, with a function to launch each kernel."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    launchers = []
    for name, kinds in signatures().items():
        parameters = ", ".join(f"{kind} a{k}" for k, kind in enumerate(kinds))
        given = ", ".join(f"a{k}" for k in range(len(kinds)))
        start = kernels.index(f"__global__ void {name}(")
        barriers = str("BARRIER" in kernels[start : kernels.index("\n}\n", start)]).lower()
        launchers.append(
            f'extern "C" void launch_{name}(const int* grid, int threads, {parameters}) '
            f"{{ shim_launch(grid, threads, {barriers}, {str(backwards).lower()}, [=] {{ {name}({given}); }}); }}"
        )
    shim = Path(__file__).with_name("host_shim.h")
    text = f'#define REAL {real}\n#include "{shim}"\n{kernels}\n' + "\n".join(launchers)
    out = Path(tempfile.mkdtemp()) / "stencils.so"
    subprocess.run([compiler, *FLAGS, *TRAPS, "-x", "c++", "-", "-o", out], input=text, text=True, check=True)
    return ctypes.CDLL(str(out))


def stencils_on_host(backwards=False, kernels=None):
    """Return the device's stencils for NumPy arrays."""

    def runner(name, real):
        function = getattr(library(kernels or source(), real, backwards), f"launch_{name}")

        def launch(grid, block, arguments):
            c_real = ctypes.c_double if real == "double" else ctypes.c_float
            types = {"real": c_real, "int": ctypes.c_int, "wide": ctypes.c_longlong}
            passed = [
                ctypes.c_void_p(a.ctypes.data) if kind.endswith("*") else types[kind](a.item())
                for a, kind in zip(arguments, signatures()[name], strict=True)
            ]
            function((ctypes.c_int * 3)(*grid, *[1] * (3 - len(grid))), block[0], *passed)

        return launch

    return DeviceStencils(runner)


@pytest.fixture(scope="session")
def on_host():
    """Return the function above."""
    return stencils_on_host


def jump_rates(shape, periodic, rng):
    """Return up and down of each axis, one after the other, with walls or periodic ends."""
    found = []
    for axis, n in enumerate(shape):
        for _ in range(2):
            a = rng.random(tuple(k + (i == axis) for i, k in enumerate(shape)))
            ends = np.moveaxis(a, axis, 0)
            ends[n] = ends[0] = ends[0] if periodic else 0.0
            found.append(a)
    return found


@pytest.fixture(scope="session")
def rates():
    """Return the function above."""
    return jump_rates
