"""Brackets of how far a prior is from the noised law, for Gaussians in closed form and for mixtures on a line."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.integrate import quad
from scipy.special import ndtr

from mfgpde.calibration import drawn
from mfgpde.calibration.contract import Case, between
from mfgpde.densities import GaussianMixture
from mfgpde.diagnostics.data import Named
from mfgpde.diagnostics.prior_mismatch import mismatch
from mfgpde.diagnostics.scales import stopped_early
from mfgpde.solvers import prior_of
from mfgpde.transport import wasserstein_gaussian


class Priors:
    """KL(p_T‖prior), TV and, for one Gaussian, W₂; and W₂ between data and what a little noise makes of them."""

    covers = ("diagnostics.mismatch", "diagnostics.stopped_early")
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a process and a mixture on a line."""
        process, law = drawn.process(rng), drawn.mixture(rng)
        end, prior = drawn.noised(process, law, process.horizon), prior_of(process, 1)
        found = mismatch(process, Named.stopped(process, law, 0.0), 1)
        (a, b), (c, d) = end.box(1 - 1e-13), prior.box(1 - 1e-13)
        ends = float(min(a[0], c[0])), float(max(b[0], d[0]))
        knots = np.sort([*end.means[:, 0], *prior.means[:, 0]]).tolist()

        def logs(x: float) -> tuple[float, float]:
            at = np.array([[x]])
            return float(end.log_density(at)[0]), float(prior.log_density(at)[0])

        def divergence(x: float) -> float:
            p, q = logs(x)
            return np.exp(p) * (p - q)

        def variation(x: float) -> float:
            p, q = logs(x)
            return 0.5 * abs(np.exp(p) - np.exp(q))

        for name, density in (("KL(p_T‖prior)", divergence), ("TV", variation)):
            truth, known = quad(density, *ends, points=knots, limit=400, epsabs=1e-11)
            bracket = between(found[name].least, found[name].most, found[name].method)
            yield Case(f"{name}, {process!r}", bracket, truth, known + 1e-10)
        if len(law.weights) == 1:
            truth = wasserstein_gaussian(end.means[0], end.covariances[0], prior.means[0], prior.covariances[0])
            yield Case(
                f"W2, {process!r}", between(found["W2"].least, found["W2"].most, found["W2"].method), truth, 1e-9
            )
        stop = float(np.exp(rng.uniform(np.log(1e-3), np.log(0.5)))) * process.horizon
        early = stopped_early(process, Named.stopped(process, law, 0.0), stop, 1)
        truth = _w2_on_a_line(law, drawn.noised(process, law, stop))
        yield Case(
            f"W2 of stopping at {stop:.2g}, {process!r}", between(early.least, early.most, early.method), truth, 1e-5
        )


def _w2_on_a_line(p: GaussianMixture, q: GaussianMixture) -> float:
    """Return W₂ by quantiles, (∫(F⁻¹ − G⁻¹)²)^½, between points of the distribution functions."""
    levels = (np.arange(100_000) + 0.5) / 100_000
    places = []
    for law in (p, q):
        (a,), (b,) = law.box(1 - 1e-13)
        x = np.linspace(float(a), float(b), 40_001)
        deviations = np.sqrt(law.covariances[:, 0, 0])
        below = ndtr((x[:, None] - law.means[:, 0]) / deviations) @ law.weights
        places.append(np.interp(levels, below, x))
    return float(np.sqrt(np.mean((places[0] - places[1]) ** 2)))
