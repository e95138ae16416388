"""Feynman–Kac expectations by particles, twisted or not: quadratic and linear killing, exponential and square payoffs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from mfgpde.calibration.contract import Case
from mfgpde.core.arrays import Array
from mfgpde.densities import GaussianMixture, gaussian
from mfgpde.equations import FeynmanKac
from mfgpde.processes import Diffusion
from mfgpde.solvers import Twist, particle_expectation

Killing = Callable[[Array, float], Array]
Payoff = Callable[[Array], Array]


class Particles:
    """dX = −θX dt + σ dW on each of one to three axes, from a Gaussian; θ = 0 is Brownian motion.

    E exp(−½w²∫|X|²), Cameron and Martin's where θ = 0; E exp(a·X_T − l·∫X), of a Gaussian; e^{−kT} E|X_T|². Twists are
    the solution, or less than it.
    """

    covers = ("solvers.particle_expectation",)
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a process, a start, weights, numbers of steps, particles and copies, and how much of a twist there is."""
        d = int(rng.choice([1, 2, 3], p=[0.5, 0.3, 0.2]))
        theta = float(rng.choice([0.0, np.exp(rng.normal(-0.3, 0.5))], p=[0.3, 0.7]))
        sigma, T = float(np.exp(rng.normal(-0.2, 0.3))), float(rng.uniform(0.3, 1.5))
        mean, spread = rng.normal(0, 0.7, d), float(np.exp(rng.uniform(-6, -1)))
        start = gaussian(mean, spread, d)
        steps, particles = int(2 * rng.integers(4, 25)), int(np.exp(rng.uniform(np.log(16), np.log(256))))
        copies = int(rng.integers(12, 49))
        walk = Diffusion(lambda x, t: -theta * x, lambda x, t: 0.5 * sigma**2)
        share = float(rng.choice([0.0, 0.7, 1.0]))
        name = f"θ = {theta:.2g}, {d} axes, {steps} steps, {copies} × {particles} particles, {share:g} of the twist"

        def asked(what: str, killing: Killing, payoff: Payoff, twist: Twist, truth: float) -> Case:
            found = particle_expectation(
                FeynmanKac(walk, killing=killing), payoff, start, T, steps=steps, particles=particles, copies=copies,
                twist=twist if share else None, seed=int(rng.integers(2**31)),
            )  # fmt: skip
            return Case(f"{what}, {name}", found, truth, 1e-12 * abs(truth))

        w = float(np.exp(rng.normal(0, 0.5)))
        yield asked(
            f"E exp(−½·{w:.2g}²∫|X|²)",
            lambda x, t: 0.5 * w**2 * np.sum(x**2, axis=-1),
            lambda x: np.ones(x.shape[:-1]),
            Twist(
                lambda x, tau: -0.5 * share * _bent(theta, sigma, w, tau)[0] * np.sum(x**2, axis=-1),
                lambda x, tau: -share * _bent(theta, sigma, w, tau)[0] * x,
            ),
            quadratic(theta, sigma, w, T, start),
        )
        a, b = rng.normal(0, 0.5, d), rng.normal(0, 0.5, d)
        yield asked(
            "E exp(a·X − l·∫X)",
            lambda x, t: x @ b,
            lambda x: np.exp(x @ a),
            Twist(
                lambda x, tau: share * (x @ (a * np.exp(-theta * tau) - b * _passed(theta, tau))),
                lambda x, tau: share * (a * np.exp(-theta * tau) - b * _passed(theta, tau)) + 0 * x,
            ),
            linear(theta, sigma, a, b, T, start),
        )
        rate = float(rng.uniform(0, 1))
        m, v = mean * np.exp(-theta * T), spread * np.exp(-2 * theta * T) + sigma**2 * _passed(2 * theta, T)
        yield asked(
            f"E e^(−{rate:.2g}T)|X|²",
            lambda x, t: rate + 0 * x[..., 0],
            lambda x: np.sum(x**2, axis=-1),
            Twist(
                lambda x, tau: 0.5 * share * np.log(0.2 + np.sum(x**2, axis=-1)),
                lambda x, tau: share * x / (0.2 + np.sum(x**2, axis=-1, keepdims=True)),
            ),
            float(np.exp(-rate * T) * (m @ m + d * v)),
        )


def quadratic(theta: float, sigma: float, w: float, T: float, start: GaussianMixture) -> float:
    """Return E exp(−½w²∫|X|²) from a Gaussian with one variance: u = c e^{−½A|x|²} is averaged over it."""
    A, c = _bent(theta, sigma, w, T)
    grown = 1 + A * start.covariances[0][0, 0]
    return float(np.prod(c * np.exp(-0.5 * A * start.means[0] ** 2 / grown) / np.sqrt(grown)))


def linear(theta: float, sigma: float, a: Array, b: Array, T: float, start: GaussianMixture) -> float:
    """Return E exp(a·X_T − b·∫X) from a Gaussian with one variance: e^{mean + ½ variance} of a·X_T − b·∫X.

    Of the noise at a time τ before the end, σ(a e^{−θτ} − b(1 − e^{−θτ})/θ) is left, and integrated by quadrature.
    """
    nodes, weights = np.polynomial.legendre.leggauss(40)
    tau = 0.5 * T * (nodes + 1)
    left = np.outer(np.exp(-theta * tau), a) - np.outer([_passed(theta, t) for t in tau], b)
    noise = sigma**2 * 0.5 * T * float(weights @ np.sum(left**2, axis=1))
    now = a * np.exp(-theta * T) - b * _passed(theta, T)
    return float(np.exp(start.means[0] @ now + 0.5 * (noise + start.covariances[0][0, 0] * (now @ now))))


def _bent(theta: float, sigma: float, w: float, tau: float) -> tuple[float, float]:
    """Return A and c of u = c e^{−½Ax²} on one axis: A = w² sinh γτ/(γ cosh γτ + θ sinh γτ), γ² = θ² + w²σ²."""
    gamma = np.hypot(theta, w * sigma)
    below = gamma * np.cosh(gamma * tau) + theta * np.sinh(gamma * tau)
    return float(w**2 * np.sinh(gamma * tau) / below), float(np.sqrt(gamma * np.exp(theta * tau) / below))


def _passed(theta: float, tau: float) -> float:
    """Return ∫₀^τ e^{−θs} ds."""
    return float(-np.expm1(-theta * tau) / theta) if theta else tau
