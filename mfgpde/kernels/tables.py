"""Fast transforms where arrays lie; on a device, cosine transforms as products with a table: one launch an axis, not ten.

A product of an n × n table with N/n lines costs 2nN operations; on a device that multiplies matrices at tens of teraflops
this is less than the launches of a fast transform up to a thousand points and more.
"""

from __future__ import annotations

from functools import cache, lru_cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfgpde.core.arrays import contiguous, device_namespace, elsewhere
from mfgpde.kernels import stencils

OWN = 512
"""points along an axis up to which our kernel, whose launch takes less than a library's call, takes less time in all"""
LARGEST = 1024
"""points along an axis up to which tables are used; 8 MiB each"""


@lru_cache(maxsize=16)
def cosine(n: int) -> NDArray[np.float64]:
    """Return the orthonormal cosine transform of type two, (frequencies, points)."""
    angle = np.pi / (2 * n) * ((2 * np.arange(n) + 1) * np.arange(n)[:, None] % (4 * n))  # exact periods: small angles
    table = np.sqrt(2 / n) * np.cos(angle)
    table[0] = np.sqrt(1 / n)
    return table


@lru_cache(maxsize=16)
def slope(n: int) -> NDArray[np.float64]:
    """Return the table from orthonormal cosine coefficients to slopes, (points, frequencies), on n points π/n apart."""
    k = np.arange(n)
    angle = np.pi / (2 * n) * ((2 * k[:, None] + 1) * k % (4 * n))
    return -np.sqrt(2 / n) * k * np.sin(angle)


def applied(table: Any, u: Any, axis: int) -> Any:
    """Return Σ_j table[i, j] u[…, j, …] along an axis."""
    n = u.shape[axis]
    before, after = u.shape[:axis], u.shape[axis + 1 :]
    if elsewhere(u) and max(table.shape) <= OWN and table.dtype == u.dtype:
        out = np.empty_like(u, shape=(*before, len(table), *after))
        lines = (prod(before), n, prod(after))
        stencils.on_device().table_product(table, contiguous(u).reshape(lines), out.reshape(lines[0], -1, lines[2]))
        return out
    if not after:
        return (u.reshape(-1, n) @ table.T).reshape(*before, -1)
    return (table @ u.reshape(prod(before), n, prod(after))).reshape(*before, -1, *after)


def transforms(xp: Any) -> Any:
    """Return fast Fourier, cosine and sine transforms: SciPy's, or a device's functions of the same names."""
    if xp is np:
        import scipy.fft

        return scipy.fft
    return there()


@cache
def there() -> Transforms:
    """Return the device's."""
    import cupyx.scipy.fft  # pyright: ignore[reportMissingImports]

    return Transforms(cupyx.scipy.fft, device_namespace().asarray)


class Transforms:
    """The transforms of a device: `dctn` and `idctn` of type two by tables, all else, and long axes, by `fast` ones."""

    def __init__(self, fast: Any, asarray: Any) -> None:
        self.fast, self.asarray = fast, asarray
        self._tables: dict[tuple[int, str | None, bool], Any] = {}

    def dctn(self, u: Any, axes: tuple[int, ...] | None = None, norm: str | None = None) -> Any:
        """Return the cosine coefficients, as SciPy's function of this name does."""
        return self._along(u, axes, norm, inverse=False)

    def idctn(self, u: Any, axes: tuple[int, ...] | None = None, norm: str | None = None) -> Any:
        """Return what has these cosine coefficients."""
        return self._along(u, axes, norm, inverse=True)

    def _along(self, u: Any, axes: tuple[int, ...] | None, norm: str | None, *, inverse: bool) -> Any:
        chosen = tuple(range(u.ndim)) if axes is None else axes
        if max(u.shape[axis] for axis in chosen) > LARGEST:
            return (self.fast.idctn if inverse else self.fast.dctn)(u, axes=axes, norm=norm)
        for axis in chosen:
            u = applied(self._table(u.shape[axis], norm, inverse), u, axis)
        return u

    def _table(self, n: int, norm: str | None, inverse: bool) -> Any:
        key = (n, norm, inverse)
        if key not in self._tables:
            scale = np.full(n, np.sqrt(2 * n))
            scale[0] = 2 * np.sqrt(n)
            scale = scale if norm is None else np.ones(n)
            table = cosine(n)
            self._tables[key] = self.asarray(
                np.ascontiguousarray((table / scale[:, None]).T if inverse else table * scale[:, None])
            )
        return self._tables[key]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.fast, name)
