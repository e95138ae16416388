"""Networks trained on the samples of two rings that kernel models are fitted to, for about twice their seconds: kept beside this file.

`python validation/networks/_equal_time.py` remakes them, in four minutes on two cores, and prints the seconds of both.
"""

import time
from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Level

PROCESS, DATA, STOP = mfg.OrnsteinUhlenbeck(horizon=5.0), mfg.densities.two_rings(), 1e-3
STEPS, SEEDS = {200: 4000, 1000: 8000, 5000: 16000}, range(8)
FEW = {"few": {12: 4000, 25: 4000}, "few_long": {25: 16000}}
"""of samples, for as many steps as 200 have and for four times as many"""
FEW_SEEDS = range(4)


def samples(n, seed):
    """Return what all models of a pair see."""
    return DATA.sample(n, np.random.default_rng((7, seed, n)))


def trained(n, seed, kind="equal_time"):
    """Return a network of two layers of 64, by denoising alone."""
    objective, steps = mfg.Objective(start=STOP), FEW.get(kind, STEPS)[n]
    return mfg.train(PROCESS, samples(n, seed), objective, widths=(64, 64), steps=steps, seed=seed)


def network(n, seed, level, kind="equal_time"):
    """Return the score of one network, trained anew at the highest level."""
    if Level(level) is Level.FULL:
        return trained(n, seed, kind).score
    return mfg.load_score(str(Path(__file__).with_name(f"{kind}_{n}_{seed}.safetensors")))


if __name__ == "__main__":
    for size in STEPS:
        for number in SEEDS:
            begin = time.perf_counter()
            found = trained(size, number)
            spent = time.perf_counter() - begin
            fitted = mfg.fit_kernel_model(samples(size, number), seed=number).seconds
            path = found.save(Path(__file__).with_name(f"equal_time_{size}_{number}.safetensors"))
            print(f"{path.name}: network {spent:.1f} s, kernels {fitted:.1f} s", flush=True)
    for name, sizes in FEW.items():
        for size in sizes:
            for number in FEW_SEEDS:
                trained(size, number, name).save(Path(__file__).with_name(f"{name}_{size}_{number}.safetensors"))
