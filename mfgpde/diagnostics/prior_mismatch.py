"""How far the prior is from p_T, the law that the noise makes of the data: an error of generation that no score can mend.

With X_T = F X_0 + o + N(0, C_T), prior N(μ, C), and m, S the mean and covariance of p_T:
    W₂(N(m, S), N(μ, C)) ≤ W₂(p_T, prior) ≤ (E|F X_0 + o − μ|² + W₂²(N(0, C_T), N(0, C)))^½,
    KL(N(m, S)‖N(μ, C)) ≤ KL(p_T‖prior) ≤ E KL(N(F X_0 + o, C_T)‖N(μ, C)),   TV ≤ (KL/2)^½
(Gelbrich 1990; of all laws with these moments the Gaussian has the most entropy; convexity; Pinsker).
"""

from __future__ import annotations

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.densities import Density, GaussianMixture, gaussian, marginal
from mfgpde.diagnostics.data import Data, Named
from mfgpde.diagnostics.ledger import Entry
from mfgpde.processes import LinearProcess
from mfgpde.transport import wasserstein_gaussian

MATTERS = 1e-3
"""share of the prior's width below which no reader asks where a distance comes from"""


def mismatch(process: LinearProcess, data: Data, dimension: int) -> dict[str, Entry]:
    """Return W₂, KL(p_T‖prior) and TV of p_T and the prior, each between bounds in closed form, in any dimension."""
    F, o, noise = process.transition(0.0, process.horizon).in_dimension(dimension)
    _, mu, C = process.prior().in_dimension(dimension)
    mean, covariance = data.moments()
    m, signal = F @ mean + o, F @ covariance @ F.T
    shift = float(np.sum((m - mu) ** 2) + np.trace(signal))
    w2 = wasserstein_gaussian(m, signal + noise, mu, C), np.sqrt(shift + wasserstein_gaussian(mu, noise, mu, C) ** 2)
    kl = _kl(m, signal + noise, mu, C), _kl(m, noise, mu, C) + 0.5 * float(np.trace(np.linalg.solve(C, signal)))
    bounds = {"W2": w2, "KL(p_T‖prior)": kl, "TV": (0.0, min(1.0, np.sqrt(0.5 * max(kl[1], 0.0))))}
    how = "between bounds from the moments of the data"
    return {name: _between(max(0.0, min(a, b)), max(a, b, 0.0), how) for name, (a, b) in bounds.items()}


def noised_law(process: LinearProcess, data: Data, dimension: int) -> Density:
    """Return p_T, of data known by samples the Gaussian with its moments."""
    if isinstance(data, Named):
        return marginal(process, data.start, process.horizon)
    F, o, noise = process.transition(0.0, process.horizon).in_dimension(dimension)
    mean, covariance = data.moments()
    return gaussian(F @ mean + o, F @ covariance @ F.T + noise)


def advice(w2: Entry, prior: GaussianMixture, before: Entry, after: Entry) -> str | None:
    """Return, where most of W₂ ode–data is the prior's, a sentence that says so and what to do."""
    deviation = float(np.sqrt(np.trace(prior.covariances[0]) / prior.dimension))
    if after.value > 0.5 * before.value or before.value <= max(after.half_width or 0.0, MATTERS * deviation):
        return None
    return (
        f"most of W2 ode–data is the prior's, not the score's: N(·, {deviation:.3g}²) is W2 = {w2.least:.3g} to "
        f"{w2.most:.3g} away from the law p_T of the data at the horizon; started from p_T the ODE would end at "
        f"{after.value:.3g} in place of {before.value:.3g}; a longer horizon or a larger last noise cures it"
    )


def _between(low: float, high: float, how: str) -> Entry:
    return Entry(0.5 * (low + high), 0.5 * (high - low), how, lower=float(low), upper=float(high))


def _kl(m: Array, S: Array, mu: Array, C: Array) -> float:
    """Return KL(N(m, S)‖N(μ, C)); infinite where S is singular."""
    sign, logdet = np.linalg.slogdet(S)
    if sign <= 0:
        return np.inf
    off = m - mu
    trace = float(np.trace(np.linalg.solve(C, S)) + off @ np.linalg.solve(C, off))
    return 0.5 * (trace - len(m) + float(np.linalg.slogdet(C)[1]) - float(logdet))
