"""With kernels centred at the training points the implicit loss has no minimum: narrower is always better, and the model copies.

Against log γ, the precision of all kernels, of spiral data: centres that are the training points, and fresh ones at some distance.
"""

from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, at_most, equal, load_module

once = load_module(Path(__file__).parents[1] / "networks" / "_once.py").once

claim = Claim(
    statement=(
        r"L(\gamma)=\tfrac1n\sum_i\big[2\Delta\log\pi_\gamma+|\nabla\log\pi_\gamma|^2\big](x_i),\ \pi_\gamma=\tfrac1N\sum_j\mathcal N(Z_j,\gamma^{-1}I):"
        r"\quad Z=x\Rightarrow L/\gamma\to-2d;\qquad |x_i-Z_j|\ge r\Rightarrow L\ge-d^2/r^2"
    ),
    source="after arXiv:2402.06162, section 4",
    standing="derived",
    assumes=("one precision for all kernels",),
    coefficients=("slope", "power"),
)

PRECISIONS = np.logspace(0, 8, 33)
ROUNDING, DELTA = 1e-12, 4.5e-12
"""of losses over γ, of size ten, where distances of size one are squared and added; what is asked of them"""


def loss(points, centres, precision, slope=1.0):
    """Return the implicit loss of kernels of one precision at some centres, its 2Δ multiplied by `slope`."""
    laplacian, square = terms(points, centres, precision)
    return float(np.mean(2 * slope * laplacian + square))


def terms(points, centres, precision):
    """Return Δlog π_γ and |∇log π_γ|² at the points."""
    model = mfg.GaussianMixture(np.full(len(centres), 1 / len(centres)), centres, 1 / precision)
    _, score, laplacian = model.pieces(points)
    return laplacian, np.sum(score**2, axis=-1)


def tabulated(points, centres):
    """Return these terms for all precisions."""
    return [terms(points, centres, g) for g in PRECISIONS]


def losses(points, centres, slope=1.0):
    """Return the loss for all precisions."""
    return [float(np.mean(2 * slope * one + square)) for one, square in once(tabulated, points, centres)]


def decades(values):
    """Return log γ of the least loss: of a parabola through the least of the values and its neighbours, or the end's."""
    k, logs = int(np.argmin(values)), np.log10(PRECISIONS)
    if k in (0, len(values) - 1):
        return float(logs[k])
    low, middle, high = values[k - 1 : k + 2]
    return float(logs[k] - 0.5 * (logs[1] - logs[0]) * (high - low) / (high - 2 * middle + low))


def others(points, precision):
    """Return a bound of what kernels at other points change of L/γ: they weigh e_j = e^{−γr_j²/2} at most.

    |∇log π| ≤ γΣe_j r_j, and Δlog π + γd, γ² times a variance, lies between 0 and γ²Σe_j r_j².
    """
    r = np.linalg.norm(points[:, None] - points, axis=-1)
    share = np.exp(-0.5 * precision * r**2) * ~np.eye(len(points), dtype=bool)
    return float((2 * precision * np.sum(share * r**2, axis=1) + precision * np.sum(share * r, axis=1) ** 2).max())


def vertex(point, centre, near):
    """Return the least loss over γ of one kernel, where L is a parabola in γ, from three values around `near`."""
    low, middle, high = (loss(point, centre, near * factor) for factor in (0.5, 1.0, 1.5))
    return middle - (high - low) ** 2 / (8 * (high - 2 * middle + low))


@claim.measure
def degenerates(level, rng, slope=1.0, power=1.0, fresh_for_both=False, data_for_both=False):
    """`slope` scales the limit −2d, and 2Δ in the loss with fresh centres; kernels have γ^(−1/`power`) for their variance.

    With `fresh_for_both` no centre is a training point, with `data_for_both` all are.
    """
    last = PRECISIONS[-1] ** (1 / power)
    n, findings, series = Level(level).pick(150, 400, 1000), [], []
    for law in (mfg.densities.spiral(), mfg.densities.swiss_roll()):
        d, points = law.dimension, law.sample(n, rng)
        fresh = law.sample(n, rng)
        gaps = np.linalg.norm(points[:, None] - fresh, axis=-1)
        fresh = fresh[gaps.min(axis=0) > 0.02]
        centres = fresh if fresh_for_both else points
        own, apart = losses(points, centres), losses(points, points if data_for_both else fresh, slope)
        bar = others(points, last) + ROUNDING
        steep = mfg.Estimate(
            loss(points, centres, last) / PRECISIONS[-1], bar, mfg.Kind.BOUND, "γ = 1e8, other kernels bounded"
        )
        findings.append(
            equal(f"{d}D: L/γ, centres at the data", steep, mfg.exact(-2.0 * d * slope, "the claim"), resolution=DELTA)
        )
        # one centre at distance r of one point, where −d²/r² is reached, at γ = d/r²
        r = float(rng.uniform(0.2, 2.0))
        one, other = np.zeros((1, d)), np.full((1, d), r / np.sqrt(d))
        least = mfg.Estimate(vertex(one, other, d / r**2) * r**2, ROUNDING, mfg.Kind.BOUND, "a parabola's vertex")
        bound = mfg.exact(-((d * slope) ** 2), "the claim")
        findings.append(equal(f"{d}D: least L r², a centre at distance r", least, bound, resolution=DELTA))
        inner = mfg.exact(decades(apart) * power, "a parabola about the least of 33 precisions")
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
