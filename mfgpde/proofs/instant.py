"""What a linear process is at one instant, in balls: its transition law from the start, the speed of it, its coefficients.

The speed comes from the transition law alone, by the first Taylor coefficient of its closed form, and not from the drift.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mfgpde.processes import (
    Brownian,
    IsotropicProcess,
    OrnsteinUhlenbeck,
    SubVariancePreserving,
    VarianceExploding,
    VariancePreserving,
)
from mfgpde.proofs.ball import Ball, ball, precision

KNOWN = (OrnsteinUhlenbeck, VariancePreserving, SubVariancePreserving, VarianceExploding, Brownian)


@dataclass(frozen=True)
class Instant:
    """X_t | X_0 = m X_0 + N(0, v) at one t, ṁ and v̇, the relaxation rate a of f = −a x, and D, all as balls.

    >>> now = mfg.proofs.Instant.of(mfg.OrnsteinUhlenbeck(), 0.5)
    >>> print(f"{float(now.coefficient):.4f}, {float(now.speed):.4f}")  # e^{−t}, −e^{−t}
    0.6065, -0.6065
    """

    coefficient: Ball
    speed: Ball
    variance: Ball
    growth: Ball
    relaxation: Ball
    diffusivity: Ball

    @classmethod
    def of(cls, process: IsotropicProcess, t: float) -> Instant:
        """Return a process at the double t.

        Raises TypeError for a process whose closed form is not known in balls, ValueError for times before its start.
        """
        import flint

        if type(process) not in KNOWN:
            names = ", ".join(one.__name__ for one in KNOWN)
            raise TypeError(f"{type(process).__name__} has no closed form in balls; there is one for {names}")
        with precision():
            now = ball(t)
            if not now >= 0:
                raise ValueError(f"a process is known from its start, t ≥ 0, got {t!r}")
            m, v = _transition(process, flint.arb_series([now, 1], 2))
            a, D = _coefficients(process, now)
            return cls(m[0], m[1], v[0], v[1], a, D)


def _transition(process: Any, t: Any) -> tuple[Any, Any]:
    """Return m and v as Taylor series in t."""
    if isinstance(process, OrnsteinUhlenbeck):
        rate, scale = ball(process.rate), ball(process.scale)
        return (-rate * t).exp(), scale**2 / (2 * rate) * (1 - (-2 * rate * t).exp())
    if isinstance(process, Brownian):
        return 1 + 0 * t, ball(process.scale) ** 2 * t
    if isinstance(process, VarianceExploding):
        least, ratio = ball(process.sigma_min), ball(process.sigma_max) / ball(process.sigma_min)
        return 1 + 0 * t, least**2 * ((2 * ratio.log() / ball(process.horizon) * t).exp() - 1)
    low, high, horizon = (ball(x) for x in (process.beta_min, process.beta_max, process.horizon))
    integral = low * t + (high - low) / (2 * horizon) * t * t
    grown = 1 - (-integral).exp()
    return (-integral / 2).exp(), grown * grown if isinstance(process, SubVariancePreserving) else grown


def _coefficients(process: Any, t: Ball) -> tuple[Ball, Ball]:
    """Return a and D, as the process has them."""
    if isinstance(process, OrnsteinUhlenbeck):
        return ball(process.rate), ball(process.scale) ** 2 / 2
    if isinstance(process, Brownian):
        return ball(0.0), ball(process.scale) ** 2 / 2
    if isinstance(process, VarianceExploding):
        least, ratio = ball(process.sigma_min), ball(process.sigma_max) / ball(process.sigma_min)
        rate = ratio.log() / ball(process.horizon)
        return ball(0.0), (least * (rate * t).exp()) ** 2 * rate
    low, high, horizon = (ball(x) for x in (process.beta_min, process.beta_max, process.horizon))
    beta = low + (high - low) * t / horizon
    if isinstance(process, SubVariancePreserving):
        return beta / 2, beta / 2 * (1 - (-2 * (low * t + (high - low) / (2 * horizon) * t * t)).exp())
    return beta / 2, beta / 2
