"""Certificates of linear scores: the laws that they generate are Gaussian, and so every distance is known."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.integrate import quad, solve_ivp

from mfgpde.calibration.contract import Case, between
from mfgpde.calibration.gap_bounds import KNOWN, integral
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.densities import GaussianMixture, gaussian
from mfgpde.diagnostics.certificate import certify
from mfgpde.diagnostics.ledger import Entry
from mfgpde.grids import CartesianGrid
from mfgpde.processes import IsotropicProcess, OrnsteinUhlenbeck, VariancePreserving
from mfgpde.scores import ExactScore
from mfgpde.solvers import prior_of
from mfgpde.transport import wasserstein_gaussian


class Certificates:
    """L¹, both divergences and W₂ of q^ODE and q^SDE of the exact score of a Gaussian, on a line, and the bound on W₂."""

    covers = ("diagnostics.certify", "diagnostics.compared", "diagnostics.w2_entry", "diagnostics.entry")
    remembered = ((12, 29), (12, 40), (12, 24), (12, 11), (12, 41), (12, 33))

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a process, a Gaussian, a box, cells and a stopping time."""
        horizon = float(rng.uniform(0.8, 2.0))
        process = OrnsteinUhlenbeck(float(rng.uniform(0.5, 1.5)), float(rng.uniform(0.7, 1.4)), horizon)
        process = process if rng.random() < 0.5 else VariancePreserving(0.2, float(rng.uniform(2.0, 5.0)), horizon)
        law = gaussian(float(rng.normal(0, 0.8)), float(rng.uniform(0.3, 0.9)) ** 2)
        stop, score = float(np.exp(rng.uniform(np.log(0.01), np.log(0.3)))), ExactScore(process, law)
        ode, sde = generated(process, score, stop)
        prior = prior_of(process, 1)
        corners = [one.box(1 - 1e-9) for one in (ode, sde, prior)]
        ends = min(float(a[0]) for a, _ in corners), max(float(b[0]) for _, b in corners)
        grid = CartesianGrid((ends[0],), (ends[1],), (2 * int(rng.integers(24, 64)),))
        measured = certify(process, score, grid, stop=stop).measured
        found, most = measured["distances"]["ode–sde"], measured["bounds"]["ode–sde"]["W2, along trajectories"]
        exact = integral(process, score, stop)
        yield Case(f"bound along trajectories, {process!r}, stop {stop:.2g}", _estimate(most), exact, KNOWN * exact)
        for name, truth in distances(ode, sde).items():
            if found[name].half_width is not None:
                yield Case(f"{name} ode–sde, {process!r}, stop {stop:.2g}", _estimate(found[name]), truth, 1e-9)


def generated(process: IsotropicProcess, score: ExactScore, stop: float) -> tuple[GaussianMixture, GaussianMixture]:
    """Return q^ODE and q^SDE of a score that is affine in x, by the equations of mean and variance."""
    prior = prior_of(process, 1)
    x = np.array([[0.0], [1.0]])

    def rates(t: float, y: np.ndarray) -> list[float]:
        D = float(process.diffusivity(t))
        moved = []
        for share, (mean, variance), noise in ((1.0, y[:2], 0.0), (2.0, y[2:], 2 * D)):
            v = process.drift(x, t)[:, 0] - share * D * score(x, t)[:, 0]
            slope = v[1] - v[0]
            moved += [v[0] + slope * mean, 2 * slope * variance - noise]
        return moved

    begin = [float(prior.means[0, 0]), float(prior.covariances[0, 0, 0])] * 2
    run = solve_ivp(rates, (process.horizon, stop), begin, method="DOP853", rtol=1e-12, atol=1e-14)
    m, v, n, w = run.y[:, -1]
    return gaussian(m, v), gaussian(n, w)


def distances(p: GaussianMixture, q: GaussianMixture) -> dict[str, float]:
    """Return L¹, KL both ways and W₂ of two Gaussians on a line."""
    m, v, n, w = (float(a.ravel()[0]) for a in (p.means, p.covariances, q.means, q.covariances))

    def gap(x: float) -> float:
        at = np.array([x])
        return abs(float(np.exp(p.log_density(at)) - np.exp(q.log_density(at))))

    ends = min(m - 9 * v**0.5, n - 9 * w**0.5), max(m + 9 * v**0.5, n + 9 * w**0.5)
    return {
        "L1": quad(gap, *ends, points=sorted((m, n)), limit=400, epsabs=1e-11)[0],
        "KL(ode‖sde)": 0.5 * (v / w - 1 - np.log(v / w) + (m - n) ** 2 / w),
        "KL(sde‖ode)": 0.5 * (w / v - 1 - np.log(w / v) + (m - n) ** 2 / v),
        "W2": wasserstein_gaussian(p.means[0], p.covariances[0], q.means[0], q.covariances[0]),
    }


def _estimate(one: Entry) -> Estimate:
    if one.lower is not None:
        return between(one.least, one.most, one.method, Kind.EXTRAPOLATED)  # two solutions are in its bracket
    return Estimate(one.value, float(one.half_width or 0.0), Kind.EXTRAPOLATED, one.method)
