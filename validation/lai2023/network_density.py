"""What the network's own density e^φ/Z loses in likelihood: the prior's part, the score-matching loss, and the residual's two means.

Three blobs with moving bumps under four processes, seeded; horizons, stops and widths drawn too. At level standard in two dimensions.
"""

from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, equal, load_module

claim = Claim(
    statement=(
        r"\mathrm{KL}(p_0\|\hat p_0)=\mathrm{KL}(p_T\|\hat p_T)+\int_0^TD\,\mathbb E_p|\nabla\varphi-\nabla\log p|^2dt"
        r"+\int_0^T\big(\mathbb E_p[R]-\mathbb E_{\hat p}[R]\big)dt,\qquad \hat p=e^{\varphi}/Z"
    ),
    source="after arXiv:2210.04296, arXiv:2311.15996",
    standing="derived",
    assumes=("s_θ = ∇φ", "e^φ integrable"),
    coefficients=("loss", "residual"),
)

family = load_module(Path(__file__).parents[1] / "networks" / "_family.py")


def sides(case, n, count, loss, residual, own):
    """Return left − right and the left side on n cells an axis and `count` nodes of time; `own` scales E_p̂[R]."""
    grid = mfg.CartesianGrid.cube(case.box, n, case.data.dimension)
    found = family.laws(case, mfg.FiniteVolume(grid), count, without_sde=True)
    left = found.divergence(found.p, found.own)
    matching = found.over_time(found.diffusivity * found.mean(found.p * np.sum(found.error**2, axis=-1)))
    mismatch = found.over_time(found.mean((found.p - own * found.own) * found.residual))
    return left[-1] - left[0] - loss * matching - residual * mismatch, left[-1]


@claim.measure
def likelihood(level, rng, loss=1.0, residual=1.0, own=1.0):
    """`loss` and `residual` scale the two integrals, `own` the mean under the network's density."""
    findings, points = [], []
    shapes = [(1, 0.06, 65)] * Level(level).pick(2, 8, 25) + [(2, 0.12, 33)] * Level(level).pick(0, 1, 3)
    for k, (d, spacing, count) in enumerate(shapes):
        for case in family.draw(rng, d):
            n = 2 * int(np.ceil(case.box / spacing))
            value, left = sides(case, n, count, loss, residual, own)
            # the trapezoid is spectral for what decays at the walls: half of the cells and of the nodes show what is left
            changes = [
                abs(value - sides(case, *half, loss, residual, own)[0])
                for half in ((n // 2, count), (n, count // 2 + 1))
            ]
            found = mfg.Estimate(
                value, 2 * sum(changes) + 1e-8, mfg.Kind.EXTRAPOLATED, f"{n} cells, {count} nodes; halves of either"
            )
            # δ: what the boxes leave out of the widest prior, 1e-10, and its logarithm; what 65 nodes, or 33, see of four
            # bumps in time
            small = {1: 5e-8, 2: 2e-7}[d]
            label = f"{case.name}, {d}D, draw {k}: left − right (KL {left:.4f})"
            findings.append(equal(label, found, mfg.exact(0.0, "the claim"), resolution=small))
            points.append((left, abs(value)))
    points.sort()
    series = Series("every draw", "KL(p‖p̂)", [a for a, _ in points], "|left − right|", [b for _, b in points])
    return Evidence(findings, [series])


@claim.control("the mean of the residual under the network's own density left out")
def one_mean(level, rng):
    return likelihood(level, rng, own=0.0)


@claim.control("D replaced by g² = 2D in the loss")
def twice_the_diffusivity(level, rng):
    return likelihood(level, rng, loss=2.0)
