"""Networks trained on the samples of two rings that kernel models are fitted to, for about twice their seconds: kept beside this file.

`python validation/networks/_equal_time.py` remakes them, in a quarter of an hour on two cores, and prints the seconds of both.
Tuned networks choose among six settings, three numbers of steps with and without a penalty on the log-density residual, by the
likelihood of a fifth of the samples that is held out; the chosen setting is then trained on all: seven trainings. With 200
samples all eight chose the longest training without penalty, as did two of two tried with 1000: the setting of those kept here.
"""

import time
from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Level

PROCESS, DATA, STOP = mfg.OrnsteinUhlenbeck(horizon=5.0), mfg.densities.two_rings(), 1e-3
STEPS, SEEDS = {200: 4000, 1000: 8000, 5000: 16000}, range(8)
TUNED = (200,)
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


def held_out(score, points):
    """Return the mean of log q^ODE at the stop over points."""
    flow, prior = mfg.Continuity.probability_flow(PROCESS, score), mfg.solvers.prior_of(PROCESS, 2)
    return float(np.mean(mfg.solvers.log_density(flow, prior.log_density, points, PROCESS.horizon, STOP, rtol=1e-4)))


def tuned(n, seed):
    """Return the network of the best of six settings, and that setting: steps and weight of the penalty."""
    points, found = samples(n, seed), {}
    fit, held = points[n // 5 :], points[: n // 5]
    for share in (8, 3, 1):
        for weight in (0.0, 0.1):
            steps = STEPS[n] // share
            score = _with(fit, steps, weight, seed).score
            found[steps, weight] = held_out(score, held)
    best = max(found, key=found.get)
    return _with(points, *best, seed), best


def _with(points, steps, weight, seed):
    objective = mfg.Objective(start=STOP, log_residual=weight)
    return mfg.train(PROCESS, points, objective, widths=(64, 64), steps=steps, seed=seed)


def network(n, seed, level, kind="equal_time"):
    """Return the score of one network, trained anew at the highest level."""
    if Level(level) is Level.FULL:
        return tuned(n, seed)[0].score if n in TUNED and kind == "equal_time" else trained(n, seed, kind).score
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
    for size in TUNED:
        for number in SEEDS:
            found, chosen = tuned(size, number)
            path = found.save(Path(__file__).with_name(f"equal_time_{size}_{number}.safetensors"))
            print(f"{path.name}: steps and weight {chosen}", flush=True)
    for name, sizes in FEW.items():
        for size in sizes:
            for number in FEW_SEEDS:
                trained(size, number, name).save(Path(__file__).with_name(f"{name}_{size}_{number}.safetensors"))
