"""Fokker–Planck by exponential fitting (Scharfetter–Gummel), with rates that may depend on time.

Face flux F = (D/h)[B(−w) p_left − B(w) p_right], w = v h/D, B(w) = w/(e^w − 1): positive, conservative, second order,
and exact for the Gibbs density when w is the difference of potentials. With order 4 the leading error of the flux,
itself a combination of fluxes, is taken off: equilibria stay exact, positivity is no longer guaranteed. Its unknowns are
values at centres; fields are means over cells with both orders.
Scharfetter, Gummel, IEEE Trans. ED 16 (1969).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array, contiguous, to_host
from mfgpde.core.recent import Recent
from mfgpde.densities import cell_means
from mfgpde.discretisations.checks import checked
from mfgpde.discretisations.coefficients import Evaluating
from mfgpde.discretisations.finite_volume.fitted_chain import (
    FittedChain,
    departures,
    fitted,
    largest_and_fastest,
    upwind,
)
from mfgpde.discretisations.finite_volume.markov_chain import MarkovChain
from mfgpde.discretisations.finite_volume.moving_chain import Chain, fitted_over, mean_chain, pulled_over, stored_over
from mfgpde.discretisations.finite_volume.pulled import Pulled
from mfgpde.discretisations.means import centres_of, means_of
from mfgpde.equations import BackwardKolmogorov, FokkerPlanck
from mfgpde.grids import CartesianGrid
from mfgpde.integrators import Integrator, RungeKuttaChebyshev
from mfgpde.integrators.contract import Moving
from mfgpde.processes.contract import relaxation_of


def _check_periodic(velocity: Array, axis: int, t: float) -> None:
    """Raise ValueError unless both ends of a periodic axis see the same velocity: else mass would be lost there."""
    first, last = (velocity[(slice(None),) * axis + (k,)] for k in (0, -1))
    jump, largest = map(float, to_host(np.stack([np.abs(last - first).max(), np.abs(velocity).max()])))
    if jump > 1e-8 * largest:
        raise ValueError(
            f"the drift at t = {t:g} jumps by {jump:.2g} across the periodic walls of axis {axis}; "
            "use a drift periodic in the box, or a grid with walls"
        )


def _segment_mean(velocity: Array, axis: int, periodic: bool) -> Array:
    """Return the mean velocity between the centres beside each face, v + h²v″/24 + O(h⁴); walls carry no flux.

    Next to a wall, where the velocity is not known, v″ is that of the next face.
    """
    v = np.moveaxis(velocity, axis, 0)
    mean = v.copy()
    bend = (v[2:] - 2 * v[1:-1] + v[:-2]) / 24
    if periodic:
        for end in (0, -1):
            mean[end] += (v[1] - 2 * v[0] + v[-2]) / 24
    else:
        bend[0], bend[-1] = bend[1], bend[-2]
    mean[1:-1] += bend
    return contiguous(np.moveaxis(mean, 0, axis))


@dataclass(eq=False)
class DrivenChain(Evaluating):
    """The same with rates that may depend on time; each instant's rates are computed once."""

    equation: FokkerPlanck | BackwardKolmogorov
    grid: CartesianGrid
    order: int = 2
    xp: Any = np
    """the namespace whose arrays hold rates and densities"""
    default_integrator: Integrator = field(default_factory=RungeKuttaChebyshev)
    _recent: Recent[Chain] = field(default_factory=lambda: Recent(3), repr=False)

    @property
    def still(self) -> bool:
        """Whether coefficients do not depend on time."""
        return not self.equation.time_dependent

    def at(self, t: float) -> Chain:
        """Return the chain at one instant."""
        key = t if self.equation.time_dependent else 0.0
        return self._recent(key, lambda: self._chain(key))

    @cached_property
    def pulled(self) -> Pulled | None:
        """On a device, and between walls, what takes the place of a drift −a(t) x."""
        grid, equation = self.grid, self.equation
        relaxation = relaxation_of(equation.drift)
        if (
            self.xp is np
            or relaxation is None
            or equation.potential is not None
            or not self._flies
            or any(grid.periodic)
        ):
            return None
        return Pulled(grid, self.xp, relaxation, equation.diffusivity, self.order == 4)

    @property
    def _flies(self) -> bool:
        """Whether rates can be found on the fly."""
        dimension, there, corrected = self.grid.dimension, self.xp is not np, self.order == 4
        forward = isinstance(self.equation, FokkerPlanck)
        return forward and dimension > 1 and (there or (dimension == 3 and not corrected))

    def over(self, t: float, dt: float) -> Moving | None:
        """Return what a step on a device reads: of a drift −a(t) x a few numbers, of another the rates at both ends."""
        t0, t1 = t, t + dt
        if self.still:
            return Moving.still(self.at(t0))
        found = None if self.pulled is None else pulled_over(self.pulled, t0, t1)
        if found is not None:
            return found
        a = self.at(t0)
        if isinstance(a, FittedChain):
            b, asked = (self.at(t1), None) if t1 in self._recent else self._guessed(t1, a)
            told = partial(self._told, t1, b)
            return fitted_over(a, b, asked, told) if isinstance(b, FittedChain) else None
        b = self.at(t1)
        return stored_over(a, b) if isinstance(b, MarkovChain) else None

    def _guessed(self, t: float, like: FittedChain) -> tuple[Chain, Any]:
        """Return the chain at one instant, taken to be as one before was, and what has to be asked of it."""
        D = float(self.equation.diffusivity(t))
        if not 0 < D < np.inf:
            return self.at(t), None
        peclet = self._peclet(t, D, looked_at=False)
        rates = tuple(D / h**2 for h in self.grid.spacing)
        return FittedChain(self.grid, peclet, rates, (), like.corrected), departures(self.grid, peclet)

    def _told(self, t: float, guess: Chain, numbers: Array) -> bool:
        """Keep a guess that the answer confirms."""
        largest, fastest = numbers.reshape(-1, 2).T
        if not largest.max() <= 1 or not isinstance(guess, FittedChain):
            return False
        guess.fastest = tuple(map(float, fastest))
        self._recent(t, lambda: guess)
        return True

    def _peclet(self, t: float, D: float, *, looked_at: bool) -> tuple[Array, ...]:
        grid, V = self.grid, None
        if self.equation.potential is not None and D > 0:
            V = self.coefficients(self.equation.potential, grid.points, t, grid.cells, f"the potential at t = {t:g}")
        return tuple(self._face_integral(axis, t, D, V, looked_at) for axis in range(grid.dimension))

    def _chain(self, t: float) -> Chain:
        pull = None if self.pulled is None else self.pulled.at(t)
        if self.pulled is not None and pull is not None:
            return self.pulled.chain(pull)
        grid, D = self.grid, float(self.equation.diffusivity(t))
        if not (np.isfinite(D) and D >= 0):
            raise ValueError(f"the diffusivity must be ≥ 0 and finite, got {D!r} at t = {t:g}")
        if self.order == 4 and D == 0:
            raise ValueError(f"the fourth-order scheme needs D > 0, got 0 at t = {t:g}; start later or use order=2")
        transposed = isinstance(self.equation, BackwardKolmogorov)
        rates = tuple(D / h**2 for h in grid.spacing)
        there, corrected, flies = self.xp is not np, self.order == 4, D > 0 and self._flies
        looked_at = not (
            flies and there
        )  # what flies is looked at once for all: no number is fetched for a check alone
        peclet = self._peclet(t, D, looked_at=looked_at)
        if flies:
            largest, fastest = largest_and_fastest(grid, peclet)
            if not looked_at and not np.isfinite(largest):
                peclet = self._peclet(t, D, looked_at=True)  # says what and where
            if largest <= 1:
                return FittedChain(grid, peclet, rates, fastest, corrected)
        if D == 0:
            return MarkovChain(grid, *upwind(grid, peclet), transposed=transposed)
        return MarkovChain(grid, *fitted(grid, peclet, rates), peclet if self.order == 4 else None, transposed)

    def _face_integral(self, axis: int, t: float, D: float, V: Array | None, looked_at: bool = True) -> Array:
        """Return the face Péclet numbers w = ∫f dl/D from centre to centre; the velocities if D = 0."""
        grid, h = self.grid, self.grid.spacing[axis]
        if V is not None:
            w = np.zeros_like(V, shape=tuple(n + (k == axis) for k, n in enumerate(V.shape)))
            before = (slice(None),) * axis
            w[(*before, slice(1, -1))] = V[(*before, slice(None, -1))] - V[(*before, slice(1, None))]
            if grid.periodic[axis]:
                w[(*before, 0)] = w[(*before, -1)] = V[(*before, -1)] - V[(*before, 0)]
            return w
        velocity = self.coefficients.on_faces(self.equation.drift, axis, t, f"the drift at t = {t:g}", looked_at)
        if grid.periodic[axis]:
            _check_periodic(velocity, axis, t)
        if self.order == 4:
            velocity = _segment_mean(velocity, axis, grid.periodic[axis])
        if D > 0:
            velocity *= h / D
        return velocity

    def frozen(self, t0: float, t1: float) -> Chain:
        """Return the chain with the mean of the rates at both ends: second-order accurate over the step."""
        return mean_chain(self.at(t0), self.at(t1))

    def rate(self, u: Array, t: float, out: Array | None = None) -> Array:
        """Return A(t)u, in `out` if given."""
        return self.at(t).rate(u, t, out)

    def spectral_radius(self, u: Array, t: float) -> float:
        """Return a bound at time t, with room for growth over one step."""
        room, pull = 1.1 if self.equation.time_dependent else 1.0, None if self.pulled is None else self.pulled.at(t)
        if self.pulled is not None and pull is not None:
            return room * self.pulled.spectral_radius(pull)
        return room * self.at(t).spectral_radius(u, t)

    def solve(self, rhs: Array, t: float, shift: float) -> Array:
        """Return (I − shift·A(t))⁻¹ rhs."""
        return self.at(t).solve(rhs, t, shift)

    def mass(self, u: Array) -> float:
        """Return ∫u."""
        return float(self.grid.integrate(u))

    def start(self, initial: Callable[[Array], Array]) -> Array:
        """Return the means of a density over cells (order 4: the values at centres that go with them), else values."""
        values = checked(initial(self.grid.points), self.grid.cells, "the initial condition")
        if isinstance(self.equation, FokkerPlanck):
            values = cell_means(initial, self.grid)
            values = centres_of(values, self.grid) if self.order == 4 else values
        return self.xp.asarray(np.ascontiguousarray(values))

    def values(self, u: Array) -> Array:
        """Return the means over cells (of an expectation: values at their centres), on the host."""
        return means_of(to_host(u), self.grid) if self.order == 4 else to_host(u)
