"""Array idioms shared by all rooms, and the one place that knows where arrays lie: component axes come last."""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Backend = Literal["auto", "numpy", "cupy"]


def dot(a: Array, b: Array) -> Array:
    """Return Σ_i a_i b_i over the last axis; several times faster than a sum over an axis of length one to three."""
    return np.einsum("...i,...i->...", a, b)


def check_backend(backend: str) -> None:
    """Raise ValueError for a name that is none."""
    if backend not in ("auto", "numpy", "cupy"):
        raise ValueError(f"backend must be 'auto', 'numpy' or 'cupy', got {backend!r}")


def namespace(backend: str) -> Any:
    """Return NumPy or CuPy for a backend; "auto" is CuPy where it can be used.

    Raises RuntimeError if "cupy" is asked for and there is no CuPy, driver or device, and says what was found.
    """
    check_backend(backend)
    if backend == "numpy":
        return np
    try:
        return device_namespace()
    except RuntimeError:
        if backend == "auto":
            return np
        raise


def device_namespace() -> ModuleType:
    """Return CuPy if it can compute; RuntimeError says what is missing."""
    try:
        import cupy  # pyright: ignore[reportMissingImports]
    except ImportError as problem:
        raise RuntimeError(
            f"backend='cupy' needs CuPy, which cannot be imported ({problem}): `pip install cupy-cuda13x`, "
            "or use backend='numpy'"
        ) from problem
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as problem:
        raise RuntimeError(
            f"backend='cupy': CuPy {cupy.__version__} found no usable driver ({problem}); on a machine with an NVIDIA GPU "
            "install its driver, elsewhere use backend='numpy' or 'auto'"
        ) from problem
    if count == 0:
        raise RuntimeError("backend='cupy': the driver sees no device; use backend='numpy' or 'auto'")
    return cupy


def namespace_of(array: Any) -> Any:
    """Return the namespace to which an array belongs."""
    return np if isinstance(array, np.ndarray) else device_namespace()


@runtime_checkable
class DeviceArray(Protocol):
    """What an array on a device has and one on the host has not."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its entries."""
        ...

    def get(self) -> np.ndarray:
        """Return a copy on the host."""
        ...


def beside(values: Any, x: Any) -> Any:
    """Return an array from the host where x lies: itself, or sent to the device."""
    return values if isinstance(x, np.ndarray) else np.asarray(values, like=x)


def elsewhere(x: Any) -> bool:
    """Say whether an array lies on a device; asked once a type, for it is asked before every launch."""
    kind = type(x)
    if kind not in _ELSEWHERE:
        _ELSEWHERE[kind] = not issubclass(kind, np.ndarray) and isinstance(x, DeviceArray)
    return _ELSEWHERE[kind]


_ELSEWHERE: dict[type, bool] = {}


def contiguous(array: Any) -> Any:
    """Return the array itself if it is C-contiguous, else a copy that is; NumPy's function would fetch a device's."""
    return array if array.flags.c_contiguous else array.copy()


def to_host(array: Any) -> Array:
    """Return a NumPy array: itself, or a device's copied."""
    return array if isinstance(array, np.ndarray) else array.get()


def memory_left() -> str:
    """Return how much memory of the device is free, in words."""
    free, total = device_namespace().cuda.runtime.memGetInfo()
    return f"{free / 2**30:.3g} of {total / 2**30:.3g} GiB are free on the device"


def require_memory(xp: Any, needed: int, what: str) -> None:
    """Raise MemoryError, before anything is allocated, if a device lacks room for so many bytes."""
    if xp is np:
        return
    free, total = xp.cuda.runtime.memGetInfo()
    if needed > free:
        raise MemoryError(
            f"{what} needs about {needed / 2**30:.3g} GiB on the device, {free / 2**30:.3g} of {total / 2**30:.3g} GiB are "
            "free; use a coarser grid, or backend='numpy'"
        )


def require_host_memory(needed: int, what: str) -> None:
    """Raise MemoryError, before anything is allocated, if so many bytes are more than the host has; where that is known."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return
    if needed > total:
        raise MemoryError(
            f"{what} need about {needed / 2**30:.3g} GiB, the host has {total / 2**30:.3g}; use a coarser grid"
        )
