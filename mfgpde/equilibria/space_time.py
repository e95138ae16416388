"""The discrete problem in space-time: density at nodes and cells, momentum m = ρ v at half steps and faces.

    (ρ⁺ − ρ⁻)/dt + ∇·m − κΔ(ρ⁺ + ρ⁻)/2 = 0,   cost Σ dt m²/2μ + Σ_k G_k(ρ^k),
centred differences, walls without flux or circles, μ the mean density of the two cells and two nodes around a face, and
G_k the costs at node k by the trapezoidal rule: convex, of second order, mass kept to rounding. Projections onto the
transport equation take cosine (on circles Hartley's) transforms in space and a tridiagonal system in time. With U at half
steps, minimising over m leaves
    dual(U) = −⟨c_0, ρ_0⟩ + G_0(ρ_0) − Σ_k G_k*(c_k),   c = Kᵀ U dt + Mᵀ |∇U|² dt/2,
K the transport operator, M the means, and G_k* over densities of mass one: a lower bound for every U.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array, beside, contiguous
from mfgpde.equilibria import waves
from mfgpde.equilibria.driftless import potential_cost, running_cost
from mfgpde.equilibria.equilibrium import initial_on, reference_on
from mfgpde.equilibria.node_costs import NodeCosts, Pieces
from mfgpde.games import Capacity, MeanFieldGame
from mfgpde.grids import CartesianGrid
from mfgpde.kernels import stencils


@dataclass(frozen=True, eq=False)
class SpaceTime:
    """Grid, times, coefficients at half steps, costs at nodes, and the spectrum of −Δ; fields lie where `xp` says."""

    game: MeanFieldGame
    grid: CartesianGrid
    nodes: Array
    initial: Array
    kappa: Array
    price: Array
    """of kinetic energy at half steps: e^{−rτ}/g², and the square of the pace over that of time"""
    charges: NodeCosts
    end: Array | None
    """the density at the last node, if it is prescribed"""
    spectrum: Array
    pace: float
    """velocities are in units of it, times in those of 1/pace: densities and momenta are of one size whatever the user's"""

    @classmethod
    def of(cls, game: MeanFieldGame, grid: CartesianGrid, steps: int, xp: Any = np) -> SpaceTime:
        """Discretise a game."""
        if steps < 2:
            raise ValueError(f"at least two steps in time are needed, got {steps}")
        nodes = np.linspace(0, game.horizon, steps + 1)
        middles = 0.5 * (nodes[1:] + nodes[:-1])
        weights = game.horizon / steps * np.exp(-game.discount * nodes)
        weights[[0, -1]] *= 0.5
        linear = [w * running_cost(game, grid, float(t)) for w, t in zip(weights, nodes, strict=True)]
        linear[-1] = linear[-1] + potential_cost(game, grid, game.horizon)
        pieces: list[Pieces] = [[] for _ in nodes]
        if game.interaction is not None:
            for k, (w, t) in enumerate(zip(weights, nodes, strict=True)):
                pieces[k] = [(game.interaction, float(w), reference_on(game.interaction, grid, float(t)))]
        known, last, end = (
            reference_on(game.terminal, grid, game.horizon),
            float(np.exp(-game.discount * game.horizon)),
            None,
        )
        if game.terminal.hard:
            end = np.exp(known)
        elif game.terminal.linear:
            linear[-1] = linear[-1] + last * known
        else:
            pieces[-1] = [*pieces[-1], (game.terminal, last, known)]
        pace = max(grid.lengths) / 8 / game.horizon
        kappa = np.array([game.kappa(t) for t in middles]) / pace
        price = pace * np.array([np.exp(-game.discount * t) / game.control_gain(t) ** 2 for t in middles])
        initial, spectrum, linear = (
            xp.asarray(initial_on(game, grid)),
            xp.asarray(waves.spectrum(grid)),
            list(map(xp.asarray, linear)),
        )
        pieces = [[(f, w, c if c is None else xp.asarray(c)) for f, w, c in costs] for costs in pieces]
        end = None if end is None else xp.asarray(end)
        charges = NodeCosts(grid, linear, pieces, end is not None)
        return cls(game, grid, nodes, initial, kappa, price, charges, end, spectrum, pace)

    @property
    def steps(self) -> int:
        """The number of steps N."""
        return len(self.nodes) - 1

    @property
    def dt(self) -> float:
        """The step, in units of 1/pace."""
        return self.pace * float(self.nodes[1])

    @property
    def fixed_end(self) -> bool:
        """Whether the last density is prescribed."""
        return self.end is not None

    @cached_property
    def kappas(self) -> Array:
        """κ per step, as an array that multiplies fields."""
        return self.column(self.kappa)

    @cached_property
    def prices(self) -> Array:
        """The price of kinetic energy per step, likewise."""
        return self.column(self.price)

    def column(self, values: Array) -> Array:
        """Return numbers per step as an array that multiplies fields."""
        return beside(values.reshape(-1, *(1,) * self.grid.dimension), self.spectrum)

    @property
    def axes(self) -> list[tuple[int, float, bool]]:
        """Number, cell width and whether it is periodic, of each axis."""
        return [(i, h, p) for i, (h, p) in enumerate(zip(self.grid.spacing, self.grid.periodic, strict=True))]

    def laplacian(self, u: Array) -> Array:
        """Return −Δ_h u over the trailing axes, nothing flowing through walls."""
        first = u.ndim - self.grid.dimension
        return sum(
            (waves.divergence(-waves.ahead(u, first + i, p) / h, first + i, h, p) for i, h, p in self.axes),
            start=np.zeros_like(u),
        )

    def transport(self, rho: Array, momenta: Sequence[Array]) -> Array:
        """Return the defect of the transport equation at half steps; `rho` holds all nodes."""
        defect = (rho[1:] - rho[:-1]) / self.dt
        for m, (axis, h, periodic) in zip(momenta, self.axes, strict=True):
            defect += waves.divergence(m, axis + 1, h, periodic)
        if self.kappa.any():
            defect += self.kappas * self.laplacian(0.5 * (rho[1:] + rho[:-1]))
        return defect

    def adjoint(self, phi: Array) -> tuple[Array, list[Array]]:
        """Return the transposed operator: on the densities of the nodes 1 … N, and on the momenta."""
        diffused = 0.5 * self.kappas * self.laplacian(phi) if self.kappa.any() else 0.0
        on_rho = phi / self.dt + diffused
        on_rho[:-1] += (-phi / self.dt + diffused)[1:]
        return on_rho, [-waves.ahead(phi, i + 1, p) / h for i, h, p in self.axes]

    def multiplier(self, defect: Array, scale: float) -> Array:
        """Solve K W⁻¹ Kᵀ φ = defect, W being `scale` on densities and one on momenta."""
        right = contiguous(waves.analysed(self.grid, defect, **self.workers))
        stencils.of(right).substitute(right.reshape(self.steps, -1), *self.factorised(scale))
        return waves.synthesised(self.grid, right, **self.workers)

    @cached_property
    def _factorisations(self) -> dict[float, tuple[Array, Array, Array]]:
        return {}

    def factorised(self, scale: float) -> tuple[Array, Array, Array]:
        """Return the factors, inverse pivots and off-diagonals of the tridiagonal systems in time, one a frequency."""
        if scale not in self._factorisations:
            self._factorisations[scale] = self._factorise(scale)
        return self._factorisations[scale]

    def _factorise(self, scale: float) -> tuple[Array, Array, Array]:
        lam = self.spectrum
        half = [0.5 * k * lam for k in self.kappa]
        late, early = [1 / self.dt + a for a in half], [a - 1 / self.dt for a in half]
        n = self.steps
        diagonal = [
            lam + (late[k] ** 2 * (k < n - 1 or not self.fixed_end) + early[k] ** 2 * (k > 0)) / scale for k in range(n)
        ]
        if self.fixed_end:  # constants in space and time move nothing: mass is kept at both ends
            diagonal[-1] = diagonal[-1] + np.where(lam == 0, 1.0, 0.0)
        beside = [late[k] * early[k + 1] / scale for k in range(n - 1)]
        factors = []
        for k in range(1, n):
            factors.append(beside[k - 1] / diagonal[k - 1])
            diagonal[k] = diagonal[k] - factors[-1] * beside[k - 1]
        one, two, three = (np.stack(a).reshape(len(a), -1) for a in (factors, [1 / d for d in diagonal], beside))
        return one, two, three

    def means(self, rho: Array) -> list[Array]:
        """Return the mean densities around faces at half steps."""
        half = 0.5 * (rho[1:] + rho[:-1])
        return [0.5 * waves.beside(half, i + 1, p) for i, _, p in self.axes]

    def gathered(self, faces: Sequence[Array]) -> Array:
        """Return half of what faces give to their two cells, at half steps."""
        total = np.zeros_like(faces[0], shape=(self.steps, *self.grid.cells))
        for values, (axis, _, periodic) in zip(faces, self.axes, strict=True):
            total += 0.5 * waves.to_cells(values, axis + 1, periodic)
        return total

    def spread(self, faces: Sequence[Array]) -> Array:
        """Return the transpose of `means`, on the nodes 1 … N."""
        half = 0.5 * self.gathered(faces)
        on_rho = half.copy()
        on_rho[:-1] += half[1:]
        return on_rho

    # feasible flows

    def flow_through(self, rho: Array) -> tuple[Array, list[Array]]:
        """Return densities at all nodes with the momenta of least norm that carry them."""
        rho = rho.copy()
        rho[0] = self.initial
        if self.end is not None:
            rho[-1] = self.end
        still = [
            np.zeros_like(rho, shape=(self.steps, *(n - (i == axis and not p) for i, n in enumerate(self.grid.cells))))
            for axis, _, p in self.axes
        ]
        defect = self.transport(rho, still)
        lam = np.where(self.spectrum > 0, self.spectrum, np.inf)
        phi = waves.synthesised(self.grid, waves.analysed(self.grid, defect, **self.workers) / lam, **self.workers)
        return rho, [-m for m in self.adjoint(phi)[1]]

    def smooth_flow(self) -> tuple[Array, list[Array]]:
        """Return a flow that is positive everywhere: from ρ_0 by way of the uniform density to the end."""
        uniform = np.full_like(self.initial, 1 / (self.grid.volume * self.initial.size))
        end = uniform if self.end is None else self.end
        share = self.column(self.nodes / self.nodes[-1])
        lift = 2 * share * (1 - share)
        return self.flow_through((1 - lift) * ((1 - share) * self.initial + share * end) + lift * uniform)

    @cached_property
    def safe_flow(self) -> tuple[Array, list[Array]]:
        """The smooth flow, found once."""
        return self.smooth_flow()

    def feasible(self, rho: Array, momenta: list[Array]) -> tuple[Array, list[Array]]:
        """Return a flow with 0 ≤ ρ ≤ any capacity: the given one, with as little as it takes of a safe one."""
        inner = slice(1, self.steps if self.fixed_end else None)
        safe, carried = self.safe_flow
        low = np.minimum(rho[inner], 0.0)
        share = max(float(np.max(low / np.minimum(low - safe[inner], -1e-300))), 0.0)
        for cost, _, _ in self.charges.pieces[1]:
            if isinstance(cost, Capacity):
                over = np.maximum(rho[inner] - cost.largest, 0.0)
                share = max(share, float(np.max(over / np.maximum(rho[inner] - safe[inner], 1e-300))))
        share = min(share, 1.0)
        mixed = (1 - share) * rho + share * safe
        return np.maximum(mixed, 0.0), [(1 - share) * m + share * s for m, s in zip(momenta, carried, strict=True)]

    # costs

    def costs(self, rho: Array, momenta: Sequence[Array]) -> dict[str, float]:
        """Return the cost of a feasible flow in parts; infinite if momentum flows where there is no density."""
        kinetic = 0.0
        for m, mu in zip(momenta, self.means(rho), strict=True):
            with np.errstate(divide="ignore", invalid="ignore"):
                energy = np.where(mu > 0, m * m / (2 * mu), np.where(m == 0, 0.0, np.inf))
            kinetic += self.dt * float(np.sum(self.prices * energy)) * self.grid.volume
        return {"kinetic": kinetic, **self.charges.values(rho)}

    def _charges(self, phi: Array) -> Array:
        """Return c at all nodes 0 … N for a potential at half steps."""
        on_rho, slopes = self.adjoint(phi)
        energy = [self.dt * s**2 / (2 * self.prices) for s in slopes]
        diffused = 0.5 * self.kappa[0] * self.laplacian(phi[0]) if self.kappa[0] else 0.0
        first = self.dt * (diffused - phi[0] / self.dt) + 0.5 * self.gathered(energy)[0]
        return np.concatenate((first[None], self.dt * on_rho + self.spread(energy)))

    def dual(self, phi: Array, near: Array) -> float:
        """Return the lower bound that a potential at half steps proves; `near` are densities to split costs at."""
        c = self._charges(phi)
        charges, last = self.charges, self.steps
        total = charges.at(0, self.initial) - float(self.grid.integrate(c[0] * self.initial))
        if self.end is not None:
            total += charges.at(last, self.end) - float(self.grid.integrate(c[last] * self.end))
        return total - charges.conjugate(c, near)

    def values(self, phi: Array) -> Array:
        """Return the value function at the nodes, present values undone."""
        c = self._charges(phi)
        ends = (-c[0], c[-1])
        inner = 0.5 * (phi[1:] + phi[:-1])
        game, grid = self.game, self.grid
        running = [running_cost(game, grid, float(t)) for t in (0.0, game.horizon)]
        weights = 0.5 * float(self.nodes[1]) * np.array([1.0, np.exp(-game.discount * game.horizon)])
        running = [beside(r, phi) for r in running]
        first, last = ends[0] + weights[0] * running[0], ends[1] - weights[1] * running[1]
        found = np.concatenate((first[None], inner, last[None]))
        return found * self.column(np.exp(game.discount * self.nodes))

    @cached_property
    def workers(self) -> dict[str, int]:
        """Options of the transforms on the host."""
        return {"workers": -1} if isinstance(self.spectrum, np.ndarray) else {}
