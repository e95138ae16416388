"""More eigenfunctions are not better where blobs overlap and noise is low: the risk then has a least degree, which grows with the samples.

Laws on the line under Ornstein–Uhlenbeck noise, Hermite functions; averages of products over noised samples exactly, no ridge. With
the law's own averages the risk falls with every degree. Where blobs are narrow and apart more functions help at any number of
samples: there truncation is the larger part. Data sets are drawn.
"""

from functools import cache

import numpy as np
from numpy.polynomial.hermite_e import hermegauss, hermevander

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, at_least, at_most

claim = Claim(
    statement=(
        r"R_n(N)=\mathbb E_{p_t}|\hat s_{n,N}-s|^2:\quad R_\infty\ \text{falls with}\ N,\quad "
        r"\text{overlap, }t=0.05,\ n=100:\ R_n(12)\ge 2\min_NR_n(N),\ \arg\min_NR_n\ \text{grows with}\ n;\quad "
        r"\text{apart, }t=0.2:\ R_n(12)\approx\min_NR_n(N)"
    ),
    source="after arXiv:2406.09084",
    standing="experiment",
    assumes=("two blobs on the line", "no ridge", "means over data sets taken as normal"),
    coefficients=("decay", "last"),
)

LAWS = {
    "overlap": (mfg.GaussianMixture([0.6, 0.4], [[-0.6], [0.7]], 0.3), 0.05),
    "apart": (mfg.GaussianMixture([0.6, 0.4], [[-1.0], [1.2]], [0.04, 0.09]), 0.2),
}
"""laws, and the times at which they are asked for"""
PROCESS = mfg.Linear(np.array([[-1.0]]), scale=np.sqrt(2.0), horizon=2.0)
DEGREES, NODES = np.arange(1, 13), 24


def features(x, degree):
    """Return h_n and h_n′ of degrees 1 … N at points, orthonormal in N(0, 1)."""
    root = np.sqrt(np.cumprod(np.concatenate(([1.0], np.arange(1, degree + 1)))))
    values = hermevander(x, degree) / root
    return values[:, 1:], np.sqrt(np.arange(1, degree + 1)) * values[:, :-1]


def normal_equations(law):
    """Return the averages under a mixture of noised points (or blobs) that the estimator is solved from: A and b."""
    z, w = hermegauss(NODES)
    top = int(DEGREES[-1])
    nodes = (law.means + np.sqrt(law.covariances[:, :, 0]) * z).ravel()
    p = (law.weights[:, None] * w / np.sqrt(2 * np.pi)).ravel()
    values, slopes = features(nodes, top)
    return slopes.T @ (p[:, None] * slopes), np.arange(1, top + 1) * (values.T @ p)


@cache
def judged(case):
    """Return a true law at its time, and what a risk under it is made of: weights, the target and all slopes."""
    law, t = LAWS[case]
    truth = mfg.marginal(PROCESS, law, t)
    z, w = hermegauss(80)
    x = (truth.means + np.sqrt(truth.covariances[:, :, 0]) * z).ravel()
    weight = (truth.weights[:, None] * w / np.sqrt(2 * np.pi)).ravel()
    return truth, weight, truth.score(x[:, None])[:, 0] + x, features(x, int(DEGREES[-1]))[1]


def risks(case, equations, decay):
    """Return the risk at every degree of the estimator from these averages, under the true law."""
    (A, b), (_, weight, target, ours) = equations, judged(case)
    b = decay ** np.arange(len(b)) * b
    return np.array([weight @ (ours[:, :N] @ np.linalg.solve(A[:N, :N], b[:N]) - target) ** 2 for N in DEGREES])


@cache
def averages(case, n, count, seed):
    """Return the averages of `count` data sets of n samples, which the measure and its variants ask for."""
    law, t = LAWS[case]
    rng, found = np.random.default_rng(seed), []
    for _ in range(count):
        points = mfg.GaussianMixture(np.full(n, 1 / n), law.sample(n, rng), 1e-12)
        found.append(normal_equations(mfg.marginal(PROCESS, points, t)))
    return found


def drawn(case, n, count, seed, decay):
    """Return the risks of `count` data sets of n samples at every degree."""
    return np.array([risks(case, equations, decay) for equations in averages(case, n, count, seed)])


SIZES = (100, 5000)
"""of data sets"""


@claim.measure
def more(level, rng, sizes=SIZES, decay=1.0, cases=("overlap", "apart"), last=1.0, count=None):
    """`sizes` of data sets, the second the larger; `decay` scales averages, each degree beside the one before,
    and `last` the risk at degree 12 where it is compared with the least.

    There are `count` data sets of each size, or as many as the level has. Findings keep the names of the claim's own sizes.
    """
    count, interval = count or Level(level).pick(24, 48, 400), mfg.diagnostics.mean_interval
    rises, seeds = [], [int(seed) for seed in rng.integers(2**63, size=3)]
    for case in cases:
        exact = risks(case, normal_equations(judged(case)[0]), decay)
        rises.append(np.log(exact[1:] / exact[:-1]).max())
    few, many = (drawn(cases[0], n, count, seed, decay) for n, seed in zip(sizes, seeds, strict=False))
    apart = drawn(cases[1], sizes[0], count, seeds[2], decay)
    harm, none = (np.log(last * rows[:, -1] / rows.min(axis=1)) for rows in (few, apart))
    growth = DEGREES[many.argmin(axis=1)] - DEGREES[few.argmin(axis=1)]
    findings = [
        at_most(
            "the law's averages: log of the risk over that of a degree less, largest",
            mfg.exact(float(max(rises)), "averages of the law"),
            mfg.exact(0.0, "falls"),
            resolution=0.0,
        ),
        at_least(
            f"overlap, {SIZES[0]} samples: log of the risk at degree 12 over the least",
            interval(harm, "data sets", normal=True),
            mfg.exact(np.log(2.0), "twice"),
            resolution=0.0,
        ),
        at_least(
            f"overlap: best degree at {SIZES[1]} samples less that at {SIZES[0]}",
            interval(growth, "data sets", normal=True),
            mfg.exact(1.0, "one more"),
            resolution=0.0,
        ),
        at_most(
            f"apart, {SIZES[0]} samples: log of the risk at degree 12 over the least",
            interval(none, "data sets", normal=True),
            mfg.exact(0.1, "a tenth"),
            resolution=0.0,
        ),
    ]
    names = (f"overlap, {sizes[0]} samples", f"overlap, {sizes[1]} samples", f"apart, {sizes[0]} samples")
    series = [
        Series(name, "degree", list(map(int, DEGREES)), "median risk", list(map(float, np.median(rows, axis=0))), "y")
        for name, rows in zip(names, (few, many, apart), strict=True)
    ]
    return Evidence(findings, series)


@claim.control("averages of each degree a tenth too large beside the one before")
def louder(level, rng):
    return more(level, rng, decay=1.1)


@claim.control("five thousand samples for a hundred")
def many(level, rng):
    count = Level(level).pick(8, 16, 100)  # all sets are large, and what they refute is not near
    return more(level, rng, sizes=(5000, 5001), count=count)


@claim.control("both laws exchanged")
def exchanged(level, rng):
    return more(level, rng, cases=("apart", "overlap"))
