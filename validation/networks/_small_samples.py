"""Networks trained on few samples and many, with penalties on the Hamilton–Jacobi–Bellman residual of five weights: kept beside this file.

`python validation/networks/_small_samples.py` remakes them, in a quarter of an hour on two cores. With U = −φ the residual of the
value function's equation is that of the log-density equation. Eight more pairs bear a penalty on a wrong equation: half the noise.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Level

PROCESS, DATA, STOP = mfg.OrnsteinUhlenbeck(horizon=5.0), mfg.densities.four_blobs(), 0.05
SIZES, WEIGHTS, SEEDS = (50, 200, 1000, 5000), (0.0, 1e-3, 1e-2, 1e-1, 1.0), range(8)
WRONG = {50: 0.1, 200: 0.1}
"""samples and weight of the penalty on a wrong equation"""


@dataclass(frozen=True)
class HalfTheNoise(mfg.OrnsteinUhlenbeck):
    """The process's own transitions, so that denoising is as it was, with half of its diffusivity in the penalty's equation."""

    def diffusion(self, t):
        """Return g/√2."""
        return 0.5**0.5 * super().diffusion(t)

    def mean_coefficient(self, t):
        """Return that of the process."""
        return PROCESS.mean_coefficient(t)

    def variance(self, t):
        """Return that of the process."""
        return PROCESS.variance(t)


def trained(n, weight, seed, wrong=False):
    """Return a network of three layers of 32 after 3000 steps; those of one n and seed share samples and starting weights."""
    samples = DATA.sample(n, np.random.default_rng(100 + seed))
    process = HalfTheNoise(horizon=PROCESS.horizon) if wrong else PROCESS
    objective = mfg.Objective(log_residual=weight)
    return mfg.train(process, samples, objective, widths=(32, 32, 32), steps=3000, seed=seed)


def ensemble(n, weight, level, wrong=False):
    """Return the scores of all seeds."""
    if Level(level) is Level.FULL:
        return [trained(n, weight, seed, wrong).score for seed in SEEDS]
    return [mfg.load_score(str(kept(n, weight, seed, wrong))) for seed in SEEDS]


def kept(n, weight, seed, wrong=False):
    """Return where a network is kept."""
    return Path(__file__).with_name(f"hjb_{n}_{'wrong' if wrong else format(weight, 'g')}_{seed}.safetensors")


if __name__ == "__main__":
    for size in SIZES:
        for number in SEEDS:
            for w in WEIGHTS:
                print(trained(size, w, number).save(kept(size, w, number)), flush=True)
            if size in WRONG:
                path = kept(size, WRONG[size], number, wrong=True)
                print(trained(size, WRONG[size], number, wrong=True).save(path), flush=True)
