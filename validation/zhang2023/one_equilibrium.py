"""A monotone game has one equilibrium: three methods and two starts meet in it, the gap closes, finite elements agree.

A crowd that walks to a place and shuns company. Entropy minimisation, the primal-dual method and Newton's method share neither
discretisation nor iteration. Finite elements then solve the Hamilton–Jacobi–Bellman equation in the crowd that was found, and the
Fokker–Planck equation with the control that was found. Between walls the truth is known without any of them: a cosine that the
noise damps is e^{−U/2κ}, the density its product with another sum of cosines.
"""

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
    coefficients=("aversion",),
)

KAPPA, AVERSION = 0.3, 1.5


def crowd(aversion):
    """Return the game."""
    return mfg.games.crowd_motion(
        mfg.gaussian([-0.6], [[0.2]]), lambda x: (x[..., 0] - 0.8) ** 2, viscosity=KAPPA, aversion=aversion * AVERSION
    )


@claim.measure
def meet(level, aversion=1.0, second=None, noise=1.0, cheaper=None, lost=0.0, **early):
    """`aversion` multiplies that of the game which the primal-dual and Newton's methods and the elements see.

    `second` is that of Newton's other start, if another; `noise` multiplies that of elements and of the cosines between
    walls; `cheaper` is that of the game whose primal value is set against the dual one, if another; `lost` is the part of
    the mass that is lost a step; `early` is where the entropic sweeps stop, if not at their end.
    """
    n, tolerance = Level(level).pick((96, 1e-3), (128, 5e-4), (192, 3e-4))
    grid = mfg.CartesianGrid.cube(4.0, n, 1)
    solved, other = mfg.equilibria.refined_equilibrium, crowd(aversion)
    three = (
        solved(crowd(1.0), grid, steps=32, **early),
        solved(other, grid, method="primal-dual", steps=n // 2, tolerance=tolerance, iterations=6000),
        solved(other, grid, method="newton", steps=n // 2),
    )
    cost, dual_cost, newton_cost = (one.optimal_cost for one in three)
    entropic, dual, newton = (one.finest for one in three)
    uniform = np.full((n // 2 + 1, n), 1 / 8.0)
    again = mfg.equilibrium(crowd(second or aversion), grid, method="newton", steps=n // 2, start=uniform)
    plan = dual
    if cheaper:
        plan = solved(
            crowd(cheaper), grid, method="primal-dual", steps=n // 2, tolerance=tolerance, iterations=6000
        ).finest
    findings = [
        equal("cost: entropic, primal-dual", cost, dual_cost, resolution=1e-2),
        equal("cost: entropic, Newton", cost, newton_cost, resolution=1e-2),
        equal("Newton from two starts: L¹ at T/2", _between(newton, again), mfg.exact(0.0, "one"), resolution=7e-9),
        at_most(
            "entropic: primal − dual",
            mfg.exact(entropic.discrete_primal - entropic.discrete_dual, "gap"),
            mfg.exact(1e-7, "0"),
            resolution=0.0,
        ),
        at_least(
            "primal-dual: primal − dual",
            mfg.exact(plan.discrete_primal - dual.discrete_dual, "gap"),
            mfg.exact(0.0, "0"),
            resolution=0.0,
        ),
    ]
    for name, found in (
        ("primal-dual", dual),
        ("Newton", newton),
    ):  # their bar: h² of centred differences, 0.083² and less
        findings.append(
            equal(
                f"ρ at T/2: entropic, {name}", _between(entropic, found, 0.005), mfg.exact(0.0, "one"), resolution=0.03
            )
        )
        findings.append(
            at_most(
                f"{name}: loss of mass",
                mfg.exact(_loss(found, lost), "the worst time"),
                mfg.exact(1e-12, "rounding"),
                resolution=0.0,
            )
        )
    value, law = _elements(entropic, other, n, noise * KAPPA)
    findings.append(
        equal("U(0) by elements in the crowd that was found", value, mfg.exact(0.0, "the same"), resolution=0.02)
    )
    findings.append(
        equal("ρ(T) by elements with the control that was found", law, mfg.exact(0.0, "the same"), resolution=0.02)
    )
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
            list(range(1, len(dual.history) + 1)),
            "primal − dual",
            list(dual.history),
            "xy",
        ),
    ]
    return Evidence(findings, series)


SIDE, DAMPED, CROWDED = 2.0, 0.8, 0.6


class Cosine:
    """The density (1 + c cos(πx/L))/L on [0, L]: most of it lies at one wall."""

    dimension = 1

    def log_density(self, x):
        return np.log1p(CROWDED * np.cos(np.pi * x[..., 0] / SIDE)) - np.log(SIDE)


def between_walls(level, noise):
    """Return findings on the game with terminal cost −2κ log β, β = 1 + e cos(πx/L), whose cosine noise damps by e^{−κπ²T/L²}.

    U(0) = −2κ log β_0 and ρ_T = β N(ρ_0/β_0), N the noise between walls that reflect, damping each cosine: here by 4096 of them.
    """
    T, n, damping = 0.5, Level(level).pick(64, 96, 128), noise * KAPPA

    def beta(x, t):
        return 1 + DAMPED * np.exp(-damping * np.pi**2 * (T - t) / SIDE**2) * np.cos(np.pi * x / SIDE)

    end = mfg.games.Potential(lambda x, t: -2 * KAPPA * np.log(beta(x[..., 0], T)))
    game = mfg.MeanFieldGame(Cosine(), end, T, viscosity=KAPPA, name="between walls")
    fine = (np.arange(4096) + 0.5) * SIDE / 4096
    start = np.exp(Cosine().log_density(fine[:, None]))
    cost = float(np.mean(-2 * KAPPA * np.log(beta(fine, 0.0)) * start) * SIDE)
    waves = dct(start / beta(fine, 0.0)) * np.exp(-damping * (np.pi * np.arange(4096) / SIDE) ** 2 * T)
    law = CubicSpline(fine, beta(fine, T) * idct(waves))
    grid = mfg.CartesianGrid((0.0,), (SIDE,), (n,))
    found = mfg.equilibrium(game, grid, steps=8)
    x = grid.axes[0]
    value = np.abs(found.values[0] + 2 * KAPPA * np.log(beta(x, 0.0))).max()
    apart = float(grid.integrate(np.abs(found.densities[-1] - law(x))))
    known = mfg.exact(0.0, "cosines")
    # the noise of a step is six cells wide: sums over cells are exact to e^{−2π²·36}, splines to 1e-12
    findings = [
        equal(f"between walls: {name}", mfg.Estimate(off, 1e-9, mfg.Kind.BOUND, found.method), known, resolution=7e-9)
        for name, off in (("U(0), entropic", value), ("ρ(T), entropic", apart))
    ]
    for method, delta in (("entropic", 7e-9), ("primal-dual", 1.4e-4), ("newton", 4e-4)):
        optimum = mfg.equilibria.optimal_cost(
            game, grid, method=method, walls="real", steps=8 if method == "entropic" else n // 2
        )
        findings.append(equal(f"between walls: cost, {method}", optimum, mfg.exact(cost, "cosines"), resolution=delta))
    return findings


def _loss(found, lost):
    """Return the largest |∫ρ_k − 1|, `lost` taken away a step."""
    return max(abs(float(found.grid.integrate(rho)) * (1 - lost) ** k - 1) for k, rho in enumerate(found.densities))


def _between(a, b, bar=1e-9):
    """Return the L¹ distance of the densities at half time."""
    half = [found.densities[len(found.times) // 2] for found in (a, b)]
    distance = float(a.grid.integrate(np.abs(half[0] - half[1])))
    return mfg.Estimate(distance, bar, mfg.Kind.EXTRAPOLATED, f"{a.method}; {b.method}")


def _elements(found, game, n, kappa):
    """Return the errors of value and density against quadratic elements, where the crowd is."""
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
    # linear interpolation between 33 times, centred slopes of the value: second order, 5e-3
    return (
        mfg.Estimate(e, 5e-3, mfg.Kind.EXTRAPOLATED, f"quadratic elements, {n // 2} cells") for e in (difference, apart)
    )


@claim.control(
    "the plan of a crowd that minds company a hundredth as much against the bound of this one, 1e-9 lost a step"
)
def bolder(level):
    return meet(level, cheaper=0.01, lost=1e-9)


@claim.control(
    "aversions twice and thrice as large in all but one, sweeps stopped early, four times the noise in what is known"
)
def shyer(level):
    return meet(level, aversion=2.0, second=3.0, noise=4.0, tolerance=1e-3)
