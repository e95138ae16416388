"""Numbers that are proved, against closed forms in doubles: divergences of Gaussians, moments and slopes of mixtures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mfgpde.calibration import drawn
from mfgpde.calibration.contract import Case
from mfgpde.densities import gaussian
from mfgpde.proofs import MovingMixture, affine, estimate, mean, relative_entropy


class Proofs:
    """KL of two Gaussians, E(x − c)² and E ∂_x[(x − c)p]/p = 0 of a mixture, in balls."""

    covers = ("proofs.estimate",)
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw two Gaussians, a mixture and a place."""
        m, n = rng.normal(size=2)
        v, w = np.exp(rng.uniform(-2, 2, 2))
        found = relative_entropy(*(MovingMixture.of(gaussian(a, b)) for a, b in ((m, v), (n, w))))
        truth = 0.5 * (v / w - 1 - np.log(v / w) + (m - n) ** 2 / w)
        rounding = 1e-14 * (1 + v / w + (m - n) ** 2 / w)  # of the closed form
        yield Case("KL of two Gaussians", estimate(found, "balls"), float(truth), rounding)
        law, c = drawn.mixture(rng), float(rng.normal())
        one, x = MovingMixture.of(law), affine(-c, 1.0)
        moment = drawn.second_moment(law) - 2 * c * float(law.weights @ law.means[:, 0]) + c * c
        yield Case("E(x − c)²", estimate(mean(one, x**2), "balls"), moment, 1e-14 * (10 + moment))
        yield Case("E(1 + (x − c)s)", estimate(mean(one, 1 + x * one.log_density.slope), "balls"), 0.0)
