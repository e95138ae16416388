"""A score that solves the score Fokker–Planck equation stays a gradient if it is one: its curl is driven by that of ε alone.

That is so by the definition of ε; what is on trial are the derivatives, and with `distance-to-gradients` what follows for networks.
A mixture's score with a rotation that comes and goes in time; all derivatives by automatic differentiation, without steps. At level quick
in three dimensions alone, where a curl has three entries.
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

D = 0.5
"""of the Ornstein–Uhlenbeck process, f = −x"""
STRENGTH = 0.5
"""of the rotation"""
ROUNDING, SUMMED = 1e-11, 1e-12
"""of third derivatives, whose terms are of size 1e4, and of means of them"""


def score(strength, x, t):
    """Return ∇log p_t of two blobs plus strength·cos(3t) times a rotation in the first two coordinates that decays."""
    factor, variance = jnp.exp(-t), 0.3 * jnp.exp(-2 * t) + 0.5 * (1 - jnp.exp(-2 * t))

    def potential(y):
        ends = jnp.stack([-jnp.sum((y - sign * factor) ** 2) / (2 * variance) for sign in (1, -1)])
        return jax.scipy.special.logsumexp(ends)

    swirl = strength * jnp.cos(3 * t) * jnp.exp(-jnp.sum(x**2) / 4)
    turned = jnp.zeros(len(x)).at[0].set(-x[1]).at[1].set(x[0])
    return jax.grad(potential)(x) + swirl * turned


def residual(strength, x, t):
    """Return ε."""

    def bracket(y):
        s = score(strength, y, t)
        return D * jnp.trace(jax.jacfwd(score, 1)(strength, y, t)) + D * s @ s + y @ s

    return jax.jacfwd(score, 2)(strength, x, t) - jax.grad(bracket)(x)


def curl(field):
    """Return J − Jᵀ of a field's Jacobian J, whose entries are those of the curl."""

    def antisymmetric(strength, x, t):
        J = jax.jacfwd(field, 1)(strength, x, t)
        return J - J.T

    return antisymmetric


@cache
def compiled():
    """Return curl s, ∂_t curl s and curl ε at points (n, d)."""
    fields = curl(score), jax.jacfwd(curl(score), 2), curl(residual)
    return jax.jit(jax.vmap(lambda *at: tuple(field(*at) for field in fields), (None, 0, None)))


def curls(strength, x, t):
    """Return the same, in double precision."""
    with jax.enable_x64(True):
        return [np.asarray(one) for one in compiled()(strength, x, float(t))]


@claim.measure
def conservativity(level, rng, rotation=1.0, dimensions=None):
    """Compare both sides pointwise; `rotation` scales what ε sees of the rotation, but not the score's own curl."""
    findings, zero, dimensions = [], mfg.exact(0.0, "the claim"), dimensions or Level(level).pick((3,), (2, 3), (2, 3))
    nodes, weights = np.polynomial.legendre.leggauss(16)  # of a sine, which they integrate to rounding
    for d in dimensions:
        x = rng.normal(size=(Level(level).pick(100, 400, 2000), d))

        def driving(t, x=x):
            return curls(STRENGTH * rotation, x, t)[2]

        largest = max(np.abs(curls(STRENGTH, x, t)[1] - driving(t)).max() for t in (0.1, 0.4, 0.8))
        gap = mfg.Estimate(float(largest), ROUNDING, mfg.Kind.BOUND, "derivatives to rounding")
        findings.append(equal(f"{d}D: largest |∂_t curl s − curl ε|", gap, zero, resolution=5e-11))
        grown = np.abs(curls(STRENGTH, x, 1.0)[0] - curls(STRENGTH, x, 0.0)[0])
        fed = sum(0.5 * w * np.abs(driving(0.5 * (u + 1))) for u, w in zip(nodes, weights, strict=True))
        excess = float((grown - fed).max())
        found = mfg.Estimate(excess, SUMMED, mfg.Kind.BOUND, "16 Gauss points of a sine, to rounding")
        findings.append(at_most(f"{d}D: |curl s(T) − curl s(0)| − ∫|curl ε|", found, zero, resolution=5e-12))
    return Evidence(findings)


@claim.control("a rotation 20 % stronger in the score than ε knows of")
def unknown_rotation(level, rng):
    return conservativity(level, rng, rotation=1 / 1.2)
