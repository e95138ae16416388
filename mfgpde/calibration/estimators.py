"""Operator-informed scores with their standard errors, against the best score of their span."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import ndtri

from mfgpde.calibration import drawn
from mfgpde.calibration.contract import Case
from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.densities import GaussianMixture
from mfgpde.processes import OrnsteinUhlenbeck, VariancePreserving
from mfgpde.scores import HermiteBasis, OperatorInformed

QUANTILE = float(ndtri(0.995))


class Estimators:
    """s(x, t) with 2.58 standard errors, by default and without a ridge; the best score of the span has exact moments."""

    covers = ()
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a mixture, samples, a process, a degree, a time, and a place among the noised samples."""
        d, degree = int(rng.integers(1, 3)), int(rng.integers(2, 5))
        n, t = (
            int(np.exp(rng.uniform(np.log(300), np.log(5000)))),
            float(np.exp(rng.uniform(np.log(0.03), np.log(0.8)))),
        )
        process = OrnsteinUhlenbeck(scale=2**0.5) if rng.random() < 0.5 else VariancePreserving()
        law, basis = drawn.mixture(rng, d, least=0.3), HermiteBasis(d, degree)
        samples = law.sample(n, rng)
        x = drawn.noised(process, law, t).sample(1, rng)
        for name, ridge in (("default", None), ("no", 0.0)):
            found = OperatorInformed(basis, process, samples, ridge=ridge)
            value, error = (part.ravel()[0] for part in (found(x, t), found.standard_error(x, t)))
            bar = Estimate(float(value), QUANTILE * float(error), Kind.CONFIDENCE, "standard error, sandwich")
            truth = best(found, basis, law, x, t)
            yield Case(f"score at t = {t:.2g}, degree {degree} in {d}D, {n} samples, {name} ridge", bar, truth, 1e-10)


def best(found: OperatorInformed, basis: HermiteBasis, law: GaussianMixture, x: Array, t: float) -> float:
    """Return the first component at x (1, d) of the score of the span that is closest to that of the noised law."""
    B, c = found.system(found.clock(t), moments(basis, law))
    alpha = np.concatenate(([0.0], np.linalg.solve(B, c) / np.sqrt(basis.eigenvalues[1:])))
    slope = basis.differentiate(alpha, x, 1)[1]
    return float((slope + basis.stationary(x, 1)[1]).ravel()[0])


def moments(basis: HermiteBasis, law: GaussianMixture) -> Array:
    """Return E ψ_r under a mixture along the axes, exactly: the functions are polynomials, of at most 16 Gauss points.

    >>> from mfgpde.calibration.estimators import moments
    >>> basis = mfg.scores.HermiteBasis(1, 2)
    >>> (moments(basis, mfg.gaussian(0.0, 1.0)).round(9) + 0.0).tolist()  # orthonormal to the constant
    [1.0, 0.0, 0.0]
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(16)
    d, total = law.dimension, 0.0
    places = np.stack([axis.ravel() for axis in np.meshgrid(*[nodes] * d, indexing="ij")], axis=-1)
    shares = np.prod(np.stack([axis.ravel() for axis in np.meshgrid(*[weights] * d, indexing="ij")]), axis=0)
    for weight, mean, covariance in zip(law.weights, law.means, law.covariances, strict=True):
        root = np.sqrt(np.diag(covariance))
        total = total + weight * (shares / shares.sum()) @ basis.extended(mean + places * root)
    return np.asarray(total)
