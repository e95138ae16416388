"""Samplers that can only be called: what they add is found by taking the place of their noise.

With the noise set to zero a call is m(x); with one, m(x) + s. What keeps earlier states and adds noise has no law that
evolves by itself, and neither has what is not affine in its noise: these are sampled, with confidence bars.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.densities import GaussianMixture
from mfgpde.samplers.distances import Distances, on_the_line
from mfgpde.samplers.gridded import Gridded, start_grid
from mfgpde.samplers.line import Line, Quantiles

SAME = 1e-6
"""of the state: differences below are rounding, in libraries that compute in single precision"""
DRAWN = 40_000
"""samples where nothing else is left"""
CONFIDENCE = 1e-3
"""probability that the bar of a sampled KS fails (Dvoretzky–Kiefer–Wolfowitz)"""


class Run(Protocol):
    """One run of a black box: made anew for each use, since many remember."""

    start: GaussianMixture
    """the law of the first state"""
    calls: int
    """how many calls take it to the last state"""

    def call(self, x: Array, noise: Array) -> Array:
        """Return the next state of each of (n,) states, with `noise` (n,) in place of what it draws."""
        ...

    def standing(self) -> tuple[float, GaussianMixture] | None:
        """Return how the present state is scaled to one that has a known law, and this law; None between levels."""
        ...


type Begin = Callable[[int], Run]
"""from a number of steps to a run"""


@dataclass(frozen=True)
class Nature:
    """What a black box turned out to be."""

    stochastic: bool
    remembers: bool
    affine: bool

    @property
    def words(self) -> str:
        """In words."""
        if not self.stochastic:
            return "deterministic, with memory" if self.remembers else "deterministic"
        return (
            "stochastic, with memory" if self.remembers else "stochastic" if self.affine else "not affine in its noise"
        )

    @property
    def computed(self) -> bool:
        """Whether its law can be computed."""
        return not self.stochastic or (self.affine and not self.remembers)


def nature(begin: Begin, steps: int = 7) -> Nature:
    """Return whether a black box adds noise, remembers, and is affine in its noise: found by trying."""
    x = np.linspace(-1.5, 1.5, 8)
    stochastic, affine, remembers = False, True, False
    run = begin(steps)
    scale = float(np.sqrt(np.trace(run.start.covariances.mean(axis=0))))
    states = scale * x
    for _ in range(run.calls):
        batch, noise = np.tile(states, 4), np.repeat([0.0, 1.0, -1.0, 2.0], len(x))
        found = run.call(batch, noise).reshape(4, -1)
        size = SAME * (1 + np.abs(found).max())
        if np.abs(found[1] - found[0]).max() > size:
            stochastic = True
            push = found[1] - found[0]
            affine &= bool(
                np.abs(found[0] - found[2] - push).max() < 4 * size
                and np.abs(found[3] - found[0] - 2 * push).max() < 4 * size
                and np.ptp(push) < 4 * size
            )
        states = found[0]
    for k in range(1, min(4, run.calls)):
        ends = []
        for shift in (0.0, 0.3 * scale):
            other, state = begin(steps), scale * x + shift
            for _ in range(k):
                state = other.call(state, 0 * x)
            ends.append(other.call(states, 0 * x))
        remembers |= bool(np.abs(ends[0] - ends[1]).max() > SAME * (1 + np.abs(ends[0]).max()))
    return Nature(stochastic, remembers, affine)


@dataclass(frozen=True)
class Tried:
    """What a run of so many steps gave: distances to the data's law, and where it first went wrong."""

    steps: int
    distances: Distances
    defects: tuple[float, ...] = ()
    law: Line | None = None


def tried(begin: Begin, steps: int, data: GaussianMixture, kind: Nature, points: int = 1025) -> Tried:
    """Return how far the law of a black box's last state is from the data's."""
    if not kind.stochastic:
        return _by_quantiles(begin(steps), steps, data, points)
    if kind.computed:
        lines = [_on_cells(begin(steps), n).line() for n in (points, points // 2)]
        return Tried(steps, on_the_line(*lines, data, f"push-forward and blur on {points} cells"), law=lines[0])
    return _sampled(begin(steps), steps, data)


def _by_quantiles(run: Run, steps: int, data: GaussianMixture, points: int) -> Tried:
    line = Line.of(run.start, points)
    x, defects, before = line.points, [], run.standing()
    for _ in range(run.calls):
        new = run.call(x, 0 * x)
        after = run.standing()
        defects.append(_defect(line.masses, (x, before), (new, after)))
        x, before = new, after
    line = line.moved(x)
    found = on_the_line(line, line.halved(), data, f"quantiles at {points} levels")
    return Tried(steps, found, tuple(defects), line)


def _defect(masses: Array, old: tuple, new: tuple) -> float:
    """Return how far a step ends from where the exact flow takes its start: on the line, the increasing map."""
    (x, a), (y, b) = old, new
    if a is None or b is None:
        return np.nan
    level = np.clip(Quantiles(a[1]).level(a[0] * x), -8.0, 8.0)
    return float(np.sqrt(masses @ (b[0] * y - Quantiles(b[1])(level)) ** 2))


def _on_cells(run: Run, cells: int) -> Gridded:
    law = Gridded.of(run.start, start_grid(run.start, cells))
    for _ in range(run.calls):
        law = law.moved(lambda x: _probed(run, x[:, 0]))
    return law


def _probed(run: Run, x: Array) -> tuple[Array, float]:
    probes = x[len(x) // 2 :: max(1, len(x) // 6)][:3]
    found = run.call(
        np.concatenate((x, probes, probes)), np.repeat([0.0, 1.0, -1.0], (len(x), len(probes), len(probes)))
    )
    up, down = found[len(x) : -len(probes)], found[-len(probes) :]
    return found[: len(x), None], max(float(np.mean(up - down)) / 2, 0.0)


def _sampled(run: Run, steps: int, data: GaussianMixture, seed: int = 0) -> Tried:
    """Draw samples: W₂ with the distance between two halves as its bar, KS with that of a confidence band."""
    rng = np.random.default_rng(seed)
    x = run.start.sample(DRAWN, rng)[:, 0]
    for _ in range(run.calls):
        x = run.call(x, rng.standard_normal(len(x)))
    halves = np.sort(x.reshape(2, -1), axis=1)
    masses = np.full(len(x), 1 / len(x))
    line = Line(x, np.zeros_like(x), masses).moved(np.sort(x)[::-1])
    target, bar = Quantiles(data), float(np.sqrt(np.mean((halves[0] - halves[1]) ** 2)))
    band = float(np.sqrt(np.log(2 / CONFIDENCE) / (2 * len(x))))
    method = f"{len(x)} samples"
    return Tried(
        steps,
        Distances(
            Estimate(line.wasserstein(target), bar, Kind.CONFIDENCE, method),
            Estimate(line.wasserstein(target, 1), bar, Kind.CONFIDENCE, method),
            Estimate(line.kolmogorov(target), band, Kind.CONFIDENCE, method),
        ),
        law=line,
    )
