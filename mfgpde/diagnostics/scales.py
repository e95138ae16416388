"""What the numbers of a certificate are measured by: how far data spread, and what stopping early leaves of the noise.

The spread is (E|X − E X|²)^½ = (tr Cov X)^½: the W₂ between a law and all its mass at its mean. With
X_t = F X_0 + o + N(0, C), mean m and covariance S of X_0:
    W₂(N(F m + o, F S Fᵀ + C), N(m, S)) ≤ W₂(p_t, p_0) ≤ (|(F − 1) m + o|² + tr((F − 1) S (F − 1)ᵀ) + tr C)^½
(Gelbrich 1990; the coupling of X_0 with its own X_t).
"""

from __future__ import annotations

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.diagnostics.data import Data
from mfgpde.diagnostics.ledger import Entry
from mfgpde.discretisations import Field
from mfgpde.processes import LinearProcess
from mfgpde.transport import wasserstein_gaussian


def spread(data: Data | None, generated: Field | Array) -> dict[str, float | str]:
    """Return the spread of the data, or of what was generated (a density, or points (n, d)) where no data are known."""
    if data is not None:
        return {"value": float(np.sqrt(np.trace(data.moments()[1]))), "of": "data"}
    if not isinstance(generated, Field):
        return {"value": float(np.sqrt(np.trace(np.atleast_2d(np.cov(generated.T))))), "of": "SDE"}
    kept: Array = np.maximum(generated.values, 0.0)
    masses: Array = (kept / kept.sum()).ravel()
    x: Array = generated.grid.points.reshape(len(masses), -1)
    off: Array = x - masses @ x
    return {"value": float(np.sqrt(np.sum(masses @ off**2))), "of": "SDE"}


def stopped_early(process: LinearProcess, data: Data, stop: float, dimension: int) -> Entry:
    """Return W₂ between the data at t = stop and at t = 0, between bounds in closed form."""
    F, o, noise = process.transition(0.0, stop).in_dimension(dimension)
    mean, covariance = data.moments()
    off, moved = F - np.eye(dimension), F @ mean + o
    low = wasserstein_gaussian(moved, F @ covariance @ F.T + noise, mean, covariance)
    square = np.sum((off @ mean + o) ** 2) + np.trace(off @ covariance @ off.T) + np.trace(noise)
    high = max(float(np.sqrt(square)), low)
    how = "between bounds from the moments of the data"
    return Entry(0.5 * (low + high), 0.5 * (high - low), how, lower=float(low), upper=high)
