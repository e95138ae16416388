"""Fixed points of rectification by gradients on supports that nearly touch: how much a round removes of a coupling that is not optimal.

Two round Gaussians of width s pass each other at a distance 2g, as in the closed case of two discs, where a round removes nothing.
Found: the share that a round removes falls like e^{−g²/2s²}, so that the number of rounds that it takes grows like its inverse;
what a constraint to gradients removes is an order above what straightening removes. A conjecture from these numbers, not a theorem.
"""

from functools import cache
from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.transport import gradient_part
from mfgpde.verify import Claim, Evidence, Level, Series, at_least, equal, load_module

discs = load_module(Path(__file__).parents[1] / "flows" / "gradient_rectification.py")

claim = Claim(
    statement=(
        r"\frac{\int_0^1\mathbb E|X_1-X_0-\nabla\varphi_t(X_t)|^2dt}{\mathbb E|X_1-X_0|^2}=e^{-\frac{g^2}{2s^2}(1+o(1))}\qquad(g/s\to\infty)"
    ),
    source="arXiv:2505.19712, open there",
    standing="conjecture",
    assumes=("two round Gaussians of width s that pass each other at the distance 2g",),
    coefficients=("exponent",),
)

WIDTH = 0.2


@cache
def removed(gap, cells, nodes=16, shape=None):
    """Return the shares of the cost that one round removes: by straightening, and by the constraint to gradients."""
    grid, parts = mfg.CartesianGrid((-1.9, -1.9), (1.9, 1.9), (cells, cells)), np.zeros(2)
    # the integrand lives while the blobs pass, |t − ½| < 1.5 s: nodes there
    u, w = np.polynomial.legendre.leggauss(nodes)
    for t, weight in zip(0.5 + 0.3 * u, 0.3 * w, strict=True):
        centres = np.array([[-1 + 2 * t, gap], [1 - 2 * t, -gap]])
        if shape is not None:
            shares = shape(grid.points, t, gap)
        else:
            squares = np.stack([np.sum((grid.points - c) ** 2, axis=-1) for c in centres], axis=-1)
            shares = np.exp(-0.5 * squares / WIDTH**2)
        p = shares.sum(axis=-1)
        mass = grid.integrate(p)
        v = np.einsum("...k,kd->...d", shares, discs.VELOCITY) / np.maximum(p, 1e-300)[..., None]
        # E|X₁ − X₀ − v|² = 16 r(1 − r), without cancellation
        bent = 16 * grid.integrate(np.prod(shares, axis=-1) / np.maximum(p, 1e-300)) / mass
        parts += weight / 4 * np.array([bent, gradient_part(p / mass, v, grid).remainder])
    return parts


@claim.measure
def falls(level, exponent=1.0, gaps=(0.6, 0.8, 0.9, 1.0), shape=None, straightening=1.0):
    """`exponent` scales g²/2s²; the last two gaps give the slope, those before its trend; `straightening` scales that part."""
    cells = Level(level).pick(72, 108, 160)
    fine, rough = (np.array([removed(g, n, shape=shape) for g in gaps]) for n in (cells, 3 * cells // 4))
    x = np.array(gaps) ** 2 / (2 * WIDTH**2)
    logs = [np.log(np.maximum(values.sum(axis=1), 1e-14)) for values in (fine, rough)]
    slopes = [np.diff(one) / np.diff(x) for one in logs]
    bar = abs(slopes[0][-1] - slopes[1][-1]) + 6 * abs(slopes[0][-1] - slopes[0][max(len(slopes[0]) - 2, 0)])
    found = mfg.Estimate(float(slopes[0][-1]), float(bar), mfg.Kind.EXTRAPOLATED, "two grids; the slope before")
    # δ: a prefactor (g/s)^2 alone would change the slope by 0.12 here
    ratio = fine[-1, 1] / max(straightening * fine[-1, 0], 1e-300)
    return Evidence(
        [
            equal("slope of log share in g²/2s²", found, mfg.exact(-exponent, "conjectured"), resolution=0.2),
            at_least(
                "gradients' part over straightening's",
                mfg.exact(float(ratio), "faces"),
                mfg.exact(3.0, "more"),
                resolution=0.0,
            ),
        ],
        [
            Series("removed by straightening", "g²/2s²", list(x), "share of the cost", list(fine[:, 0]), "y"),
            Series("removed by gradients", "g²/2s²", list(x), "share of the cost", list(fine[:, 1]), "y"),
        ],
    )


@claim.control("e^{−g²/s²}")
def twice(level):
    return falls(level, exponent=2.0, gaps=(0.8, 0.9, 1.0))


@claim.control("discs, of which a round removes nothing once they pass")
def closed(level):
    return falls(level, gaps=(0.8, 0.9, 1.0), shape=discs.discs)


@claim.control("straightening's part ten times as large")
def straight(level):
    return falls(level, gaps=(0.9, 1.0), straightening=10.0)
