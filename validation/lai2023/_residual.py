"""ε of an equation whose diffusivity is wrong by a factor: what the true one has, less what the term with D adds."""

import numpy as np

import mfgpde as mfg


def residual(process, score, x, t, diffusivity=1.0):
    """Return ∂_t s − ∇[cD∇·s + cD|s|² − f·s − ∇·f], c = `diffusivity`, shape (..., d), per length and time."""
    spread = score.divergence_gradient(x, t) + 2 * np.einsum("...ij,...i->...j", score.jacobian(x, t), score(x, t))
    return mfg.score_residual(process, score, x, t) - (diffusivity - 1) * float(process.diffusivity(t)) * spread
