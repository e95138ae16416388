"""Kolmogorov's equations with a tensor D(x, t) as a chain that jumps along few lattice vectors, monotone where it can be.

D = Σ_k λ_k e_k e_kᵀ by Selling's decomposition, in units of cells; along each e_k the flux g p − D∇p, g the Itô drift less
∇·D, is fitted exponentially with w = ∫D⁻¹g·dl: positive, conservative, order two, and Gibbs laws (D⁻¹g = −∇V) are exactly
in detailed balance. The backward equation is its transpose. What of g does not lie in the range of D is transport without
noise, by limited upwind fluxes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from mfgpde.core.arrays import Array, contiguous, elsewhere, to_host
from mfgpde.core.recent import Recent
from mfgpde.densities import Density, cell_means
from mfgpde.discretisations.checks import checked
from mfgpde.discretisations.coefficients import Coefficients, Evaluating
from mfgpde.discretisations.finite_volume.chain_there import ChainThere, jumping_over
from mfgpde.discretisations.finite_volume.jump_rates import Jumps, jumps
from mfgpde.discretisations.finite_volume.walls import Held, Inflow, Sides, given, on_wall
from mfgpde.equations.kolmogorov import Kolmogorov
from mfgpde.grids import CartesianGrid
from mfgpde.integrators import SSPRK43, Integrator, RungeKuttaChebyshev
from mfgpde.integrators.contract import Moving
from mfgpde.kernels import cpu
from mfgpde.kernels import jumps as kernels


@dataclass(eq=False)
class Instant:
    """du/dt = Au + b at one time: jumps, transport without noise, killing, sources, walls, resetting."""

    grid: CartesianGrid
    jumps: Jumps
    transposed: bool
    leaving: Array
    """the total rate of leaving each cell: by jumps, through walls, by killing, by resetting"""
    lost: Array
    """the same without jumps"""
    added: Array | float
    """b: sources, and what enters through walls"""
    transport: tuple[Array, ...] | None
    spreading: Array | float
    """the divergence of the transport, which expectations do not feel"""
    reset: tuple[Array, Array] | None
    """rates of resetting, and the means over cells of the law that it leads to"""
    _factors: Recent[Callable[[Array], Array]] = field(default_factory=lambda: Recent(3), repr=False)

    def rate(self, u: Array, t: float, out: Array | None = None) -> Array:
        """Return Au + b."""
        u = contiguous(u)
        out = np.empty_like(u) if out is None else out
        three, rates = self.jumps.shape, (self.jumps.up, self.jumps.down)
        rates = rates[::-1] if self.transposed else rates
        kernels.jump(u.reshape(three), self.jumps.offsets, *rates, self.leaving, out.reshape(three))
        if self.transport is not None:
            self._carried(u, out)
        if self.reset is not None:
            rate, law = self.reset
            if self.transposed:
                out += rate * float(self.grid.integrate(law * u))
            else:
                out += law * float(self.grid.integrate(rate * u))
        out += self.added
        return out

    def _carried(self, u: Array, out: Array) -> None:
        """Add −∇·(r u); of an expectation r·∇u = ∇·(r u) − u∇·r, which leaves constants alone."""
        assert self.transport is not None
        for axis, v in enumerate(self.transport):
            shape = (-1, self.grid.cells[axis], int(np.prod(self.grid.cells[axis + 1 :])))
            cpu.limited_flux(u.reshape(shape), v, self.grid.periodic[axis], out.reshape(shape))
        if self.transposed:
            out -= u * self.spreading

    def mean(self, other: Instant) -> Instant:
        """Return the means of all rates."""
        if other is self:
            return self
        pairs = zip(self.transport or other.transport or (), other.transport or self.transport or (), strict=True)
        half = 0.5 if self.transport and other.transport else 0.25  # where one has none it is zero
        transport = tuple(half * (a + b) for a, b in pairs) or None
        reset = self.reset
        if self.reset and other.reset:
            reset = 0.5 * (self.reset[0] + other.reset[0]), self.reset[1]
        leaving, lost, added, spreading = (
            0.5 * (getattr(self, name) + getattr(other, name)) for name in ("leaving", "lost", "added", "spreading")
        )
        return Instant(
            self.grid, self.jumps.mean(other.jumps), self.transposed, leaving, lost, added, transport, spreading, reset
        )

    def frozen(self, t0: float, t1: float) -> Instant:
        """Return itself."""
        return self

    def spectral_radius(self, u: Array, t: float) -> float:
        """Return Gershgorin's bound."""
        return 2 * self._fastest

    @cached_property
    def _fastest(self) -> float:
        total = np.abs(self.leaving) if self.jumps.monotone else self.jumps.sizes() + np.abs(self.leaving)
        fastest = float(total.max())
        if self.transport is not None:
            fastest += sum(float(np.abs(v).max()) for v in self.transport)
        return fastest

    def matrix(self) -> sparse.csc_array:
        """Return A (of the backward equation Aᵀ) without resetting. Raises TypeError where transport is not linear."""
        if self.transport is not None:
            raise TypeError(
                "the diffusion has no noise along some direction: its transport is limited, which no matrix says; use "
                "an explicit integrator, or march until the law is still"
            )
        A = self.jumps.matrix() - sparse.diags_array(self.leaving.ravel(), format="csc")
        return (A.T if self.transposed else A).tocsc()

    def filtered(self, rhs: Array, t: float, shift: float) -> Array:
        """Return (I − shift·A)⁻¹ rhs, by sparse LU, the rank of one that resetting adds by Sherman and Morrison."""
        return self._factors(shift, lambda: self._factored(shift))(rhs)

    def solve(self, rhs: Array, t: float, shift: float) -> Array:
        """Return v with v − shift(Av + b) = rhs."""
        return self.filtered(rhs + shift * self.added, t, shift)

    def _factored(self, shift: float) -> Callable[[Array], Array]:
        M = (sparse.eye_array(self.leaving.size, format="csc") - shift * self.matrix()).tocsc()
        inner = splu(M, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}, diag_pivot_thresh=0.0).solve
        if self.reset is None:
            return lambda rhs: inner(rhs.ravel()).reshape(rhs.shape)
        rate, law = (part.ravel() for part in self.reset)
        column, row = (rate, law) if self.transposed else (law, rate)
        column, row = shift * inner(column), row * self.grid.volume

        def solve(rhs: Array) -> Array:
            x = inner(rhs.ravel())
            return (x + column * (float(row @ x) / (1 - float(row @ column)))).reshape(rhs.shape)

        return solve

    def mass(self, u: Array) -> float:
        """Return ∫u."""
        return float(self.grid.integrate(u))


@dataclass(eq=False)
class JumpChain(Evaluating):
    """The same with coefficients that may depend on time; each instant is computed once, on the host.

    On a device rates are sent there once an instant, and steps are explicit.
    """

    equation: Kolmogorov
    grid: CartesianGrid
    sides: Sides
    xp: Any = np
    """the namespace whose arrays hold the unknowns"""
    default_integrator: Integrator = field(default_factory=RungeKuttaChebyshev)
    """stabilised steps; where there is transport without noise, those that keep densities positive"""
    _recent: Recent[Instant] = field(default_factory=lambda: Recent(3), repr=False)

    def __post_init__(self) -> None:
        inside = min(1.0, 0.5 * self.equation.horizon) if self.equation.time_dependent else 0.0
        if self.at(inside).transport is not None:
            self.default_integrator = SSPRK43()

    @cached_property
    def coefficients(self) -> Coefficients:
        """What evaluates coefficients, on the host."""
        return Coefficients(self.grid)

    @property
    def still(self) -> bool:
        """Whether rates do not depend on time."""
        return not (self.equation.time_dependent or bool(self.fed))

    @cached_property
    def _there(self) -> Recent[ChainThere]:
        return Recent(3)

    def _placed(self, instant: Instant) -> ChainThere | Instant:
        """Return an instant where the unknowns are; one that was sent stays."""
        if self.xp is np:
            return instant
        key: Any = instant
        return self._there(key, lambda: ChainThere.sent(instant, self.xp))

    @property
    def inviscid(self) -> bool:
        """D = 0 is allowed."""
        return True

    def at(self, t: float) -> Instant:
        """Return the chain at one instant."""
        key = t if self.equation.time_dependent or bool(self.fed) else 0.0
        return self._recent(key, lambda: self._instant(key))

    @cached_property
    def fed(self) -> list[Callable[[float], Array]]:
        """Values and fluxes at walls that are functions of time."""
        found: list[Callable[[float], Array]] = []
        for axis, side, wall in self.sides.each():
            if isinstance(wall, Held | Inflow):
                what = wall.value if isinstance(wall, Held) else wall.flux
                if callable(what):
                    found.append(partial(given, what, on_wall(self.grid, axis, side)))
        return found

    def _instant(self, t: float) -> Instant:
        equation, grid = self.equation, self.grid
        found = jumps(equation, grid, t)
        if not found.monotone:
            warnings.warn(found.word, stacklevel=2)
        transposed = equation.backward
        lost, added = np.zeros(found.shape), np.zeros(grid.cells)
        for axis, side, wall in self.sides.each():
            if wall == "absorbing" or isinstance(wall, Held):
                out, entering = found.through(axis, side)
                lost += out
                if isinstance(wall, Held):
                    value = np.expand_dims(given(wall.value, on_wall(grid, axis, side), t), axis)
                    added += (out if transposed else entering).reshape(grid.cells) * value
            elif isinstance(wall, Inflow):
                beside: list[Any] = [slice(None)] * grid.dimension
                beside[axis] = -1 if side else 0
                added[tuple(beside)] += given(wall.flux, on_wall(grid, axis, side), t) / grid.spacing[axis]
        if equation.killing is not None:
            lost += self._positive(equation.killing, t, "the killing").reshape(lost.shape)
        if equation.source is not None:
            added += self._values(equation.source, t, "the source")
        reset = self._resetting(t)
        if reset is not None:
            lost += reset[0].reshape(lost.shape)
        transport, spreading = self._transport(found, t, transposed)
        given_b = added if np.any(added) else 0.0
        leaving = found.departures() + lost
        return Instant(grid, found, transposed, leaving, lost, given_b, transport, spreading, reset)

    def _values(self, function: Callable[[Array, float], Any], t: float, what: str) -> Array:
        values = np.asarray(function(self.grid.points, t), dtype=float)
        return checked(np.broadcast_to(values, self.grid.cells) if values.ndim == 0 else values, self.grid.cells, what)

    def _positive(self, function: Callable[[Array, float], Any], t: float, what: str) -> Array:
        values = self._values(function, t, what)
        if values.min() < 0:
            where = np.unravel_index(int(values.argmin()), values.shape)
            raise ValueError(f"{what} must be ≥ 0, got {values.min():.3g} at x = {self.grid.points[where].tolist()}")
        return values

    def _resetting(self, t: float) -> tuple[Array, Array] | None:
        reset = self.equation.resetting
        if reset is None:
            return None
        law = cell_means(reset.law.density if isinstance(reset.law, Density) else reset.law, self.grid)  # pyright: ignore
        mass = float(self.grid.integrate(law))
        if abs(mass - 1) > 1e-4:
            raise ValueError(
                f"the law of resetting has mass {mass:.4g} in the box, expected 1; take a larger box or cells"
            )
        return self._positive(reset.rate, t, "the rate of resetting"), law / mass

    def _transport(self, found: Jumps, t: float, transposed: bool) -> tuple[tuple[Array, ...] | None, Array | float]:
        """Return velocities over cell widths on faces, shaped (outer, n + 1, inner), of what D does not reach."""
        if not found.degenerate:
            return None, 0.0
        grid, parts = self.grid, []
        for axis, side, wall in self.sides.each():
            beside = on_wall(grid, axis, side)
            if wall != "far" and np.abs(found.left_over(beside, t)[..., axis]).max() > 0:
                raise ValueError(
                    f"the wall {wall!r} of axis {axis} is reached by transport without noise, which no {wall!r} wall can "
                    "stop: walls of such an axis are 'far' or periodic"
                )
        for axis, h in enumerate(grid.spacing):
            v = self.coefficients.on_faces(found.left_over, axis, t, f"the drift without noise at t = {t:g}")
            n, inner = grid.cells[axis], int(np.prod(grid.cells[axis + 1 :]))
            parts.append(contiguous((-v if transposed else v) / h).reshape(-1, n + 1, inner))
        if not any(np.any(v) for v in parts):
            return None, 0.0
        spread = np.zeros(grid.cells)
        for v in parts:
            spread -= np.diff(v, axis=1).reshape(grid.cells)
        return tuple(parts), spread

    def frozen(self, t0: float, t1: float) -> ChainThere | Instant:
        """Return the chain with the mean of the rates at both ends: second-order accurate over the step."""
        return self._placed(self.at(t0).mean(self.at(t1)))

    def over(self, t: float, dt: float) -> Moving | None:
        """Return what a step on a device reads: the rates at both ends, where they are along the same lattice vectors."""
        if self.still:
            return Moving.still(self._placed(self.at(t)))
        ends = self.at(t), self.at(t + dt)
        a, b = map(self._placed, ends)
        if not (isinstance(a, ChainThere) and isinstance(b, ChainThere)):
            return None
        same = np.array_equal(ends[0].jumps.offsets, ends[1].jumps.offsets) and [*a.parts] == [*b.parts]
        return jumping_over(a, b) if same else None

    def rate(self, u: Array, t: float, out: Array | None = None) -> Array:
        """Return A(t)u + b(t)."""
        return self._placed(self.at(t)).rate(u, t, out)

    def spectral_radius(self, u: Array, t: float) -> float:
        """Return a bound at time t, with room for growth over one step."""
        return self.at(t).spectral_radius(u, t) * (1.1 if self.equation.time_dependent else 1.0)

    def solve(self, rhs: Array, t: float, shift: float) -> Array:
        """Return v with v − shift(A(t)v + b) = rhs. Raises TypeError on a device: its steps are explicit."""
        if elsewhere(rhs):
            raise TypeError(
                "implicit steps of tensors are solved on the host: use backend='numpy', or an explicit integrator"
            )
        return self.at(t).solve(rhs, t, shift)

    def filtered(self, rhs: Array, t: float, shift: float) -> Array:
        """Return (I − shift·A(t))⁻¹ rhs."""
        return self.at(t).filtered(rhs, t, shift)

    def mass(self, u: Array) -> float:
        """Return ∫u."""
        return float(np.sum(u)) * self.grid.volume if elsewhere(u) else float(self.grid.integrate(u))

    def start(self, initial: Callable[[Array], Array]) -> Array:
        """Return the means of a density over cells, the values of an expectation at their centres."""
        values = checked(initial(self.grid.points), self.grid.cells, "the initial condition")
        return self.xp.asarray(values if self.equation.backward else cell_means(initial, self.grid))

    def values(self, u: Array) -> Array:
        """Return the unknowns, on the host."""
        return to_host(u)
