"""Cases that several claims share: laws of one dimension, wrong on purpose, whose distances are known to many digits.

`gaussian_case`: all laws are Gaussian, means and variances follow scalar equations. `mixture_case`: two blobs, a disturbance
that is no mixture. Both are potentials, so that a network's own density e^φ is defined too.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp

import mfgpde as mfg


@dataclass(frozen=True)
class Case:
    """A process, data, the prior that both samplers start from, and a potential φ(x, t) with x of shape (…,)."""

    process: mfg.OrnsteinUhlenbeck
    data: mfg.GaussianMixture
    prior: mfg.GaussianMixture
    potential: Callable
    box: tuple[float, float]
    score: object = None

    def __post_init__(self):
        object.__setattr__(self, "score", self.score or PotentialInOne(self.potential))


class PotentialInOne:
    """The score ∂_xφ in one dimension; derivatives by central differences of order eight, to about 1e-10 of their size."""

    dimension = 1
    STEP = 4e-3
    FIRST = np.array([1 / 280, -4 / 105, 1 / 5, -4 / 5, 0, 4 / 5, -1 / 5, 4 / 105, -1 / 280])
    SECOND = np.array([-1 / 560, 8 / 315, -1 / 5, 8 / 5, -205 / 72, 8 / 5, -1 / 5, 8 / 315, -1 / 560])

    def __init__(self, function):
        self.function = function

    def _near(self, x, t):
        return np.stack([self.function(x[..., 0] + k * self.STEP, t) for k in range(-4, 5)])

    def potential(self, x, t):
        return self.function(np.asarray(x)[..., 0], float(t))

    def __call__(self, x, t):
        return (np.tensordot(self.FIRST, self._near(np.asarray(x), float(t)), axes=1) / self.STEP)[..., None]

    def divergence(self, x, t):
        return np.tensordot(self.SECOND, self._near(np.asarray(x), float(t)), axes=1) / self.STEP**2

    def jacobian(self, x, t):
        return self.divergence(x, t)[..., None, None]

    def in_time(self, x, t):
        """Return ∂_tφ."""
        h = min(self.STEP, t / 5) if t > 0 else 0.0
        x = np.asarray(x)[..., 0]
        if h == 0:  # at t = 0 from one side, order six
            w = np.array([-49 / 20, 6, -15 / 2, 20 / 3, -15 / 4, 6 / 5, -1 / 6])
            return sum(c * self.function(x, k * self.STEP) for k, c in enumerate(w)) / self.STEP
        return sum(c * self.function(x, t + k * h) for k, c in zip(range(-4, 5), self.FIRST, strict=True)) / h


def normal_log(x, m, v):
    return -0.5 * (x - m) ** 2 / v - 0.5 * np.log(2 * np.pi * v)


class GaussianCase:
    """f = −x, D = ½, T = 2, data N(.8, .09), s = −κ(x − c), prior N(.1, .45)."""

    T, DATA, PRIOR = 2.0, (0.8, 0.09), (0.1, 0.45)

    @staticmethod
    def variance(t):
        return 0.09 * np.exp(-2 * t) + 0.5 * (1 - np.exp(-2 * t))

    @classmethod
    def precision(cls, t):
        return 1 / (cls.variance(t) * (1 + 0.25 * np.cos(1.7 * t) * np.exp(-0.3 * t)) + 0.02)

    @staticmethod
    def centre(t):
        return 0.8 * np.exp(-t) + 0.15 * np.sin(2 * t) + 0.05

    @classmethod
    def potential(cls, x, t):
        return -0.5 * cls.precision(t) * (x - cls.centre(t)) ** 2

    @classmethod
    def law(cls, noise):
        """Return mean and variance as functions of t of the sampler with drift x + (1 + λ²)D s and noise λ²: λ = 1, 0."""

        def rate(tau, y):
            t = cls.T - tau
            k, c, g = cls.precision(t), cls.centre(t), 0.5 * (1 + noise**2)
            return [y[0] - g * k * (y[0] - c), 2 * (1 - g * k) * y[1] + noise**2]

        found = solve_ivp(rate, (0, cls.T), cls.PRIOR, rtol=1e-12, atol=1e-13, method="DOP853", dense_output=True).sol
        return lambda t: found(cls.T - t)


def gaussian_case():
    """Return the Gaussian case."""
    G = GaussianCase
    data, prior = (mfg.gaussian(m, v) for m, v in (G.DATA, G.PRIOR))
    return Case(mfg.OrnsteinUhlenbeck(horizon=G.T), data, prior, G.potential, (-5.0, 5.0))


def mixture_potential(x, t):
    """Return φ: log of a noised mixture with drifting weights, and a ripple."""
    a, spread, w = np.exp(-t), 0.5 * (1 - np.exp(-2 * t)), 0.5 + 0.15 * np.exp(-2 * t)
    blobs = [
        np.log(weight) + normal_log(x, a * m, a**2 * v + spread)
        for weight, m, v in ((w, -0.95, 0.06), (1 - w, 1.1, 0.08))
    ]
    return np.logaddexp(*blobs) + 0.075 * np.exp(-t) * np.sin(1.5 * x + t) * np.exp(-0.15 * x**2)


def mixture_case():
    """Return the case of two blobs: T = 3, data .6 N(−1, .04) + .4 N(1.2, .09), prior N(0, ½)."""
    data = mfg.GaussianMixture([0.6, 0.4], [[-1.0], [1.2]], [0.04, 0.09])
    return Case(mfg.OrnsteinUhlenbeck(horizon=3.0), data, mfg.gaussian(0.0, 0.5), mixture_potential, (-6.0, 6.0))
