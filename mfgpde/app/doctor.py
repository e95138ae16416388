"""What this machine offers, and what each missing part would bring: the environment's report."""

from __future__ import annotations

import importlib
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from mfgpde.core import threads
from mfgpde.core.arrays import device_namespace

State = Literal["ok", "missing", "broken"]
LEAST = (3, 12)


@dataclass(frozen=True)
class Part:
    """One part of the environment: whether it works, what was found, what it enables, and whether all goes without it."""

    name: str
    state: State
    found: str
    enables: str
    needed: bool = False


def examine() -> Iterator[Part]:
    """Yield the parts, quick ones first; importing the heavy ones takes seconds."""
    right = sys.version_info >= LEAST
    yield Part("Python", "ok" if right else "broken", platform.python_version(), "everything; 3.12 or newer", True)
    yield _cores()
    for name, enables in (
        ("numpy", "arrays"),
        ("scipy", "sparse solvers, transforms"),
        ("numba", "kernels on the CPU"),
        ("jax", "learned scores and their derivatives"),
        ("ot", "transport between point clouds"),
        ("sklearn", "nearest neighbours, digits"),
        ("matplotlib", "figures"),
    ):
        yield _imported(name, enables, needed=True)
    yield _tried("Numba's threads", _numba, "kernels on all cores", needed=True)
    yield _compiler()
    yield _tried("DOLFINx", _dolfinx, "finite elements, curved domains, eigenfunctions", needed=False)
    yield _program("mpiexec", "finite elements on several processes")
    yield _tried("GPU by CuPy", _device, 'backend="cupy"')
    yield _tried("JAX's device", _jax_device, "learned scores on a GPU, where it says gpu")
    for name, enables in (
        ("torch", "scores written in PyTorch"),
        ("flint", "proofs by ball arithmetic"),
        ("pyvista", "pictures of meshes (`solve --picture`)"),
        ("fplanck", "a peer in `bench`"),
        ("pde", "a peer in `bench`"),
    ):
        yield _imported(name, enables)
    yield _program("chromium", "the tests of the report in a browser")


def sound(parts: list[Part]) -> bool:
    """Say whether all that is needed works."""
    return all(part.state == "ok" for part in parts if part.needed)


DISTRIBUTIONS = {"flint": "python-flint", "ot": "pot", "sklearn": "scikit-learn", "pde": "py-pde"}


def _imported(name: str, enables: str, needed: bool = False) -> Part:
    package = DISTRIBUTIONS.get(name, name)
    try:
        return Part(package, "ok", version(package), enables, needed)
    except PackageNotFoundError:
        return Part(package, "missing", f"pip install {package}", enables, needed)


def _tried(name: str, function: Callable[[], str], enables: str, needed: bool = False) -> Part:
    try:
        return Part(name, "ok", function(), enables, needed)
    except ImportError as problem:
        return Part(name, "missing", str(problem), enables, needed)
    except Exception as problem:  # whatever a half-installed library throws
        state: State = "missing" if isinstance(problem.__cause__, ImportError) else "broken"
        return Part(name, state, f"{type(problem).__name__}: {problem}", enables, needed)


def _program(name: str, enables: str) -> Part:
    beside = Path(sys.executable).with_name(name)
    place = str(beside) if beside.is_file() else shutil.which(name)
    return Part(name, "ok" if place else "missing", place or "not on the path", enables)


def _cores() -> Part:
    words = f"{threads.available()} cores for this process"
    ranks = threads.local_ranks()
    return Part("cores", "ok", words + (f", shared by {ranks} MPI ranks" if ranks > 1 else ""), "parallel work")


def _compiler() -> Part:
    place = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    missing = "none found: apt-get install gcc"
    return Part("C compiler", "ok" if place else "missing", place or missing, "finite elements: forms are compiled")


def _numba() -> str:
    import numpy as np

    cpu = importlib.import_module("mfgpde.kernels.cpu")
    out = np.zeros(8)
    cpu.recurrence.together(
        *(np.ones(8) for _ in range(5)), np.ones(5), out
    )  # short loops run alone, and start no layer
    if not (out == 5).all():
        raise RuntimeError(f"a kernel returned {out[0]} for 5")
    layer = importlib.import_module("numba").threading_layer()
    return f"{cpu.threads()} threads by {layer}, a kernel ran"


def _dolfinx() -> str:
    space = importlib.import_module("mfgpde.discretisations.finite_element")
    meshes = importlib.import_module("mfgpde.discretisations.finite_element.meshes")
    found = space.FiniteElement(meshes.interval(0.0, 1.0, 4), 1, "galerkin")
    return f"{version('dolfinx-solver-real')}, an element of degree {found.degree} was made"


def _device() -> str:
    xp = device_namespace()
    free, total = xp.cuda.runtime.memGetInfo()
    name = xp.cuda.runtime.getDeviceProperties(0)["name"].decode()
    return f"{name}, {free / 2**30:.0f} of {total / 2**30:.0f} GiB free, CuPy {xp.__version__}"


def _jax_device() -> str:
    scores = importlib.import_module("mfgpde.scores.jax_score")
    return scores.jax.default_backend()
