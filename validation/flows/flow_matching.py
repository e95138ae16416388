"""A velocity that is off by ε costs at most ε e^{∫L} in W₂, L the one-sided slope of the learned velocity; shifts attain it.

Flow matching from N(0, 1) to blobs, x_t = (1 − t) z + t x: exact velocities with disturbances, laws by quantiles. The bound holds
with the slope of the learned field; with that of the true one it is wrong. One blob is carried by affine fields: there both sides
are bounded, a linear system for the map and an integral.
"""

from functools import cache

import numpy as np
from scipy.integrate import solve_ivp

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, at_most, equal

claim = Claim(
    statement=(
        r"W_2(q_1,p_1)\le\int_0^1e^{\int_t^1L}\,\|v_\theta-v\|_{L^2(p_t)}dt,\qquad "
        r"L=\sup_x\,\partial_xv_\theta(x,t)\ (\text{one-sided})"
    ),
    source="arXiv:2305.16860",
    standing="derived",
    assumes=("v_θ one-sided Lipschitz", "the same start"),
    coefficients=("error", "exponent"),
)

Z = np.linspace(-6, 6, 2401)
WEIGHTS = np.exp(-0.5 * Z**2) / np.sqrt(2 * np.pi) * (Z[1] - Z[0])
"""W₂ of monotone maps of one Gaussian: the mean square of their difference"""


class Path:
    """p_t of (1 − t) Z + t X for blobs, and its velocity E[X − Z|x_t]."""

    def __init__(self, data):
        self.w, self.m, self.v = data.weights, data.means[:, 0], data.covariances[:, 0, 0]

    def responsibilities(self, x, t):
        variance = t * t * self.v + (1 - t) ** 2
        logs = np.log(self.w) - 0.5 * np.log(variance) - 0.5 * (x[..., None] - t * self.m) ** 2 / variance
        logs -= logs.max(axis=-1, keepdims=True)
        r = np.exp(logs)
        return r / r.sum(axis=-1, keepdims=True), variance

    def __call__(self, x, t):
        r, variance = self.responsibilities(x, t)
        return np.sum(r * (self.m + (t * self.v - (1 - t)) / variance * (x[..., None] - t * self.m)), axis=-1)

    def density(self, x, t):
        variance = t * t * self.v + (1 - t) ** 2
        parts = self.w * np.exp(-0.5 * (x[..., None] - t * self.m) ** 2 / variance) / np.sqrt(2 * np.pi * variance)
        return parts.sum(axis=-1)


def flowed(velocity):
    """Return where Z is carried in unit time."""
    return solve_ivp(lambda t, y: velocity(y, t), (0.0, 1.0), Z, rtol=1e-8, atol=1e-9, method="DOP853").y[:, -1]


def bound(path, learned, slope_of, error, exponent, nodes=33, extent=9.0):
    """Return the right side, by Simpson's rule in t; slopes by differences, their supremum over a box."""
    t, x = np.linspace(0, 1, nodes), np.linspace(-extent, extent, 6001)
    slopes, errors = [], []
    for time in t:
        slopes.append(np.max(np.diff(slope_of(x, time)) / (x[1] - x[0])))
        p = path.density(x, time)
        errors.append(np.sqrt(np.sum(p * (learned(x, time) - path(x, time)) ** 2) * (x[1] - x[0])))
    left = np.append(np.cumsum((0.5 * (np.array(slopes)[1:] + slopes[:-1]) * np.diff(t))[::-1])[::-1], 0.0)
    weights = np.array([1, *([4, 2] * (nodes // 2 - 1)), 4, 1]) / (3 * (nodes - 1))
    return float(weights @ (error * np.array(errors) * np.exp(exponent * left)))


def disturbed(path, rng):
    """Return the exact velocity and a ripple that moves."""
    size, wave, place = rng.uniform(0.1, 0.4), rng.uniform(1.0, 3.0), rng.uniform(-1, 1)
    return lambda x, t: path(x, t) + size * np.sin(wave * x + 3 * t) * np.exp(-0.3 * (x - place) ** 2)


SHIFT, STRETCH = 0.3, 0.4
"""of one blob N(0, 4): a velocity off by SHIFT·(1 + t), or by STRETCH·x"""


def slope(t):
    """Return ∂_x v of one blob, v′/2v with v = 4t² + (1 − t)²: it contracts, then expands."""
    return (5 * t - 1) / (5 * t * t - 2 * t + 1)


@cache
def one_blob(label):
    """Return W₂ of N(0, 4) and what the learned velocity makes of N(0, 1): maps x ↦ kx + c."""
    more = STRETCH if label == "stretch" else 0.0

    def system(t):  # of c, the learned k, the true k, 1
        off = SHIFT * (1 + t) if label == "shift" else 0.0
        learned = slope(t) + more
        return [[learned, 0.0, 0.0, off], [0.0, learned, 0.0, 0.0], [0.0, 0.0, slope(t), 0.0], [0.0] * 4]

    (c, k, true, _), missed = mfg.solvers.linear_system(system, [0.0, 1.0, 1.0, 1.0], 0.0, 1.0)
    return mfg.Estimate(float(np.hypot(c, k - true)), 3 * missed, mfg.Kind.BOUND, "a linear system by Taylor series")


@cache
def one_bound(label, error, exponent, true_slope):
    """Return the right side: e^{∫_t^1 ∂_x v} = 2/√v."""

    def integrand(t):
        v, left = 5 * t * t - 2 * t + 1, 0.0
        size = SHIFT * (1 + t)
        if label == "stretch":
            size, left = STRETCH * np.sqrt(v), 0.0 if true_slope else STRETCH * (1 - t)
        return error * size * (4 / v) ** (exponent / 2) * np.exp(exponent * left)

    return mfg.solvers.certified_integral(integrand, 0.0, 1.0)


@claim.measure
def bounded(level, rng, error=1.0, exponent=1.0, true_slope=False, count=None):
    """`error` scales ‖v_θ − v‖, `exponent` scales ∫L; `true_slope` takes L of the true field."""
    findings, one = [], mfg.exact(1.0, "claim")
    for label in ("shift", "stretch"):
        ratio = one_blob(label) / one_bound(label, error, exponent, true_slope)
        if label == "shift":  # δ: four times what both sides leave
            findings.append(equal("one blob, shift: W₂ over the bound", ratio, one, resolution=1e-11))
        else:
            findings.append(at_most("one blob, stretch: W₂ over the bound", ratio, one, resolution=1e-11))
    ratios, bars = [], []
    for _ in range(count or Level(level).pick(3, 10, 30)):
        share = rng.dirichlet(3 * np.ones(3))
        path = Path(mfg.GaussianMixture(share, rng.uniform(-2, 2, (3, 1)), rng.uniform(0.1, 0.4, 3)))
        learned = disturbed(path, rng)
        gap = (flowed(learned) - flowed(path)) ** 2
        right = bound(path, learned, path if true_slope else learned, error, exponent)
        ratios.append(np.sqrt(WEIGHTS @ gap) / right)
        halves = [np.sqrt(2 * WEIGHTS[k::2] @ gap[k::2]) / right for k in (0, 1)]  # where modes part, nodes are few
        bars.append(abs(halves[0] - halves[1]))
    # no bound: flows of mixtures are integrated to a tolerance, and slopes are looked up on a grid
    worst = mfg.Estimate(max(ratios), max(bars) + 2e-3, mfg.Kind.EXTRAPOLATED, "33 times; half of the nodes")
    findings.append(at_most("three blobs: largest W₂ over the bound", worst, one, resolution=1e-2))
    return Evidence(
        findings, [Series("bound over W₂", "draw", list(range(len(ratios))), "factor", [1 / r for r in ratios], "y")]
    )


@claim.control("L of the true field")
def wrong_field(level, rng):
    return bounded(level, rng, true_slope=True)


@claim.control("no exponential")
def without(level, rng):
    return bounded(level, rng, exponent=0.0)
