"""Data in a ball bracket the slope of their score; heat flow from any start obeys Li and Yau's bound, and Harnack's inequality.

Under a linear process X_t = aX₀ + √V Z: ∇s = −I/V + a² Cov(X₀|X_t)/V², and a covariance lies between 0 and R². Equality: two
points at the ends of a diameter (above), one point (below). The width of the data in a direction may replace 2R (Popoviciu).
"""

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, at_least, at_most, equal

claim = Claim(
    statement=(
        r"-\tfrac1VI\preceq\nabla s_t\preceq\Big(\tfrac{a^2R^2}{V^2}-\tfrac1V\Big)I,\qquad "
        r"\Delta\log u\ge-\tfrac{d}{2Dt},\qquad u(x,s)\le u(y,t)\Big(\tfrac ts\Big)^{d/2}e^{|x-y|^2/4D(t-s)}"
    ),
    source="classical (Tweedie; Li and Yau)",
    standing="theorem",
    assumes=("X₀ in a ball of radius R", "u > 0 solves ∂_t u = DΔu on the whole space"),
    coefficients=("radius", "dimension"),
)


def processes():
    """Return processes and a time each."""
    return {
        "OU": (mfg.OrnsteinUhlenbeck(horizon=2.0), 0.4),
        "VP": (mfg.VariancePreserving(), 0.3),
        "VE": (mfg.VarianceExploding(0.05, 3.0), 0.6),
    }


NARROW = 1e-12
"""variance of a point: what it adds to V is below rounding"""


def cloud(rng, d, radius):
    """Return nine points in a ball, two of them at the ends of a diameter."""
    x = rng.normal(size=(9, d))
    x *= radius * (rng.uniform(0, 1, 9) ** (1 / d) / np.linalg.norm(x, axis=1))[:, None]
    end = np.linalg.qr(rng.normal(size=(d, d)))[0][0] * radius
    return mfg.GaussianMixture(rng.dirichlet(np.ones(11)), np.vstack((x, end, -end)), NARROW)


def curvatures(process, law, t, x):
    """Return the least and largest eigenvalues of ∇s at points."""
    values = np.linalg.eigvalsh(mfg.ExactScore(process, law).jacobian(x, t))
    return float(values[..., 0].min()), float(values[..., -1].max())


def exact(value):
    """Return a number known to rounding: of matrices with entries up to 1/V."""
    return mfg.Estimate(value, 1e-11 * (1 + abs(value)), mfg.Kind.BOUND, "closed form")


@claim.measure
def brackets(level, rng, radius=1.0, dimension=1.0):
    """`radius` scales R² in the bound above, `dimension` the d of Li and Yau."""
    findings, R, one = [], 0.8, mfg.exact(1.0, "claim")
    draws, places = Level(level).pick(3, 10, 40), Level(level).pick(400, 1000, 4000)
    for name, (process, t) in processes().items():
        _, _, covariance = process.transition(0.0, t).in_dimension(1)
        a, V = float(process.mean_coefficient(t)), float(covariance[0, 0])
        upper, above, below = radius * (a * R) ** 2 / V**2, [], []
        for d in (1, 2, 3):
            x = rng.normal(size=(places, d)) * (a * R + np.sqrt(V))
            for _ in range(draws):
                low, high = curvatures(process, cloud(rng, d, R), t, x)
                above.append((high + 1 / V) / upper)
                below.append(low * V)
        pair = mfg.GaussianMixture([0.5, 0.5], [[-R, 0.0], [R, 0.0]], NARROW)
        high = curvatures(process, pair, t, np.zeros((1, 2)))[1]
        findings += [
            at_most(f"{name}: (largest slope + 1/V) V²/(aR)², clouds", exact(max(above)), one, resolution=7.5e-11),
            at_least(
                f"{name}: V × least slope, clouds",
                exact(min(below)),
                mfg.exact(-dimension, "claim"),
                resolution=9.5e-11,
            ),
            # δ: the points' own width
            equal(
                f"{name}: the same for two points, in the middle",
                exact((high + 1 / V) / upper),
                one,
                resolution=9.5e-11,
            ),
        ]
    return Evidence(findings + heat(level, rng, dimension))


def heat(level, rng, dimension):
    """Return Li and Yau's bound and Harnack's inequality for starts of many kinds, and for one point."""
    D, s, t, worst, point, rise, ray = 0.7, 0.3, 0.8, [], [], [], []
    process, count = mfg.Brownian(scale=np.sqrt(2 * D), horizon=2.0), Level(level).pick(400, 1000, 4000)
    for d in (1, 2, 3):
        single = mfg.GaussianMixture([1.0], [0.3 * np.ones(d)], NARROW)
        starts = [cloud(rng, d, 2.0), mfg.GaussianMixture([0.3, 0.7], rng.normal(size=(2, d)), [0.05, 0.4]), single]
        x = 2 * rng.normal(size=(count, d))
        far = 0.3 + (x - 0.3) * t / s  # on the ray from the point: Harnack's equality
        other = 2 * rng.normal(size=(count, d))
        for law in starts:
            score = mfg.ExactScore(process, law)
            spread = score.divergence(x, t) * 2 * D * t / (dimension * d)
            (point if law is single else worst).append(float(spread.min()))
            for y, found in ((other, rise), (far, ray if law is single else rise)):
                bound = 0.5 * dimension * d * np.log(t / s) + np.sum((x - y) ** 2, axis=-1) / (4 * D * (t - s))
                found.append(float((score.potential(x, s) - score.potential(y, t) - bound).max()))
    zero, minus = mfg.exact(0.0, "claim"), mfg.exact(-1.0, "claim")
    return [
        at_least("2Dt/d × least Δlog u, heat flow", exact(min(worst)), minus, resolution=9.5e-11),
        equal("the same from one point", exact(min(point)), minus, resolution=9.5e-11),
        at_most("log of both sides of Harnack's inequality", exact(max(rise)), zero, resolution=4.5e-11),
        equal("the same from one point, on its rays", exact(max(ray)), zero, resolution=4.5e-11),
    ]


@claim.control("R²/2 in place of R²: the square of the diameter halved")
def half(level, rng):
    return brackets(level, rng, radius=0.5)


@claim.control("Li and Yau's bound, and Harnack's, for half of the dimension")
def half_dimension(level, rng):
    return brackets(level, rng, dimension=0.5)
