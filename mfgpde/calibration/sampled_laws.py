"""Laws that samplers generate with the exact score of a Gaussian: every move is affine, and so every law is a Gaussian."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import ndtr

from mfgpde.calibration import drawn
from mfgpde.calibration.contract import Case
from mfgpde.densities import GaussianMixture, gaussian
from mfgpde.processes import OrnsteinUhlenbeck, VariancePreserving
from mfgpde.samplers.contract import Model, Sampler
from mfgpde.samplers.ddim import DDIM
from mfgpde.samplers.euler_maruyama import EulerMaruyama
from mfgpde.samplers.generated import generated_law, prior
from mfgpde.samplers.heun import Heun
from mfgpde.samplers.levels.log_snr import LogSNR
from mfgpde.scores import ExactScore


class SampledLaws:
    """W₁, W₂, KS and KL between what a sampler generates and the data, on a line."""

    covers = (
        *(f"samplers.Distances.{name}" for name in ("w1", "w2", "ks", "kl")),
        "samplers.Generated.against",
    )
    remembered = ((0, 75),)

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a process, a Gaussian, a sampler with noise or without, and a number of steps."""
        horizon = float(rng.uniform(1.0, 4.0))
        process = OrnsteinUhlenbeck(horizon=horizon) if rng.random() < 0.5 else VariancePreserving(0.1, 6.0, horizon)
        law = gaussian(float(rng.normal(0, 0.8)), float(rng.uniform(0.2, 1.0)) ** 2)
        stop, steps = float(np.exp(rng.uniform(np.log(1e-3), np.log(0.1)))), int(rng.integers(5, 40))
        sampler: Any = (DDIM(), DDIM(eta=float(rng.uniform(0.2, 1.0))), Heun(), EulerMaruyama())[rng.integers(4)]
        model, end = Model(process, ExactScore(process, law)), drawn.noised(process, law, stop)
        times, start = LogSNR().times(process, steps, stop=stop), prior(Model(process, ExactScore(process, law)))
        found = generated_law(sampler, model, times, start).against(end)
        right = between_gaussians(end, affine(sampler, model, times, start))
        for name, truth in right.items():
            estimate = getattr(found, name)
            if estimate is not None:
                yield Case(f"{name}, {sampler!r}, {steps} steps, {process!r}", estimate, truth, 1e-11)


def affine(sampler: Sampler, model: Model, times: np.ndarray, start: GaussianMixture) -> tuple[float, float]:
    """Return mean and deviation of the last state: x ↦ ax + b + noise, move by move."""
    mean, variance = float(start.means[0, 0]), float(start.covariances[0, 0, 0])
    ends = np.array([[0.0], [1.0]])
    for moves in sampler.run(model, times):
        for move in moves:
            images, deviation = move(ends)
            b, a = float(images[0, 0]), float(images[1, 0] - images[0, 0])
            mean, variance = a * mean + b, a * a * variance + deviation**2
    return mean, float(np.sqrt(variance))


def between_gaussians(data: GaussianMixture, generated: tuple[float, float]) -> dict[str, float]:
    """Return the distances of two Gaussians on a line in closed form, KS by the largest of a smooth function."""
    (m, s), (n, r) = (float(data.means[0, 0]), float(np.sqrt(data.covariances[0, 0, 0]))), generated
    off, wider = m - n, abs(s - r)
    folded = abs(off)  # E|off + wider·Z|
    if wider > 0:
        z = off / wider
        folded = wider * (np.sqrt(2 / np.pi) * np.exp(-0.5 * z * z) + z * (1 - 2 * float(ndtr(-z))))
    x = np.linspace(min(m - 8 * s, n - 8 * r), max(m + 8 * s, n + 8 * r), 4001)
    apart = np.abs(ndtr((x - m) / s) - ndtr((x - n) / r))
    k = int(np.argmax(apart))
    ends = float(x[max(k - 1, 0)]), float(x[min(k + 1, len(x) - 1)])

    def nearer(y: float) -> float:
        return -abs(float(ndtr((y - m) / s) - ndtr((y - n) / r)))

    best = minimize_scalar(nearer, bounds=ends, method="bounded", options={"xatol": 1e-12})
    return {
        "w2": float(np.hypot(off, wider)),
        "w1": float(folded),
        "ks": max(float(apart[k]), -float(best.fun)),
        "kl": float(np.log(r / s) + (s**2 + off**2) / (2 * r**2) - 0.5),
    }
