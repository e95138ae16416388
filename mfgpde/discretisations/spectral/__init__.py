"""Spectral discretisations: Fourier on periodic boxes, cosines between walls, exact propagation for linear processes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from mfgpde.core.arrays import Array, Backend, check_backend, namespace, require_memory
from mfgpde.discretisations.contract import Semidiscrete
from mfgpde.discretisations.spectral.bases import Basis, Cosine, CosineThere, Fourier
from mfgpde.discretisations.spectral.interacting import SpectralInteraction
from mfgpde.discretisations.spectral.kolmogorov import SpectralKolmogorov
from mfgpde.discretisations.spectral.mehler import propagate
from mfgpde.discretisations.spectral.systems import (
    Diffusive,
    SpectralDensity,
    SpectralHamiltonJacobi,
    SpectralScore,
)
from mfgpde.equations import (
    Continuity,
    Diffusing,
    Equation,
    FokkerPlanck,
    Kolmogorov,
    McKeanVlasov,
    ScoreFokkerPlanck,
    ViscousHamiltonJacobi,
)
from mfgpde.grids import CartesianGrid
from mfgpde.kernels.tables import LARGEST

FIELDS = 40
"""arrays that a step of ETDRK4 holds at once: stages, weights, and the transforms' own, two words a coefficient"""

__all__ = ["Cosine", "Fourier", "Spectral", "propagate"]


@dataclass(frozen=True)
class Spectral:
    """Spectral accuracy for smooth solutions. Periodic boxes use Fourier series, walled ones cosines.

    With walls, densities must vanish there and Hamilton–Jacobi equations reflect; the score equation needs periodic walls.

    `backend="cupy"` computes on a GPU, with CuPy's transforms ("auto": where there is one); fields come back to the host.

    >>> space = mfg.Spectral(mfg.CartesianGrid.cube(6.0, 64, 1))
    >>> law = mfg.solve(mfg.FokkerPlanck.of(mfg.Brownian()), space, mfg.gaussian(0.0, 0.25), (0.0, 0.5)).at(0.5)
    >>> print(f"{law.expectation(lambda x: x[..., 0] ** 2):.6f}")  # 0.25 + t
    0.750000
    """

    grid: CartesianGrid
    backend: Backend = "numpy"
    order: ClassVar[float] = float("inf")
    walls: ClassVar[str] = "far"

    def __post_init__(self) -> None:
        check_backend(self.backend)
        if any(self.grid.periodic) != all(self.grid.periodic):
            raise ValueError(
                f"a spectral box is periodic along all axes or along none, got periodic={self.grid.periodic}"
            )

    def __reduce__(self) -> tuple[type[Spectral], tuple[CartesianGrid, Backend]]:
        return type(self), (self.grid, self.backend)  # the basis holds a module, and follows from these

    @property
    def widths(self) -> Array:
        """How far nodes are apart along each axis (d,)."""
        return np.asarray(self.grid.spacing)

    @property
    def steepest(self) -> tuple[float, str]:
        """No number: what it cannot resolve are ripples, which end a run."""
        return np.inf, ""

    @cached_property
    def basis(self) -> Basis:
        """The expansion that fits the walls."""
        return self._basis(np)

    def _basis(self, xp: Any) -> Basis:
        if all(self.grid.periodic):
            return Fourier(self.grid, xp)
        by_tables = xp is not np and max(self.grid.cells) <= LARGEST
        return (CosineThere if by_tables else Cosine)(self.grid, xp)

    def semidiscretise(self, equation: Equation) -> Semidiscrete:
        """Return the scheme for this equation."""
        xp = namespace(self.backend)
        require_memory(xp, FIELDS * 8 * int(np.prod(self.grid.cells)), f"a spectral solve on {self.grid.cells} cells")
        basis = self._basis(xp)
        if isinstance(equation, Continuity):
            return SpectralDensity(equation, basis, Diffusive(basis.laplacian, lambda t: 0.0))
        if isinstance(equation, Kolmogorov):
            return SpectralKolmogorov(equation, basis)
        if isinstance(equation, McKeanVlasov):
            return SpectralInteraction(equation, basis)
        if not isinstance(equation, Diffusing):
            raise TypeError(f"Spectral has no scheme for {type(equation).__name__}")
        diffusion = Diffusive(basis.laplacian, equation.diffusivity)
        if isinstance(equation, FokkerPlanck):
            return SpectralDensity(equation, basis, diffusion)
        if isinstance(equation, ScoreFokkerPlanck):
            if not isinstance(basis, Fourier):
                raise ValueError("the spectral score equation needs a box periodic along all axes")
            return SpectralScore(equation, basis, basis.derivatives, diffusion)
        if isinstance(equation, ViscousHamiltonJacobi):
            return SpectralHamiltonJacobi(equation, basis, diffusion)
        raise TypeError(f"Spectral has no scheme for {type(equation).__name__}")

    def interpolate(self, values: Array, x: Array) -> Array:
        """Return the expansion at points x, spectrally accurate."""
        if values.ndim == self.grid.dimension:
            return self.basis.evaluate(self.basis.analyse(values), x)
        parts = [Spectral.interpolate(self, part, x) for part in np.moveaxis(values, -1, 0)]
        return np.stack(parts, axis=-1)

    def gradient(self, values: Array) -> Array:
        """Return the gradient of the expansion, spectrally accurate."""
        return np.stack(self.basis.gradient(self.basis.analyse(values)), axis=-1)

    def refined(self, k: int = 1) -> Spectral:
        """Return the same basis on 2^k times as many cells per axis."""
        return replace(self, grid=self.grid.refined(k))


def examples() -> Iterator[Spectral]:
    """Yield members to hold the laws to: cosines, waves, and gigametres."""
    yield Spectral(CartesianGrid.cube(7.0, 48, 1))
    yield Spectral(CartesianGrid.cube(7.0, 20, 1, periodic=True))
    yield Spectral(CartesianGrid((3e9,), (17e9,), (48,)))
