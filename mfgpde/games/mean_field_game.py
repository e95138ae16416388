"""A mean-field game, or the optimal control of a density: what moves, what it pays, and where it starts.

    minimise  ∫_0^T e^{−rτ} [ ∫ (L(v) + ℓ(x, τ)) ρ dx + I(ρ) ] dτ + e^{−rT} F(ρ_T)
    subject to  ∂_τρ + ∇·((b + g v) ρ) = κ Δρ,  ρ(0) = ρ_0.
Optimality: −∂_τU + rU − b·∇U + H(−g∇U) − κΔU = ℓ + δI/δρ, U(T) = δF/δρ(ρ_T), v = H′(−g∇U), H(p) = max_v p·v − L(v).
— arXiv:2304.13534, section 2; Lasry, Lions, Jpn. J. Math. 2 (2007).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mfgpde.core.arrays import Array, dot
from mfgpde.densities import Density, gaussian
from mfgpde.games.contract import Functional, RunningCost
from mfgpde.games.differences import slopes
from mfgpde.games.functionals import Potential, Power, RelativeEntropy

Coefficient = float | Callable[[float], float]
ScalarField = Callable[[Array, float], Array]


@dataclass(frozen=True)
class QuadraticCost:
    """L = ½|v|², H = ½|p|².

    >>> mfg.games.QuadraticCost().hamiltonian(np.array([2.0]))
    array([2.])
    """

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
    """L = |v|^q/q, H = |p|^{q*}/q*, 1/q + 1/q* = 1, for q > 1.

    >>> cost = mfg.games.PowerCost(3.0)
    >>> print(f"{cost.speed(4.0):.1f}, {cost.hamiltonian(4.0):.4f}")  # v² = p, p v − v³/3
    2.0, 5.3333
    """

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

    >>> cost = mfg.games.TabulatedCost(lambda v: 0.5 * v**2, fastest=4.0)
    >>> print(f"{cost.hamiltonian(np.array([3.0]))[0]:.4f}")  # ½p²
    4.5000
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

    Raises ValueError for horizon ≤ 0, κ < 0, r < 0, two drifts, or costs that are no functionals. Solvers
    warn (UserWarning) about costs that are not monotone: equilibria need not be unique.

    >>> home = mfg.games.Potential(lambda x, t: 0.5 * x[..., 0] ** 2)
    >>> game = mfg.MeanFieldGame(mfg.gaussian(0.0, 0.25), home, viscosity=0.5)
    >>> found = mfg.equilibrium(game, mfg.CartesianGrid.cube(4.0, 128, 1))
    >>> print(f"{found.discrete_primal:.2f}")  # ¼·E|x|² + ½ log 2 = 0.409
    0.41
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
    cost: RunningCost = QuadraticCost()
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
        return isinstance(self.cost, QuadraticCost)

    def unit(self, lengths: Sequence[float]) -> float:
        """Return a cost typical of a box with these sides: that of crossing an eighth of it, ℓ²/T · mean of 1/g².

        Tolerances that are not given are multiples of it, so that a game in other units is solved equally well.
        """
        gains = [self.control_gain(t) for t in np.linspace(0, self.horizon, 17)]
        return (max(lengths) / 8) ** 2 / self.horizon * float(np.mean(np.power(gains, -2.0)))

    @property
    def costs_of_density(self) -> dict[str, tuple[Functional, float]]:
        """The terminal cost and the interaction, with the time that each is looked at."""
        found = {"terminal cost": (self.terminal, self.horizon)}
        return found if self.interaction is None else found | {"interaction": (self.interaction, 0.0)}

    def monotone(self, x: Array) -> bool:
        """Say whether all costs of the density are convex at fixed mass on a grid: then there is one equilibrium."""
        return all(cost.monotone(x, t) for cost, t in self.costs_of_density.values())

    def check_on(self, x: Array, lengths: Sequence[float], *, walls: bool = True) -> None:
        """Look at the costs on a grid: a terminal cost without lower bound, or costs that are not monotone."""
        if isinstance(self.terminal, Potential) and walls:
            g = self.terminal.reference(x, self.horizon)
            if _falls_outwards(g, x, self.unit(lengths) * (8 / max(lengths)) ** 2):
                warnings.warn(
                    "the terminal cost falls towards the walls: on the whole space it may have no lower bound, and the "
                    "equilibrium then depends on the box",
                    stacklevel=3,
                )
        for name, (cost, t) in self.costs_of_density.items():
            if not cost.monotone(x, t):
                warnings.warn(
                    f"the {name} is not monotone (not convex among densities of one mass): equilibria need not be unique, "
                    "and nothing bounds the optimal cost from below",
                    stacklevel=3,
                )

    def velocity_of_drift(self, x: Array, t: float, lengths: Sequence[float]) -> Array:
        """Return b at points (..., d) of a box with these sides; from the potential by differences."""
        if self.drift is not None:
            return np.asarray(self.drift(x, t), dtype=float)
        V = self.drift_potential
        return np.zeros_like(x) if V is None else -slopes(lambda y: V(y, t), x, lengths)


def _falls_outwards(g: Array, x: Array, price: float) -> bool:
    """Say whether g is least at a wall and falls by more than the way there costs, price·|x|²/2 from the box's middle."""
    low = np.unravel_index(int(np.argmin(g)), g.shape)
    at_wall = any(i in (0, n - 1) for i, n in zip(low, g.shape, strict=True))
    away = x - 0.5 * (x.reshape(-1, x.shape[-1])[0] + x.reshape(-1, x.shape[-1])[-1])
    farthest = np.unravel_index(int(np.argmax(dot(away, away))), g.shape)
    way = 0.5 * price * float(dot(away[farthest], away[farthest]))
    return at_wall and float(np.median(g) - g[farthest]) > way


def examples() -> Iterator[RunningCost | MeanFieldGame]:
    """Yield members to hold the laws to: every cost of the control, and a game with all that one may have."""
    yield from (QuadraticCost(), PowerCost(1.5), PowerCost(3.0), TabulatedCost(_quartic, 4.0))
    yield MeanFieldGame(
        gaussian([0.2, -0.1], 0.3, 2),
        RelativeEntropy(gaussian([0.5, 0.0], 0.5, 2)),
        2.7,
        0.3,
        drift_potential=_bowl,
        running=_bowl,
        interaction=Power(0.5),
        cost=PowerCost(3.0),
        discount=0.1,
    )


def _quartic(speed: Array) -> Array:
    return speed**2 / 2 + speed**4 / 4


def _bowl(x: Array, t: float) -> Array:
    return (1 + 0.1 * t) * np.cos(x[..., 0]) + 0.5 * x[..., -1] ** 2
