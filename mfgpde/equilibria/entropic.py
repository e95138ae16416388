"""Second-order games with quadratic cost as entropy minimisation over laws of paths: Sinkhorn's algorithm, with its gap.

With γ = 2κ/g² constant, the control cost of a law P of paths is γ KL(P|R), R that of the noise alone, so the game is
    minimise γ KL(P|R) + Σ_k w_k (⟨ℓ_k, P_k⟩ + I(P_k)) + F(P_N) over P with P_0 = ρ_0,
after Benamou, Carlier, Di Marino, Nenna, Math. Models Methods Appl. Sci. 29 (2019). Steps have equal variance and are taken
exactly, costs are attached to the nodes by the trapezoidal rule (Strang): second order in time; the grid's quadrature is
spectral for resolved kernels. Potentials are updated one after the other, forwards and backwards, each to its optimum in
closed form, and mixed with earlier ones (Anderson); the gap is the sum of what Fenchel's inequality leaves at the nodes,
without cancellation.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array, Backend, dot, elsewhere, namespace, require_memory, to_host
from mfgpde.core.checkpoint import Checkpoint
from mfgpde.core.progress import meter
from mfgpde.equilibria.anderson import Mixer
from mfgpde.equilibria.convex import not_convex
from mfgpde.equilibria.driftless import potential_cost, running_cost
from mfgpde.equilibria.equilibrium import Equilibrium, initial_on, reference_on
from mfgpde.equilibria.heat import RANGE
from mfgpde.equilibria.noisy_steps import NoisySteps
from mfgpde.games import Functional, MeanFieldGame
from mfgpde.grids import CartesianGrid
from mfgpde.kernels.replay import LARGEST, Replayed, directly


def solves(game: MeanFieldGame) -> str:
    """Return why this method does not apply to a game, or nothing."""
    nodes = np.linspace(0, game.horizon, 17)
    if reason := not_convex(game):
        return reason
    if game.discount > 0:
        return "costs are discounted"
    ratios = np.array([2 * game.kappa(t) / game.control_gain(t) ** 2 for t in nodes])
    if not ratios.min() > 0:
        return "the viscosity vanishes"
    if np.ptp(ratios) > 1e-10 * ratios.max():
        return "2κ/g² changes over time"
    return ""


def solve_entropic(
    game: MeanFieldGame,
    grid: CartesianGrid,
    *,
    steps: int | None = None,
    tolerance: float | None = None,
    iterations: int = 2000,
    start: Array | None = None,
    checkpoint: Checkpoint | None = None,
    backend: Backend = "numpy",
    progress: bool = False,
) -> Equilibrium:
    """Return the equilibrium; sweeps end when the duality gap is below `tolerance`, or after `iterations`.

    `tolerance` is absolute; the default is 1e-8 of the game's unit of cost.
    `steps` defaults to as many as the grid resolves, at most 64. `start` are densities (N + 1, *cells) to begin with.
    `backend="cupy"` iterates on a GPU; what the game is made of is evaluated on the host.
    """
    clock = time.perf_counter()
    tolerance = 1e-8 * game.unit(grid.lengths) if tolerance is None else tolerance
    reason = solves(game)
    if reason:
        raise ValueError(f"entropy minimisation needs another game: {reason}")
    xp = namespace(backend)
    paths = NoisySteps.of(game, grid, steps, xp)
    held = 28 * 8 * len(paths.times) * int(np.prod(grid.cells))
    require_memory(xp, held, f"a game of {len(paths.times) - 1} steps on {grid.cells} cells")
    sweep = _Sweeps(game, grid, paths, start, xp)
    stored = checkpoint.load() if checkpoint else None
    if stored is not None:
        sweep.resume(xp.asarray(stored["moved"]))
    history: list[float] = []
    mixer = Mixer()
    with meter("entropic", show=progress) as bar:
        for k in range(iterations):
            if k > 0:
                before = np.stack(sweep.moved)
                sweep.improve()
                plain = np.stack(sweep.moved)
                weight = np.sqrt(np.stack(sweep.marginals))
                sweep.resume(mixer.mixed(before, plain, weight))
            gap = sweep.gap()
            if sweep.too_wide:  # tails that one shift does not hold: the sweep again, line by line from here on
                sweep.too_wide, sweep.careful, mixer = False, True, Mixer()
                sweep.resume(before if k > 0 else np.stack(sweep.moved))
                if k > 0:
                    sweep.improve()
                    plain = np.stack(sweep.moved)
                gap = sweep.gap()
            if k > 0 and gap > 2 * history[-1]:  # back to what cannot fail: ascent in the dual
                mixer = Mixer()
                sweep.resume(plain)
                gap = sweep.gap()
            if np.isnan(gap):
                raise RuntimeError(
                    f"after {k} sweeps the gap is not a number: the costs exclude what the noise must do"
                )
            history.append(gap)
            bar(
                min(1.0, np.log10(max(gap, 1e-300)) / np.log10(max(tolerance, 1e-300))) if gap < 1 else 0.0,
                f"gap {gap:.2e}",
            )
            if checkpoint:
                checkpoint.save(now=k == iterations - 1, moved=to_host(np.stack(sweep.moved)))
            if gap <= tolerance:
                break
    return sweep.equilibrium(history, history[-1] <= tolerance, time.perf_counter() - clock)


class _Sweeps:
    """Dual potentials at all times, in units of γ: `fixed` by costs of position, `moved` by those of the density."""

    def __init__(
        self, game: MeanFieldGame, grid: CartesianGrid, paths: NoisySteps, start: Array | None, xp: Any
    ) -> None:
        self.game, self.grid, self.paths = game, grid, paths
        self.count = len(paths.times) - 1
        self.log_initial = xp.asarray(np.log(np.maximum(initial_on(game, grid), 1e-300)))
        self.running = [xp.asarray(running_cost(game, grid, float(t))) for t in paths.times]
        self.fixed = [w * r / paths.gamma for w, r in zip(paths.weights, self.running, strict=True)]
        self.end_potential = xp.asarray(potential_cost(game, grid, game.horizon))
        self.fixed[-1] = self.fixed[-1] + self.end_potential / paths.gamma
        self.interaction = game.interaction
        self.known = [
            None if self.interaction is None else _sent(reference_on(self.interaction, grid, float(t)), xp)
            for t in paths.times
        ]
        self.terminal = game.terminal
        self.known_end: Any = _sent(reference_on(self.terminal, grid, game.horizon), xp)
        if self.terminal.linear:
            self.fixed[-1] = self.fixed[-1] + self.known_end / paths.gamma
        zero = np.zeros_like(self.log_initial)
        self.moved = [zero] * (self.count + 1)
        if start is not None and self.interaction is not None:
            for k in range(1, self.count):
                slope = self.interaction.first_variation(xp.asarray(start[k]), self.known[k])
                self.moved[k] = paths.weights[k] / paths.gamma * slope
        self.ahead = [zero] * (self.count + 1)  # log β: what is still to come
        self.behind = [zero] * (self.count + 1)  # log α: what has been
        self.above_dual = 0.0
        self.careful, self.too_wide = False, False
        self.spans: list[Any] = []
        self.replayed: Any = Replayed() if zero.size <= LARGEST else directly
        self._backward(update=False)

    def resume(self, moved: Array) -> None:
        """Take up potentials found before."""
        self.moved = [moved[k] for k in range(len(moved))]
        self._backward(update=False)

    def _sees_density(self, k: int) -> bool:
        return self.interaction is not None or (k == self.count and not self.terminal.linear)

    def _optimum(self, k: int, log_a: Array) -> Array:
        """Return log r at the optimal potential of time k, given what comes before and after."""
        s = self.paths.weights[k] / self.paths.gamma
        end = k == self.count and not self.terminal.linear
        if not end:
            return self._inner(k, log_a, self.known[k])
        alone = self.terminal.kl_proximal(log_a, 1 / self.paths.gamma, self.known_end)
        if self.interaction is None or self.terminal.hard:
            return alone
        return _both(
            log_a, alone, ((self.interaction, s, self.known[k]), (self.terminal, 1 / self.paths.gamma, self.known_end))
        )

    def _inner(self, k: int, log_a: Array, known: Any) -> Array:
        """Return the same at a time before the end."""
        assert self.interaction is not None
        return self.interaction.kl_proximal(log_a, self.paths.weights[k] / self.paths.gamma, known)

    def _noise(self, logs: Array) -> Array:
        """Return noised logarithms; how wide they are is noted where they lie, and looked at with the gap."""
        if self.careful:
            return self.paths.noise(logs)
        found, span = self.paths.noise.at_once(logs)
        self.spans.append(span)
        return found

    def _forward(self, update: bool) -> None:
        self.behind[0] = self.log_initial - self.ahead[0]
        for k in range(1, self.count + 1):
            before = self.behind[k - 1] - (self.fixed[k - 1] + self.moved[k - 1] if k > 1 else 0.0)
            self._through(k, before, self.behind, self.ahead, update)

    def _backward(self, update: bool) -> None:
        self.ahead[self.count] = np.zeros_like(self.log_initial)
        if update:
            self._update(self.count)
        for k in range(self.count - 1, 0, -1):
            after = self.ahead[k + 1] - self.fixed[k + 1] - self.moved[k + 1]
            self._through(k, after, self.ahead, self.behind, update)
        self.ahead[0] = self._noise(self.ahead[1] - self.fixed[1] - self.moved[1])

    def _through(self, k: int, logs: Array, into: list[Array], others: list[Array], update: bool) -> None:
        """Noise what comes to time k, and update its potential: on a device one launch, recorded, for all inner times."""
        if self.careful or not elsewhere(logs) or k == self.count:
            into[k] = self._noise(logs)
            if update:
                self._update(k)
            return
        update = update and self._sees_density(k)

        def work(logs: Array, *more: Array) -> tuple[Any, ...]:
            found, span = self.paths.noise.at_once(logs)
            if not update:
                return found, span
            other, fixed, *known = more
            log_a = found + other - fixed
            return found, span, log_a - self._inner(k, log_a, known[0] if known else None)

        given = (others[k], self.fixed[k], *(() if self.known[k] is None else (self.known[k],))) if update else ()
        key = (update, self.paths.weights[k])
        found = self.replayed(key, work, logs, *given)
        into[k], span, *moved = (a.copy() for a in found)  # what is recorded is filled anew the next time
        self.spans.append(span)
        if update:
            (self.moved[k],) = moved

    def _update(self, k: int) -> None:
        if self._sees_density(k):
            log_a = self.behind[k] + self.ahead[k] - self.fixed[k]
            self.moved[k] = log_a - self._optimum(k, log_a)

    def improve(self) -> None:
        """Go once forwards and once backwards, every time's potential to its optimum."""
        self._forward(update=True)
        self._backward(update=True)

    def densities(self) -> list[Array]:
        """Return the marginals of the path law that belongs to the potentials, after a forward pass."""
        found = [np.exp(self.log_initial)]
        found += [
            np.exp(self.behind[k] + self.ahead[k] - self.fixed[k] - self.moved[k]) for k in range(1, self.count + 1)
        ]
        return found

    def gap(self) -> float:
        """Return primal − dual at the present potentials."""
        self._forward(update=False)
        self.marginals = self.densities()
        total = sum(self._slack(k, r) for k, r in enumerate(self.marginals) if k and self._sees_density(k))
        if self.spans:
            widest = np.max(np.stack(self.spans))
            total, widest = map(float, to_host(np.stack((total + 0 * widest, widest))))
            self.spans, self.too_wide = [], not widest <= RANGE
        if self.terminal.hard and not self.too_wide:
            total += self._rounding()
        return float(total)

    def _slack(self, k: int, r: Array) -> Any:
        """Return what Fenchel's inequality leaves at one time, in units of cost, where the fields lie."""
        gamma, w = self.paths.gamma, self.paths.weights[k]
        u = gamma * self.moved[k]
        end = k == self.count and not self.terminal.linear
        if not end:
            return w * _left(self.interaction, r, u / w, self.known[k], self.grid)
        if self.terminal.hard:
            return 0.0
        if self.interaction is None:
            return _left(self.terminal, r, u, self.known_end, self.grid)
        share = w * self.interaction.first_variation(r, self.known[k])  # of the potential, what the interaction takes
        rest = _left(self.interaction, r, share / w, self.known[k], self.grid)
        return w * rest + _left(self.terminal, r, u - share, self.known_end, self.grid)

    def _rounding(self) -> float:
        """Return by how much the cost of a law that meets the target exactly can exceed the dual value.

        Mass that ends where the target has none left is cut off, and what is missing on both sides joined independently;
        relative entropy is convex, and the noise joins any two points with at least its Gaussian density. What an
        interaction would pay for those few is not counted.
        """
        gamma, r, target = self.paths.gamma, self.marginals[-1], np.exp(self.known_end)
        keep = np.minimum(1.0, target / np.maximum(r, 1e-300))
        missing = float(self.grid.integrate(target - keep * r))
        shift = float(self.grid.integrate(self.moved[-1] * (target - r)))  # cost of the present law less the dual value
        self.above_dual = gamma * shift
        if missing <= 0:
            return gamma * abs(shift)
        start = np.exp(self.log_initial)
        kept = start * np.exp(self._behind_kept(keep) - self.ahead[0])
        lost = np.maximum(start - kept, 0.0)
        x, volume = self.grid.points, self.grid.volume
        rest, present_start = to_host(target - keep * r), to_host(start)
        lost = to_host(lost)
        if not (lost.sum() > 0 and rest.sum() > 0):  # what is missing is a rounding, and on one side none
            return gamma * abs(shift)
        first, last = lost / lost.sum(), rest / rest.sum()
        mean = [np.tensordot(m, x, axes=m.ndim) for m in (first, last)]
        square = [float(np.tensordot(m, dot(x, x), axes=m.ndim)) for m in (first, last)]
        distance = square[0] + square[1] - 2 * float(mean[0] @ mean[1])
        variance = self.count * self.paths.variance
        worst = sum(float(f.max()) for f in self.fixed[1:])
        entropy = sum(
            float(np.sum(m * np.log(np.maximum(m, 1e-300) / (p * volume)))) for m, p in ((first, present_start),)
        )
        entropy += float(np.sum(last * np.log(np.maximum(last, 1e-300) / volume)))
        joined = entropy + 0.5 * distance / variance + 0.5 * self.grid.dimension * np.log(2 * np.pi * variance) + worst
        present = float(self.grid.integrate(-self.moved[-1] * keep * r)) - float(
            self.grid.integrate(self.ahead[0] * kept)
        )
        kept_log = float(self.grid.integrate(keep * r * np.log(np.maximum(keep, 1e-300))))
        primal = present + kept_log - (1 - missing) * np.log(max(1 - missing, 1e-300)) + missing * max(joined, 0.0)
        dual = -float(self.grid.integrate(self.ahead[0] * start)) - float(self.grid.integrate(self.moved[-1] * target))
        return gamma * (primal - dual)

    def _behind_kept(self, keep: Array) -> Array:
        """Return log β_0 of the law that keeps a share of what ends at each point."""
        logs = -self.fixed[-1] - self.moved[-1] + np.log(np.maximum(keep, 1e-300))
        for k in range(self.count - 1, 0, -1):
            logs = self.paths.noise(logs) - self.fixed[k] - self.moved[k]
        return self.paths.noise(logs)

    def equilibrium(self, history: list[float], converged: bool, seconds: float) -> Equilibrium:
        """Return what was found, with the drift's transformation undone, on the host."""
        self._come_home()
        game, grid, gamma, w = self.game, self.grid, self.paths.gamma, self.paths.weights
        r = self.marginals
        values = [-gamma * self.ahead[k] + 0.5 * gamma * self._at_node(k) for k in range(self.count)]
        values[0] = -gamma * self.ahead[0] + w[0] * (self.running[0] + self._slope(0))
        last = gamma * (self.fixed[-1] + self.moved[-1]) - w[-1] * (self.running[-1] + self._slope(self.count))
        values.append(last)
        for k, t in enumerate(self.paths.times):
            values[k] = values[k] - potential_cost(game, grid, float(t))
        inner = [gamma * (f + m) for f, m in zip(self.fixed[1:], self.moved[1:], strict=True)]
        kinetic = -gamma * float(grid.integrate(r[0] * self.ahead[0]))
        kinetic -= sum(float(grid.integrate(u * p)) for u, p in zip(inner, r[1:], strict=True))
        running = sum(w_k * float(grid.integrate(l_k * p)) for w_k, l_k, p in zip(w, self.running, r, strict=True))
        boundary = float(grid.integrate(self.end_potential * r[-1])) - float(
            grid.integrate(potential_cost(game, grid, 0.0) * r[0])
        )
        interaction = 0.0
        if self.interaction is not None:
            pieces = zip(w, r, self.known, strict=True)
            interaction = sum(a * float(grid.integrate(self.interaction.value(p, c))) for a, p, c in pieces)
        terminal = float(grid.integrate(self.terminal.value(r[-1], self.known_end)))
        costs = {"kinetic and running": kinetic + running + boundary, "interaction": interaction, "terminal": terminal}
        primal = sum(costs.values())
        if self.terminal.hard:  # of a law that meets the end exactly
            primal = primal - self.above_dual + history[-1]
        residuals = {"gap": history[-1], "mass": max(abs(float(grid.integrate(p)) - 1) for p in r)}
        if self.terminal.hard:
            residuals["terminal law, L1"] = float(grid.integrate(np.abs(r[-1] - np.exp(self.known_end))))
        return Equilibrium(
            game, grid, self.paths.times, np.stack(r), np.stack(values), primal, primal - history[-1], costs, residuals,
            f"entropic, {self.count} steps, {len(history) - 1} sweeps", converged, tuple(history),
            {"iterations": len(history) - 1, "seconds": seconds},
        )  # fmt: skip

    def _come_home(self) -> None:
        self.replayed = directly  # recordings hold memory of the device
        for name in ("marginals", "ahead", "fixed", "moved", "running"):
            setattr(self, name, [to_host(a) for a in getattr(self, name)])
        self.known = [None if c is None else to_host(c) for c in self.known]
        self.known_end = None if self.known_end is None else to_host(self.known_end)
        self.end_potential = to_host(self.end_potential)

    def _slope(self, k: int) -> Array | float:
        """Return δI/δρ at a node; where I has none, at a capacity, the pressure that keeps to it."""
        if self.interaction is None or (k == 0 and not self.interaction.smooth):
            return 0.0
        if not self.interaction.smooth:
            return self.paths.gamma * self.moved[k] / self.paths.weights[k] if k < self.count else 0.0
        return self.interaction.first_variation(self.marginals[k], self.known[k])

    def _at_node(self, k: int) -> Array:
        return self.fixed[k] + self.moved[k] if k else np.zeros(self.grid.cells)


def _sent(known: Any, xp: Any) -> Any:
    return None if known is None else xp.asarray(known)


def _left(cost: Any, r: Array, u: Array, known: Any, grid: CartesianGrid) -> Any:
    """Return ∫ f(r) + f*(u) − u r ≥ 0, a number where the fields lie."""
    return grid.integrate(cost.value(r, known) + cost.conjugate(u, known) - u * r)


def _both(log_a: Array, start: Array, costs: tuple[tuple[Functional, float, Any], ...]) -> Array:
    """Solve z + Σ s f′(e^z) = log a by Newton's method, halved where it overshoots."""
    z = start.copy()
    for _ in range(50):
        r = np.exp(z)
        defect = z - log_a + sum(s * f.first_variation(r, c) for f, s, c in costs)
        slope = 1 + r * sum(s * f.second_variation(r, c) for f, s, c in costs)
        step = np.clip(defect / slope, -2.0, 2.0)
        z = z - step
        if float(np.abs(step).max()) < 1e-13:
            break
    return z
