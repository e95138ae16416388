"""What is computed once: the same result and the same generator; other laws, numbers, functions and states are others."""

from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import load_module

once = load_module(Path(mfg.__file__).parents[1] / "validation" / "networks" / "_once.py").once


def counted(asked):
    def make(law, n, rng):
        asked.append(n)
        return law.sample(n, rng)

    return make


def test_the_second_call_draws_nothing_and_leaves_the_generator_as_the_first():
    asked, law = [], mfg.densities.bimodal(1)
    make, one, two = counted(asked), np.random.default_rng(3), np.random.default_rng(3)
    first, after = once(make, law, 5, one), one.random()
    np.testing.assert_array_equal(first, law.sample(5, two))
    assert after == two.random()
    again = np.random.default_rng(3)
    assert once(make, law, 5, again) is first
    assert again.random() == after
    assert asked == [5]


def test_what_decides_the_result_is_in_the_key():
    asked, means = [], [[-1.0], [1.0]]
    make = counted(asked)
    for weights in ([0.5, 0.5], [0.3, 0.7]):
        for n in (2, 3):
            for seed in (1, 2):
                once(make, mfg.GaussianMixture(weights, means, [0.1, 0.1]), n, np.random.default_rng(seed))
    assert len(asked) == 8
    once(counted(asked), mfg.GaussianMixture([0.3, 0.7], means, [0.1, 0.1]), 3, np.random.default_rng(2))
    assert len(asked) == 9  # of another function nothing is known
