"""More eigenfunctions are not better where blobs overlap and noise is low: the risk then has a least degree, which grows with the samples.

Laws on the line under Ornstein–Uhlenbeck noise, Hermite functions; averages of products over noised samples exactly, no ridge. With
the law's own averages the risk falls with every degree. Where blobs are narrow and apart more functions help at any number of
samples: there truncation is the larger part. Data sets are drawn.
"""

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
)

OVERLAP = mfg.GaussianMixture([0.6, 0.4], [[-0.6], [0.7]], 0.3), 0.05
APART = mfg.GaussianMixture([0.6, 0.4], [[-1.0], [1.2]], [0.04, 0.09]), 0.2
"""laws, and the times at which they are asked for"""
PROCESS = mfg.Linear(np.array([[-1.0]]), scale=np.sqrt(2.0), horizon=2.0)
DEGREES, NODES = np.arange(1, 13), 24


def features(x, degree):
    """Return h_n and h_n′ of degrees 1 … N at points, orthonormal in N(0, 1)."""
    root = np.sqrt(np.cumprod(np.concatenate(([1.0], np.arange(1, degree + 1)))))
    values = hermevander(x, degree) / root
    return values[:, 1:], np.sqrt(np.arange(1, degree + 1)) * values[:, :-1]


def risks(law, truth, decay):
    """Return the risk at every degree of the estimator for a mixture of noised points (or blobs), under the true law."""
    z, w = hermegauss(NODES)
    top = int(DEGREES[-1])
    nodes = (law.means + np.sqrt(law.covariances[:, :, 0]) * z).ravel()
    p = (law.weights[:, None] * w / np.sqrt(2 * np.pi)).ravel()
    values, slopes = features(nodes, top)
    A, b = slopes.T @ (p[:, None] * slopes), decay ** np.arange(top) * np.arange(1, top + 1) * (values.T @ p)
    z, w = hermegauss(80)
    x = (truth.means + np.sqrt(truth.covariances[:, :, 0]) * z).ravel()
    weight = (truth.weights[:, None] * w / np.sqrt(2 * np.pi)).ravel()
    target, ours = truth.score(x[:, None])[:, 0] + x, features(x, top)[1]
    return np.array([weight @ (ours[:, :N] @ np.linalg.solve(A[:N, :N], b[:N]) - target) ** 2 for N in DEGREES])


def drawn(case, n, count, rng, decay):
    """Return the risks of `count` data sets of n samples at every degree."""
    law, t = case
    truth, rows = mfg.marginal(PROCESS, law, t), []
    for _ in range(count):
        points = mfg.GaussianMixture(np.full(n, 1 / n), law.sample(n, rng), 1e-12)
        rows.append(risks(mfg.marginal(PROCESS, points, t), truth, decay))
    return np.array(rows)


@claim.measure
def more(level, rng, sizes=(100, 5000), decay=1.0, cases=(OVERLAP, APART), count=None):
    """`sizes` of data sets, the second the larger; `decay` scales averages, each degree beside the one before.

    There are `count` data sets of each size, or as many as the level has.
    """
    count, interval = count or Level(level).pick(24, 100, 400), mfg.diagnostics.mean_interval
    rises = []
    for law, t in cases:
        truth = mfg.marginal(PROCESS, law, t)
        exact = risks(truth, truth, decay)
        rises.append(np.log(exact[1:] / exact[:-1]).max())
    few, many = (drawn(cases[0], n, count, rng, decay) for n in sizes)
    apart = drawn(cases[1], sizes[0], count, rng, decay)
    harm, none = (np.log(rows[:, -1] / rows.min(axis=1)) for rows in (few, apart))
    growth = DEGREES[many.argmin(axis=1)] - DEGREES[few.argmin(axis=1)]
    findings = [
        at_most(
            "the law's averages: log of the risk over that of a degree less, largest",
            mfg.exact(float(max(rises)), "averages of the law"),
            mfg.exact(0.0, "falls"),
            resolution=0.0,
        ),
        at_least(
            f"overlap, {sizes[0]} samples: log of the risk at degree 12 over the least",
            interval(harm, "data sets", normal=True),
            mfg.exact(np.log(2.0), "twice"),
            resolution=0.0,
        ),
        at_least(
            f"overlap: best degree at {sizes[1]} samples less that at {sizes[0]}",
            interval(growth, "data sets", normal=True),
            mfg.exact(1.0, "one more"),
            resolution=0.0,
        ),
        at_most(
            f"apart, {sizes[0]} samples: log of the risk at degree 12 over the least",
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
    count = Level(level).pick(8, 100, 400)  # all sets are large, and what they refute is not near
    return more(level, rng, sizes=(5000, 5001), count=count)


@claim.control("both laws exchanged")
def exchanged(level, rng):
    return more(level, rng, cases=(APART, OVERLAP))
