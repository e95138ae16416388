"""What was handed over in place of a score: the usual slips, each as the score of the data would make it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from mfgpde.core.arrays import Array, dot
from mfgpde.core.digits import digits
from mfgpde.densities import Density, GaussianMixture, marginal
from mfgpde.diagnostics.data import Data, Named, noised
from mfgpde.processes import LinearProcess
from mfgpde.scores import Score

TIMES = (0.1, 0.4, 1.0)
"""of the run, at which a score is compared"""
POINTS = 512
TINY = 1e-300
"""in place of a mean square of zero: a form that vanishes is far from everything else"""
KERNELS = 1024
"""samples of which the law of the data is made where it has no closed form"""
MIRRORED = "the score with time running the other way, s(x, T − t); give it t = 0 at the data"
FAR, CLOSE, EXACT = 0.1, 0.05, 1e-9
"""relative mean squares: a score that is off by more, and a slip that fits by less, make a warning; what rounding leaves"""


def likely_slip(
    process: LinearProcess, score: Score, data: Data | None, dimension: int, stop: float, rng: np.random.Generator
) -> str | None:
    """Return a sentence if what was given is far from the score of the data and close to a known function of it.

    Without data only the horizon is looked at, where the score of the prior is known.
    """
    worst: dict[str, float] = {}
    ratios: list[float] = []
    still = True
    for x, t, law, mirrored in _places(process, data, dimension, stop, rng):
        s, given = law.score(x), np.asarray(score(x, t))
        still = still and np.allclose(given, np.asarray(score(x, process.horizon)))
        forms = {"": s, **_forms(process, x, t, s, dimension)}
        if mirrored is not None and not np.allclose(mirrored, s):
            forms[MIRRORED] = mirrored
        for name, form in forms.items():
            size = max(float(dot(form, form).sum()), TINY)
            worst[name] = max(worst.get(name, 0.0), float(dot(given - form, given - form).sum()) / size)
        c = float(dot(given, s).sum() / dot(s, s).sum())
        ratios.append(c)
        left = float(dot(given - c * s, given - c * s).sum() / max(dot(given, given).sum(), TINY))
        worst["scaled"] = max(worst.get("scaled", 0.0), left)
    if still:  # in time: what does not move runs no way
        worst.pop(MIRRORED, None)
    own, scaled = worst.pop(""), worst.pop("scaled")
    if own <= FAR:
        return None
    c, name = float(np.mean(ratios)), min(worst, key=lambda one: worst[one])
    # late noise is nearly constant, and what it multiplies by is too; one scale at all times that fits to rounding is one
    steady = scaled + float(np.max((np.array(ratios) / c - 1) ** 2)) if c else 1.0
    better = steady > EXACT and worst[name] <= min(CLOSE, steady / 9)
    if scaled <= CLOSE and np.ptp(ratios) <= 0.1 * abs(c) and not better:
        if abs(c + 1) < 0.1:
            return "what was given has the wrong sign: it looks like the negative of a score"
        if data is not None:
            return (
                f"what was given looks like {digits(c, 3)} times the score of the data at all times: its scale is wrong"
            )
    if worst[name] <= min(CLOSE, own / 9):
        return f"what was given is no score but looks like {name}"
    return None


def _places(
    process: LinearProcess, data: Data | None, dimension: int, stop: float, rng: np.random.Generator
) -> Iterator[tuple[Array, float, Density, Array | None]]:
    """Yield points, a time, the law there, and the score at the mirrored time."""
    horizon = process.horizon
    if data is None:
        _, mean, covariance = process.prior().in_dimension(dimension)
        law = GaussianMixture(np.ones(1), mean[None], covariance[None])
        yield law.sample(POINTS, rng), horizon, law, None
        return
    for share in TIMES:
        t = stop + share * (horizon - stop)
        law, x = law_at(process, data, t, rng)
        mirror = horizon - t
        yield x, t, law, law_at(process, data, mirror, rng)[0].score(x) if mirror > stop else None


def law_at(process: LinearProcess, data: Data, t: float, rng: np.random.Generator) -> tuple[Density, Array]:
    """Return the law of the data at time t > 0, and points of it."""
    if isinstance(data, Named):
        law = marginal(process, data.start, t)
        return law, law.sample(POINTS, rng)
    chosen = data.raw[rng.permutation(len(data.raw))[:KERNELS]]
    factor, offset, covariance = process.transition(0.0, t).in_dimension(chosen.shape[1])
    spread = covariance if np.ptp(np.linalg.eigvalsh(covariance)) > 1e-9 * np.trace(covariance) else covariance[0, 0]
    kernels = np.broadcast_to(spread, (len(chosen), *spread.shape)) if np.ndim(spread) else spread
    law = GaussianMixture(np.ones(len(chosen)), chosen @ factor.T + offset, kernels)
    others = data.raw[rng.permutation(len(data.raw))[:POINTS]]
    return law, noised(process, others, t, rng)


def _forms(process: LinearProcess, x: Array, t: float, s: Array, dimension: int) -> dict[str, Array]:
    """Return what the usual slips would be, by a sentence that says what to hand over instead."""
    factor, offset, covariance = process.transition(0.0, t).in_dimension(dimension)
    m, v = float(np.trace(factor)) / dimension, float(np.trace(covariance)) / dimension
    D, f = float(process.diffusivity(t)), process.drift(x, t)
    forms: dict[str, Callable[[], Array]] = {
        "a prediction of the noise, −√v·s; give −ε/√v, v(t) the variance of the noise": lambda: -np.sqrt(v) * s,
        "a score times the deviation of the noise, √v·s; divide by √v(t)": lambda: np.sqrt(v) * s,
        "a score times the variance of the noise, v·s; divide by v(t)": lambda: v * s,
        "a score times g²; divide by it": lambda: 2 * D * s,
        "a score times the diffusivity D; divide by it": lambda: D * s,
        "the velocity of the probability flow, f − D·s; give (f − v)/D": lambda: f - D * s,
        "the velocity of generation, D·s − f; give (v + f)/D": lambda: D * s - f,
    }
    if abs(m) > 1e-3:
        text = "a prediction of the data, E[x₀ | x_t] = (x − offset + v·s)/m; give (m·x̂₀ + offset − x)/v"
        forms[text] = lambda: (x - offset + v * s) / m
    return {name: form() for name, form in forms.items()}
