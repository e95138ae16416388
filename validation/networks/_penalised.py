"""Networks with and without a penalty on the log-density residual, four of each weight on each of three data sets: kept beside this file.

`python validation/networks/_penalised.py` remakes them, in about ten minutes on two cores. Against the released
code of arXiv:2311.15996: three layers of 48 for 80, softplus β = 10 for 100, 6000 steps of 1024 for 100 000 of 200 000, 256
points of the penalty for 50 000, times uniform in √t and weighted by the variance.
"""

from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Level

PROCESS, STOP = mfg.OrnsteinUhlenbeck(horizon=10.0), 1e-2
DATA = {
    "nine_blobs": mfg.densities.nine_blobs(),
    "two_rings": mfg.densities.two_rings(),
    "checkerboard": mfg.densities.checkerboard(),
}
NETWORK = mfg.scores.Network("softplus", 10.0, "xt", "potential")
WEIGHTS = (0.0, 0.1, 1.0, 10.0)
SEEDS = range(4)


def trained(data, weight, seed):
    """Return a trained network; those of one seed share samples and starting weights."""
    samples = DATA[data].sample(50_000, np.random.default_rng(100 + seed))
    objective = mfg.Objective(log_residual=weight)
    options = {"widths": (48, 48, 48), "steps": 6000, "batch_size": 1024, "box": 3.5, "seed": seed}
    return mfg.train(PROCESS, samples, objective, network=NETWORK, **options)


def ensemble(data, weight, level, count=None):
    """Return the scores of the first seeds, of all if no count is given: eight trained anew at level full."""
    if Level(level) is Level.FULL:
        return [trained(data, weight, seed).score for seed in range(8)[:count]]
    return [mfg.load_score(str(kept(data, weight, seed))) for seed in SEEDS[:count]]


def kept(data, weight, seed):
    """Return where a network is kept."""
    name = f"{weight:g}_{seed}" if data == "nine_blobs" else f"{data}_{weight:g}_{seed}"
    return Path(__file__).with_name(f"log_residual_{name}.safetensors")


if __name__ == "__main__":
    for name in DATA:
        for w in WEIGHTS:
            for number in SEEDS:
                print(trained(name, w, number).save(kept(name, w, number)), flush=True)
