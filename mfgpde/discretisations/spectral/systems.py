"""Pseudo-spectral right-hand sides: diffusion is diagonal, everything else is multiplied out at cell centres."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy.fft import dct, dst, idct

from mfgpde.core.arrays import contiguous, to_host
from mfgpde.core.recent import Recent
from mfgpde.discretisations.checks import checked, computing
from mfgpde.discretisations.coefficients import Evaluating
from mfgpde.discretisations.spectral.bases import Array, Basis, Cosine
from mfgpde.equations import Continuity, FokkerPlanck, ScoreFokkerPlanck, ViscousHamiltonJacobi
from mfgpde.grids import CartesianGrid
from mfgpde.integrators import ETDRK4, Integrator
from mfgpde.integrators.contract import Moving
from mfgpde.processes.contract import relaxation_of


@dataclass(eq=False)
class Diffusive:
    """D(t)Δ as a diagonal: its midpoint value over a step is stiff, the rest of it explicit."""

    laplacian: Array
    diffusivity: Callable[[float], object]
    _last: tuple[float, Array] | None = None

    def at(self, t: float) -> float:
        """Return D(t)."""
        return float(self.diffusivity(t))  # pyright: ignore[reportArgumentType]

    def stiff(self, t0: float, t1: float) -> Array:
        """Return D((t0+t1)/2)·Δ; the same array object while the number does not change."""
        D = self.at(0.5 * (t0 + t1))
        if self._last is None or self._last[0] != D:
            self._last = (D, D * self.laplacian)
        return self._last[1]

    def added(self, rest: Array, u: Array, t: float, stiff: Array) -> Array:
        """Return rest + (D(t)Δ − stiff)u; nothing is added where D does not depend on time."""
        D = self.at(t)
        return rest if self._last is not None and self._last[0] == D else rest + (D * self.laplacian - stiff) * u


class Expanded(ABC):
    """A system whose unknowns are the coefficients of one field, split into a stiff diagonal and the rest."""

    basis: Basis

    @abstractmethod
    def stiff(self, t0: float, t1: float) -> Array:
        """Return the diagonal on [t0, t1]."""

    @abstractmethod
    def nonstiff(self, u: Array, t: float, stiff: Array) -> Array:
        """Return everything but stiff·u."""

    def rate(self, u: Array, t: float) -> Array:
        """Return the whole right-hand side."""
        stiff = self.stiff(t, t)
        return stiff * u + self.nonstiff(u, t, stiff)

    def mass(self, u: Array) -> float:
        """Return the integral of the field."""
        return float(self.basis.grid.integrate(self.basis.synthesise(u)))

    def start(self, initial: Callable[[Array], Array]) -> Array:
        """Return the coefficients of the initial condition."""
        values = checked(initial(self.basis.grid.points), self.basis.grid.cells, "the initial condition")
        return self.basis.analyse(self.basis.xp.asarray(np.ascontiguousarray(values)))

    def values(self, u: Array) -> Array:
        """Return the values at cell centres, on the host."""
        return to_host(self.basis.synthesise(u))


@dataclass(eq=False)
class SpectralDensity(Expanded, Evaluating):
    """∂_t p̂ = −(∇·(f p))^ + D Δ̂ p̂; with D = 0 the continuity equation."""

    equation: FokkerPlanck | Continuity
    basis: Basis
    diffusion: Diffusive
    default_integrator: Integrator = field(default_factory=ETDRK4)
    _recent: Recent[list[Array]] = field(default_factory=lambda: Recent(4), repr=False)

    @property
    def grid(self) -> CartesianGrid:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The grid."""
        return self.basis.grid

    @property
    def xp(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Where the coefficients lie."""
        return self.basis.xp

    @property
    def still(self) -> bool:
        """Whether the drift and the diffusivity do not depend on time."""
        return not self.equation.time_dependent

    def velocity(self, t: float) -> list[Array]:
        """Return f_i at cell centres, computed once per instant."""
        key = t if self.equation.time_dependent else 0.0
        return self._recent(key, lambda: self._velocity(key))

    def _velocity(self, t: float, looked_at: bool = True) -> list[Array]:
        field_at = self.equation.velocity if isinstance(self.equation, Continuity) else self.equation.drift
        points = self.grid.points
        values = self.coefficients(field_at, points, t, points.shape, f"the drift at t = {t:g}", looked_at)
        return [contiguous(values[..., i]) for i in range(self.grid.dimension)]

    def stiff(self, t0: float, t1: float) -> Array:
        """Return D·Δ on [t0, t1]."""
        return self.diffusion.stiff(t0, t1)

    def nonstiff(self, u: Array, t: float, stiff: Array) -> Array:
        """Return −(∇·(f p))^ and the part of diffusion that `stiff` leaves out."""
        return self.diffusion.added(self.inflow(u, self.velocity(t)), u, t, stiff)

    def rates(self, fields: Array, times: Array) -> Array:
        """Return ∂_t at cell centres of many fields (m, *cells), each at its time; cosines on a line go through at once."""
        if not isinstance(self.basis, Cosine) or self.basis.xp is not np or self.grid.dimension > 1:
            found = [
                self.rate(self.basis.analyse(self.xp.asarray(u)), float(t)) for u, t in zip(fields, times, strict=True)
            ]
            return np.stack([self.values(one) for one in found])
        (k,), spread = self.basis.frequencies, np.array([[self.diffusion.at(float(t))] for t in times])
        relaxation = relaxation_of(self.equation.drift) if isinstance(self.equation, FokkerPlanck) else None
        if relaxation is None:
            velocity = np.stack([self.velocity(float(t))[0] for t in times])
        else:
            velocity = np.outer([-float(relaxation(float(t))) for t in times], self.grid.axes[0])
        flux = k[1:] * dst(velocity * fields, axis=1, norm="ortho")[:, :-1]
        change = spread * self.basis.laplacian * dct(fields, axis=1, norm="ortho")
        change[:, 1:] -= flux
        return np.asarray(idct(change, axis=1, norm="ortho"))

    def inflow(self, u: Array, velocity: Sequence[Array]) -> Array:
        """Return −(∇·(f p))^."""
        p = self.basis.synthesise(u)
        return -self.basis.divergence([f * p for f in velocity])

    def over(self, t: float, dt: float) -> Moving | None:
        """Return what a step on a device reads: D at its three times, and velocities, of a drift −a(t) x as numbers."""
        times, d = (t, t + 0.5 * dt, t + dt), self.grid.dimension
        D = [self.diffusion.at(0.5 * (t + (t + dt))), *map(self.diffusion.at, times)]
        relaxation = relaxation_of(self.equation.drift) if isinstance(self.equation, FokkerPlanck) else None
        if relaxation is not None:
            pull, points = [-float(relaxation(one)) for one in times], self.coordinates
            if not np.isfinite(pull).all():
                return None  # said by who looks at it

            def pulled(numbers: Any, _: tuple[Any, ...]) -> SpectralMoment:
                return SpectralMoment(self, numbers, [[numbers[4 + k : 5 + k] * x for x in points] for k in range(3)])

            return Moving(np.array(D + pull), (), pulled, "pulled")
        guessed = {one: self._velocity(one, looked_at=False) for one in times if one not in self._recent}
        velocities = [guessed[one] if one in guessed else self.velocity(one) for one in times]
        asked = np.stack([np.sum(0 * f) for found in guessed.values() for f in found]) if guessed else None

        def told(numbers: Array) -> bool:
            if not np.isfinite(numbers).all():
                return False
            for one, found in guessed.items():
                self._recent(one, lambda found=found: found)
            return True

        def given(numbers: Any, arrays: tuple[Any, ...]) -> SpectralMoment:
            return SpectralMoment(self, numbers, [list(arrays[k * d : (k + 1) * d]) for k in range(3)])

        return Moving(np.array(D), tuple(f for found in velocities for f in found), given, "given", asked, told)

    @cached_property
    def coordinates(self) -> list[Array]:
        """The coordinates of cell centres, where fields lie."""
        return [self.xp.asarray(np.ascontiguousarray(self.grid.points[..., i])) for i in range(self.grid.dimension)]


@dataclass(frozen=True, eq=False)
class SpectralMoment:
    """The same over one step, from D over the step and at times 0, 1, 2, and velocities at those."""

    system: SpectralDensity
    diffusivities: Any
    velocities: list[list[Any]]

    def stiff(self, t0: int, t1: int) -> Array:
        """Return D·Δ over the step."""
        return self.diffusivities[:1] * self.system.diffusion.laplacian

    def nonstiff(self, u: Array, t: int, stiff: Array) -> Array:
        """Return everything but stiff·u."""
        rest = self.system.inflow(u, self.velocities[t])
        return rest + (self.diffusivities[1 + t : 2 + t] * self.system.diffusion.laplacian - stiff) * u


@dataclass(eq=False)
class SpectralHamiltonJacobi(Expanded):
    """∂_t û = D Δ̂ û − (H(x, ∇u, t))^."""

    equation: ViscousHamiltonJacobi
    basis: Basis
    diffusion: Diffusive
    default_integrator: Integrator = field(default_factory=ETDRK4)

    @cached_property
    def points(self) -> Array:
        """The cell centres where H is evaluated, once it is known to compute there."""
        return computing(self.equation.hamiltonian, "the Hamiltonian", self.basis.grid, self.basis.xp)

    def stiff(self, t0: float, t1: float) -> Array:
        """Return D·Δ on [t0, t1]."""
        return self.diffusion.stiff(t0, t1)

    def nonstiff(self, u: Array, t: float, stiff: Array) -> Array:
        """Return −(H)^ and the part of diffusion that `stiff` leaves out."""
        gradient = np.stack(self.basis.gradient(u), axis=-1)
        H = self.equation.hamiltonian(self.points, gradient, t)
        return self.diffusion.added(-self.basis.analyse(H), u, t, stiff)


@dataclass(eq=False)
class SpectralScore(Expanded):
    """∂_t ŝ_i = (∂_i[D∇·s + Q|s|² − f·s − ∇·f])^ on periodic boxes; components lead: (d, *frequencies).

    DΔs_i is the stiff part; D(∂_i∇·s − Δs_i), which vanishes for gradients, is carried along explicitly.
    """

    equation: ScoreFokkerPlanck
    basis: Basis
    derivatives: list[Array]
    diffusion: Diffusive
    default_integrator: Integrator = field(default_factory=ETDRK4)

    @cached_property
    def points(self) -> Array:
        """The cell centres where the bracket is evaluated, once it is known to compute there."""
        return computing(self.equation.transport, "the drift", self.basis.grid, self.basis.xp)

    def stiff(self, t0: float, t1: float) -> Array:
        """Return D·Δ on [t0, t1]."""
        return self.diffusion.stiff(t0, t1)

    def nonstiff(self, u: Array, t: float, stiff: Array) -> Array:
        """Return everything but stiff·u."""
        bracket = self.basis.analyse(self.equation.transport(self.points, self._components(u), t))
        D = self.diffusion.at(t)
        bracket = bracket + D * sum(ik * s for ik, s in zip(self.derivatives, u, strict=True))
        return np.stack([ik * bracket for ik in self.derivatives]) - stiff * u

    def mass(self, u: Array) -> float:
        """Return ∫Σ_i s_i."""
        return float(np.sum(self.basis.grid.integrate(self._components(u))))

    def start(self, initial: Callable[[Array], Array]) -> Array:
        """Return the coefficients of the initial score."""
        points = self.basis.grid.points
        values = checked(initial(points), points.shape, "the initial score")
        parts = [self.basis.xp.asarray(np.ascontiguousarray(v)) for v in np.moveaxis(values, -1, 0)]
        return np.stack([self.basis.analyse(v) for v in parts])

    def _components(self, u: Array) -> Array:
        return np.stack([self.basis.synthesise(s) for s in u], axis=-1)

    def values(self, u: Array) -> Array:
        """Return the values at cell centres (*cells, d), on the host."""
        return to_host(self._components(u))
