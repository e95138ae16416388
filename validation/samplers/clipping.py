"""A sampler that clips its predictions to [−c, c] tends to a law that is not the data's: nothing of it lies beyond c.

Its distance is at least that of the data to laws on [−c, c], W₂² = E (|X| − c)₊²: for laws on [−c, c] this cannot fail. What can:
that the sampler ends there at all, and that it ends at the nearest of them. Data within [−c, c] lose nothing.
"""

from functools import cache

import numpy as np
from scipy.special import ndtr

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, at_least, at_most

claim = Claim(
    statement=r"\lim_n W_2(q_n^{\mathrm{clip}},\,p)^2\ \ge\ \mathbb{E}\,(|X|-c)_+^2,\ \text{and to }10^{-3}\text{ equal},\qquad X\sim p",
    source="arXiv:2205.11487, section 2.3",
    standing="derived",
    assumes=("the exact score", "predictions of the data cut to [−c, c] at every step"),
    coefficients=("cut", "w2"),
)

PROCESS = mfg.VariancePreserving()
WIDE, NARROW = mfg.densities.bimodal(), mfg.GaussianMixture([0.4, 0.6], [[-0.5], [0.5]], [0.004, 0.006])
LAWS = {"wide": WIDE, "narrow": NARROW}


def nearest(data, c):
    """Return the least W₂ of the data to laws on [−c, c], (E (|X| − c)₊²)^{1/2}: of N(a, v) it is (v + a²)Φ(a/√v) + √v a φ(a/√v)."""
    deviations, square = np.sqrt(data.covariances[:, 0, 0]), 0.0
    for a in (data.means[:, 0] - c, -data.means[:, 0] - c):
        z = a / deviations
        normal = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
        square += float(data.weights @ ((deviations**2 + a**2) * ndtr(z) + deviations * a * normal))
    return mfg.exact(float(np.sqrt(square)), "closed form")


@cache
def distance(name, limit, counts):
    """Return W₂ to the law of the data of that name of a sampler with predictions cut, for steps without end, and its values."""
    data = LAWS[name]
    exact = mfg.ExactScore(PROCESS, data)
    score = exact if limit is None else mfg.samplers.Clipped(PROCESS, exact, limit)
    values = []
    for n in counts:
        times = mfg.samplers.LogSNR().times(PROCESS, n)
        model = mfg.samplers.Model(PROCESS, score)
        law = mfg.samplers.generated_law(mfg.samplers.DPMSolverMultistep(), model, times, exact.at(float(times[0])))
        values.append(law.against(data).w2)
    last = values[-1]
    bar = abs(last.value - values[-2].value) + last.half_width  # of order one or better: less is to come than came
    return mfg.Estimate(last.value, bar, mfg.Kind.EXTRAPOLATED, "DPM-Solver++ 2M"), [v.value for v in values]


@claim.measure
def clipped(level, limit=1.0, narrow=1.0, cut=1.0, w2=1.0):
    """Compare the limit with what lies beyond c; data within `narrow` are the other case.

    `cut` is c of the bound, in parts of the sampler's; `w2` is a factor of the sampler's distances.
    """
    counts = tuple(Level(level).pick(160, 320, 640) * 2**k for k in range(3))
    beyond = nearest(WIDE, cut)
    found, values = distance("wide", limit, counts)
    inside, others = distance("narrow", narrow, counts)
    found, inside = w2 * found, w2 * inside
    return Evidence(
        [
            at_least("data beyond c: W₂", found, beyond, resolution=0.0),
            at_most(
                "data beyond c: W₂ over that of the nearest law on [−c, c], less one",
                found / beyond - 1,
                mfg.exact(0.0, "the nearest law"),
                resolution=5e-4,
            ),
            at_most("data within c: W₂", inside, mfg.exact(0.0, "nothing to clip"), resolution=2e-3),
        ],
        [
            Series("data beyond c", "steps", counts, "W2", values),
            Series("data within c", "steps", counts, "W2", others),
        ],
    )


@claim.control("predictions not cut: the law is the data's, closer than any on [−c, c]")
def not_cut(level):
    return clipped(level, limit=None)


@claim.control("predictions cut at 0.99 in place of c = 1: a law on [−c, c], and not the nearest")
def cut_elsewhere(level):
    return clipped(level, limit=0.99)


@claim.control("predictions cut at 0.4, beyond which the narrow data reach")
def cut_within(level):
    return clipped(level, narrow=0.4)
