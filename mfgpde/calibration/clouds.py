"""Numbers read off samples: repetition of training points, alignment with tangents, proximal operators by sampling."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mfgpde.calibration.contract import Case
from mfgpde.densities import GaussianMixture, gaussian
from mfgpde.diagnostics.local_geometry import tangent_alignment
from mfgpde.diagnostics.memorisation import nearest_ratio
from mfgpde.equilibria.proximal import proximal_by_sampling


class Clouds:
    """Distances to one training point scale; random tangents overlap by m/d; Gaussians have Gaussian proximal operators."""

    covers = (
        "diagnostics.nearest_ratio",
        "diagnostics.tangent_alignment",
        "equilibria.proximal_by_sampling",
        "equilibria.SampledProximal.value",
        "equilibria.SampledProximal.mean",
        "equilibria.SampledProximal.density",
    )
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw sizes, dimensions, widths and noise."""
        d, scale = int(rng.integers(1, 5)), float(np.exp(rng.normal(0, 0.5)))
        n = int(rng.integers(200, 1500))
        draws = (rng.standard_normal((n, d)) for _ in range(2))
        yield Case(
            f"nearest ratio, {n} in {d}D", nearest_ratio(scale * next(draws), np.zeros((1, d)), next(draws)), scale
        )
        m, k = int(rng.integers(1, d + 1)), int(rng.integers(30, 300))
        axes = np.linalg.qr(rng.standard_normal((k, d + 1, d + 1)))[0]
        law = GaussianMixture(
            np.ones(k), rng.standard_normal((k, d + 1)), np.geomspace(1, 0.1, d + 1) * np.ones((k, 1))
        )
        yield Case(f"alignment of {k}", tangent_alignment(law, axes[..., :m]), m / (d + 1))
        yield from _proximal(rng)


def _proximal(rng: np.random.Generator) -> Iterator[Case]:
    """Yield U, E x² and ρ_T(x) for V = ½a x² and ρ_0 = N(μ, s²): e^{−V/2β}·N(y, 2βT) is N(y/(1 + aT), 2βT/(1 + aT))."""
    a, beta, horizon = (float(np.exp(rng.normal(0, 0.4))) for _ in range(3))
    mu, s, n = float(rng.normal()), float(rng.uniform(0.3, 1.2)), int(rng.integers(100, 1000))
    start = gaussian(mu, s**2)
    draws = int(2 ** rng.integers(5, 9))
    found = proximal_by_sampling(
        start.sample(n, rng), lambda x: 0.5 * a * x[..., 0] ** 2, horizon=horizon, beta=beta, draws=draws, rng=rng
    )
    grown = 1 + a * horizon
    variance = s**2 / grown**2 + 2 * beta * horizon / grown
    end = gaussian(mu / grown, variance)
    cost = 0.5 * a / grown * (mu**2 + s**2) + beta * np.log(grown)
    what = f"{n} samples, {draws} draws"
    yield Case(f"cost of a proximal step, {what}", found.value, float(cost))
    yield Case(f"E x² of it, {what}", found.mean(lambda x: x[..., 0] ** 2), variance + (mu / grown) ** 2)
    x = np.array([[mu / grown + float(rng.normal()) * np.sqrt(variance)]])
    yield Case(f"density of it, {what}", found.density(x)[0], float(np.exp(end.log_density(x)[0])))
