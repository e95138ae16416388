"""Networks trained on few samples, with and without a penalty on the Hamilton–Jacobi–Bellman residual: kept beside this file.

`python validation/networks/_small_samples.py` remakes them, in about three minutes on two cores. With U = −φ the residual of the
value function's equation is that of the log-density equation.
"""

from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Level

PROCESS, DATA, STOP = mfg.OrnsteinUhlenbeck(horizon=5.0), mfg.densities.four_blobs(), 0.05
SAMPLES, SEEDS = 200, range(12)
OBJECTIVES = {"few_plain": mfg.Objective(), "few_hjb": mfg.Objective(log_residual=1e-2)}


def trained(kind, seed):
    """Return a network of three layers of 32 after 3000 steps; pairs of one seed share samples and starting weights."""
    samples = DATA.sample(SAMPLES, np.random.default_rng(100 + seed))
    return mfg.train(PROCESS, samples, OBJECTIVES[kind], widths=(32, 32, 32), steps=3000, seed=seed)


def ensemble(kind, level):
    """Return the scores of all seeds."""
    if Level(level) is Level.FULL:
        return [trained(kind, seed).score for seed in SEEDS]
    return [mfg.load_score(str(Path(__file__).with_name(f"{kind}_{seed}.safetensors"))) for seed in SEEDS]


if __name__ == "__main__":
    for name in OBJECTIVES:
        for number in SEEDS:
            print(trained(name, number).save(Path(__file__).with_name(f"{name}_{number}.safetensors")), flush=True)
