"""Scores asked at few times: between them, on points that stay where they are, by polynomials, as far as a law allows it.

Two generating SDEs whose scores differ by δs have laws at most (2 ∫ D E|δs|² dt)^½ apart in L¹, by Girsanov's theorem and
Pinsker's inequality. That number, with δs what five nodes miss between the first two, decides how long a panel is. It is
of the paths: what the law at one time is off is less by orders, as noise forgets what is uneven in space.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from mfgpde.core.arrays import Array, elsewhere
from mfgpde.core.recent import Recent
from mfgpde.grids import CartesianGrid
from mfgpde.processes import ForwardProcess
from mfgpde.scores import PotentialScore, Score, offers

PANELS = 32
"""that share what a law may be off; of more, the sum of squares is more"""
FEWEST = 64
"""points: fewer are asked directly"""
LARGEST = 2**31
"""bytes that values at nodes may take; what would not fit is asked directly"""
COPIES = 20
"""of the values at points that are held at most"""
WORTH = 5.0
"""steps that a panel must be long, for it costs five times what one of them does"""
PATIENCE = 16
"""times to be asked directly after a panel that was not worth it; twice as many after each further one"""
GROWTH = 2.0
CHECKED = (3 - 5**0.5) / 8
"""of a panel: where degree four misses most, and no fraction, at which jumps at equal times could hide"""
HOPEFUL = 4.0
"""times what is allowed, that degree three may miss in the middle"""
AHEAD = 0.8
"""times the length that would just do"""


@dataclass(frozen=True, eq=False)
class Around:
    """Roughly where mass is: densities on cells at a few times, in the box that they were solved in."""

    grid: CartesianGrid
    times: Sequence[float]
    values: Sequence[Array]

    def weights(self, x: Array, late: float, early: float) -> Array:
        """Return shares (...) of the mass near points (..., d) over [late, early], of all that there is at them."""
        times = np.asarray(self.times)
        order = np.argsort(times)
        first = max(int(np.searchsorted(times[order], late, side="right")) - 1, 0)
        last = min(int(np.searchsorted(times[order], early, side="left")), len(order) - 1)
        mean = np.mean([np.maximum(self.values[k], 0.0) for k in order[first : last + 1]], axis=0)
        index = [
            np.clip(((x[..., k] - a) / h).astype(int), 0, n - 1)
            for k, (a, h, n) in enumerate(zip(self.grid.lower, self.grid.spacing, self.grid.cells, strict=True))
        ]
        found = mean[tuple(index)]
        return found / max(float(found.sum()), np.finfo(float).tiny)


@dataclass(eq=False)
class _Places:
    """Points, what was found there at times of late, and the polynomials in use, latest last."""

    x: Array
    evaluate: Callable[[Array, float], Array]
    size: Callable[[Array, Array], float]
    """of a difference of values and the weights of the points: a mean square of scores"""
    known: list[tuple[float, Array]] = field(default_factory=list[tuple[float, Array]])
    panels: list[tuple[float, float, Array]] = field(default_factory=list[tuple[float, float, Array]])
    length: float = 0.0
    asked: float = 0.0
    direct: int = 0
    patience: int = PATIENCE

    def at(self, t: float, near: float) -> Array:
        """Return the values at a time: found before, or found now."""
        for s, values in self.known:
            if abs(s - t) <= near:
                return values
        values = self.evaluate(self.x, t)
        self.known.append((t, values))
        return values


@dataclass(eq=False)
class Seldom:
    """A score under a process, asked at few times down to `stop` for the same points.

    `allowed` is what the law may be off in L¹, over `PANELS` panels; `off` what it may be in the end, by what was measured
    in each. Where a score jumps in time no panel is worth its price: it is asked at each time wanted, and nothing is off.
    What comes and goes between two nodes of a polynomial, at most `longest` apart, is seen by neither.
    """

    score: Score
    process: ForwardProcess
    around: Around
    stop: float
    allowed: float
    squares: float = 0.0
    longest: float = 0.0
    _places: list[_Places] = field(default_factory=list[_Places], repr=False)
    _recent: Recent[Array] = field(default_factory=lambda: Recent(4), repr=False)

    @property
    def off(self) -> float:
        """What the law may be off in L¹."""
        return float(np.sqrt(self.squares))

    def __call__(self, x: Array, t: float) -> Array:
        """Return s(x, t)."""
        return self._found(x, t, self.score, _of_vectors)

    def _found(
        self,
        x: Array,
        t: float,
        evaluate: Callable[[Array, float], Array],
        size: Callable[[Array, Array, Array], float],
    ) -> Array:
        if elsewhere(x):
            return evaluate(x, t)
        if x.size < FEWEST * x.shape[-1]:
            return self._beside(x, t, evaluate)
        places = next((one for one in self._places if one.x.shape == x.shape and np.array_equal(one.x, x)), None)
        if places is None:
            if COPIES * (x.nbytes + sum(one.x.nbytes for one in self._places)) > LARGEST:
                return evaluate(x, t)
            places = _Places(x, evaluate, lambda gap, weights: size(gap, weights, x))
            self._places.append(places)
            places.asked = t
            return places.at(t, 0.0)
        step, places.asked = places.asked - t, t
        while True:
            for late, early, values in reversed(places.panels):
                if late <= t <= early:
                    return np.tensordot(_lagrange((early - t) / (early - late)), values, axes=1)
            if places.direct > 0 or WORTH * abs(step) >= t - self.stop:
                places.direct -= 1
                return evaluate(x, t)
            begin = places.panels[-1][0] if places.panels and places.panels[-1][0] > t else t
            if not self._panel(places, begin, abs(step)):
                places.panels.clear()
                places.direct, places.patience = places.patience, 2 * places.patience

    def _beside(self, x: Array, t: float, evaluate: Callable[[Array, float], Array]) -> Array:
        """Return the values at a few points: from the nodes of a panel in use, where there is one."""
        panels = (panel for one in self._places for panel in one.panels if panel[0] <= t <= panel[1])
        late, early, _ = next(panels, (t, t, None))
        if not late < early:
            return evaluate(x, t)

        def nodes() -> Array:
            return np.stack([evaluate(x, float(s)) for s in _nodes(late, early)])

        values = self._recent((evaluate, x.shape, x.tobytes(), late, early), nodes)
        return np.tensordot(_lagrange((early - t) / (early - late)), values, axes=1)

    def _panel(self, places: _Places, early: float, step: float) -> bool:
        """Add the polynomial that begins at a time and goes down as far as it may; False if that is not worth it."""
        left, halved = early - self.stop, False
        length = max(places.length or left / 16, 1.05 * WORTH * step)
        length = left if length > 0.8 * left else length
        places.known = [(t, values) for t, values in places.known if t <= early + 1e-9 * length]
        while length > WORTH * step:
            late = self.stop if length == left else early - length
            times = _nodes(late, early)
            values = np.stack([places.at(float(t), 1e-9 * length) for t in times])
            weights = self.around.weights(places.x, late, early)
            noise = length * float(np.mean([float(self.process.diffusivity(float(t))) for t in times[1:4]]))
            scale = 2 * noise * PANELS / self.allowed**2
            gap = values[2] - (4 * (values[1] + values[3]) - (values[0] + values[4])) / 6
            ratio = scale * places.size(gap, weights) / HOPEFUL**2
            if ratio <= 1:
                between = places.at(early + (late - early) * CHECKED, 0.0)
                gap = between - np.tensordot(_lagrange(CHECKED), values, axes=1)
                ratio = scale * places.size(gap, weights)
            if ratio <= 1:
                self.squares += ratio * self.allowed**2 / PANELS
                self.longest = max(self.longest, 0.25 * length)
                places.panels = [*places.panels[-1:], (late, early, values)]
                further = min(GROWTH, AHEAD * max(ratio, 1e-9) ** (-1 / 9))
                places.length = length if halved else max(length * further, 0.5 * length)
                places.patience = PATIENCE
                return True
            if not np.isfinite(ratio):
                return False
            length, halved = 0.5 * length, True
        return False


@dataclass(eq=False)
class SeldomPotential(Seldom):
    """The same of a score with a potential."""

    score: PotentialScore

    def divergence(self, x: Array, t: float) -> Array:
        """Return ∇·s."""
        return self.score.divergence(x, t)

    def potential(self, x: Array, t: float) -> Array:
        """Return φ."""
        return self._found(x, t, self.score.potential, _of_potentials)

    def potential_time_derivative(self, x: Array, t: float) -> Array:
        """Return ∂_tφ."""
        return self.score.potential_time_derivative(x, t)


def seldom(score: Score, process: ForwardProcess, around: Around, stop: float, allowed: float) -> Seldom:
    """Return a score asked at few times, with a potential where this one has one.

    `allowed` is what the law of the generating SDE may be off in L¹, roughly; `around` says where its mass is.

    >>> process, space = mfg.OrnsteinUhlenbeck(), mfg.CartesianGrid.cube(4.0, 64, 1)
    >>> score = mfg.solvers.counted(mfg.ExactScore(process, mfg.gaussian(0.0, 0.2)))
    >>> start = mfg.solvers.prior_of(process, 1).density(space.points)
    >>> few = mfg.solvers.seldom(score, process, mfg.solvers.Around(space, [1.0], [start]), 0.01, 1e-4)
    >>> values = [few(space.points, t) for t in np.linspace(1.0, 0.01, 500)]
    >>> score.points // 64  # times
    47
    >>> few.off < 1e-4
    True
    """
    kind = SeldomPotential if offers(score, PotentialScore) else Seldom
    return kind(score, process, around, stop, allowed)  # pyright: ignore[reportArgumentType]


def _nodes(late: float, early: float) -> Array:
    """Return the nodes of a panel, both ends as they are, the earliest in generation first."""
    return np.array([early, *(early + (late - early) * np.array([0.25, 0.5, 0.75])), late])


def _lagrange(share: float) -> Array:
    """Return the weights of five equally spaced nodes at a share of a panel."""
    nodes = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    apart = nodes[:, None] - nodes[None, :] + np.eye(5)
    ahead = np.where(np.eye(5) == 1, 1.0, share - nodes[None, :])
    return np.prod(ahead / apart, axis=1)


def _of_vectors(gap: Array, weights: Array, _: Array) -> float:
    """Return the mean square."""
    return float(np.sum(weights * np.sum(gap**2, axis=-1)))


def _of_potentials(gap: Array, weights: Array, x: Array) -> float:
    """Return the mean square of the gradient, from differences along the axes of a grid of points."""
    total = 0.0
    for axis in range(x.shape[-1]):
        slope = np.diff(gap, axis=axis) / np.diff(x[..., axis], axis=axis)
        before, after = (np.take(weights, range(k, x.shape[axis] - 1 + k), axis) for k in (0, 1))
        total += float(np.sum(0.5 * (before + after) * slope**2))
    return total
