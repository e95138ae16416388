"""Best responses on a grid: a Hamilton–Jacobi–Bellman sweep back in time, and the Fokker–Planck sweep that it steers.

Midpoint rule in time, centred or upwind differences in space; the Fokker–Planck operator of a step is the transpose of the
linearised Hamilton–Jacobi operator, so that mass is kept to rounding and both equations are adjoint exactly:
    (U − U⁺)/dt + rŪ + H(g|DŪ|) − b·DŪ + κAŪ = ℓ + mean of δI/δρ,   (ρ⁺ − ρ)/dt + A(Ū)ᵀρ̄ = 0,   bars: means of both ends.
Where costs are convex, the gap between a density and its best response bounds by how much the former's cost exceeds the
optimum.
— Achdou, Capuzzo-Dolcetta, SIAM J. Numer. Anal. 48 (2010).
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy import sparse
from scipy.linalg.lapack import dgtsv
from scipy.sparse.linalg import LinearOperator, bicgstab, splu

from mfgpde.core.arrays import Array
from mfgpde.equilibria import waves
from mfgpde.equilibria.equilibrium import Equilibrium, drift_on, initial_on, position_cost, reference_on
from mfgpde.games import MeanFieldGame
from mfgpde.games.contract import Towards
from mfgpde.grids import CartesianGrid

FLOOR = 1e-6
"""of the largest initial density, below which first variations are those at the floor: tails carry no signal"""
NEGATIVE = 1e-5
"""mass below zero that is spoken of"""


class Sweeps:
    """Best responses, backwards and forwards in time, and their derivative."""

    def __init__(self, game: MeanFieldGame, grid: CartesianGrid, count: int, order: int) -> None:
        self.game, self.grid, self.count, self.order = game, grid, count, order
        self.dt = game.horizon / count
        self.times = np.linspace(0, game.horizon, count + 1)
        self.middles = 0.5 * (self.times[1:] + self.times[:-1])
        self.initial = initial_on(game, grid)
        self.floor = FLOOR * float(self.initial.max())
        self.unit = game.unit(grid.lengths)
        self.running = [position_cost(game.running, "running cost", grid, float(t)) for t in self.middles]
        self.drift = [drift_on(game, grid, float(t)) for t in self.middles]
        self.kappa = [game.kappa(float(t)) for t in self.middles]
        self.gain = [game.control_gain(float(t)) for t in self.middles]
        self.known = [
            None if game.interaction is None else reference_on(game.interaction, grid, float(t)) for t in self.times
        ]
        self.known_end = reference_on(game.terminal, grid, game.horizon)
        self.decoupled = game.interaction is None and game.terminal.linear
        shapes = list(enumerate(zip(grid.cells, grid.spacing, strict=True)))
        kinds = ((0, None),) if order == 2 else ((1, np.minimum), (-1, np.maximum))
        self.sides = [
            (axis, _along(grid, axis, _first(n, h, side, grid.periodic[axis])), cut)
            for axis, (n, h) in shapes
            for side, cut in kinds
        ]
        """(axis, difference, what it is cut by zero with)"""
        self.minus_laplacian = sum(_along(grid, axis, _second(n, h, grid.periodic[axis])) for axis, (n, h) in shapes)
        fixed = [self._drifting(b) + k * self.minus_laplacian for b, k in zip(self.drift, self.kappa, strict=True)]
        *self.fixed, self.minus_laplacian = aligned([*fixed, self.minus_laplacian], [D for _, D, _ in self.sides])
        self.differences = [one.data for one in aligned([D for _, D, _ in self.sides], self.fixed[:1])]
        self.rows = np.repeat(np.arange(self.initial.size), np.diff(self.fixed[0].indptr))
        self.spectrum = waves.spectrum(grid)
        self.slowest = 1e-14 * max(grid.lengths) / game.horizon  # slopes below are taken as flat
        self.values = np.zeros((count + 1, *grid.cells))
        self.operators: list[Any] = []

    def first_guess(self) -> Array:
        """Return densities that go straight from ρ_0 to the law that the terminal cost wants, where it names one."""
        terminal = self.game.terminal
        wanted = terminal.law if isinstance(terminal, Towards) else None
        share = np.linspace(0, 1, self.count + 1).reshape(-1, *(1,) * self.grid.dimension)
        if wanted is None:
            return np.repeat(self.initial[None], self.count + 1, axis=0)
        end = np.exp(wanted.log_density(self.grid.points))
        return (1 - share) * self.initial + share * end / float(self.grid.integrate(end))

    # one step

    def _drifting(self, b: Array) -> Any:
        """Return −b·D, upwind at order 1."""
        total: Any = sparse.csr_array((self.initial.size,) * 2)
        for axis, D, cut in self.sides:
            part = (
                b[..., axis]
                if cut is None
                else np.maximum(b[..., axis], 0)
                if cut is np.minimum
                else np.minimum(b[..., axis], 0)
            )
            total = total - sparse.diags_array(part.ravel()) @ D
        return total

    def slopes(self, U: Array) -> Array:
        """Return DU, one entry per difference, cut by zero where it is one-sided."""
        found = [(D @ U.ravel()).reshape(self.grid.cells) for _, D, _ in self.sides]
        return np.stack(
            [p if cut is None else cut(p, 0.0) for p, (_, _, cut) in zip(found, self.sides, strict=True)], axis=-1
        )

    def pull(self, p: Array, k: int) -> tuple[Array, Array]:
        """Return gH′p/|p|, by which the control lowers the value, and H(g|p|)."""
        size = self.gain[k] * np.sqrt(np.einsum("...i,...i->...", p, p))
        factor = self.gain[k] ** 2 * np.divide(
            self.game.cost.speed(size), size, out=np.ones_like(size), where=size > self.slowest
        )
        return factor[..., None] * p, self.game.cost.hamiltonian(size)

    def operator(self, pull: Array, k: int) -> sparse.csr_array:
        """Return A(U) = (gH′p/|p| − b)·D + κA, its entries where those of all steps are."""
        data = self.fixed[k].data.copy()
        for j, values in enumerate(self.differences):
            data += pull[..., j].ravel()[self.rows] * values
        return _like(self.fixed[k], data)

    def solved(self, A: sparse.csr_array, right: Array, k: int, extra: float, *, transposed: bool = False) -> Array:
        """Solve (1 + ½dt·(extra + A)) u = right, A transposed or not."""
        if self.grid.dimension == 1 and not self.grid.periodic[0]:  # rows of three entries, the first and last of two
            below, middle, above = 0.5 * self.dt * np.concatenate(([0.0], A.data, [0.0])).reshape(-1, 3).T
            sides = (above[:-1], below[1:]) if transposed else (below[1:], above[:-1])
            u, info = dgtsv(sides[0], middle + 1 + 0.5 * self.dt * extra, sides[1], right)[3:]
            if info:
                raise np.linalg.LinAlgError("singular matrix")
            return u
        A = A.T if transposed else A
        n, symbol = right.size, 1 + 0.5 * self.dt * (extra + self.kappa[k] * self.spectrum)

        def smoothed(u: Array) -> Array:
            return waves.synthesised(self.grid, waves.analysed(self.grid, u.reshape(self.grid.cells)) / symbol).ravel()

        matrix = LinearOperator((n, n), lambda u: (1 + 0.5 * self.dt * extra) * u + 0.5 * self.dt * (A @ u))  # pyright: ignore[reportCallIssue]
        start = smoothed(right)
        smoother = LinearOperator((n, n), smoothed)  # pyright: ignore[reportCallIssue]
        u, info = bicgstab(matrix, right, x0=start, rtol=1e-11, atol=0.0, maxiter=60, M=smoother)
        if info:  # transport outweighs diffusion by far
            direct = sparse.eye_array(n) * (1 + 0.5 * self.dt * extra) + 0.5 * self.dt * A
            u = splu(sparse.csc_array(direct)).solve(right)
        return u

    # whole sweeps

    def charges(self, rho: Array) -> tuple[list[Array], Array]:
        """Return ℓ + δI/δρ at half steps and δF/δρ at the end, for given densities."""
        end = np.array(self.game.terminal.first_variation(np.maximum(rho[-1], self.floor), self.known_end))
        if self.game.interaction is None:
            return self.running, end
        f = [
            self.game.interaction.first_variation(np.maximum(r, self.floor), c)
            for r, c in zip(rho, self.known, strict=True)
        ]
        return [r + 0.5 * (a + b) for r, a, b in zip(self.running, f, f[1:], strict=False)], end

    def best_response(self, rho: Array) -> Array:
        """Return Φ(ρ); keeps the values and operators of the steps."""
        charges, end = self.charges(rho)
        r, cells = self.game.discount, self.grid.cells
        self.values[-1], self.operators = end, [None] * self.count
        for k in range(self.count - 1, -1, -1):
            late = self.values[k + 1]
            U = late.copy() if k == self.count - 1 else 2 * late - self.values[k + 2]
            defect, A = self._defect(U, late, charges[k], k)
            if not np.abs(defect).max() < 1e3 * (self.unit + np.abs(late).max()):
                U = late.copy()
                defect, A = self._defect(U, late, charges[k], k)
            for _ in range(60):
                change, share = self.solved(A, defect.ravel(), k, r).reshape(cells), 1.0
                before = float(np.linalg.norm(defect))
                while True:
                    defect, A = self._defect(U - share * change, late, charges[k], k)
                    if float(np.linalg.norm(defect)) <= (1 - 0.1 * share) * before or share < 1e-3:
                        break
                    share *= 0.5
                U = U - share * change
                if np.abs(change).max() <= 1e-10 * (self.unit + np.abs(U).max()):
                    break
            else:
                where = f"τ = {self.times[k]:.3g}"
                raise RuntimeError(
                    f"the Hamilton–Jacobi step at {where} has no solution within reach; try more steps or order 1"
                )
            self.values[k], self.operators[k] = U, A
        return self.carried(self.initial)

    def _defect(self, U: Array, late: Array, charge: Array, k: int) -> tuple[Array, Any]:
        """Return the defect of one Hamilton–Jacobi step, and its linearisation."""
        middle = 0.5 * (U + late)
        pull, H = self.pull(self.slopes(middle), k)
        total = self.game.discount * middle + H + (self.fixed[k] @ middle.ravel()).reshape(self.grid.cells) - charge
        return U - late + self.dt * total, self.operator(pull, k)

    def carried(self, start: Array, sources: list[Array] | None = None) -> Array:
        """Return densities at all times from (ρ⁺ − ρ)/dt + Aᵀρ̄ = source."""
        found = [start]
        for k, A in enumerate(self.operators):
            u = found[-1].ravel()
            right = u - 0.5 * self.dt * (A.T @ u)
            if sources is not None:
                right = right + self.dt * sources[k].ravel()
            found.append(self.solved(A, right, k, 0.0, transposed=True).reshape(self.grid.cells))
        return np.stack(found)

    def derivative(self, rho: Array, answer: Array, delta: Array) -> Array:
        """Return Φ′(ρ) δ: values change backwards by what is paid, densities forwards by how they steer."""
        game, dt, cells = self.game, self.dt, self.grid.cells
        change = (
            np.array(game.terminal.second_variation(np.maximum(rho[-1], self.floor), self.known_end) * delta[-1])
            if game.terminal.local
            else (game.terminal.first_variation(delta[-1], self.known_end))
        )
        paid = [np.zeros(cells)] * (self.count + 1)
        if game.interaction is not None and game.interaction.local:
            paid = [
                game.interaction.second_variation(np.maximum(r, self.floor), c) * e
                for r, c, e in zip(rho, self.known, delta, strict=True)
            ]
        elif game.interaction is not None:
            paid = [game.interaction.first_variation(e, c) for c, e in zip(self.known, delta, strict=True)]
        sources: list[Any] = [None] * self.count
        for k in range(self.count - 1, -1, -1):
            A, late = self.operators[k], change
            right = late.ravel() - 0.5 * dt * (game.discount * late.ravel() + A @ late.ravel())
            right = right + dt * 0.5 * (paid[k] + paid[k + 1]).ravel()
            change = self.solved(A, right, k, game.discount).reshape(cells)
            middle, mean = 0.5 * (self.values[k] + self.values[k + 1]), 0.5 * (answer[k] + answer[k + 1])
            steered = self._steered(middle, 0.5 * (change + late), k)
            total = np.zeros(mean.size)
            for j, (_, D, _) in enumerate(self.sides):
                total -= D.T @ (steered[..., j] * mean).ravel()
            sources[k] = total.reshape(cells)
        return self.carried(np.zeros(cells), sources)

    def _steered(self, U: Array, delta: Array, k: int) -> Array:
        """Return the change of gH′(g|p|)p/|p| when U changes by `delta`."""
        p, g = self.slopes(U), self.gain[k]
        slope = np.stack([(D @ delta.ravel()).reshape(self.grid.cells) for _, D, _ in self.sides], axis=-1)
        if self.order == 1:
            slope = np.where(p == 0, 0.0, slope)
        size = g * np.sqrt(np.einsum("...i,...i->...", p, p))
        safe, eps = np.maximum(size, self.slowest), 1e-5
        ratio = np.where(size > self.slowest, self.game.cost.speed(safe) / safe, 1.0)
        bend = (self.game.cost.speed(safe * (1 + eps)) - self.game.cost.speed(safe * (1 - eps))) / (2 * eps * safe)
        along = np.einsum("...i,...i->...", p, slope) * (g / safe) ** 2
        return g**2 * (ratio[..., None] * slope + ((bend - ratio) * along)[..., None] * p)

    def distance(self, a: Array, b: Array) -> float:
        """Return the largest ∫|a − b| over time."""
        return float(np.abs(a - b).reshape(len(a), -1).sum(axis=1).max() * self.grid.volume)

    def equilibrium(
        self, rho: Array, answer: Array, history: list[float], krylov: int, done: bool, seconds: float
    ) -> Equilibrium:
        """Return what was found; its gap is the Bregman distance of the costs between ρ and its best response."""
        game, grid = self.game, self.grid
        weight = self.dt * np.exp(-game.discount * self.middles)
        kinetic = running = 0.0
        for k in range(self.count):
            p = self.slopes(0.5 * (self.values[k] + self.values[k + 1]))
            mean = 0.5 * (answer[k] + answer[k + 1])
            speed = game.cost.speed(self.gain[k] * np.linalg.norm(p, axis=-1))
            kinetic += weight[k] * float(grid.integrate(game.cost.lagrangian(speed) * mean))
            running += weight[k] * float(grid.integrate(self.running[k] * mean))
        nodes = self.dt * np.exp(-game.discount * self.times)
        nodes[[0, -1]] *= 0.5
        last = float(np.exp(-game.discount * game.horizon))
        parts = [(game.terminal, last, self.known_end, -1)]
        if game.interaction is not None:
            parts += [
                (game.interaction, float(w), c, k) for k, (w, c) in enumerate(zip(nodes, self.known, strict=True))
            ]
        total, bregman = {"interaction": 0.0, "terminal": 0.0}, 0.0
        for f, w, c, k in parts:
            a, b = answer[k], np.maximum(rho[k], self.floor)
            paid = f.value(a if f.linear or not f.local else np.maximum(a, 0.0), c)
            total["terminal" if k == -1 else "interaction"] += w * float(grid.integrate(paid))
            slack = paid - f.value(b, c) - f.first_variation(b, c) * (a - b)  # the bound holds where a is negative, too
            bregman += w * float(grid.integrate(slack))
        missing = float(np.maximum(-answer, 0.0).reshape(len(answer), -1).sum(axis=1).max() * grid.volume)
        if missing > NEGATIVE:
            warnings.warn(
                f"densities are negative down to {answer.min():.1e}, {missing:.1e} of mass in all: steps or cells are too "
                "coarse for centred differences; take more of them, or order=1",
                stacklevel=4,
            )
        bregman = bregman if game.monotone(grid.points) else np.inf  # of costs that are not convex it bounds nothing
        costs = {"kinetic": kinetic, "running": running, **total}
        primal = sum(costs.values())
        residuals = {
            "fixed point, L1": history[-1],
            "gap": bregman,
            "negative mass": missing,
            "mass": float(np.abs(answer.reshape(len(answer), -1).sum(axis=1) * grid.volume - 1).max()),
        }
        rounds = len(history) - 1
        return Equilibrium(
            game, grid, self.times, answer, self.values.copy(), primal, primal - bregman, costs, residuals,
            f"Newton–Krylov, {self.count} steps, {rounds} rounds, {krylov} inner", done, tuple(history),
            {"iterations": rounds, "inner iterations": krylov, "seconds": seconds},
        )  # fmt: skip


def aligned(matrices: list[Any], others: list[Any]) -> list[sparse.csr_array]:
    """Return matrices with entries, zeros among them, where any of them or of `others` has one, row by row in order."""
    n, places = matrices[0].shape[1], []
    for one in (sparse.coo_array(one) for one in (*matrices, *others)):
        places.append(one.row.astype(np.int64) * n + one.col)
    taken = np.unique(np.concatenate(places))
    shape = sparse.csr_array((np.ones(len(taken)), (taken // n, taken % n)), shape=matrices[0].shape)
    found = list[sparse.csr_array]()
    for one, at in zip(matrices, places, strict=False):
        data = np.zeros(len(taken))
        np.add.at(data, np.searchsorted(taken, at), sparse.coo_array(one).data)
        found.append(_like(shape, data))
    return found


def _like(matrix: sparse.csr_array, data: Array) -> sparse.csr_array:
    """Return a matrix with entries at the same places."""
    return sparse.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def _first(n: int, h: float, side: int, periodic: bool) -> Any:
    """Return the difference ahead (1), back (−1) or centred (0), even about walls or round a circle: rows sum to zero."""
    if periodic:
        unit: Any = sparse.eye_array(n, format="csr")
        next_one = unit[np.roll(np.arange(n), -1)]
        ahead, back = (next_one - unit) / h, (unit - next_one.T) / h
        return ahead if side > 0 else back if side < 0 else 0.5 * (ahead + back)
    ahead = sparse.diags_array([np.append(np.full(n - 1, -1 / h), 0.0), np.full(n - 1, 1 / h)], offsets=[0, 1])
    back = sparse.diags_array([np.append(0.0, np.full(n - 1, 1 / h)), np.full(n - 1, -1 / h)], offsets=[0, -1])
    return ahead if side > 0 else back if side < 0 else 0.5 * (ahead + back)


def _second(n: int, h: float, periodic: bool) -> Any:
    """Return −∂², even about walls or round a circle."""
    if periodic:
        unit: Any = sparse.eye_array(n, format="csr")
        next_one = unit[np.roll(np.arange(n), -1)]
        return (2 * unit - next_one - next_one.T) / h**2
    middle = np.full(n, 2.0)
    middle[[0, -1]] = 1.0
    return sparse.diags_array([middle / h**2, np.full(n - 1, -1 / h**2), np.full(n - 1, -1 / h**2)], offsets=[0, 1, -1])


def _along(grid: CartesianGrid, axis: int, matrix: Any) -> sparse.csr_array:
    """Return a matrix that acts along one axis of the grid."""
    total: Any = sparse.eye_array(1)
    for i, n in enumerate(grid.cells):
        total = sparse.kron(total, matrix if i == axis else sparse.eye_array(n))
    return sparse.csr_array(total)
