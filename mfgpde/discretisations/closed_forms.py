"""Every equation on a discretisation's own box and in its unit, with its closed form: what laws hold schemes to.

The Ornstein–Uhlenbeck process about the middle with a deviation of a fourteenth of the shortest side or, where the box is
periodic, what moves and damps a cosine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mfgpde.core.arrays import Array, dot
from mfgpde.densities import GaussianMixture, gaussian
from mfgpde.discretisations.contract import Discretisation
from mfgpde.equations import (
    BackwardKolmogorov,
    Continuity,
    Equation,
    FokkerPlanck,
    HamiltonJacobiBellman,
    LogDensity,
    ScoreFokkerPlanck,
)

Exact = Callable[[Array, float], Array]
"""of points and a time"""


@dataclass(frozen=True, eq=False)
class Problem:
    """Noise against a pull to the middle, or alone on a periodic box: equations with their exact solutions.

    `unit` is the unit of time, in which the pull's rate is one.
    """

    middle: Array
    width: float
    sides: Array
    periodic: bool
    unit: float = 1.0

    def drift(self, x: Array, t: float) -> Array:
        """Return −(x − middle) per unit, or zero."""
        return 0 * x if self.periodic else (self.middle - x) / self.unit

    def divergence(self, x: Array, t: float) -> Array:
        """Return its divergence."""
        return np.full(x.shape[:-1], 0.0 if self.periodic else -len(self.middle) / self.unit)

    def diffusivity(self, t: float) -> float:
        """Return width², per unit of time."""
        return self.width**2 / self.unit

    def potential(self, x: Array, t: float) -> Array:
        """Return V with drift −D∇V."""
        y = (x - self.middle) / self.width
        return 0 * x[..., 0] if self.periodic else 0.5 * dot(y, y)

    def density(self, x: Array, t: float) -> Array:
        """Return the exact law at time t."""
        if self.periodic:
            return self.wave(x, t) / float(np.prod(self.sides))
        left = self._left(t)
        mean = self.middle + 1.5 * self.width * left
        return gaussian(mean, self.width**2 * (1 - 0.4 * left**2) * np.eye(len(mean))).density(x)

    def equilibrium(self, x: Array) -> Array:
        """Return the law that stays."""
        if self.periodic:
            return np.full(x.shape[:-1], 1 / float(np.prod(self.sides)))
        return gaussian(self.middle, self.width**2 * np.eye(len(self.middle))).density(x)

    def equation(self, *, known: bool = False) -> FokkerPlanck:
        """Return the Fokker–Planck equation, its potential stated or not."""
        potential = self.potential if known else None
        return FokkerPlanck(self.drift, self.diffusivity, time_dependent=False, potential=potential)

    def others(self) -> Iterator[tuple[Equation, Exact]]:
        """Yield other equations of the process, each with its exact solution: of flow, expectations, logarithms, scores.

        The law is that of two Gaussians, so that no logarithm is a polynomial that differences of low order get right; and
        one that stays between hills. On periodic boxes also a wave carried as it is, for schemes that need no diffusion.
        """
        D, f, spread = self.diffusivity, self.drift, self.divergence
        yield Continuity(self._velocity, time_dependent=not self.periodic), self._carried
        yield BackwardKolmogorov(f, D, time_dependent=False), self._expectation
        yield LogDensity(f, spread, D, D), self._logarithm
        yield HamiltonJacobiBellman(self._hamiltonian, D), lambda x, t: -self._logarithm(x, t)
        yield ScoreFokkerPlanck(f, spread, D, D, time_dependent=False), self._score
        if self.periodic:
            speed = 2 * self.width / self.unit
            carrying = HamiltonJacobiBellman(lambda x, p, t: speed * p[..., 0], lambda t: 0.0)
            yield carrying, lambda x, t: self.wave(x, t, speed)
        uphill, curved = self._descent, self._descent_divergence  # no divergence of theirs is constant
        yield LogDensity(uphill, curved, D, D), lambda x, t: -self._hills(x)[0]
        yield ScoreFokkerPlanck(uphill, curved, D, D, time_dependent=False), lambda x, t: -self._hills(x)[1]

    def wave(self, x: Array, t: float, speed: float = 0.0) -> Array:
        """Return 1 + ½e^{−Dk²t} cos k(x₁ − speed t), k of the first side: heat, or carried without damping."""
        k = 2 * np.pi / self.sides[0]
        fading = 1.0 if speed else float(np.exp(-self.diffusivity(t) * k**2 * t))
        return 1 + 0.5 * fading * np.cos(k * (x[..., 0] - self.middle[0] - speed * t))

    def _left(self, t: float) -> float:
        return float(np.exp(-t / self.unit))

    def _law(self, t: float) -> GaussianMixture:
        """Return two Gaussians, carried by the process."""
        left, d = self._left(t), len(self.middle)
        apart = self.width * left * np.outer((1.4, -1.0), 1 / (1 + np.arange(d)))
        return GaussianMixture([0.4, 0.6], self.middle + apart, self.width**2 * (1 - 0.4 * left**2) * np.ones(2))

    def _hills(self, x: Array) -> tuple[Array, Array, Array]:
        """Return a potential that is no parabola, its gradient and Laplacian: e^{−V} is the law that −D∇V keeps."""
        k = 2 * np.pi / self.sides if self.periodic else 2 / self.width * np.ones_like(self.sides)
        y, bowl = x - self.middle, 0.0 if self.periodic else 1 / self.width**2
        V = 0.5 * bowl * dot(y, y) + 0.3 * np.cos(k * y).sum(axis=-1)
        return V, bowl * y - 0.3 * k * np.sin(k * y), (bowl - 0.3 * k**2 * np.cos(k * y)).sum(axis=-1)

    def _descent(self, x: Array, t: float) -> Array:
        return -self.diffusivity(t) * self._hills(x)[1]

    def _descent_divergence(self, x: Array, t: float) -> Array:
        return -self.diffusivity(t) * self._hills(x)[2]

    def _velocity(self, x: Array, t: float) -> Array:
        if self.periodic:
            return np.broadcast_to(2 * self.width / self.unit * np.eye(len(self.middle))[0], x.shape)
        return self.drift(x, t) - self.diffusivity(t) * self._law(t).score(x)

    def _carried(self, x: Array, t: float) -> Array:
        return (
            self.wave(x, t, 2 * self.width / self.unit) / float(np.prod(self.sides))
            if self.periodic
            else self._law(t).density(x)
        )

    def _expectation(self, x: Array, t: float) -> Array:
        """Return E cos k·(X_t − middle), |k| of one over the width, X_0 = x; of heat the wave itself."""
        if self.periodic:
            return self.wave(x, t)
        k, left = 1 / (1 + np.arange(len(self.middle))), self._left(t)
        fading = float(np.exp(-0.5 * float(k @ k) * (1 - left**2)))
        return fading * np.cos(left * ((x - self.middle) @ k) / self.width)

    def _logarithm(self, x: Array, t: float) -> Array:
        return np.log(self.wave(x, t)) if self.periodic else self._law(t).log_density(x)

    def _score(self, x: Array, t: float) -> Array:
        if not self.periodic:
            return self._law(t).score(x)
        k, still = 2 * np.pi / self.sides[0], np.zeros_like(x)
        fading = float(np.exp(-self.diffusivity(t) * k**2 * t))
        still[..., 0] = -0.5 * fading * k * np.sin(k * (x[..., 0] - self.middle[0])) / self.wave(x, t)
        return still

    def _hamiltonian(self, x: Array, p: Array, t: float) -> Array:
        """Return H = D|p|² + f·p − ∇·f: that of −log p."""
        return self.diffusivity(t) * dot(p, p) + dot(self.drift(x, t), p) - self.divergence(x, t)


def problem(space: Discretisation, unit: float = 1.0) -> Problem | None:
    """Return the problem on a discretisation's box; none if it is periodic along some axes only."""
    lower, upper = np.asarray(space.grid.lower, dtype=float), np.asarray(space.grid.upper, dtype=float)
    along = set(space.grid.periodic)  # of a mesh none
    if len(along) == 2:
        return None
    return Problem(0.5 * (lower + upper), float((upper - lower).min()) / 14, upper - lower, True in along, unit)
