"""Denoising score matching alone leaves a residual in the score Fokker–Planck equation that grows towards the data.

Six networks of different seeds and samples; derivatives by automatic differentiation, at points of the exact law.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Series, at_least, load_module

claim = Claim(
    statement=r"\|\varepsilon_t\|_{L^2(p_t)}\gg 0,\ \text{growing as } t\to0,\qquad \varepsilon=\partial_ts_\theta-\nabla[D\nabla\cdot s_\theta+D|s_\theta|^2-f\cdot s_\theta-\nabla\cdot f]",
    source="arXiv:2210.04296",
    standing="experiment",
    assumes=("small networks on four blobs",),
)

networks = load_module(Path(__file__).parents[1] / "networks" / "_ensemble.py")
TIMES = (0.05, 0.2, 0.8, 2.0)


def exact():
    """Return the score of the noised blobs, written in JAX, so that the same derivatives are taken of it."""
    data = networks.DATA

    def log_density(x, t):
        means = jnp.asarray(data.means) * jnp.exp(-t)
        spread = 0.5 * (1 - jnp.exp(-2 * t))
        covariances = jnp.asarray(np.array(data.covariances)) * jnp.exp(-2 * t) + spread * jnp.eye(2)
        y = x - means
        quadratic = jnp.einsum("ki,kij,kj->k", y, jnp.linalg.inv(covariances), y)
        logs = jnp.log(jnp.asarray(data.weights)) - 0.5 * (quadratic + jnp.linalg.slogdet(covariances)[1])
        return jax.scipy.special.logsumexp(logs)

    return mfg.JaxScore(log_density, 2)


@claim.measure
def residuals(level, rng, scores=None):
    """Compare residuals, relative to the score's own size, with what would be a good solution; `scores` replaces networks."""
    scores = networks.ensemble("plain", level) if scores is None else scores
    rows = []
    for t in TIMES:
        x = mfg.marginal(networks.PROCESS, networks.DATA, t).sample(1000, rng)

        def rms(values):
            return float(np.sqrt(np.mean(np.sum(values**2, axis=-1))))

        rows.append([rms(mfg.score_residual(networks.PROCESS, s, x, t)) / rms(s(x, t)) for s in scores])
    early, late = np.array(rows[0]), np.array(rows[-1])
    small, factor = mfg.exact(0.1, "a tenth of the score per unit of time"), mfg.exact(3.0, "the claim")
    growth = mfg.diagnostics.mean_interval(early / np.maximum(late, 1e-12), "ratio of residuals")
    findings = [
        at_least(
            "residual at t = 0.05 over the score's size",
            mfg.diagnostics.mean_interval(early, "rms over p_t"),
            small,
            resolution=0.01,
        ),
        at_least("residual at t = 0.05 over that at t = 2", growth, factor, resolution=0.1),
    ]
    means = [float(np.mean(row)) for row in rows]
    return Evidence(findings, [Series("mean of the seeds", "t", TIMES, "residual / score", means, logarithmic="xy")])


@claim.control("the exact score in place of the networks")
def exact_score(level, rng):
    return residuals(level, rng, scores=[exact()] * 6)
