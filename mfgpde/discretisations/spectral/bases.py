"""Cosine and Fourier expansions on the cells of a box, by fast transforms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fftfreq, fftn, rfftfreq

from mfgpde.core.arrays import to_host
from mfgpde.grids import CartesianGrid
from mfgpde.kernels.tables import applied, cosine, slope, transforms

Array = NDArray[Any]


class Basis(Protocol):
    """Scalars expand in functions even at the walls; component i of a vector is odd along axis i (or all periodic).

    `xp` is the namespace whose arrays hold values and coefficients.
    """

    @property
    def grid(self) -> CartesianGrid:
        """The grid."""
        ...

    @property
    def xp(self) -> Any:
        """NumPy or CuPy."""
        ...

    @cached_property
    def laplacian(self) -> Array:
        """The eigenvalues −|k|² of Δ on scalar coefficients."""
        ...

    def analyse(self, values: Array) -> Array:
        """Return the coefficients of a scalar (*cells)."""
        ...

    def synthesise(self, coefficients: Array) -> Array:
        """Return the values of a scalar."""
        ...

    def gradient(self, coefficients: Array) -> list[Array]:
        """Return the values of ∂_i u for every axis i."""
        ...

    def divergence(self, flux: list[Array]) -> Array:
        """Return the scalar coefficients of ∇·F from the values of F_i."""
        ...

    def evaluate(self, coefficients: Array, x: Array) -> Array:
        """Return the expansion at any points x (..., d)."""
        ...


@dataclass(frozen=True)
class Fourier:
    """exp(i k·x) on a box whose opposite walls are periodic; the Nyquist mode has no derivative."""

    grid: CartesianGrid
    xp: Any = np

    @cached_property
    def frequencies(self) -> list[Array]:
        """The wave numbers along each axis, shaped to broadcast."""
        d, sizes, spacing = self.grid.dimension, self.grid.cells, self.grid.spacing
        pairs = enumerate(zip(sizes, spacing, strict=True))
        ks = [2 * np.pi * (rfftfreq(n, h) if i == d - 1 else fftfreq(n, h)) for i, (n, h) in pairs]
        return [self.xp.asarray(k.reshape((-1,) + (1,) * (d - 1 - i))) for i, k in enumerate(ks)]

    @cached_property
    def derivatives(self) -> list[Array]:
        """The symbols i k of ∂_i, zero at the Nyquist frequency of even sizes."""
        pairs = zip(self.frequencies, self.grid.cells, self.grid.spacing, strict=True)
        return [1j * k if n % 2 else np.where(np.abs(k) > np.pi / h * (1 - 1e-12), 0.0, k) * 1j for k, n, h in pairs]

    @cached_property
    def laplacian(self) -> Array:
        """−|k|²."""
        return -sum(k**2 for k in self.frequencies)  # pyright: ignore[reportReturnType]

    def analyse(self, values: Array) -> Array:
        """Return the coefficients of a scalar."""
        return transforms(self.xp).rfftn(values)

    def synthesise(self, coefficients: Array) -> Array:
        """Return the values of a scalar."""
        return transforms(self.xp).irfftn(coefficients, s=self.grid.cells)

    def gradient(self, coefficients: Array) -> list[Array]:
        """Return the values of ∂_i u."""
        return [self.synthesise(ik * coefficients) for ik in self.derivatives]

    def divergence(self, flux: list[Array]) -> Array:
        """Return the coefficients of ∇·F."""
        return sum(ik * self.analyse(f) for ik, f in zip(self.derivatives, flux, strict=True))  # pyright: ignore[reportReturnType]

    def evaluate(self, coefficients: Array, x: Array) -> Array:
        """Return the expansion at points x, by direct summation axis by axis, on the host."""
        table = fftn(to_host(self.synthesise(coefficients))) / np.prod(self.grid.cells)
        waves = []
        for i, (n, h) in enumerate(zip(self.grid.cells, self.grid.spacing, strict=True)):
            phase = np.asarray(x)[..., i] - self.grid.axes[i][0]
            k = 2 * np.pi * fftfreq(n, h)
            wave = np.exp(1j * phase[..., None] * k)
            if n % 2 == 0:
                wave[..., n // 2] = np.cos(phase * np.pi / h)
            waves.append(wave)
        return np.real(_contract(table, waves))


@dataclass(frozen=True)
class Cosine:
    """∏cos(k_i π (x_i − a_i)/L_i): zero normal derivative at walls, so ∂_t p = −∇·(fp) + DΔp keeps its mass exactly."""

    grid: CartesianGrid
    xp: Any = np

    @cached_property
    def frequencies(self) -> list[Array]:
        """The wave numbers along each axis, shaped to broadcast."""
        d = self.grid.dimension
        pairs = enumerate(zip(self.grid.cells, self.grid.lengths, strict=True))
        ks = [(np.pi / side * np.arange(n)).reshape((-1,) + (1,) * (d - 1 - i)) for i, (n, side) in pairs]
        return [self.xp.asarray(k) for k in ks]

    @cached_property
    def laplacian(self) -> Array:
        """−|k|²."""
        return -sum(k**2 for k in self.frequencies)  # pyright: ignore[reportReturnType]

    def analyse(self, values: Array) -> Array:
        """Return the coefficients of a scalar."""
        return transforms(self.xp).dctn(values, norm="ortho")

    def synthesise(self, coefficients: Array) -> Array:
        """Return the values of a scalar."""
        return transforms(self.xp).idctn(coefficients, norm="ortho")

    def gradient(self, coefficients: Array) -> list[Array]:
        """Return the values of ∂_i u: a sine series along axis i, cosines along the others."""
        values = []
        for axis, k in enumerate(self.frequencies):
            shifted = np.roll(-k * coefficients, -1, axis)  # sine k sits at index k − 1; cosine 0 has no derivative
            values.append(self._mixed(shifted, axis, inverse=True))
        return values

    def divergence(self, flux: list[Array]) -> Array:
        """Return the coefficients of ∇·F for fluxes that vanish at the walls they cross."""
        total = np.zeros_like(flux[0])
        for axis, (k, f) in enumerate(zip(self.frequencies, flux, strict=True)):
            total += k * np.roll(self._mixed(f, axis, inverse=False), 1, axis)
        return total

    def _mixed(self, u: Array, axis: int, *, inverse: bool) -> Array:
        fft = transforms(self.xp)
        sine, cosine = (fft.idst, fft.idct) if inverse else (fft.dst, fft.dct)
        for i in range(self.grid.dimension):
            u = (sine if i == axis else cosine)(u, axis=i, norm="ortho")
        return u

    def evaluate(self, coefficients: Array, x: Array) -> Array:
        """Return the expansion at points x, by direct summation axis by axis, on the host."""
        waves = []
        for i, (n, side) in enumerate(zip(self.grid.cells, self.grid.lengths, strict=True)):
            angle = np.pi / side * (np.asarray(x)[..., i] - self.grid.lower[i])
            scale = np.where(np.arange(n) == 0, np.sqrt(1 / n), np.sqrt(2 / n))
            waves.append(scale * np.cos(angle[..., None] * np.arange(n)))
        return _contract(to_host(coefficients), waves)


class CosineThere(Cosine):
    """The same on a device: a derivative and its transform are one product with a table along each axis."""

    @cached_property
    def _tables(self) -> list[tuple[Array, Array, Array, Array]]:
        """Values and slopes from coefficients, coefficients and those of derivatives from values, of each axis."""
        found = []
        for n, side in zip(self.grid.cells, self.grid.lengths, strict=True):
            slopes = slope(n) * (np.pi / side)
            four = (cosine(n).T, slopes, cosine(n), -slopes.T)
            found.append(tuple(self.xp.asarray(np.ascontiguousarray(table)) for table in four))
        return found

    def gradient(self, coefficients: Array) -> list[Array]:
        """Return the values of ∂_i u."""
        return [self._along(coefficients, axis, back=False) for axis in range(self.grid.dimension)]

    def divergence(self, flux: list[Array]) -> Array:
        """Return the coefficients of ∇·F, the negative adjoint of the gradient."""
        return reduce(np.add, (self._along(f, axis, back=True) for axis, f in enumerate(flux)))

    def _along(self, u: Array, axis: int, *, back: bool) -> Array:
        for i, tables in enumerate(self._tables):
            u = applied(tables[2 * back + (i == axis)], u, i)
        return u


def _contract(table: Array, waves: list[Array]) -> Array:
    """Return Σ table[k₁…k_d] ∏ waves_i[..., k_i]."""
    letters = "abc"[: table.ndim]
    return np.einsum(f"{letters},{','.join(f'...{c}' for c in letters)}->...", table, *waves, optimize=True)
