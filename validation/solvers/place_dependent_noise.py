"""Noise that depends on the place: every meaning of the integral has its own law, first passages their quadratures.

Geometric Brownian motion is lognormal with the drift that its meaning induces; the mean time over a barrier is a double
integral; the tilted washboard's current is Stratonovich's.
"""

from functools import cache

import numpy as np
from scipy.integrate import cumulative_simpson, simpson

import mfgpde as mfg
from mfgpde.equations import ForwardKolmogorov
from mfgpde.processes import Diffusion
from mfgpde.solvers import mean_first_passage_time, probability_current, stationary
from mfgpde.verify import Claim, Evidence, Level, equal

claim = Claim(
    statement=r"\mathrm{d}X=\mu X\,\mathrm{d}t+\sigma X\circ_\alpha\mathrm{d}W:\ \log X_t\sim N\!\left((\mu+(\alpha-\tfrac12)\sigma^2)t,\sigma^2t\right),\qquad T=\int_{-1}^{1}e^{V(y)}\int_{-\infty}^{y}e^{-V(z)}\,\mathrm{d}z\,\mathrm{d}y",
    source="Gardiner, Stochastic Methods (2009), secs. 4.3, 5.5; Stratonovich, Topics in the Theory of Random Noise (1967)",
    standing="theorem",
    assumes=("smooth coefficients", "walls that carry no flux"),
    coefficients=("shift", "height", "bend"),
)
MU, SIGMA, END, BEFORE = 0.2, 0.5, 0.5, 0.04
SHARES = {"ito": 0.0, "stratonovich": 0.5, "haenggi-klimontovich": 1.0}
BARRIER, LOWER = 40.0, -1.8


def moment(space, meaning):
    """Return E√X at the end."""
    gbm = Diffusion(lambda x, t: MU * x, lambda x, t: 0.5 * SIGMA**2 * x**2, meaning=meaning)

    def start(x):
        y = np.log(x[..., 0])
        return np.exp(-0.5 * y**2 / BEFORE - y) / np.sqrt(2 * np.pi * BEFORE)

    run = mfg.solve(ForwardKolmogorov(gbm), space, start, (0.0, END), rtol=1e-8)
    return run.at(END).expectation(lambda x: np.sqrt(x[..., 0]))


def waiting(space):
    """Return the mean time from −1 to 1 over a barrier of 40 kT, over e^40."""
    well = mfg.FokkerPlanck(lambda x, t: -4 * BARRIER * x * (x**2 - 1), lambda t: 1.0, time_dependent=False)
    return float(mean_first_passage_time(well, space)(np.array([[-1.0]]))[0]) * np.exp(-BARRIER)


def current(space):
    """Return the current on the washboard 0.4 + cos x, D = 0.25."""
    board = mfg.FokkerPlanck(lambda x, t: 0.4 + np.cos(x), lambda t: 0.25, time_dependent=False)
    return float(probability_current(board, stationary(board, space)).values[0, 0])


def stratonovich(force, height, D):
    """Return D(1 − e^{−2πF/D})/∫∫e^{U(x + y) − U(x)} by Gauss's rule on a hundred pieces."""
    nodes, weights = np.polynomial.legendre.leggauss(16)
    points = (np.pi / 100 * (2 * np.arange(100)[:, None] + 1 + nodes)).ravel()
    weights = np.tile(np.pi / 100 * weights, 100)
    U = -(force * points + height * np.sin(points)) / D
    ahead = points[:, None] + points
    inner = np.exp(-(force * ahead + height * np.sin(ahead)) / D - U[:, None])
    return float(D * -np.expm1(-2 * np.pi * force / D) / (weights @ inner @ weights))


def half_line(wall, cells):
    """Return cells from 0 to a far wall."""
    return mfg.FiniteVolume(mfg.CartesianGrid((0.0,), (wall,), (cells,)), walls=(("reflecting", "far"),))


@cache
def of_the_wall(meaning, cells):
    """Return by how much the moment changes when the wall goes from 8 to 10, half a deviation of log X, the cells what they are."""
    changed = moment(half_line(10.0, cells * 5 // 4), meaning) - moment(half_line(8.0, cells), meaning)
    return mfg.Estimate(0.0, abs(float(changed)), mfg.Kind.EXTRAPOLATED, "a wall at 10")


@cache
def limit(measured, cells, *arguments):
    """Return the limit of what one of the functions above makes of so many cells and more."""
    spaces = {
        moment: lambda: half_line(8.0, cells),
        waiting: lambda: mfg.FiniteVolume(
            mfg.CartesianGrid((LOWER,), (1.0,), (cells,)), walls=(("reflecting", "absorbing"),)
        ),
        current: lambda: mfg.FiniteVolume(mfg.CartesianGrid((0.0,), (2 * np.pi,), (cells,), (True,))),
    }
    floor = {"floor": 1e-7} if measured is moment else {}
    return mfg.converge(lambda space: measured(space, *arguments), spaces[measured](), **floor).limit


DELTA = dict(zip(SHARES, (1e-6, 1.15e-6, 1.9e-6), strict=True))
"""δ of E√X in the three senses: what cells leave"""


@claim.measure
def laws(level, shift=1.0, height=1.0, bend=1.0):
    """Compare all with closed forms; `shift` scales the induced drift, `height` the barrier, in the closed forms alone.

    So does `bend` what the logarithm's curvature takes off.
    """
    known, findings = mfg.exact, []
    n = Level(level).pick(80, 120, 200)
    for meaning, share in SHARES.items():
        found = limit(moment, n, meaning) + of_the_wall(meaning, n)
        mean, variance = (MU + (share * shift - 0.5 * bend) * SIGMA**2) * END, BEFORE + SIGMA**2 * END
        truth = known(float(np.exp(0.5 * mean + variance / 8)), "lognormal")
        findings.append(equal(rf"E\sqrt X, {meaning}", found, truth, resolution=DELTA[meaning]))
    y = np.linspace(LOWER, 1.0, 280001)
    V = height * BARRIER * (y**2 - 1) ** 2
    k = int(np.argmin(np.abs(y + 1)))
    time = simpson(np.exp(V[k:] - BARRIER) * cumulative_simpson(np.exp(-V), x=y, initial=0)[k:], x=y[k:])
    findings.append(
        equal(
            "T e^{-40}",
            limit(waiting, 2 * n),
            known(float(time), "quadrature"),
            resolution=1.1e-5 * float(time),
        )
    )
    J = stratonovich(0.4, height, 0.25)
    findings.append(equal("J", limit(current, n // 2), known(J, "Stratonovich"), resolution=1.6e-5 * J))
    return Evidence(findings)


@claim.control("the chain rule without Itô's term −½σ²")
def ordinary_chain_rule(level):
    """Every meaning's law is wrong."""
    return laws(level, bend=0.0)


@claim.control("the barriers of the closed forms lower by a tenth")
def lower_barrier(level):
    """The mean time is off by e⁴."""
    return laws(level, height=0.9)
