"""What a network looks like: its prediction, its noise schedule and its clock, by what each would be for the data.

Each candidate says what the network should return on points of its own noised data; the mean square of what it returns
otherwise, of the size of what it should, is the candidate's misfit, the worst of four noises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from mfgpde.core.arrays import Array, dot
from mfgpde.core.digits import digits
from mfgpde.diagnostics.data import Data, Sampled
from mfgpde.diagnostics.slips import CLOSE, FAR, law_at
from mfgpde.processes import (
    EDM,
    Cosine,
    IsotropicProcess,
    Straight,
    SubVariancePreserving,
    Trigonometric,
    VarianceExploding,
    VariancePreserving,
    linear_betas,
    scaled_linear_betas,
    schedule_of,
    squared_cosine_betas,
)
from mfgpde.scores import PREDICTIONS, Clock, converted
from mfgpde.scores.predictions import preconditioning

NOISES = (0.5, 1.0, 2.0, 5.0)
"""σ/α in deviations of the data at which networks are looked at: with less, samples do not say what the score is"""
POINTS = 256
NEAR = 3.0
"""times the least misfit: candidates that cannot be told from the best"""
Network = Callable[[Array, float], Array]


class Candidate(NamedTuple):
    """A convention, and how far a network is from it."""

    predicts: str
    schedule: str
    clock: str
    misfit: float

    def __str__(self) -> str:
        clock = "" if self.clock == "process" else f" --time {self.clock}"
        return f"--predicts {self.predicts} --schedule {self.schedule}{clock}"


def schedules() -> Iterator[tuple[str, IsotropicProcess, str]]:
    """Yield the published schedules and the clocks that networks have on them."""
    yield "variance-preserving", VariancePreserving(), "process"
    yield "variance-preserving", VariancePreserving(), "thousandths"
    yield "sub-variance-preserving", SubVariancePreserving(), "process"
    yield "variance-exploding", VarianceExploding(0.01, 50.0), "process"
    yield "cosine", Cosine(), "process"
    yield "trigonometric", Trigonometric(), "process"
    yield "straight", Straight(), "process"
    yield "straight", Straight(), "reversed"
    yield "straight", Straight(), "thousandths"
    yield "edm", EDM(), "process"
    yield "edm", EDM(), "c-noise"
    yield "linear-betas", linear_betas(), "step"
    yield "scaled-linear-betas", scaled_linear_betas(), "step"
    yield "squared-cosine-betas", squared_cosine_betas(), "step"


def looks_like(network: Network, data: Data, sigma_data: float = 0.5) -> list[Candidate]:
    """Return all candidates, the one that fits best first.

    >>> law = mfg.gaussian(0.3, 0.5)
    >>> data = mfg.diagnostics.Named(law, law)
    >>> s = mfg.ExactScore(mfg.processes.Cosine(), law)
    >>> noise = lambda x, t: -np.sqrt(mfg.processes.Cosine().variance(t)) * s(x, t)
    >>> print(mfg.diagnostics.looks_like(noise, data)[0])
    --predicts noise --schedule cosine
    """
    found: list[Candidate] = []
    for name, process, clock in schedules():
        worst: dict[str, float] = dict.fromkeys(PREDICTIONS, 0.0)
        for t in _times(process, data):
            for predicts, misfit in _misfits(network, data, process, clock, t, sigma_data):
                worst[predicts] = max(worst[predicts], misfit)
        found += [Candidate(predicts, name, clock, misfit) for predicts, misfit in worst.items()]
    return sorted(found, key=lambda one: one.misfit)


def wrong_convention(
    network: Network,
    data: Data,
    predicts: str,
    process: IsotropicProcess,
    clock: str,
    sigma_data: float = 0.5,
) -> str | None:
    """Return a sentence where a network does not fit what is said of it, and fits a published convention.

    Conventions that fit almost as well are named, too: nothing is chosen between them. Where it fits what is said on data
    at another usual scale, that is named. None where the network fits what is said, to a tenth of the mean square, or where
    nothing fits.
    """
    own = max(dict(_misfits(network, data, process, clock, t, sigma_data))[predicts] for t in _times(process, data))
    if own <= FAR:
        return None
    found = looks_like(network, data, sigma_data)
    best = found[0]
    scaled, moved = _best_scale(network, data, predicts, process, clock, sigma_data)
    if scaled <= min(CLOSE, own / 9, best.misfit):
        return (
            f"the network does not fit these data, off by {digits(own)} of its mean square, but fits them {moved}, off by "
            f"{scaled:.2g}: give data at the scale that it was trained on"
        )
    if best.misfit > min(CLOSE, own / 9):
        return None
    near = [one for one in found if one.misfit <= max(NEAR * best.misfit, 1e-6)]
    return (
        f"as a prediction of {predicts} on {process!r} the network is off by {digits(own)} of its mean square; it "
        f"looks like {' or '.join(map(str, near))}, off by {best.misfit:.2g}: say so"
    )


def _best_scale(
    network: Network, data: Data, predicts: str, process: IsotropicProcess, clock: str, sigma_data: float
) -> tuple[float, str]:
    """Return the least misfit of what is said on samples at another usual scale, and what scale it is."""
    if not isinstance(data, Sampled):
        return np.inf, ""
    found: list[tuple[float, str]] = []
    for words, raw in _scales(data.raw):
        moved = Sampled(raw, raw, data.seed)
        off = max(
            dict(_misfits(network, moved, process, clock, t, sigma_data))[predicts] for t in _times(process, moved)
        )
        found.append((off, words))
    return min(found)


def _scales(raw: Array) -> Iterator[tuple[str, Array]]:
    """Yield samples at the scales that networks are usually trained on."""
    low, high = float(raw.min()), float(raw.max())
    share = (raw - low) / ((high - low) or 1.0)
    yield f"moved from {low:.3g} … {high:.3g} to −1 … 1", 2 * share - 1
    yield f"moved from {low:.3g} … {high:.3g} to 0 … 1", share
    mean, deviation = float(raw.mean()), float(raw.std()) or 1.0
    for size in (1.0, 0.5):
        yield f"less their mean {mean:.3g}, in units of {deviation / size:.3g}", size * (raw - mean) / deviation
    own = np.maximum(raw.std(axis=0), 1e-12 * deviation)
    yield "with mean 0 and deviation 1 in every coordinate", (raw - raw.mean(axis=0)) / own


def _times(process: IsotropicProcess, data: Data) -> list[float]:
    """Return the times of a schedule with the noises that are looked at, or as near as it comes."""
    _, covariance = data.moments()
    deviation = float(np.sqrt(np.trace(covariance) / len(covariance)))
    times = process.horizon * np.linspace(1e-3, 0.999, 2001)
    now = schedule_of(process, times)
    return np.interp(deviation * np.array(NOISES), now.sigma / now.alpha, times).tolist()


def _misfits(
    network: Network, data: Data, process: IsotropicProcess, clock: str, t: float, sigma_data: float
) -> Iterator[tuple[str, float]]:
    """Yield for every prediction the mean square of what the network returns otherwise."""
    law, x = law_at(process, data, t, np.random.default_rng(0))
    x = x[:POINTS]
    now, tau = schedule_of(process, t), Clock(clock, process)(t)
    sign = -1.0 if clock == "reversed" else 1.0
    s = law.score(x)
    into = float(preconditioning(now, sigma_data)[2] / now.alpha)
    with np.errstate(all="ignore"):  # outside the times that it knows a network may return anything
        try:
            given, inner = (np.asarray(network(scale * x, tau), dtype=float) for scale in (1.0, into))
        except Exception:  # a user's code, asked about times and places that it may never have met
            yield from ((predicts, np.inf) for predicts in PREDICTIONS)
            return
        for predicts in PREDICTIONS:
            want = converted(s, x, now, "score", predicts, sigma_data)
            off = (inner if predicts == "edm" else (sign if predicts == "flow" else 1.0) * given) - want
            misfit = float(dot(off, off).sum() / max(float(dot(want, want).sum()), 1e-300))
            yield predicts, misfit if np.isfinite(misfit) else np.inf
