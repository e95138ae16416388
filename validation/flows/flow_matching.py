"""A velocity that is off by ε costs at most ε e^{∫L} in W₂, L the one-sided slope of the learned velocity; shifts attain it.

Flow matching from N(0, 1) to blobs, x_t = (1 − t) z + t x: exact velocities with disturbances, laws by quantiles. The bound holds
with the slope of the learned field; with that of the true one it is wrong. One blob is carried by affine fields: there both sides
are bounded, a linear system for the map and an integral.
"""

from functools import cache
from pathlib import Path as Folder

import numpy as np
from scipy.special import ndtr

import mfgpde as mfg
from mfgpde.core.taylor import Jet
from mfgpde.verify import Claim, Evidence, Level, Series, at_most, equal, load_module

backward = load_module(Folder(__file__).parent / "_backward.py")

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


class Blobs:
    """The velocity to three blobs and a ripple size·sin(wave x + 3t) e^{−0.3 (x − place)²}, as formulas."""

    def __init__(self, rows, size, wave, place):
        self.rows, self.ripple = rows, (size, wave, place)

    def exact(self, x, t):
        """Return the velocity to the blobs: of each m + V′/2V (x − tm), by shares that are one over sums of ratios."""
        V = [v * t**2 + (1 - t) ** 2 for *_, v in self.rows]
        logs = [0.5 / one * (x - m * t) ** 2 for one, (_, m, _) in zip(V, self.rows, strict=True)]
        total = 0.0
        for k, (w, m, v) in enumerate(self.rows):
            ratios = (
                other / w * (V[k] / V[j]) ** 0.5 * np.exp(logs[k] - logs[j])
                for j, (other, *_) in enumerate(self.rows)
                if j != k
            )
            total = total + (m + (v * t - (1 - t)) / V[k] * (x - m * t)) / sum(ratios, 1.0)
        return total

    def __call__(self, x, t):
        size, wave, place = self.ripple
        return self.exact(x, t) + size * np.sin(wave * x + 3 * t) * np.exp(-0.3 * (x - place) ** 2)

    def disturbance(self, t):
        """Return E|ripple|², from means of e^{−0.6 (x − p)²} and of the wave in it under each blob, Gaussian ones."""
        size, wave, place = self.ripple
        total = 0.0
        for w, m, v in self.rows:
            V = v * t**2 + (1 - t) ** 2
            narrow = 1 / (1 + 1.2 * V)
            middle = (m * t + 1.2 * V * place) * narrow
            turned = np.cos(2 * wave * middle + 6 * t) * np.exp(-2 * wave**2 * (V * narrow))
            total = total + 0.5 * w * size**2 * narrow**0.5 * np.exp(-0.6 * narrow * (m * t - place) ** 2) * (
                1 - turned
            )
        return total


def right_side(field, error, exponent, true_slope, pieces=1000):
    """Return two numbers that ∫e^{exponent ∫L} error‖v_θ − v‖ lies between; the upper one infinite unless the exponent (≥ 0) is zero.

    L on a piece of time is at least the slope at one place there, which is enclosed.
    """
    edges = np.linspace(0.0, 1.0, pieces + 1)
    h, lower, upper = 1 / pieces, edges[:-1], edges[1:]
    norms = field.disturbance(Jet.constant(lower, upper, 0))
    low, high = np.sqrt(np.maximum(norms.lower[0], 0.0)), np.sqrt(np.maximum(norms.upper[0], 0.0))
    if exponent == 0:
        return error * h * low.sum(), error * h * high.sum()
    x, slope = np.linspace(-4, 4, 401), field.exact if true_slope else field
    steep = np.array([x[np.argmax(np.gradient(slope(x, t), x))] for t in 0.5 * (lower + upper)])
    rate = slope(Jet.variable(steep, steep, 1), Jet.constant(lower, upper, 1)).lower[1]
    left = np.append(np.cumsum((h * rate)[::-1])[::-1], 0.0)[1:] + np.minimum(h * rate, 0.0)
    return error * h * float(low @ np.exp(exponent * left)), np.inf


@cache
def generated(rows, ripple, points):
    """Return W₂ of the blobs and what the learned velocity makes of N(0, 1), between two numbers, by so many places a blob.

    A path is never farther out than e^{∫V′⁺/2V} (|z| + ∫|m|(1 − t)/V + |ripple|) ≤ 1.2|z| + 9, for |m| ≤ 2 and v from 0.1 to 0.4.
    """
    w, m, s = (np.array(one) for one in zip(*((a, b, c**0.5) for a, b, c in rows), strict=True))
    core = [b + c * np.linspace(-3.0, 3.0, points) for b, c in zip(m, s, strict=True)]
    places = np.unique(np.concatenate((np.linspace(np.min(m - 5.5 * s), np.max(m + 5.5 * s), 30), *core)))
    for steps in (240, 480, 960):  # a path that parts from its neighbours late needs more
        try:
            z, off = backward.begins(Blobs(rows, *ripple), places, np.linspace(0.0, 1.0, steps + 1), room=0.02)
            break
        except RuntimeError:
            if steps == 960:
                raise
    reach = float(min(-z[0] - off[0], z[-1] - off[-1]))
    beyond = mfg.solvers.tail(mfg.gaussian(0.0, 1.0), reach, [324.0, 86.4, 5.76])  # 4 (1.2|z| + 9)²
    known = np.unique(np.concatenate([b + c * np.linspace(-8, 8, 1001) for b, c in zip(m, s, strict=True)]))
    heights = ndtr((known[:, None] - m) / s) @ w
    return backward.apart(places, np.stack((ndtr(z - off), ndtr(z + off))), known, heights, beyond)


@claim.measure
def bounded(level, rng, error=1.0, exponent=1.0, true_slope=False, given=None):
    """`error` scales ‖v_θ − v‖, `exponent` scales ∫L; `true_slope` takes L of the true field;
    three blobs may be `given`.
    """
    findings, one = [], mfg.exact(1.0, "claim")
    for label in ("shift", "stretch"):
        ratio = one_blob(label) / one_bound(label, error, exponent, true_slope)
        if label == "shift":  # δ: four times what both sides leave
            findings.append(equal("one blob, shift: W₂ over the bound", ratio, one, resolution=1e-11))
        else:
            findings.append(at_most("one blob, stretch: W₂ over the bound", ratio, one, resolution=1e-11))
    ratios, places = [], Level(level).pick(36, 144, 144)  # of ten draws, two are closer to the bound than few tell
    for _ in range(1 if given else Level(level).pick(3, 10, 30)):
        share = rng.dirichlet(3 * np.ones(3))
        means, variances = rng.uniform(-2, 2, (3, 1)), rng.uniform(0.1, 0.4, 3)
        rows = given or tuple(zip(share.tolist(), means[:, 0].tolist(), variances.tolist(), strict=True))
        ripple = float(rng.uniform(0.1, 0.4)), float(rng.uniform(1.0, 3.0)), float(rng.uniform(-1, 1))
        w2, (least, most) = (
            generated(rows, ripple, places),
            right_side(Blobs(rows, *ripple), error, exponent, true_slope),
        )
        low, high = w2.lower / most, w2.upper / least
        ratios.append(mfg.Estimate(0.5 * (low + high), 0.5 * (high - low), mfg.Kind.BOUND, w2.method))
    worst = max(ratios, key=lambda e: e.upper)
    findings.append(at_most("three blobs: largest W₂ over the bound", worst, one, resolution=1e-2))
    return Evidence(
        findings,
        [Series("bound over W₂", "draw", list(range(len(ratios))), "factor", [1 / r.upper for r in ratios], "y")],
    )


@claim.control("L of the true field")
def wrong_field(level, rng):
    return bounded(level, rng, true_slope=True)


APART = ((0.4, -2.0, 0.1), (0.2, 0.1, 0.1), (0.4, 2.0, 0.1))
"""weights, means and variances of modes between which flows expand much"""


@claim.control("no exponential, of modes far apart")
def without(level, rng):
    return bounded(level, rng, exponent=0.0, given=APART)
