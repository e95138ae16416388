"""The exact score of the noised training points generates the training points: it memorises, whatever their number.

Some tens and some hundreds of points of four blobs; samples of the reverse SDE end within noise of a training point, and their law is as far
from the truth as the empirical measure. The score of the true law, by the same code, does neither.
"""

from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, at_most, equal, load_module

once = load_module(Path(__file__).parents[1] / "networks" / "_once.py").once

claim = Claim(
    statement=(
        r"s=\nabla\log\Big(\tfrac1N\sum_i G_t(\cdot-x_i)\Big):\quad \frac{\operatorname{med}\min_i|X-x_i|}{\operatorname{med}\min_i|Y-x_i|}"
        r"\to 0\ (t\to0),\quad W_2(q,p)\approx W_2(\tfrac1N\textstyle\sum\delta_{x_i},p)"
    ),
    source="arXiv:2402.06162, section 5",
    standing="experiment",
    assumes=("four blobs", "Y fresh data"),
    coefficients=("scale",),
)

PROCESS, DATA, STOP = mfg.OrnsteinUhlenbeck(horizon=5.0), mfg.densities.four_blobs(), 1e-5


def generated(score, count, rng, steps):
    """Return samples of the reverse SDE by Heun's scheme, in equal steps of log t down to 1 and then of √t."""
    T = PROCESS.horizon
    times = np.concatenate((np.linspace(T, 1.0, steps // 4, endpoint=False), np.geomspace(1.0, STOP, steps)))
    _, _, covariance = PROCESS.prior().in_dimension(2)
    x = rng.standard_normal((count, 2)) @ np.linalg.cholesky(covariance).T

    def velocity(y, t):
        return 2 * float(PROCESS.diffusivity(t)) * score(y, t) - PROCESS.drift(y, t)

    for t, s in zip(times, times[1:], strict=False):
        h = t - s
        kick = np.sqrt(2 * float(PROCESS.diffusivity(t)) * h) * rng.standard_normal(x.shape)
        first = velocity(x, t)
        ahead = x + h * first + kick
        x = x + 0.5 * h * (first + velocity(ahead, s)) + kick
    return x


def clouds(level, n, rng, of_truth, moved):
    """Return samples, training points and fresh ones, and W₂ to the last of the samples, of half of them and of the training points."""
    count, steps = Level(level).pick((600, 100), (1000, 160), (5000, 400))
    training, fresh = DATA.sample(n, rng), DATA.sample(4000, rng)
    law = DATA if of_truth else mfg.GaussianMixture(np.full(n, 1 / n), training + moved, np.full(n, 1e-10))
    samples = generated(mfg.ExactScore(PROCESS, law), count, rng, steps)
    compared = (samples, samples[: count // 2], training)
    return samples, training, fresh, [mfg.transport.wasserstein_points(cloud, fresh[:2000]) for cloud in compared]


def scaled(distance, x, y, scale):
    """Return W₂ of scale·x and y from that of x and y: both have the same plan, the one of largest E x·y."""
    a, b = (float(np.mean(np.sum(points**2, axis=1))) for points in (x, y))
    return np.sqrt(scale**2 * a + b - scale * (a + b - distance**2))


@claim.measure
def memorises(level, rng, of_truth=False, moved=0.0, scale=1.0):
    """`of_truth` takes the score of the true law instead of that of the training points; `moved` moves these first.

    `scale` multiplies the samples, as a noising that is believed to shrink the data by another factor would.
    """
    findings = []
    for n in Level(level).pick((20, 200), (40, 400), (50, 1000)):
        samples, training, fresh, (whole, half, known) = once(clouds, level, n, rng, of_truth, moved)
        count = len(samples)
        if scale != 1:
            whole, half = (
                scaled(distance, cloud, fresh[:2000], scale)
                for distance, cloud in ((whole, samples), (half, samples[: count // 2]))
            )
            samples = scale * samples
        ratio = mfg.diagnostics.nearest_ratio(samples, training, fresh)
        findings.append(
            at_most(
                f"{n} points: distance to the nearest, of that of fresh data",
                ratio,
                mfg.exact(0.1, "repeats"),
                resolution=0.0,
            )
        )
        # of so many samples: shares of count/n a point fluctuate by their root, which moves W₂ by 0.08 in the mean of squares
        # and by 0.19 in one of 24 draws of 600 from 20 or 200 points; δ holds that
        bar, of = max(abs(whole - half), 0.1), f"{count} samples"
        repeated = mfg.Estimate(whole, bar, mfg.Kind.CONFIDENCE, f"{of}, change from half", at=of)
        empirical = mfg.Estimate(known, 0.02, mfg.Kind.CONFIDENCE, "2000 fresh points")
        findings.append(
            equal(
                f"{n} points: W2 to the truth, of samples and of the training points",
                repeated,
                empirical,
                resolution=0.3,
            )
        )
    return Evidence(findings)


@claim.control("the score of points one to the right and up of the training points")
def elsewhere(level, rng):
    return memorises(level, rng, moved=1.0)


@claim.control("the score of the true law")
def generalises(level, rng):
    return memorises(level, rng, of_truth=True)
