"""What a score misses of the true one is known without it, up to a constant: whatever a network predicts, on any schedule.

Integration by parts, E_p[s_θ·∇log p] = −E_p[∇·s_θ], turns the misfit into E|s_θ|² + 2E∇·s_θ + E|∇log p|². Checked on
28 trained networks: noise, data, v, velocity, preconditioned data, score and potential on four schedules, each made a score
by its own formula; the divergence comes from the network's derivatives, the misfit does not.
"""

from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, equal, load_module

claim = Claim(
    statement=(
        r"\mathbb E_{p_t}|s_\theta-\nabla\log p_t|^2=\mathbb E|s_\theta|^2+2\,\mathbb E\,\nabla\cdot s_\theta"
        r"+\mathbb E|\nabla\log p_t|^2"
    ),
    source="Hyvärinen, J. Mach. Learn. Res. 6 (2005), theorem 1",
    standing="theorem",
    assumes=("p s_θ vanishes at infinity",),
)

SHARES = (0.3, 0.6)
"""of the horizon: times at which networks are looked at"""
INSIDE = 1 - 1e-13
UNSEEN = 1e-7
"""of the sum of both squares, which cancel: bends of networks that two grids may miss alike"""


def sides(process, score, law, t, cells, factor):
    """Return the misfit, the right side, and the squares in it, by the rule of sums on a grid that holds p_t."""
    low, high = law.box(INSIDE)
    grid = mfg.CartesianGrid(tuple(low), tuple(high), (cells,) * law.dimension)
    x = grid.points.reshape(-1, law.dimension)
    weights, exact, own = law.density(x) * grid.volume, law.score(x), score(x, t)
    misfit = float(weights @ np.sum((own - exact) ** 2, axis=1))
    squares = np.sum(own**2 + exact**2, axis=1)
    return misfit, float(weights @ (squares + factor * score.divergence(x, t))), float(weights @ squares)


@claim.measure
def parts(level, factor=2.0, swapped=False):
    """Compare both sides for every network; `swapped` reads each as if it predicted what the next one of the zoo does."""
    zoo = load_module(Path(__file__).parents[1] / "networks" / "_zoo.py")
    cells, findings, series = Level(level).pick(96, 128, 160), [], []
    for schedule, process in zoo.SCHEDULES.items():
        misfits = []
        for predicts in zoo.PREDICTIONS:
            score = zoo.score(schedule, predicts)
            divergence_of = zoo.score(schedule, _next(zoo, predicts)) if swapped else score
            read = score if not swapped else _Mixed(score, divergence_of)
            found = []
            for share in SHARES:
                t = share * process.horizon
                law = mfg.densities.marginal(process, zoo.LAW, t)
                (a, b, size), (c, d, _) = (sides(process, read, law, t, n, factor) for n in (cells, 3 * cells // 4))
                gap, before = ((one[1] - one[0]) / one[0] for one in ((a, b), (c, d)))
                bar = abs(gap - before) + UNSEEN * abs(size) / a
                found_gap = mfg.Estimate(gap, bar, mfg.Kind.EXTRAPOLATED, f"sums over {cells}² points")
                name = f"{schedule}, {predicts}, {share:g} T: (right − misfit)/misfit"
                findings.append(equal(name, found_gap, mfg.exact(0.0, "the claim"), resolution=1e-2))
                found.append(a)
            misfits.append(found[0])
        series.append(Series(schedule, "prediction", list(range(len(misfits))), "misfit", misfits))
    return Evidence(findings, series)


def _next(zoo, predicts):
    names = zoo.PREDICTIONS
    return names[(names.index(predicts) + 1) % len(names)]


class _Mixed:
    """The values of one network with the divergence of another."""

    def __init__(self, values, slopes):
        self.values, self.slopes = values, slopes

    def __call__(self, x, t):
        return self.values(x, t)

    def divergence(self, x, t):
        return self.slopes.divergence(x, t)


@claim.control("the divergence once in place of twice")
def once(level):
    return parts(level, factor=1.0)


@claim.control("each network's values with the divergence of the next one's")
def another(level):
    return parts(level, swapped=True)
