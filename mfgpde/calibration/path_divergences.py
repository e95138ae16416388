"""Divergences of laws of paths: Schrödinger bridges tilted at their ends, and what projections of Gaussians drop."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mfgpde.calibration.contract import Case
from mfgpde.densities import GaussianMixture, schroedinger_coupling
from mfgpde.diagnostics.path_divergences import mixture_divergence, path_divergence, projection_divergence
from mfgpde.processes import BridgeMixture


class PathDivergences:
    """Mixtures of one to four Gaussians, line and plane, joined by bridges that are Markov, tilted by e^{a·z}.

    KL of a law and its tilt is log E e^{a·Z} − a·E Z. A tilt of both ends keeps a Schrödinger bridge one: the divergence of
    paths is that of the ends. What a projection drops of one is zero; of dependent Gaussians it is Pythagoras's rest.
    """

    covers = (
        "diagnostics.mixture_divergence",
        "diagnostics.path_divergence",
        "diagnostics.projection_divergence",
    )
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw potentials, noise, horizon and a tilt, and ask for three divergences."""
        d, scale, horizon = int(rng.integers(1, 3)), float(rng.uniform(0.5, 1.3)), float(rng.uniform(0.5, 1.5))
        before, after = (_mixture(rng, d) for _ in range(2))
        pairs = schroedinger_coupling(before, after, scale**2 * horizon)
        a = rng.normal(0, 0.6, 2 * d)
        shifts = pairs.covariances @ a
        sizes = pairs.means @ a + 0.5 * shifts @ a
        top = float(sizes.max())
        shares = pairs.weights * np.exp(sizes - top)
        tilted = GaussianMixture(shares, pairs.means + shifts, pairs.covariances)
        truth = float(np.log(shares.sum()) + top - pairs.weights @ pairs.means @ a)
        known = 1e-12 * (1 + abs(top))
        what = f"{d}D, σ = {scale:.2g}, T = {horizon:.2g}, {len(pairs.weights)} components"
        first, second = (BridgeMixture(one, scale, horizon) for one in (pairs, tilted))
        rtol = 1e-6 if d == 1 else 1e-3
        yield Case(f"ends, {what}", mixture_divergence(pairs, tilted, rtol=rtol), truth, known)
        yield Case(f"paths, {what}", path_divergence(first, second, rtol=rtol), truth, known)
        yield Case(f"dropped of a bridge, {what}", projection_divergence(first, rtol=rtol), 0.0, 1e-12)
        yield self._dropped(rng, scale, horizon)

    def _dropped(self, rng: np.random.Generator, scale: float, horizon: float) -> Case:
        """Return what the projection of dependent Gaussians on the line drops, by the equation of the projection's ends.

        M has the drift β(t)x and, with variances v, w of the ends, the covariance v·exp∫β; KL(Π‖M) is KL of the ends of Π
        to M's Schrödinger bridge less that of M's ends, for bridges of any noise; the integral by 400 Gauss points.
        """
        v, w, noise = *rng.uniform(0.3, 1.5, 2), scale**2 * horizon
        c = float(rng.uniform(-0.8, 0.8) * np.sqrt(v * w))
        u, weights = np.polynomial.legendre.leggauss(400)
        u = 0.5 * (u + 1)
        spread = (1 - u) ** 2 * v + 2 * u * (1 - u) * c + u**2 * w + noise * u * (1 - u)
        beta = ((1 - u) * (c - v) + u * (w - c) - noise * u) / spread
        best = 0.5 * (np.sqrt(4 * v * w + noise**2) - noise)
        own = (1 - u) ** 2 * v + 2 * u * (1 - u) * best + u**2 * w + noise * u * (1 - u)
        slope = ((1 - u) * (best - v) + u * (w - best) - noise * u) / own
        left = 0.25 * float(weights @ ((beta - slope) ** 2 * spread)) / noise
        A, B = (np.array([[v, r], [r, w]]) for r in (c, best))
        ratio = np.linalg.solve(B, A)
        whole = 0.5 * float(np.trace(ratio) - 2 - np.linalg.slogdet(ratio)[1])
        pairs = GaussianMixture([1.0], np.zeros((1, 2)), A[None])
        found = projection_divergence(BridgeMixture(pairs, scale, horizon), rtol=1e-6)
        return Case(f"dropped of dependent Gaussians, c = {c:.2g}", found, whole - left, 1e-12 * (1 + whole))


def _mixture(rng: np.random.Generator, d: int) -> GaussianMixture:
    k = int(rng.integers(1, 3))
    A = 0.4 * rng.normal(size=(k, d, d))
    covariances = A @ np.swapaxes(A, 1, 2) + 0.25 * np.eye(d)
    return GaussianMixture(rng.dirichlet(3 * np.ones(k)), rng.normal(0, 0.5, (k, d)), covariances)
