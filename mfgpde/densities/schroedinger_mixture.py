"""Schrödinger bridges in closed form: couplings f(x) K(x, y) g(y) of two Gaussian mixtures by the heat kernel."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mfgpde.densities.gaussian_mixture import GaussianMixture


def schroedinger_coupling(before: GaussianMixture, after: GaussianMixture, variance: float) -> GaussianMixture:
    """Return the law of pairs ∝ f(x) exp(−|x − y|²/2v) g(y), a Gaussian mixture in twice the dimension.

    f = `before` and g = `after` are the potentials, not the marginals; v = σ²T, length². Joined by Brownian bridges of the
    same noise these pairs are the Schrödinger bridge between their own marginals, a bridge between mixtures that is known
    exactly: its drift is σ²∇log(g ∗ N(0, σ²(T − t) I)). — arXiv:2310.01174, section 3.

    Raises ValueError for mixtures of different dimensions and for a variance that is not positive.

    >>> pairs = mfg.densities.schroedinger_coupling(mfg.gaussian(0.0, 1.0), mfg.gaussian(0.0, 1.0), 1.0)
    >>> pairs.covariances[0].round(4).tolist()  # the inverse of [[2, −1], [−1, 2]]
    [[0.6667, 0.3333], [0.3333, 0.6667]]
    """
    d = before.dimension
    if after.dimension != d or not (np.isfinite(variance) and variance > 0):
        raise ValueError(
            f"a coupling joins mixtures of one dimension by noise of positive variance, got dimensions {d} and "
            f"{after.dimension}, variance {variance!r}"
        )
    unit, logs, means, covariances = np.eye(d), list[float](), list[object](), list[object]()
    for w, m, C in zip(before.weights, before.means, before.covariances, strict=True):
        for u, n, E in zip(after.weights, after.means, after.covariances, strict=True):
            P, Q = np.linalg.inv(C), np.linalg.inv(E)
            noise = unit / variance
            joint = np.linalg.inv(np.block([[P + noise, -noise], [-noise, Q + noise]]))
            spread = C + E + variance * unit
            gap = m - n
            with np.errstate(divide="ignore"):  # a weight of zero stays one
                size = np.log(w) + np.log(u)
            logs.append(size - 0.5 * gap @ np.linalg.solve(spread, gap) - 0.5 * np.linalg.slogdet(spread)[1])
            means.append(joint @ np.concatenate((P @ m, Q @ n)))
            covariances.append(0.5 * (joint + joint.T))
    weights = np.exp(np.array(logs) - max(logs))
    return GaussianMixture(weights, np.array(means), np.array(covariances))


def examples() -> Iterator[GaussianMixture]:
    """Yield couplings to hold the laws to."""
    wide = GaussianMixture([0.4, 0.6], [[-1.0], [0.7]], [0.5, 1.5])
    yield schroedinger_coupling(wide, GaussianMixture([1.0], [[0.3]], [0.8]), 0.6)
    yield schroedinger_coupling(wide, wide, 3.0)
