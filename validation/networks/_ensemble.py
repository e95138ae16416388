"""Networks trained on four blobs, alike but for seed and penalty: kept beside this file, trained anew at level full.

`python validation/networks/_ensemble.py` remakes them, in about two minutes on two cores.
"""

from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Level

PROCESS, DATA, STOP = mfg.OrnsteinUhlenbeck(horizon=5.0), mfg.densities.four_blobs(), 0.05
SEEDS = range(6)
OBJECTIVES = {
    "plain": mfg.Objective(),  # denoising score matching alone
    "score_residual": mfg.Objective(score_residual=1e-3),
}


def trained(kind, seed):
    """Return a network of three layers of 48 after 4000 steps on 20 000 samples; pairs of one seed share data and start."""
    samples = DATA.sample(20_000, np.random.default_rng(100 + seed))
    return mfg.train(PROCESS, samples, OBJECTIVES[kind], widths=(48, 48, 48), seed=seed)


def ensemble(kind, level):
    """Return the scores of all seeds."""
    if Level(level) is Level.FULL:
        return [trained(kind, seed).score for seed in SEEDS]
    return [mfg.load_score(str(Path(__file__).with_name(f"{kind}_{seed}.safetensors"))) for seed in SEEDS]


if __name__ == "__main__":
    for name in OBJECTIVES:
        for number in SEEDS:
            print(trained(name, number).save(Path(__file__).with_name(f"{name}_{number}.safetensors")), flush=True)
