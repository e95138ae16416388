"""Hamilton–Jacobi equations with kinks: WENO5 slopes from both sides, and the Hamiltonian of Lax and Friedrichs.

Ĥ = H(x, ½(p⁻ + p⁺)) − ½ Σ_i a_i (p_i⁺ − p_i⁻), a_i ≥ |∂H/∂p_i|: monotone in what is smooth, so that kinks are those of the
viscosity solution. Order five where that is smooth and D = 0; diffusion is of order four.
Jiang, Peng, SIAM J. Sci. Comput. 21 (2000); Crandall, Lions, Math. Comp. 43 (1984).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from mfgpde.core.arrays import Array, contiguous, to_host
from mfgpde.discretisations.finite_volume.hamilton_jacobi import AtCentres, fill_ends, steepest, step_of
from mfgpde.integrators import SSPRK43, Integrator
from mfgpde.integrators.side_by_side import joined
from mfgpde.kernels import stencils
from mfgpde.kernels.weno import FAR, MIRRORED, PERIODIC


@dataclass(eq=False)
class EssentiallyNonOscillatory(AtCentres):
    """∂_t u = DΔu − H(x, ∇u, t) at cell centres; explicit, best where D does not rule the time step."""

    default_integrator: Integrator = field(default_factory=SSPRK43)
    inviscid: ClassVar[bool] = True
    """D = 0 is allowed: the viscosity solution needs none"""
    limited: ClassVar[bool] = True
    """its order is one at kinks"""

    def _slopes(self, u: Array) -> tuple[Array, Array, Array]:
        """Return p⁻, p⁺ (*cells, d) and Δu: one pass an axis."""
        u, kernels = contiguous(u), stencils.of(u)
        low, high = (np.empty_like(u, shape=(u.size, u.ndim)) for _ in range(2))
        laplacian = np.empty_like(u, shape=(u.size,))
        for axis, (n, h) in enumerate(zip(u.shape, self.grid.spacing, strict=True)):
            walls = PERIODIC if self.grid.periodic[axis] else MIRRORED if self.walls == "reflecting" else FAR
            lines = u.reshape(-1, n, int(np.prod(u.shape[axis + 1 :])))
            kernels.weno_slopes(lines, 1 / h, walls, axis, low, high, laplacian)
        shape = (*u.shape, u.ndim)
        return low.reshape(shape), high.reshape(shape), laplacian.reshape(u.shape)

    def rate(self, u: Array, t: float, out: Array | None = None) -> Array:
        """Return DΔu − Ĥ."""
        if self.askable:
            points, rest = self.question(u)
            return self.rate_of(rest, self.answer(points, t), self.diffusivity(t))
        low, high, laplacian = self._slopes(u)
        middle, D = 0.5 * (low + high), float(self.equation.diffusivity(t))
        H = self.equation.hamiltonian(self.points, middle, t) - 0.5 * (high - low) @ self._fastest(low, high, t)
        return D * laplacian - H

    def question(self, u: Array) -> tuple[Array, Array]:
        """Return the mean slopes and the ends of differences on both sides of them, (1 + 4d, *cells, d): one call of H.

        Beside them, in a line: Δu, p⁺ − p⁻, and the steps of the differences.
        """
        low, high, laplacian = self._slopes(u)
        d = u.ndim
        points, steps = np.empty_like(u, shape=(1 + 4 * d, *low.shape)), (step_of(low), step_of(high))
        points[0] = 0.5 * (low + high)
        fill_ends(low, steps[0], points[1 : 1 + 2 * d])
        fill_ends(high, steps[1], points[1 + 2 * d :])
        return points, joined(laplacian, high - low, *steps)

    def rate_of(self, rest: Array, answer: Array, D: Array | float) -> Array:
        """Return DΔu − Ĥ."""
        cells, d, size = self.grid.cells, self.grid.dimension, int(np.prod(self.grid.cells))
        laplacian, jumps = rest[:size].reshape(cells), rest[size : (1 + d) * size].reshape(*cells, d)
        low, high = answer[1 : 1 + 2 * d], answer[1 + 2 * d :]
        fastest = np.maximum(steepest(low, rest[-2:-1]), steepest(high, rest[-1:]))
        spread = 0.5 * np.sum(jumps * fastest, axis=-1)
        return D * laplacian - (answer[0] - spread)

    def _fastest(self, low: Array, high: Array, t: float) -> Array:
        """Return max|∂H/∂p_i| at the slopes from both sides, where the slopes lie."""
        return np.maximum(self.fastest(low, t), self.fastest(high, t))

    def spectral_radius(self, u: Array, t: float) -> float:
        """Return Σ 16D/3h² + Σ 2 a_i/h_i with a margin of 10 %."""
        low, high, _ = self._slopes(u)
        D, spacing = float(self.equation.diffusivity(t)), self.grid.spacing
        fastest = to_host(self._fastest(low, high, t))
        advective = sum(2 * float(a) / h for a, h in zip(fastest, spacing, strict=True))
        return 1.1 * (advective + sum(16 * D / (3 * h**2) for h in spacing))
