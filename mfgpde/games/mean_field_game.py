"""A mean-field game, or the optimal control of a density: what moves, what it pays, and where it starts.

    minimise  ∫_0^T e^{−rτ} [ ∫ (L(v) + ℓ(x, τ)) ρ dx + I(ρ) ] dτ + e^{−rT} F(ρ_T)
    subject to  ∂_τρ + ∇·((b + g v) ρ) = κ Δρ,  ρ(0) = ρ_0.
Optimality: −∂_τU + rU − b·∇U + H(−g∇U) − κΔU = ℓ + δI/δρ, U(T) = δF/δρ(ρ_T), v = H′(−g∇U), H(p) = max_v p·v − L(v).
— arXiv:2304.13534, section 2; Lasry, Lions, Jpn. J. Math. 2 (2007).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mfgpde.core.arrays import Array, dot
from mfgpde.densities import Density
from mfgpde.games.contract import Functional, RunningCost
from mfgpde.games.functionals import Nonlocal, Potential

Coefficient = float | Callable[[float], float]
ScalarField = Callable[[Array, float], Array]


@dataclass(frozen=True)
class Quadratic:
    """L = ½|v|², H = ½|p|²."""

    def hamiltonian(self, size: Array) -> Array:
        """Return H at |p|."""
        return 0.5 * size * size

    def speed(self, size: Array) -> Array:
        """Return H′ at |p|."""
        return size

    def lagrangian(self, speed: Array) -> Array:
        """Return L at |v|."""
        return 0.5 * speed * speed


@dataclass(frozen=True)
class PowerCost:
    """L = |v|^q/q, H = |p|^{q*}/q*, 1/q + 1/q* = 1, for q > 1."""

    exponent: float

    def __post_init__(self) -> None:
        if not self.exponent > 1:
            raise ValueError(
                f"the running cost |v|^q/q is convex with a finite Hamiltonian for q > 1, got {self.exponent}"
            )

    @property
    def _dual(self) -> float:
        return self.exponent / (self.exponent - 1)

    def hamiltonian(self, size: Array) -> Array:
        """Return H at |p|."""
        return size**self._dual / self._dual

    def speed(self, size: Array) -> Array:
        """Return H′ at |p|."""
        return size ** (self._dual - 1)

    def lagrangian(self, speed: Array) -> Array:
        """Return L at |v|."""
        return speed**self.exponent / self.exponent


@dataclass(frozen=True)
class TabulatedCost:
    """Any convex, even L(|v|) with L(0) = 0: its Hamiltonian by Legendre transform of a table up to `fastest`.

    The maximum between nodes of the table is that of the parabola through its neighbours.
    Raises ValueError where second differences of the table are negative: L is not convex.
    """

    cost: Callable[[Array], Array]
    fastest: float
    nodes: int = 4097
    _table: tuple[Array, Array, Array] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        v = np.linspace(0.0, self.fastest, self.nodes)
        L = np.asarray(self.cost(v), dtype=float)
        bend = np.diff(L, 2)
        if L.shape != v.shape or not np.isfinite(L).all():
            raise ValueError(f"the running cost must be finite on speeds up to {self.fastest:g}")
        if bend.min() < -1e-10 * np.abs(L).max() or L[1] < L[0]:
            where = v[1 + int(np.argmin(bend))]
            raise ValueError(
                f"the running cost is not convex: it bends down at |v| = {where:.3g}; no Hamiltonian belongs to it"
            )
        p = np.gradient(L, v, edge_order=2)
        object.__setattr__(self, "_table", (v, L, np.maximum.accumulate(p)))

    def speed(self, size: Array) -> Array:
        """Return H′ at |p|: the speed whose cost has this slope."""
        v, _, p = self._table
        if np.max(size, initial=0.0) > p[-1]:
            raise ValueError(
                f"a slope of {np.max(size):.3g} asks for more than the fastest speed {self.fastest:g} of the table"
            )
        return np.interp(size, p, v)

    def hamiltonian(self, size: Array) -> Array:
        """Return H at |p|."""
        v = self.speed(size)
        return size * v - self.lagrangian(v)

    def lagrangian(self, speed: Array) -> Array:
        """Return L at |v|."""
        return np.asarray(self.cost(speed), dtype=float)


@dataclass(frozen=True, eq=False)
class MeanFieldGame:
    """The data of a game; `viscosity` κ and `gain` g are numbers or functions of τ, τ = 0 is where ρ_0 is given.

    A drift that is a gradient is given as `drift_potential` V(x, τ), b = −∇V, which more solvers understand; any other as
    `drift`. `discount` r ≥ 0 needs a horizon long enough to stand for infinity if that is meant.

    Raises ValueError for horizon ≤ 0, κ < 0, r < 0, two drifts, or costs that are no functionals. Warns (UserWarning) about
    an interaction that is not monotone: equilibria need not be unique.
    """

    initial: Density
    terminal: Functional
    horizon: float = 1.0
    viscosity: Coefficient = 0.0
    gain: Coefficient = 1.0
    drift_potential: ScalarField | None = None
    drift: Callable[[Array, float], Array] | None = None
    running: ScalarField | None = None
    interaction: Functional | None = None
    cost: RunningCost = Quadratic()
    discount: float = 0.0
    name: str = "game"

    def __post_init__(self) -> None:
        if not (self.horizon > 0 and np.isfinite(self.horizon)):
            raise ValueError(f"the horizon must be a positive number, got {self.horizon}")
        if not self.discount >= 0:
            raise ValueError(f"the discount must be ≥ 0, got {self.discount}")
        if self.drift is not None and self.drift_potential is not None:
            raise ValueError("give either drift or drift_potential, not both")
        for name, what in (("terminal", self.terminal), ("interaction", self.interaction)):
            if not isinstance(what, Functional | None) or (name == "terminal" and what is None):
                raise ValueError(f"{name} must be a cost of a density, such as RelativeEntropy(law), got {what!r}")
        if self.interaction is not None and self.interaction.hard:
            raise ValueError("a hard target can only be a terminal condition")
        for t in np.linspace(0, self.horizon, 7):
            if not self.kappa(t) >= 0 or not np.isfinite(self.kappa(t)):
                raise ValueError(f"the viscosity must be ≥ 0, got {self.kappa(t)} at τ = {t:g}")
            if not self.control_gain(t) > 0:
                raise ValueError(f"the gain must be positive, got {self.control_gain(t)} at τ = {t:g}")

    def kappa(self, t: float) -> float:
        """Return κ(τ)."""
        return float(self.viscosity(t) if callable(self.viscosity) else self.viscosity)

    def control_gain(self, t: float) -> float:
        """Return g(τ)."""
        return float(self.gain(t) if callable(self.gain) else self.gain)

    @cached_property
    def first_order(self) -> bool:
        """Whether κ vanishes all the time."""
        return all(self.kappa(t) == 0 for t in np.linspace(0, self.horizon, 17))

    @property
    def quadratic(self) -> bool:
        """Whether the running cost is ½|v|²."""
        return isinstance(self.cost, Quadratic)

    def check_on(self, x: Array) -> None:
        """Look at the costs on a grid: a terminal cost without lower bound, or an interaction that is not monotone."""
        if isinstance(self.terminal, Potential):
            g = self.terminal.reference(x, self.horizon)
            if _falls_outwards(g, x):
                warnings.warn(
                    "the terminal cost falls towards the walls: on the whole space it may have no lower bound, and the "
                    "equilibrium then depends on the box",
                    stacklevel=3,
                )
        if isinstance(self.interaction, Nonlocal) and not self.interaction.monotone(x):
            warnings.warn(
                "the interaction is not monotone (its kernel is not positive semidefinite): equilibria need not be unique",
                stacklevel=3,
            )

    def velocity_of_drift(self, x: Array, t: float, eps: float = 1e-5) -> Array:
        """Return b at points (..., d); from the potential by central differences of relative width `eps`."""
        if self.drift is not None:
            return np.asarray(self.drift(x, t), dtype=float)
        if self.drift_potential is None:
            return np.zeros_like(x)
        h = eps * max(1.0, float(np.abs(x).max()))
        V = self.drift_potential
        columns = [(V(x + h * e, t) - V(x - h * e, t)) / (2 * h) for e in np.eye(x.shape[-1])]
        return -np.stack(columns, axis=-1)


def _falls_outwards(g: Array, x: Array) -> bool:
    """Say whether g has its least value at a wall and keeps falling there faster than linearly."""
    low = np.unravel_index(int(np.argmin(g)), g.shape)
    at_wall = any(i in (0, n - 1) for i, n in zip(low, g.shape, strict=True))
    radius = np.sqrt(dot(x, x))
    return at_wall and float(g.flat[int(np.argmax(radius))]) < float(np.median(g)) - 10 * np.ptp(radius)
