"""Data, reverse SDE, probability-flow ODE and the network's own density e^φ: one law with the exact score, four with a learned one.

The exact score measures the numerical floor of each distance, on four blobs in the plane and for laws and processes that are drawn
on the line, where what is left is the prior's; six trained networks then differ in all pairs by more than that.
"""

from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.discretisations import means_of
from mfgpde.verify import Claim, Evidence, Level, at_least, equal, load_module

claim = Claim(
    statement=(
        r"s_\theta=\nabla\log p_t\Rightarrow p_0=q_0^{\mathrm{SDE}}=q_0^{\mathrm{ODE}}=e^{\varphi_0};\qquad"
        r"\text{learned }s_\theta:\ J(a,b)>0\ \text{for all six pairs},\quad J=\mathrm{KL}(a\|b)+\mathrm{KL}(b\|a)"
    ),
    source="after arXiv:2311.15996",
    standing="experiment",
    assumes=(
        "small networks on four blobs",
        "denoising score matching alone",
        "means over few repetitions taken as normal",
    ),
    coefficients=("distance", "potential", "prior"),
)

networks = load_module(Path(__file__).parents[1] / "networks" / "_ensemble.py")
EMPTY = 1e-14
"""of density, below which the flow's cells have no mass to rounding"""


BLOBS = networks.PROCESS, networks.DATA, networks.STOP


def solved(score, grid, setting=BLOBS, rtol=1e-3, along=5e-4):
    """Return three densities on one grid: those of the data, the SDE and the ODE, whose tolerances are these."""
    process, data, stop = setting
    return {
        "data": mfg.densities.cell_means(mfg.marginal(process, data, stop), grid),
        "SDE": mfg.induced_sde(process, score, grid, stop=stop, order=4, rtol=rtol).density.values,
        "ODE": mfg.induced_ode(process, score, grid, stop=stop, rtol=along).density.values,
    }


def laws(score, grid, three, potential=1.0, stop=networks.STOP):
    """Return four there, with that of the network, `potential` times its φ."""
    phi = potential * score.potential(grid.points, stop)
    found = three | {"e^φ": means_of(np.exp(phi - phi.max()), grid)}
    found = {name: np.maximum(values, EMPTY) for name, values in found.items()}
    return {name: values / grid.integrate(values) for name, values in found.items()}


def symmetric_divergences(found, grid):
    """Return KL(a‖b) + KL(b‖a) of all pairs."""
    return {
        f"{a} – {b}": float(grid.integrate((found[a] - found[b]) * np.log(found[a] / found[b])))
        for a, b in combinations(found, 2)
    }


@cache
def kept(scale, n):
    """Return the exact score times `scale`, n² cells, and three densities there, which measure and control ask for."""
    exact, grid = _Scaled(mfg.ExactScore(networks.PROCESS, networks.DATA), scale), mfg.CartesianGrid.cube(4.5, n, 2)
    return exact, grid, solved(exact, grid)


@cache
def of_exact_score(scale, n, potential):
    """Return their divergences, and those with e^φ."""
    exact, grid, found = kept(scale, n)
    return symmetric_divergences(laws(exact, grid, found, potential), grid)


@cache
def of_the_prior():
    """Return J of the prior and the noised data at the horizon, of four blobs."""
    return at_the_horizon(BLOBS, mfg.CartesianGrid.cube(4.5, 96, 2))


def at_the_horizon(setting, grid):
    """Return J of the prior and the noised data at the horizon.

    It is J of the data and the exact score's ODE, whose flow is one for both, and no less than that of its SDE.
    """
    process, data, _ = setting
    both = mfg.solvers.prior_of(process, grid.dimension), mfg.marginal(process, data, process.horizon)
    p, q = (law.density(grid.points) for law in both)
    return float(grid.integrate((p - q) * np.log(p / q)))


@cache
def on_the_line(seed, k, scale, cells):
    """Return of a drawn setting the largest J, its bar, and J of data and ODE less the prior's with what cells change in it.

    Three blobs under OU, VP or sub-VP, whose horizons leave of the prior 1e-7 to 1e-5; the bar is the prior's J, and what a third
    fewer cells and a tolerance ten times as loose change.
    """
    rng = np.random.default_rng([seed, k])
    if k % 3 == 0:
        rate = float(rng.uniform(0.8, 1.2))
        process = mfg.OrnsteinUhlenbeck(rate=rate, horizon=6.5 / rate)
    else:
        kind = (mfg.VariancePreserving, mfg.SubVariancePreserving)[k % 3 - 1]
        process = kind(float(rng.uniform(0.1, 0.5)), float(rng.uniform(16, 20)), horizon=1.4)
    data = mfg.GaussianMixture(rng.dirichlet([3.0] * 3), rng.uniform(-1.5, 1.5, (3, 1)), rng.uniform(0.05, 0.3, 3))
    setting = process, data, float(rng.uniform(0.005, 0.015)) * process.horizon
    score = _Scaled(mfg.ExactScore(process, data), scale)

    def found(count, rtol):
        grid = mfg.CartesianGrid.cube(6.0, count, 1)
        return symmetric_divergences(laws(score, grid, solved(score, grid, setting, rtol, 1e-6), stop=setting[2]), grid)

    sharp, fewer, looser = found(cells, 1e-5), found(cells * 2 // 3, 1e-5), found(cells, 1e-4)
    prior = at_the_horizon(setting, mfg.CartesianGrid.cube(8.0, 1024, 1))
    changed = max(abs(sharp[one] - fewer[one]) + abs(sharp[one] - looser[one]) for one in sharp)
    pair = "data – ODE"
    # of order two a third fewer cells leave 5/4 times as much more
    return max(sharp.values()), prior + changed, sharp[pair] - prior, abs(sharp[pair] - fewer[pair]), prior


HORIZON = "the prior's J, which is drawn with the law, is up to 6e-6, and what cells and steps change as much"
CELLS = 2e-8
"""what 256 cells, of order two, leave of J(data – ODE): of other draws as much again as of this"""
STEPS = 6e-6
"""what the SDE's steps at 1e-3 leave of J with the data: of 6.0e-6 on 96² cells 1.6e-6 stay at 3e-4, 5e-7 at 1e-4"""


@cache
def of_networks(kind, level, n):
    """Return the divergences of all networks on n² cells, which a coefficient changes afterwards."""
    grid = mfg.CartesianGrid.cube(4.5, n, 2)
    scores = networks.ensemble(kind, level)
    return [symmetric_divergences(laws(score, grid, solved(score, grid)), grid) for score in scores]


@claim.measure
def divergences(level, rng, scale=1.0, learned="plain", distance=1.0, potential=1.0, prior=1.0):
    """`scale` multiplies the exact score of the first part; `learned` names the networks of the second, None for the exact score.

    `distance` multiplies the root of every J, to second order a distance; `potential` the exact score's φ; `prior` the J that
    the prior has at the horizon.
    """
    false = scale != 1.0  # by far: it shows on fewer cells
    rough, fine = Level(level).pick((32, 48) if false else (48, 64), (64, 96), (96, 128))
    floor = of_exact_score(scale, fine, potential)
    largest, other = max(floor.values()), max(of_exact_score(scale, rough, potential).values())
    method = f"largest of six pairs on {fine}² cells: change from {rough}², the prior's J, steps"
    bar = abs(largest - other) + of_the_prior() + STEPS
    worst = mfg.Estimate(distance**2 * largest, distance**2 * bar, mfg.Kind.EXTRAPOLATED, method)
    # the flow's cells are of second order: with the bar 6.5e-5 on 64², 3.8e-5 on 96²; 1.0e-5 of it is the prior's
    small = Level(level).pick(2e-4, 9e-5, 5e-5)
    findings = [equal("exact score: largest J", worst, mfg.exact(0.0, "one law"), resolution=small)]
    seed, draws = int(rng.integers(2**32)), range(Level(level).pick(3, 6, 15))
    drawn = [on_the_line(seed, k, scale, Level(level).pick(256, 384, 512)) for k in draws]
    method = "largest of six pairs: the prior's J, what a third fewer cells and looser steps change"
    most = max((mfg.Estimate(distance**2 * j, distance**2 * bar, mfg.Kind.EXTRAPOLATED, method) for j, bar, *_ in drawn), key=lambda e: e.value + e.half_width)  # fmt: skip
    findings.append(
        equal(
            "exact score, drawn on the line: largest J",
            most,
            mfg.exact(0.0, "one law"),
            resolution=3e-5,
            because=HORIZON,
        )
    )
    apart = [(off + (1 - prior) * of, bar) for _, _, off, bar, of in drawn]
    left, bar = max(apart, key=lambda one: abs(one[0]) + one[1])
    left = mfg.Estimate(left, bar, mfg.Kind.EXTRAPOLATED, "what a third fewer cells change")
    findings.append(
        equal(
            "exact score, drawn on the line: J(data – ODE) − that of the prior, furthest from 0",
            left,
            mfg.exact(0.0, "one flow"),
            resolution=CELLS,
        )
    )
    if false:
        return Evidence(findings)
    cells = Level(level).pick(rough, fine, fine)  # on 48² the floor is 5e-5
    tables = of_networks(learned, level, cells) if learned else [floor, floor]
    least = mfg.exact(1e-3, "ten times the floor on 64²")
    for pair in floor:
        mean = mfg.diagnostics.mean_interval([distance**2 * table[pair] for table in tables], "mean", normal=True)
        findings.append(at_least(f"J({pair})", mean, least, resolution=1e-4))
    return Evidence(findings)


class _Scaled:
    """A potential score times a constant."""

    def __init__(self, base, factor):
        self.base, self.factor = base, factor

    def __call__(self, x, t):
        return self.factor * self.base(x, t)

    def potential(self, x, t):
        return self.factor * self.base.potential(x, t)


@claim.control("the exact score in the networks' place")
def nothing_learned(level, rng):
    return divergences(level, rng, learned=None)


@claim.control("1.05 times the exact score")
def scaled(level, rng):
    return divergences(level, rng, scale=1.05)
