"""What a perfect network knows, in terms that libraries share: the score of the law of α x₀ + σ ε at a level (α, σ)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.densities import GaussianMixture
from mfgpde.processes import Transition
from mfgpde.samplers.contract import Model

type AtLevel = Callable[[Array, float, float], Array]
"""x (n,), α, σ ↦ the score (n,) of the law of α x₀ + σ ε"""


class Exact:
    """The scores and laws of a mixture on the line at any level; the last law is kept."""

    def __init__(self, data: GaussianMixture) -> None:
        self.data = data
        self._key, self._law = (1.0, 0.0), data

    def law(self, alpha: float, sigma: float) -> GaussianMixture:
        """Return the law of α x₀ + σ ε."""
        if (alpha, sigma) != self._key:
            self._key, self._law = (alpha, sigma), self.data.after(Transition(alpha, 0.0, sigma**2))
        return self._law

    def __call__(self, x: Array, alpha: float, sigma: float) -> Array:
        """Return the score."""
        return self.law(alpha, sigma).score(x[:, None])[:, 0]


class Learned:
    """A model's score, on whatever process it was trained: levels of one α/σ differ by a factor of the state.

    Raises ValueError for a level that its process does not reach.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    def __call__(self, x: Array, alpha: float, sigma: float) -> Array:
        """Return the score."""
        t = time_of(self.model, alpha, sigma)
        own = self.model.sigma(t) / sigma
        return own * self.model.score(own * x[:, None], t)[:, 0]


def time_of(model: Model, alpha: float, sigma: float) -> float:
    """Return the time of a model's process at which α/σ is that of a level. Raises ValueError where there is none."""
    with np.errstate(divide="ignore"):
        wanted = float(np.log(alpha) - np.log(sigma))
    try:
        return model.time_at(wanted)
    except ValueError:
        raise ValueError(
            f"the sampler asks for the score where log(α/σ) is {wanted:.4g}, which {model.process!r} does not reach; "
            "give the process on which the model was trained, such as --process linear-betas"
        ) from None


def denoised(score: AtLevel, x: Array, alpha: float, sigma: float, mean: float) -> tuple[Array, Array]:
    """Return E[x₀] and E[ε] given α x₀ + σ ε = x; the data's mean where nothing of them is left."""
    noise = -sigma * score(x, alpha, sigma)
    return ((x - sigma * noise) / alpha if alpha > 1e-9 else np.full_like(x, mean)), noise
