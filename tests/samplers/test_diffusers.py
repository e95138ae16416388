"""Schedulers of diffusers on trial: faults are found, sound ones are not accused; with the real library."""

import warnings

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.samplers.black_box import nature, tried
from mfgpde.samplers.convergence import read

DATA = mfg.GaussianMixture([0.4, 0.6], [[-0.5], [0.5]], [0.02, 0.03])
STEPS = (20, 40, 80)


@pytest.fixture(autouse=True)
def library():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("torch", reason="PyTorch is optional: pip install torch")
        pytest.importorskip("diffusers", reason="diffusers is optional: pip install diffusers")
        yield


def runs(name, **options):
    from mfgpde.samplers.adapters.diffusers import SchedulerRun, scheduler_class

    make = scheduler_class(name)
    return lambda n: SchedulerRun(make, options, n, DATA)


def verdict(begin, steps=STEPS, data=DATA):
    kind = nature(begin)
    return kind, read(steps, [tried(begin, n, data, kind).distances.w2 for n in steps], 0.5)


def test_a_sound_scheduler_has_its_order():
    kind, found = verdict(runs("EulerDiscreteScheduler"))
    assert kind.words == "deterministic"
    assert found.verdict == "converges"
    assert found.order.value == pytest.approx(1.0, abs=0.25)


def test_clipping_by_default_is_found():
    wide = mfg.densities.bimodal()

    def begin(n, **options):
        from mfgpde.samplers.adapters.diffusers import SchedulerRun, scheduler_class

        return SchedulerRun(scheduler_class("DDIMScheduler"), options, n, wide)

    assert verdict(begin, data=wide)[1].verdict == "wrong law"
    assert verdict(lambda n: begin(n, clip_sample=False), data=wide)[1].verdict == "converges"


def test_steps_that_do_not_divide_the_list_are_found():
    begin = runs("DDIMScheduler", clip_sample=False, timestep_spacing="trailing")
    kind, found = verdict(begin, (100, 250, 300))
    assert (found.verdict, found.worse_at) == ("diverges", 300)
    assert tried(begin, 300, DATA, kind).first_wrong is not None
    assert tried(begin, 250, DATA, kind).first_wrong is None


def test_the_noise_of_a_stochastic_scheduler_is_found_and_its_law_is_that_of_its_samples():
    """KS of 40 000 samples of its own noise to the computed law within the band of probability 1e-3."""
    from scipy.special import ndtr

    begin = runs("EulerAncestralDiscreteScheduler")
    kind = nature(begin)
    assert kind.words == "stochastic"
    law = tried(begin, 20, DATA, kind).law
    run, rng = begin(20), np.random.default_rng(3)
    x = run.start.sample(40_000, rng)[:, 0]
    for _ in range(run.calls):
        x = run.call(x, None)
    x = np.sort(x)
    ours = ndtr(np.interp(x, law.points, law.levels))
    empirical = np.arange(1, len(x) + 1) / len(x)
    assert np.abs(ours - empirical).max() < np.sqrt(np.log(2 / 1e-3) / (2 * len(x)))


def test_an_option_that_there_is_not_is_one_sentence():
    from mfgpde.samplers.adapters.diffusers import accepted

    with pytest.raises(ValueError, match="did you mean 'timestep_spacing'"):
        accepted("DDIMScheduler", {"timestep_spacings": "trailing"})
