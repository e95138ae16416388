"""Games with cost ∫e^{−τ/ε}(½|v|² + F(ρ)/ε) tend to the Wasserstein gradient flow of F as ε → 0, at rate ε.

F = KL(·‖N(0, s²)) keeps Gaussians: mean m and deviation σ follow y″ = (y′ + f′(y))/ε, f = m²/2s² and σ²/2s² − log σ, from y(0)
to y′(T) = −f′(y(T)), where the horizon is cut; the flow is y′ = −f′(y). Laws are drawn, of all draws the worst is judged.
"""

from functools import cache

import numpy as np
from scipy.integrate import solve_bvp

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, equal

claim = Claim(
    statement=(
        r"\min\int_0^\infty e^{-\tau/\varepsilon}\Big(\tfrac12\!\int|v|^2\rho+\tfrac1\varepsilon F(\rho)\Big)d\tau:\quad"
        r"\rho^\varepsilon\to\rho,\ \partial_\tau\rho=\nabla\!\cdot(\rho\nabla\tfrac{\delta F}{\delta\rho}),\ \text{error}\ O(\varepsilon)"
    ),
    source="arXiv:2304.13534, section 3.3",
    standing="theorem",
    assumes=("F = KL(·‖π)", "Gaussians on the line", "horizon cut where the flow's own value goes on"),
    coefficients=("epsilon", "speed"),
)

TIME = 0.5
TOLERANCE = 1e-8
"""of the boundary-value problems"""
DELTA = {
    0.4: {"mean": (1e-3, 4e-4), "deviation": (2.4e-3, 1.2e-3)},
    0.2: {"mean": (3e-3, 1.3e-3), "deviation": (2e-3, 9e-4)},
}
"""what cells and the gap leave of any draw, at level quick and from standard on: of drawn laws some reach half of it"""


class Law:
    """A Gaussian and a target N(0, s²), drawn: its mean and deviation in games and in the flow."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.mean, self.variance, self.target = rng.uniform(0.6, 1.2), rng.uniform(0.12, 0.35), rng.uniform(0.4, 0.7)

    def start(self, what):
        """Return y(0)."""
        return self.mean if what == "mean" else np.sqrt(self.variance)

    def pull(self, what, y):
        """Return f′."""
        return y / self.target - (what == "deviation") / y

    def flow(self, what, t, speed=1.0):
        """Return y of the gradient flow, or of one as many times as fast."""
        decay = np.exp(-speed * t / self.target)
        if what == "mean":
            return self.mean * decay
        return np.sqrt(self.target + (self.variance - self.target) * decay**2)

    def game(self, what, epsilon):
        """Return y(TIME) of the game: a boundary-value problem, the horizon three times that."""
        t = np.linspace(0, 3 * TIME, 201)
        guess = self.flow(what, t)
        found = solve_bvp(
            lambda _, y: np.stack([y[1], (y[1] + self.pull(what, y[0])) / epsilon]),
            lambda a, b: np.array([a[0] - self.start(what), b[1] + self.pull(what, b[0])]),
            t,
            np.stack([guess, -self.pull(what, guess)]),
            tol=TOLERANCE,
            max_nodes=100_000,
        )
        if not found.success:
            raise RuntimeError(f"the {what} at ε = {epsilon:g}: {found.message}")
        return float(found.sol(TIME)[0])


@cache
def at_time(seed, eps, cells, tolerance):
    """Return mean and deviation of the game's density at TIME, as solved on cells. Controls ask for the same games."""
    law = Law(seed)
    source, target = mfg.gaussian([law.mean], [[law.variance]]), mfg.gaussian([0.0], [[law.target]])
    grid = mfg.CartesianGrid.cube(4.0, cells, 1)
    game = mfg.games.gradient_flow(source, target, eps, 3 * TIME)
    found = mfg.equilibrium(game, grid, steps=cells // 6 * 3, tolerance=tolerance, iterations=6000)
    density, x = found.densities[len(found.times) // 3], grid.axes[0]
    mean = float(grid.integrate(x * density))
    return {"mean": mean, "deviation": float(np.sqrt(grid.integrate((x - mean) ** 2 * density)))}


@claim.measure
def limit(level, rng, epsilon=1.0, speed=1.0):
    """`epsilon` multiplies that of the games; `speed` the rate of the flow that is taken for the limit."""
    cells, tolerance = Level(level).pick((64, 2e-4), (96, 1e-4), (128, 5e-5))
    seeds = [int(rng.integers(2**32)) for _ in range(Level(level).pick(1, 2, 5))]
    findings = []
    for eps, deltas in DELTA.items():
        for what, delta in deltas.items():
            off = max(
                (at_time(s, epsilon * eps, cells, tolerance)[what] - Law(s).game(what, eps) for s in seeds), key=abs
            )
            found = mfg.Estimate(
                off, TOLERANCE, mfg.Kind.BOUND, "a boundary-value problem", f"{cells} cells, a gap of {tolerance:g}"
            )
            label = f"ε = {eps:g}: {what} at τ = {TIME:g}, off that of the game, furthest"
            findings.append(
                equal(label, found, mfg.exact(0.0, "claim"), resolution=Level(level).pick(*delta, delta[1]))
            )
    noises, series = (8e-3, 4e-3, 2e-3), []
    for what in ("mean", "deviation"):
        errors = [[abs(law.game(what, eps) - law.flow(what, TIME, speed)) for eps in noises] for law in map(Law, seeds)]
        rates = [mfg.observed_order(pair, off=TOLERANCE) for pair in errors]
        furthest = max(rates, key=lambda e: abs(e.value - 1) + e.half_width)
        # δ: the next term of the expansion in ε/s² is some ε/s² of the first, 1 % of it and less
        findings.append(
            equal(f"{what}: rate in ε, furthest from 1", furthest, mfg.exact(1.0, "claim"), resolution=0.03)
        )
        series.append(
            Series(what, "ε", list(noises), "distance to the gradient flow", list(np.mean(errors, axis=0)), "xy")
        )
    return Evidence(findings, series)


@claim.control("a flow of half the speed as the limit")
def slower(level, rng):
    return limit(level, rng, speed=0.5)


@claim.control("games with twice the ε")
def other(level, rng):
    return limit(level, rng, epsilon=2.0)
