"""The gap between ODE and SDE is at most what the score gap grows to along the flow; equality for laws that only shift.

Data N(0, 2I), a score off by a vector that comes late: both laws stay Gaussian with one covariance, the flow expands, and W₂ is
the distance of two means, from scalar equations. Then a mixture with a bump, where the bound is strict.
"""

import numpy as np
from scipy.integrate import solve_ivp

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, at_most, equal

claim = Claim(
    statement=(
        r"W_2(q_0^{\mathrm{ODE}},q_0^{\mathrm{SDE}})\le\int_0^T D\,\|DX_{t\to0}\nabla e_t\|_{L^2(q_t)}dt"
        r"\le\int_0^T D\,e^{\int_0^tL}\,\|\nabla e_t\|_{L^2(q_t)}dt,\qquad \nabla e=s_\theta-\nabla\log q^{\mathrm{SDE}}"
    ),
    source="after arXiv:2311.15996",
    standing="derived",
    assumes=(
        "s_θ smooth",
        "both laws start from the prior",
        "L the largest one-sided slope of the flow over 99.9 % of the mass: of drawn laws no supremum",
    ),
    coefficients=("factor",),
)

PROCESS = mfg.OrnsteinUhlenbeck(horizon=5.0)
OFFSET, SPREAD = np.array([0.6, 0.3]), 2.0


def shifted(x, t):
    """Return ∇log of N(0, v_t I) plus a vector that grows towards the data."""
    return -x / _variance(t) + OFFSET * np.exp(-2 * t)


def _variance(t):
    return SPREAD * np.exp(-2 * t) + 0.5 * (1 - np.exp(-2 * t))


def distance_of_means():
    """Return |m^ODE − m^SDE| at t = 0, from m' = (1 − k/v_t) m + k/2·offset in generation time, k = 1 and 2."""
    T = PROCESS.horizon

    def rate(tau, m):
        t = T - tau
        c = np.exp(-2 * t)
        return [(1 - 0.5 / _variance(t)) * m[0] + 0.5 * c, (1 - 1 / _variance(t)) * m[1] + c]

    ode, sde = solve_ivp(rate, (0, T), [0.0, 0.0], rtol=1e-12, atol=1e-14).y[:, -1]
    return float(abs(ode - sde) * np.linalg.norm(OFFSET))


def laws(score, grid, stop, count):
    """Return both generated laws with stages at squares of equal steps."""
    times = (stop + (PROCESS.horizon - stop) * (np.arange(1, count + 1) / count) ** 2).tolist()
    sde = mfg.induced_sde(PROCESS, score, grid, stop=stop, times=times, rtol=1e-4, order=4)
    return sde, mfg.induced_ode(PROCESS, score, grid, stop=stop, times=times, rtol=1e-7)


@claim.measure
def bound(level, factor=1.0, growth=1.0, strict=True):
    """`factor` scales the bounds; `growth` the exponent ∫L."""
    count, n = Level(level).pick(32, 48, 96), Level(level).pick(96, 128, 192)
    score = mfg.scores.Differenced(shifted, 2)
    found = mfg.gap_bound(PROCESS, score, *laws(score, mfg.CartesianGrid.cube(8.0, n, 2), 0.0, count))
    truth = mfg.exact(distance_of_means(), "two scalar equations, to 1e-12")
    lipschitz = found.by_lipschitz
    if growth != 1.0:
        exponent = np.concatenate(
            ([0], np.cumsum(0.5 * np.diff(found.times) * (found.lipschitz[1:] + found.lipschitz[:-1])))
        )
        D = np.array([float(PROCESS.diffusivity(t)) for t in found.times])
        value = np.trapezoid(D * np.exp(growth * exponent) * found.score_gap, found.times)
        lipschitz = mfg.Estimate(float(value), lipschitz.half_width, lipschitz.kind, lipschitz.method)
    # no bound: `gap_bound` takes slopes of log q^SDE from a solved law, and their sums over 33 times
    # the mixture's prior is not the law at T, which costs both laws the same; the trapezoidal sums are of second order
    findings = [
        equal(
            "shifted Gaussians: W2 = bound along trajectories",
            truth,
            _times(found.along_trajectories, factor),
            resolution=4e-3,
        ),
        equal(
            "shifted Gaussians: W2 = bound by the Lipschitz constant", truth, _times(lipschitz, factor), resolution=4e-3
        ),
    ]
    if strict:
        mixture = mfg.scores.Sum(
            mfg.ExactScore(PROCESS, mfg.densities.bimodal(2)), mfg.scores.Bump(0.4, (0.3, 0.3), 0.8, frequency=4.0)
        )
        learned = mfg.scores.Differenced(mixture, 2, start=0.1)
        grid = mfg.CartesianGrid.cube(5.0, 96, 2)
        sde, ode = laws(learned, grid, 0.1, count)
        transport = mfg.back_and_forth(ode.density.values.clip(0), sde.density.values.clip(0), grid)
        found = mfg.gap_bound(PROCESS, learned, sde, ode)
        findings.append(
            at_most(
                "two blobs and a bump: W2 ≤ bound along trajectories",
                transport.distance,
                _times(found.along_trajectories, factor),
                resolution=1e-2,
            )
        )
    return Evidence(findings)


def _times(estimate, factor):
    return mfg.Estimate(factor * estimate.value, estimate.half_width, estimate.kind, estimate.method)


@claim.control("0.9 times the bound")
def smaller(level):
    return bound(level, factor=0.9, strict=False)


@claim.control("a hundredth of the bound")
def hundredth(level):
    return bound(level, factor=0.01)


@claim.control("the growth e^∫L replaced by 1 on an expanding flow")
def without_growth(level):
    return bound(level, growth=0.0, strict=False)
