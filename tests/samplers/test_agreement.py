"""Computed laws against samples of the real schedulers: Kolmogorov–Smirnov within its band of 99 %.

`python tests/samplers/test_agreement.py 10000000` measures it with as many samples as one likes.
"""

import sys
import warnings

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator
from scipy.special import ndtr

import mfgpde as mfg
from mfgpde.samplers.black_box import nature, tried

DATA, STEPS, BATCH = mfg.GaussianMixture([0.4, 0.6], [[-0.5], [0.5]], [0.02, 0.03]), 20, 1_000_000
SCHEDULERS = {
    "DDIMScheduler": {"clip_sample": False, "timestep_spacing": "trailing"},
    "DDPMScheduler": {"clip_sample": False},
    "EulerDiscreteScheduler": {},
    "EulerAncestralDiscreteScheduler": {},
    "DPMSolverMultistepScheduler": {"algorithm_type": "dpmsolver++"},
    "HeunDiscreteScheduler": {},
}


def agreement(name, options, count):
    """Return KS between the computed law and samples of the scheduler's own noise, its band of 99 % and the law's own bar.

    The bar is how far the law on half as many points is from it at the same places.
    """
    from mfgpde.samplers.adapters.diffusers import SchedulerRun, scheduler_class

    make = scheduler_class(name)

    def begin(n):
        return SchedulerRun(make, options, n, DATA)

    kind = nature(begin)
    fine, coarse = (tried(begin, STEPS, DATA, kind, points).law for points in (2049, 1025))
    rng, drawn = np.random.default_rng(list(SCHEDULERS).index(name)), []
    for k in range(-(-count // BATCH)):
        run = SchedulerRun(make, options, STEPS, DATA, seed=1000 * (k + 1))
        x = run.start.sample(min(BATCH, count - k * BATCH), rng)[:, 0]
        for _ in range(run.calls):
            x = run.call(x, None)
        drawn.append(x)
    x = np.sort(np.concatenate(drawn))
    ours, other = (cumulative(law, x) for law in (fine, coarse))
    ranks = np.arange(count + 1) / count
    ks = float(max(np.abs(ours - ranks[1:]).max(), np.abs(ours - ranks[:-1]).max()))
    return ks, float(np.sqrt(np.log(2 / 0.01) / (2 * count))), float(np.abs(ours - other).max())


def cumulative(law, x):
    rising = np.concatenate(([True], np.diff(np.maximum.accumulate(law.points)) > 0))
    levels = PchipInterpolator(law.points[rising], law.levels[rising])(np.clip(x, law.points[0], law.points[-1]))
    return ndtr(levels)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEDULERS)
def test_samples_of_the_real_scheduler_have_the_computed_law_with_pytorch(name, torch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("diffusers", reason="pip install diffusers")
        ks, band, bar = agreement(name, SCHEDULERS[name], 200_000)
    assert bar < 0.2 * band  # the law is known far better than samples can tell
    assert ks < band + bar
    assert ks > 0.1 * band  # samples scatter: an agreement to rounding would be one with itself


@pytest.mark.slow
def test_another_law_does_not_pass_with_pytorch(torch):
    """With 200 000 samples a law of 21 steps is not that of 20."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("diffusers", reason="pip install diffusers")
        from mfgpde.samplers.adapters.diffusers import SchedulerRun, scheduler_class

        make = scheduler_class("EulerAncestralDiscreteScheduler")
        laws = []
        for n in (20, 21):

            def begin(_, n=n):
                return SchedulerRun(make, {}, n, DATA)

            laws.append(tried(begin, n, DATA, nature(begin), 1025).law)
    x = np.linspace(-1.2, 1.2, 2001)
    apart = np.abs(cumulative(laws[0], x) - cumulative(laws[1], x)).max()
    assert apart > 0.5 * np.sqrt(np.log(2 / 0.01) / 400_000)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for scheduler in sys.argv[2:] or SCHEDULERS:
        found = agreement(scheduler, SCHEDULERS[scheduler], int(sys.argv[1]))
        print(
            f"{scheduler:34} KS {found[0]:.2e}  band of 99 % {found[1]:.2e}  the law's own {found[2]:.1e}", flush=True
        )
