"""A score that solves the score Fokker–Planck equation stays a gradient if it is one: its curl is driven by that of ε alone.

That is so by the definition of ε; what is on trial are the derivatives, and with `distance-to-gradients` what follows for networks.
A mixture's score with a rotation that comes and goes in time, all derivatives by automatic differentiation of JAX functions.
"""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, at_most, equal

claim = Claim(
    statement=(
        r"\partial_t\,\mathrm{curl}\,s_\theta=\mathrm{curl}\,\varepsilon,\qquad "
        r"\varepsilon=\partial_t s_\theta-\nabla\left[D\nabla\cdot s_\theta+D|s_\theta|^2-f\cdot s_\theta-\nabla\cdot f\right]"
    ),
    source="after arXiv:2210.04296",
    standing="derived",
    assumes=("s_θ twice differentiable",),
    coefficients=("rotation",),
)

PROCESS = mfg.OrnsteinUhlenbeck(horizon=1.0)
STEP = 2e-3


@cache
def learned(dimension, strength):
    """Return ∇log p_t of two blobs plus strength·cos(3t) times a rotation in the first two coordinates that decays."""
    centre = jnp.array([1.0] * dimension)

    def score(x, t):
        factor, variance = jnp.exp(-t), 0.3 * jnp.exp(-2 * t) + 0.5 * (1 - jnp.exp(-2 * t))

        def potential(y):
            ends = jnp.stack([-jnp.sum((y - sign * factor * centre) ** 2) / (2 * variance) for sign in (1, -1)])
            return jax.scipy.special.logsumexp(ends)

        swirl = strength * jnp.cos(3 * t) * jnp.exp(-jnp.sum(x**2) / 4)
        turned = jnp.zeros(dimension).at[0].set(-x[1]).at[1].set(x[0])
        return jax.grad(potential)(x) + swirl * turned

    return mfg.JaxScore(score, dimension)


def curl(jacobian):
    """Return J − Jᵀ, whose entries are those of the curl."""
    return jacobian - np.swapaxes(jacobian, -1, -2)


def slope(function, h, x):
    """Return the Jacobian of a vector field by differences of order four."""
    columns = []
    for e in h * np.eye(x.shape[-1]):
        near, far = function(x + e) - function(x - e), function(x + 2 * e) - function(x - 2 * e)
        columns.append((8 * near - far) / (12 * h))
    return np.stack(columns, axis=-1)


@claim.measure
def conservativity(level, rng, rotation=1.0, dimensions=(2, 3)):
    """Compare both sides pointwise; `rotation` scales what ε sees of the rotation, but not the score's own curl."""
    findings, zero = [], mfg.exact(0.0, "the claim")
    for d in dimensions:
        score, seen = learned(d, 0.5), learned(d, 0.5 * rotation)
        x = rng.normal(size=(Level(level).pick(100, 400, 2000), d))
        largest, rounding = 0.0, 0.0
        for t in (0.1, 0.4, 0.8):

            def residual(y, t=t, seen=seen):
                return mfg.score_residual(PROCESS, seen, y, t)

            driven, rougher = (curl(slope(residual, h, x)) for h in (STEP, 2 * STEP))
            rate = slope_in_time(score, x, t)
            largest = max(largest, float(np.abs(rate - driven).max()))
            rounding = max(rounding, float(np.abs(driven - rougher).max()))
        gap = mfg.Estimate(largest, rounding + 1e-9, mfg.Kind.EXTRAPOLATED, "differences over h and 2h, order four")
        findings.append(equal(f"{d}D: largest |∂_t curl s − curl ε|", gap, zero, resolution=1e-6))
        nodes, weights = np.polynomial.legendre.leggauss(16)
        times = 0.5 + 0.5 * nodes
        grown = np.abs(curl(score.jacobian(x, 1.0)) - curl(score.jacobian(x, 0.0))).max(axis=(-2, -1))
        fed = sum(
            0.5
            * w
            * np.abs(curl(slope(lambda y, t=t, seen=seen: mfg.score_residual(PROCESS, seen, y, t), STEP, x))).max(
                (-2, -1)
            )
            for t, w in zip(times, weights, strict=True)
        )
        excess = mfg.Estimate(float((grown - fed).max()), 1e-6, mfg.Kind.EXTRAPOLATED, "16 Gauss points in time")
        findings.append(at_most(f"{d}D: |curl s(T) − curl s(0)| − ∫|curl ε|", excess, zero, resolution=5e-6))
    return Evidence(findings)


def slope_in_time(score, x, t):
    """Return ∂_t curl s by differences of order four."""
    h = STEP
    values = {k: curl(score.jacobian(x, t + k * h)) for k in (-2, -1, 1, 2)}
    return (8 * (values[1] - values[-1]) - (values[2] - values[-2])) / (12 * h)


@claim.control("a rotation 20 % stronger in the score than ε knows of")
def unknown_rotation(level, rng):
    return conservativity(level, rng, rotation=1 / 1.2)
