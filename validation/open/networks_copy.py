"""Do trained networks copy their samples where the score of the samples does? From 200 samples on they do not, of 12 they do.

Kept networks of two layers of 64 (4500 parameters), trained by denoising on samples of two rings; samples of the reverse SDE,
their distance to the nearest training point over that of fresh data. The score of the samples has a ratio near zero at any
size. Found: networks have a ratio above one from 200 samples on, and copy 12. In between no number of samples is a threshold
by itself: of 25 they copy after 16 000 steps and not, or less, after 4000, so that it moves with the training.
"""

from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, at_least, at_most, load_module

networks = load_module(Path(__file__).parents[1] / "networks" / "_equal_time.py")

claim = Claim(
    statement=(
        r"\frac{\operatorname{med}\min_i|X-x_i|}{\operatorname{med}\min_i|Y-x_i|}\ge\tfrac12\ (X\ \text{of a network}),\qquad "
        r"<\tfrac12\ (X\ \text{of the samples' score}),\qquad n\ge200;\qquad <\tfrac12\ (X\ \text{of a network}),\quad n=12"
    ),
    source="this suite; the question is that of arXiv:2402.06162, section 5",
    standing="experiment",
    assumes=("two rings", "two layers of 64", "4000 and 8000 steps; four times as many for 25 samples"),
    coefficients=("fresh", "copied", "freed"),
)

STOP = 1e-3
"""of the networks' training"""


def generated(score, count, rng, steps):
    """Return samples of the reverse SDE by Heun's scheme, in equal steps of log t from t = 1 on.

    What takes the last noise off, and the factor of the data then, are apart.
    """
    process = networks.PROCESS
    times = np.concatenate(
        (np.linspace(process.horizon, 1.0, steps // 4, endpoint=False), np.geomspace(1.0, STOP, steps))
    )
    _, _, covariance = process.prior().in_dimension(2)
    x = rng.standard_normal((count, 2)) @ np.linalg.cholesky(covariance).T

    def velocity(y, t):
        return 2 * float(process.diffusivity(t)) * score(y, t) - process.drift(y, t)

    for t, s in zip(times, times[1:], strict=False):
        kick = np.sqrt(2 * float(process.diffusivity(t)) * (t - s)) * rng.standard_normal(x.shape)
        first = velocity(x, t)
        x = x + 0.5 * (t - s) * (first + velocity(x + (t - s) * first + kick, s)) + kick
    factor, _, left = process.transition(0.0, STOP).in_dimension(2)
    return x, left[0, 0] * score(x, STOP), factor[0, 0]


def learned(n, seed, level, kind="equal_time"):
    """Return a kept network, or at level full one that is trained anew, in the setting that the kept ones were chosen for."""
    full = Level(level) is Level.FULL
    return networks.trained(n, seed, kind).score if full else networks.network(n, seed, level, kind)


def drawn(score, rng, level, times=1):
    """Return a score's samples, as `generated`."""
    count, steps = Level(level).pick((400, 100), (1000, 200), (2000, 300))
    return generated(score, count * times, rng, steps)


def ratio(found, training, fresh, freed=1.0):
    """Return the ratio of distances of samples, freed of the last noise, or of so much of it."""
    noisy, noise, factor = found
    return mfg.diagnostics.nearest_ratio((noisy + freed * noise) / factor, training, fresh)


KEPT = {}
"""ratios and samples by level, draws and what is put in whose place: a changed coefficient draws no samples again"""


def ratios(level, rng, of_samples, of_law, long):
    """Return by the number of samples the lowest ratio of networks and what their score draws; means of small sets."""
    key = Level(level), str(rng.bit_generator.state), of_samples, of_law, long
    if key not in KEPT:
        KEPT[key] = _many(level, rng, of_samples, of_law), [] if of_samples else _few(level, rng, of_law, long)
    return KEPT[key]


def _many(level, rng, of_samples, of_law):
    rows = {}
    for n in (200, 1000):
        found = []
        for seed in range(Level(level).pick(2, 4, 8)):
            training, fresh = networks.samples(n, seed), networks.DATA.sample(2000, rng)
            own = mfg.ExactScore(networks.PROCESS, mfg.GaussianMixture(np.full(n, 1 / n), training, 1e-10))
            score = own if of_samples else learned(n, seed, level)
            found.append((drawn(score, rng, level, times=3 if of_samples else 1), training, fresh))
        truth = mfg.ExactScore(networks.PROCESS, networks.DATA) if of_law else own
        same = found[-1] if of_samples else (drawn(truth, rng, level, times=3), training, fresh)
        rows[n] = min((ratio(*one) for one in found), key=lambda e: e.lower), same
    return rows


def _few(level, rng, of_law, long):
    few, truth = [], mfg.ExactScore(networks.PROCESS, networks.DATA)
    for n, kind in ((12, "few"), (25, "few"), (25, "few_long" if long else "few")):
        found = []
        for seed in networks.FEW_SEEDS:
            training, fresh = networks.samples(n, seed), networks.DATA.sample(2000, rng)
            score = truth if of_law else learned(n, seed, level, kind)
            found.append(ratio(drawn(score, rng, level, times=4), training, fresh))
        few.append(mean(found))
    return few


def mean(found):
    """Return the mean of ratios of networks and samples that know nothing of one another: variances add, not widths."""
    width = np.linalg.norm([one.half_width for one in found]) / len(found)
    kind = mfg.Kind.CONFIDENCE
    return mfg.Estimate(
        float(np.mean([one.value for one in found])), float(width), kind, f"mean of {len(found)}: {found[0].method}"
    )


@claim.measure
def copies(level, rng, of_samples=False, of_law=False, long=True, fresh=1.0, copied=1.0, freed=1.0):
    """`of_samples` puts the score of the samples in place of networks, `of_law` that of the data in place of the samples';
    without `long` no training is longer.

    Factors: `fresh` of the distance of fresh data, half of which is asked of networks from 200 samples on; `copied` of the
    distance of what is said to copy, from samples: their score's, and networks' of 12 and, trained longer, of 25;
    `freed` of the last noise that the samples' score takes off.
    """
    findings, rows = [], []
    half = mfg.exact(0.5, "half of fresh data: less is copied")
    many, few = ratios(level, rng, of_samples, of_law, long)
    for n, (lowest, same) in many.items():
        findings.append(at_least(f"{n} samples: networks, lowest ratio", lowest, fresh * half, resolution=0.05))
        rows.append(lowest.value)
        findings.append(
            at_most(f"{n} samples: their score, ratio", copied * ratio(*same, freed), half, resolution=0.05)
        )
    if of_samples:
        return Evidence(findings)
    shortest, shorter, longer = few
    findings.append(at_most("12 samples: networks, mean ratio", copied * shortest, half, resolution=0.05))
    label = "25 samples: mean ratio after 4000 steps less that after 16 000"
    findings.append(at_least(label, shorter - copied * longer, mfg.exact(0.2, "it moves"), resolution=0.05))
    rows, measure = [few[0].value, few[1].value, *rows], "distance over that of fresh data"
    return Evidence(
        findings,
        [
            Series("networks", "n", [12, 25, 200, 1000], measure, rows, "x"),
            Series("networks, four times as long", "n", [25], measure, [longer.value], "x"),
        ],
    )


@claim.control("the score of the samples in place of networks")
def samples(level, rng):  # controls are as far off at level quick as at any
    return copies(Level.QUICK, rng, of_samples=True)


@claim.control("the score of the data in place of the samples'")
def data(level, rng):
    return copies(Level.QUICK, rng, of_law=True)


@claim.control("the short training in place of the long one")
def short(level, rng):
    return copies(Level.QUICK, rng, long=False)
