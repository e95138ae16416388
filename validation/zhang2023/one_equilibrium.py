"""A monotone game has one equilibrium: three methods and two starts meet in it, the gap closes, finite elements agree.

A crowd that walks to a place and shuns company. Entropy minimisation, the primal-dual method and Newton's method share neither
discretisation nor iteration. Finite elements then solve the Hamilton–Jacobi–Bellman equation in the crowd that was found, and the
Fokker–Planck equation with the control that was found. Between walls the truth is known without any of them: a cosine that the
noise damps is e^{−U/2κ}, the density its product with another sum of cosines.
"""

from functools import cache

import numpy as np
from scipy.fft import dct, idct
from scipy.interpolate import CubicSpline, RegularGridInterpolator

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, at_least, at_most, equal

claim = Claim(
    statement=(
        r"-\partial_\tau U+\tfrac12|\nabla U|^2-\kappa\Delta U=\ell+f(\rho),\quad \partial_\tau\rho-\nabla\!\cdot(\rho\nabla U)=\kappa\Delta\rho:"
        r"\quad f\ \text{increasing}\Rightarrow\text{one solution},\ \text{primal}=\text{dual}"
    ),
    source="arXiv:2304.13534, section 2; Lasry, Lions, Jpn. J. Math. 2 (2007)",
    standing="theorem",
    assumes=("f(ρ) = aρ, a > 0", "κ > 0"),
    coefficients=("aversion", "noise", "dual", "mass"),
)

KAPPA, AVERSION = 0.3, 1.5

ROUNDING = 1e-13
"""of costs of size one"""


def crowd(aversion):
    """Return the game."""
    return mfg.games.crowd_motion(
        mfg.gaussian([-0.6], [[0.2]]), lambda x: (x[..., 0] - 0.8) ** 2, viscosity=KAPPA, aversion=aversion * AVERSION
    )


@cache
def solved(aversion, method, level, start="", **early):
    """Return the equilibrium, refined; `start` "uniform": on the grid alone, from the uniform law."""
    n, tolerance = size(level)
    grid = mfg.CartesianGrid.cube(4.0, n, 1)
    if start:
        law = np.full((n // 2 + 1, n), 1 / 8.0)
        return mfg.equilibrium(crowd(aversion), grid, method=method, steps=n // 2, start=law)
    if method == "entropic":
        return mfg.equilibria.refined_equilibrium(crowd(aversion), grid, steps=32, **early)
    more = {"tolerance": tolerance, "iterations": 6000} if method == "primal-dual" else {}
    return mfg.equilibria.refined_equilibrium(crowd(aversion), grid, method=method, steps=n // 2, **more)


def size(level):
    """Return the number of cells, and the gap that the primal-dual method may leave."""
    return Level(level).pick((80, 1e-3), (128, 5e-4), (192, 3e-4))


@claim.measure
def meet(level, aversion=1.0, second=None, noise=1.0, cheaper=None, dual=1.0, mass=1.0, **early):
    """`aversion` multiplies that of the game which the primal-dual and Newton's methods and the elements see.

    `second` is that of Newton's other start, if another; `noise` multiplies that of elements and of the cosines between
    walls; `cheaper` is that of the game whose primal value is set against the dual one, if another; `dual` multiplies dual
    values, `mass` all that walks, a step; `early` is where the entropic sweeps stop, if not at their end.
    """
    three = (
        solved(1.0, "entropic", level, **early),
        solved(aversion, "primal-dual", level),
        solved(aversion, "newton", level),
    )
    cost, dual_cost, newton_cost = (one.optimal_cost for one in three)
    entropic, primal_dual, newton = (one.finest for one in three)
    again = solved(second or aversion, "newton", level, "uniform")
    plan = solved(cheaper, "primal-dual", level).finest if cheaper else primal_dual
    findings = [
        equal("cost: entropic, primal-dual", cost, dual_cost, resolution=1e-2),
        # δ: what the change to the finest grid is told as, which falls faster than h²
        equal("cost: entropic, Newton", cost, newton_cost, resolution=Level(level).pick(4e-3, 1e-3, 1e-3)),
        equal("Newton from two starts: L¹ at T/2", _between(newton, again), mfg.exact(0.0, "one"), resolution=1.9e-9),
        at_most(
            "entropic: primal − dual",
            mfg.Estimate(entropic.discrete_primal - dual * entropic.discrete_dual, ROUNDING, mfg.Kind.BOUND, "gap"),
            mfg.exact(1e-7, "0"),
            resolution=0.0,
        ),
        at_least(
            "primal-dual: primal − dual",
            mfg.Estimate(plan.discrete_primal - dual * primal_dual.discrete_dual, ROUNDING, mfg.Kind.BOUND, "gap"),
            mfg.exact(0.0, "0"),
            resolution=0.0,
        ),
    ]
    # δ: h² of centred differences, 0.1² and less, which the gap that is left hides for the primal-dual method
    for name, found, small in (
        ("primal-dual", primal_dual, 8e-3),
        ("Newton", newton, 8e-3 * min(1.0, 96 / size(level)[0]) ** 2),
    ):
        off = _between(entropic, found)
        findings.append(equal(f"ρ at T/2: entropic, {name}", off, mfg.exact(0.0, "one"), resolution=small))
        loss = mfg.exact(_loss(found, mass), "the worst time")
        findings.append(at_most(f"{name}: loss of mass", loss, mfg.exact(1e-12, "rounding"), resolution=0.0))
    value, law = _elements(entropic, aversion, size(level)[0], noise * KAPPA)
    same = mfg.exact(0.0, "the same")
    findings.append(equal("U(0) by elements in the crowd that was found", value, same, resolution=5e-3))
    findings.append(equal("ρ(T) by elements with the control that was found", law, same, resolution=4.2e-3))
    findings += between_walls(level, noise)
    series = [
        Series(
            "entropic",
            "sweep",
            list(range(1, len(entropic.history) + 1)),
            "primal − dual",
            list(entropic.history),
            "xy",
        ),
        Series(
            "primal-dual",
            "sweep",
            list(range(1, len(primal_dual.history) + 1)),
            "primal − dual",
            list(primal_dual.history),
            "xy",
        ),
    ]
    return Evidence(findings, series)


SIDE, DAMPED, CROWDED, SHORT = 2.0, 0.8, 0.6, 0.5


class Cosine:
    """The density (1 + c cos(πx/L))/L on [0, L]: most of it lies at one wall."""

    dimension = 1

    def log_density(self, x):
        return np.log1p(CROWDED * np.cos(np.pi * x[..., 0] / SIDE)) - np.log(SIDE)


@cache
def between(n):
    """Return the equilibrium between walls, and its optimal cost by two more methods; what is known of it is set beside."""
    end = mfg.games.Potential(lambda x, t: -2 * KAPPA * np.log(1 + DAMPED * np.cos(np.pi * x[..., 0] / SIDE)))
    game = mfg.MeanFieldGame(Cosine(), end, SHORT, viscosity=KAPPA, name="between walls")
    grid = mfg.CartesianGrid((0.0,), (SIDE,), (n,))
    optima = {
        method: mfg.equilibria.optimal_cost(game, grid, method=method, walls="real", steps=n // 2)
        for method in ("primal-dual", "newton")
    }
    return mfg.equilibrium(game, grid, steps=8), optima


@cache
def between_walls(level, noise):
    """Return findings on the game with terminal cost −2κ log β, β = 1 + e cos(πx/L), whose cosine noise damps by e^{−κπ²T/L²}.

    U(0) = −2κ log β_0 and ρ_T = β N(ρ_0/β_0), N the noise between walls that reflect, damping each cosine: here by 4096 of them.
    """
    T, n, damping = SHORT, Level(level).pick(64, 96, 128), noise * KAPPA

    def beta(x, t):
        return 1 + DAMPED * np.exp(-damping * np.pi**2 * (T - t) / SIDE**2) * np.cos(np.pi * x / SIDE)

    fine = (np.arange(4096) + 0.5) * SIDE / 4096
    start = np.exp(Cosine().log_density(fine[:, None]))
    cost = float(np.mean(-2 * KAPPA * np.log(beta(fine, 0.0)) * start) * SIDE)
    waves = dct(start / beta(fine, 0.0)) * np.exp(-damping * (np.pi * np.arange(4096) / SIDE) ** 2 * T)
    law = CubicSpline(fine, beta(fine, T) * idct(waves))
    grid = mfg.CartesianGrid((0.0,), (SIDE,), (n,))
    found, optima = between(n)
    x = grid.axes[0]
    value = np.abs(found.values[0] + 2 * KAPPA * np.log(beta(x, 0.0))).max()
    apart = float(grid.integrate(np.abs(found.densities[-1] - law(x))))
    known = mfg.exact(0.0, "cosines")
    # the noise of a step is six cells wide: sums over cells are exact to e^{−2π²·36}, splines to 1e-12
    findings = [
        equal(f"between walls: {name}", mfg.Estimate(off, 1e-9, mfg.Kind.BOUND, found.method), known, resolution=4.5e-9)
        for name, off in (
            ("U(0), entropic", value),
            ("ρ(T), entropic", apart),
            ("cost, entropic", abs(found.discrete_primal - cost)),
        )
    ]
    for method, delta in (("primal-dual", 1.4e-4 * (64 / n) ** 2), ("newton", 4e-4 * (64 / n) ** 2)):  # of order two
        findings.append(
            equal(f"between walls: cost, {method}", optima[method], mfg.exact(cost, "cosines"), resolution=delta)
        )
    return findings


def _loss(found, mass):
    """Return the largest |∫ρ_k − 1|, all multiplied by `mass` a step."""
    return max(abs(float(found.grid.integrate(rho)) * mass**k - 1) for k, rho in enumerate(found.densities))


def _between(a, b):
    """Return the L¹ distance of the densities at half time, on the cells that they share."""
    half = [found.densities[len(found.times) // 2] for found in (a, b)]
    distance = float(a.grid.integrate(np.abs(half[0] - half[1])))
    return mfg.Estimate(distance, 1e-12, mfg.Kind.BOUND, "sums over cells", f"{a.method}; {b.method}")


@cache
def _elements(found, aversion, n, kappa):
    """Return how far value and density are from those of quadratic elements, where the crowd is."""
    game = crowd(aversion)
    T, times, x = game.horizon, found.times, found.grid.axes[0]
    space = mfg.FiniteElement(mfg.meshes.interval(-4.0, 4.0, n // 2), degree=2)
    crowd_cost = RegularGridInterpolator(
        (times, x), game.interaction.weight * found.densities, bounds_error=False, fill_value=None
    )
    control = RegularGridInterpolator(
        (times, x), np.stack([found.control(k)[..., 0] for k in range(len(times))]), bounds_error=False, fill_value=None
    )

    def at(table, points, tau):
        return table(
            np.column_stack((np.full(points[..., 0].size, np.clip(tau, 0, T)), points[..., 0].ravel()))
        ).reshape(points.shape[:-1])

    backwards = mfg.HamiltonJacobiBellman(
        lambda y, p, s: 0.5 * np.sum(p * p, axis=-1) - at(crowd_cost, y, T - s), lambda s: kappa, T
    )
    start = game.terminal.cost
    value = mfg.solve(backwards, space, lambda y: start(y, T), (0.0, T), rtol=1e-5).fields[-1]
    forwards = mfg.FokkerPlanck(lambda y, tau: at(control, y, tau)[..., None], lambda tau: kappa, horizon=T)
    law = mfg.solve(forwards, space, game.initial, (0.0, T), rtol=1e-5, largest_wall_mass=1e-3).fields[-1]
    near = found.densities[0] > 1e-3
    difference = np.abs(value(found.grid.points) - found.values[0])[near].max()
    apart = float(found.grid.integrate(np.abs(law(found.grid.points) - found.densities[-1])))
    # δ: linear interpolation between 33 times, centred slopes of the value
    where = f"quadratic elements, {n // 2} cells, linear between {len(times)} times"
    return tuple(
        mfg.Estimate(off, 1e-12, mfg.Kind.BOUND, "in the cells' centres", where) for off in (difference, apart)
    )


@claim.control(
    "the plan of a crowd that minds company a hundredth as much against the bound of this one, 1e-9 lost a step"
)
def bolder(level):
    return meet(level, cheaper=0.01, mass=1 - 1e-9)


@claim.control(
    "aversions twice and thrice as large in all but one, sweeps stopped early, four times the noise in what is known"
)
def shyer(level):
    return meet(level, aversion=2.0, second=3.0, noise=4.0, tolerance=1e-3)
