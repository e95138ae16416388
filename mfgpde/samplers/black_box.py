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
from mfgpde.samplers.contract import Levels, Model, Sampler
from mfgpde.samplers.distances import Distances, on_the_line
from mfgpde.samplers.gridded import Gridded, start_grid
from mfgpde.samplers.line import Line, Quantiles
from mfgpde.scores import ExactScore

SAME = 1e-6
"""of the state: differences below are rounding, in libraries that compute in single precision"""
DRAWN = 40_000
"""samples where nothing else is left"""
WORSE, VISIBLE = 3.0, 1e-4
"""a step is wrong if it errs by so many times what one of order one does, and by more than this length"""
CONFIDENCE = 1e-3
"""probability that the bar of a sampled KS fails (Dvoretzky–Kiefer–Wolfowitz)"""


@dataclass(frozen=True, eq=False)
class Standing:
    """A level: `scale` times the state should have the law of α x₀ + σ ε."""

    scale: float
    law: GaussianMixture
    alpha: float
    sigma: float


class Run(Protocol):
    """One run of a black box: made anew for each use, since many remember."""

    start: GaussianMixture
    """the law of the first state"""
    calls: int
    """how many calls take it to the last state"""

    def call(self, x: Array, noise: Array | None) -> Array:
        """Return the next state of each of (n,) states, with `noise` (n,) in place of what it draws; None: it draws."""
        ...

    def standing(self) -> Standing | None:
        """Return where the present state should be; None between levels."""
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
    defects: tuple[tuple[float, float], ...] = ()
    """of each step: how far it ends from the exact flow, and how far a step of order one (DDIM) from there would"""
    law: Line | None = None

    @property
    def first_wrong(self) -> tuple[int, float] | None:
        """The first step that is worse than one of order one by a factor of WORSE, and the factor."""
        for k, (found, allowed) in enumerate(self.defects):
            if found > WORSE * allowed + VISIBLE:
                return k + 1, found / max(allowed, 1e-3 * VISIBLE)
        return None


def tried(begin: Begin, steps: int, data: GaussianMixture, kind: Nature, points: int = 513) -> Tried:
    """Return how far the law of a black box's last state is from the data's."""
    if not kind.stochastic:
        return _by_quantiles(begin, steps, data, points)
    if kind.computed:
        fine, coarse = (on_cells(begin(steps), n).line() for n in (points, points // 2))
        return Tried(steps, on_the_line(fine, coarse, data, f"push-forward and blur on {points} cells"), law=fine)
    return _sampled(begin(steps), steps, data)


def _by_quantiles(begin: Begin, steps: int, data: GaussianMixture, points: int) -> Tried:
    run = begin(steps)
    line = Line.of(run.start, points)
    x, defects, before = line.points, [], run.standing()
    for _ in range(run.calls):
        new = run.call(x, 0 * x)
        after = run.standing()
        defects.append(_defect(line.masses, x, before, new, after))
        x, before = new, after
    sense = -1.0 if np.all(np.diff(x) <= 0) else 1.0

    def images(levels: Array) -> Array:
        again, y = begin(steps), Quantiles(run.start)(sense * levels)
        for _ in range(again.calls):
            y = again.call(y, 0 * y)
        return y

    line, half = line.moved_twice(x)
    found = on_the_line(line, half, data, f"quantiles at {points} levels", images)
    return Tried(steps, found, tuple(defects), line)


def _defect(masses: Array, x: Array, a: Standing | None, y: Array, b: Standing | None) -> tuple[float, float]:
    """Return how far a step ends from where the exact flow takes its start (an increasing map); and DDIM's step."""
    if a is None or b is None:
        return 0.0, np.inf
    x = a.scale * x
    level = np.clip(Quantiles(a.law).level(x), -8.0, 8.0)
    noise = -a.sigma * a.law.score(x[:, None])[:, 0]
    plain = b.alpha * (x - a.sigma * noise) / max(a.alpha, VISIBLE) + b.sigma * noise
    right = Quantiles(b.law)(level)
    return tuple(float(np.sqrt(masses @ (z - right) ** 2)) for z in (b.scale * y, plain))  # pyright: ignore


class OwnRun:
    """One run of a sampler of ours, seen as a black box is: one call a step."""

    def __init__(self, sampler: Sampler, model: Model, levels: Levels, steps: int, stop: float = 0.0) -> None:
        if not isinstance(model.score, ExactScore):
            raise ValueError("a sampler is tried here with the exact score of a mixture")
        self.model, self.times = model, levels.times(model.process, steps, stop)
        self.moves, self.laws = list(sampler.run(model, self.times)), model.score
        if any(len(moves) > 1 for moves in self.moves):
            raise ValueError("a sampler with several moves a step has a law of its own: mfg.samplers.generated_law")
        self.place, self.calls, self.start = 0, steps, self.laws.at(float(self.times[0]))

    def call(self, x: Array, noise: Array | None) -> Array:
        """Return the next states."""
        mean, deviation = self.moves[self.place][0](x[:, None])
        self.place += 1
        drawn = np.random.default_rng(self.place).standard_normal(len(x)) if noise is None else noise
        return mean[:, 0] + deviation * drawn

    def standing(self) -> Standing:
        """Return the level of the present state."""
        t = float(self.times[self.place])
        return Standing(1.0, self.laws.at(t), self.model.alpha(t), self.model.sigma(t))


def on_cells(run: Run, cells: int, start: GaussianMixture | None = None) -> Gridded:
    """Return the law of the last state of a run with noise, from its own first law or another."""
    start = start or run.start
    law = Gridded.of(start, start_grid(start, cells))
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
        x = run.call(x, None)
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
