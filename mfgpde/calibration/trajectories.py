"""Certificates by sampling of linear scores: all laws are Gaussian, axis by axis, and so every mean is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp

from mfgpde.calibration import drawn
from mfgpde.calibration.contract import Case
from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.densities import GaussianMixture, gaussian
from mfgpde.diagnostics.by_sampling import certify_by_sampling
from mfgpde.diagnostics.data import Named, Sampled
from mfgpde.diagnostics.ledger import Entry
from mfgpde.processes import IsotropicProcess
from mfgpde.scores import ExactScore
from mfgpde.solvers import prior_of

FORWARD = 0, 1
"""places of a velocity that is affine in x"""


@dataclass(frozen=True, eq=False)
class Scaled:
    """A multiple of an exact score, with what trajectories ask of it."""

    exact: ExactScore
    factor: float

    def __call__(self, x: Array, t: float) -> Array:
        """Return s(x, t)."""
        return self.factor * self.exact(x, t)

    def time_derivative(self, x: Array, t: float) -> Array:
        """Return ∂_t s."""
        return self.factor * self.exact.time_derivative(x, t)

    def directional_derivatives(self, x: Array, t: float, v: Array) -> tuple[Array, Array, Array]:
        """Return Jv, Jᵀv and ∇(vᵀJv)."""
        pushed, pulled, curvature = self.exact.directional_derivatives(x, t, v)
        return self.factor * pushed, self.factor * pulled, self.factor * curvature


class Trajectories:
    """Mean squares along the SDE, moments of both laws and of the data, likelihood and KL, in one to twenty dimensions."""

    covers = (
        "diagnostics.certify_by_sampling",
        "diagnostics.likelihood",
        "diagnostics.Ledger.measured",
        "diagnostics.Ledger.rows",
    )
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a process, two Gaussians, of which the score is one and the data the other, and a factor of the score."""
        process = drawn.process(rng)
        while not isinstance(process, IsotropicProcess):
            process = drawn.process(rng)
        d, few = int(rng.choice([1, 2, 3, 8, 20])), rng.random() < 0.3
        data, other = (_spread(rng, d) for _ in range(2))
        score = Scaled(ExactScore(process, data if rng.random() < 0.5 else other), float(rng.choice([1.0, 0.9, 1.05])))
        stop = float(np.exp(rng.uniform(np.log(0.003), np.log(0.1)))) * process.horizon
        known = Named.stopped(process, data, stop)
        if few:
            known = Sampled.stopped(process, data.sample(int(rng.integers(200, 2000)), rng), stop)
        found = certify_by_sampling(
            process,
            score,
            d,
            data=known,
            stop=stop,
            trajectories=int(np.exp(rng.uniform(np.log(256), np.log(2048)))),
            seed=int(rng.integers(2**31)),
        )
        name = f"{process!r}, {d} dimensions, stop {stop:.2g}"
        row = found.rows[int(rng.integers(len(found.rows)))]
        t = row["t"]
        if isinstance(t, Entry):
            raise TypeError(f"a row's time is a number, got {t!r}")
        ode, sde = laws(process, score, d, stop)
        for what, truth in squares(process, score, laws(process, score, d, t)[1], t).items():
            yield _case(f"E|{what}|², {name}, t = {t:.2g}", row[what], truth)
        end = data.after(process.transition(0.0, stop))
        pairs = {"sde–ode": (sde, ode), "sde–data": (sde, end), "ode–data": (ode, end)}
        for pair, (a, b) in pairs.items():
            yield _case(f"W₂² {pair}, {name}", found.measured["moments"][pair]["W2², at least"], _gelbrich(a, b))
        likelihood = found.measured["likelihood"]["data"]
        yield _case(f"−E log q, {name}", likelihood["−log q^ODE, nats"], entropy(end) + _kl(end, ode))
        if not few:
            yield _case(f"KL(p‖q), {name}", likelihood["KL(p‖q^ODE)"], _kl(end, ode))


def laws(process: IsotropicProcess, score: Scaled, d: int, t: float) -> tuple[GaussianMixture, GaussianMixture]:
    """Return q^ODE and q^SDE at a time, by the equations of their means and variances."""
    prior = prior_of(process, d)

    def rates(s: float, y: Array) -> Array:
        moved, D = [], float(process.diffusivity(s))
        for share, (mean, variance), noise in (
            (1.0, y[: 2 * d].reshape(2, d), 0.0),
            (2.0, y[2 * d :].reshape(2, d), D),
        ):
            at = [process.drift(x, s) - share * D * score(x, s) for x in (np.full((1, d), float(k)) for k in FORWARD)]
            slope = (at[1] - at[0])[0]
            moved += [at[0][0] + slope * mean, 2 * slope * variance - 2 * noise]
        return np.concatenate(moved)

    begin = np.concatenate((prior.means[0], np.diagonal(prior.covariances[0])))
    if not t < process.horizon:
        return prior, prior
    run = solve_ivp(rates, (process.horizon, t), np.tile(begin, 2), method="DOP853", rtol=1e-11, atol=1e-13)
    m, v, n, w = run.y[:, -1].reshape(4, d)
    return gaussian(m, np.diag(v)), gaussian(n, np.diag(w))


def entropy(law: GaussianMixture) -> float:
    """Return −E log p of a Gaussian with independent axes, Σ ½(log 2πv + 1)."""
    return 0.5 * float(np.sum(np.log(2 * np.pi * np.diagonal(law.covariances[0])) + 1))


def squares(process: IsotropicProcess, score: Scaled, law: GaussianMixture, t: float) -> dict[str, float]:
    """Return E|s|², E|∂_t s|² and E|ε|² under a Gaussian with independent axes.

    With s = c(Ax + b), f = f₀ + f₁x: ε = ∂_t s + (f₁ − 2DcA) s + f cA on each axis; σ̇² = 2f₁σ² + 2D, ṁ = f₁m + f₀.
    """
    D, c = float(process.diffusivity(t)), score.factor
    d = law.dimension
    f = [process.drift(np.full((1, d), float(k)), t)[0] for k in FORWARD]
    slope = f[1] - f[0]
    now = score.exact.at(t)
    m, v = now.means[0], np.diagonal(now.covariances[0])
    v_rate, m_rate = 2 * slope * v + 2 * D, slope * m + f[0]
    A, b = -c / v, c * m / v
    A_rate, b_rate = c * v_rate / v**2, c * (m_rate / v - m * v_rate / v**2)
    residual = A_rate + (slope - 2 * D * A) * A + slope * A, b_rate + (slope - 2 * D * A) * b + f[0] * A
    mean, variance = law.means[0], np.diagonal(law.covariances[0])
    affine = {"score": (A, b), "time derivative": (A_rate, b_rate), "score residual": residual}
    return {what: float(np.sum((p * mean + q) ** 2 + p**2 * variance)) for what, (p, q) in affine.items()}


def _spread(rng: np.random.Generator, d: int) -> GaussianMixture:
    return gaussian(rng.normal(0, 0.8, d), np.diag(np.exp(rng.uniform(np.log(0.1), np.log(2.0), d))))


def _gelbrich(a: GaussianMixture, b: GaussianMixture) -> float:
    v, w = (np.diagonal(one.covariances[0]) for one in (a, b))
    return float(np.sum((a.means[0] - b.means[0]) ** 2 + (np.sqrt(v) - np.sqrt(w)) ** 2))


def _kl(a: GaussianMixture, b: GaussianMixture) -> float:
    v, w = (np.diagonal(one.covariances[0]) for one in (a, b))
    return 0.5 * float(np.sum(v / w - 1 - np.log(v / w) + (a.means[0] - b.means[0]) ** 2 / w))


def _case(what: str, one: Entry | float, truth: float) -> Case:
    if not isinstance(one, Entry):
        raise TypeError(f"{what} is {one!r}, no entry")
    return Case(what, Estimate(one.value, float(one.half_width or 0.0), Kind.CONFIDENCE, one.method), truth, 1e-9)
