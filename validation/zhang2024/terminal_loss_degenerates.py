"""With kernels centred at the training points the implicit loss has no minimum: narrower is always better, and the model copies.

Against log γ, the precision of all kernels, of spiral data: centres that are the training points, and fresh ones at some distance.
"""

import numpy as np
from scipy.optimize import minimize_scalar

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, at_most, equal

claim = Claim(
    statement=(
        r"L(\gamma)=\tfrac1n\sum_i\big[2\Delta\log\pi_\gamma+|\nabla\log\pi_\gamma|^2\big](x_i),\ \pi_\gamma=\tfrac1N\sum_j\mathcal N(Z_j,\gamma^{-1}I):"
        r"\quad Z=x\Rightarrow L/\gamma\to-2d;\qquad |x_i-Z_j|\ge r\Rightarrow L\ge-d^2/r^2"
    ),
    source="after arXiv:2402.06162, section 4",
    standing="derived",
    assumes=("one precision for all kernels",),
    coefficients=("slope",),
)

PRECISIONS = np.logspace(1, 8, 29)


def loss(points, centres, precision):
    """Return the implicit loss of kernels of one precision at some centres."""
    model = mfg.GaussianMixture(np.full(len(centres), 1 / len(centres)), centres, 1 / precision)
    return float(np.mean(2 * model.laplacian(points) + np.sum(model.score(points) ** 2, axis=-1)))


@claim.measure
def degenerates(level, rng, slope=1.0, fresh_for_both=False, data_for_both=False):
    """`slope` scales the limit −2d; with `fresh_for_both` no centre is a training point, with `data_for_both` all are."""
    n, findings, series = Level(level).pick(150, 400, 1000), [], []
    for law in (mfg.densities.spiral(), mfg.densities.swiss_roll()):
        d, points = law.dimension, law.sample(n, rng)
        fresh = law.sample(n, rng)
        gaps = np.linalg.norm(points[:, None] - fresh, axis=-1)
        fresh = fresh[gaps.min(axis=0) > 0.02]
        own = [loss(points, fresh if fresh_for_both else points, g) for g in PRECISIONS]
        apart = [loss(points, points if data_for_both else fresh, g) for g in PRECISIONS]
        # kernels at other training points weigh e^{−γr²/2}: nothing at γ = 1e8, save for two points within 1e-4
        last = mfg.Estimate(own[-1] / PRECISIONS[-1], 1e-9, mfg.Kind.EXTRAPOLATED, "γ = 1e8")
        findings.append(
            equal(f"{d}D: L/γ, centres at the data", last, mfg.exact(-2.0 * d * slope, "the claim"), resolution=5e-9)
        )
        # one centre at distance r of one point, where −d²/r² is reached, at γ = d/r²
        r = float(rng.uniform(0.2, 2.0))
        one, other = np.zeros((1, d)), np.full((1, d), r / np.sqrt(d))
        value = minimize_scalar(
            lambda u, a=one, b=other: loss(a, b, np.exp(u)), bounds=(-12, 12), options={"xatol": 1e-9}
        ).fun
        least = mfg.Estimate(value * r**2, 1e-9, mfg.Kind.EXTRAPOLATED, "least over γ, to 1e-9 of log γ")
        bound = mfg.exact(-((d * slope) ** 2), "the claim")
        findings.append(equal(f"{d}D: least L r², a centre at distance r", least, bound, resolution=5e-9))
        best = PRECISIONS[int(np.argmin(apart))]
        inner = mfg.exact(float(np.log10(best)), "least of 29 precisions")
        findings.append(
            at_most(
                f"{d}D: decades of the best γ, fresh centres", inner, mfg.exact(6.0, "an inner minimum"), resolution=0.0
            )
        )
        for name, values in (("centres at the data", own), ("fresh centres", apart)):
            series.append(
                Series(
                    f"{d}D, {name}",
                    "precision γ",
                    PRECISIONS.tolist(),
                    "L / (1 + γ)",
                    [v / (1 + g) for v, g in zip(values, PRECISIONS, strict=True)],
                    "x",
                )
            )
    return Evidence(findings, series)


@claim.control("no centre at a training point")
def all_fresh(level, rng):
    return degenerates(level, rng, fresh_for_both=True)


@claim.control("all centres at training points")
def all_at_the_data(level, rng):
    return degenerates(level, rng, data_for_both=True)


@claim.control("the limit −d instead of −2d")
def half_the_slope(level, rng):
    return degenerates(level, rng, slope=0.5)
