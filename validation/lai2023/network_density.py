"""What the network's own density e^φ/Z loses in likelihood: the prior's part, the score-matching loss, and the residual's two means.

Three blobs with moving bumps under four processes, seeded; horizons, stops and widths drawn too. At level standard in two dimensions.
"""

from functools import cache
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


def parts(found, weights):
    """Return KL(p‖p̂) at the stop, at T, ∫D E_p|a|², ∫E_p[R] and ∫E_p̂[R]."""
    left = found.divergence(found.p, found.own)
    matching = found.diffusivity * found.mean(found.p * np.sum(found.error**2, axis=-1))
    means = (found.mean(law * found.residual) for law in (found.p, found.own))
    return np.array([left[-1], left[0], *(float(weights @ one) for one in (matching, *means))])


@cache
def drawn(seed, shapes):
    """Return `parts` of each case of the family, by name: on cells, on half of them, and with half of the nodes of time."""
    rng, found = np.random.default_rng(seed), {}
    for k, (d, spacing, count) in enumerate(shapes):
        for case in family.draw(rng, d):
            n = 2 * int(np.ceil(case.box / spacing))
            fine, rough = (
                family.laws(case, mfg.FiniteVolume(mfg.CartesianGrid.cube(case.box, m, d)), count, without_sde=True)
                for m in (n, n // 2)
            )
            half = np.zeros(count)
            half[::2] = family.nodes(case.stop, case.process.horizon, count // 2 + 1)[1]
            rows = parts(fine, fine.weights), parts(rough, rough.weights), parts(fine, half)
            found[f"{case.name}, {d}D, draw {k}"] = d, f"{n} cells, {count} nodes; halves of either", rows
    return found


@claim.measure
def likelihood(level, rng, loss=1.0, residual=1.0, own=1.0):
    """`loss` and `residual` scale the two integrals, `own` the mean under the network's density."""
    findings, points = [], []
    shapes = ((1, 0.06, 65),) * Level(level).pick(2, 8, 25) + ((2, 0.12, 33),) * Level(level).pick(0, 1, 3)
    scales = np.array([1.0, -1.0, -loss, -residual, residual * own])
    for name, (d, how, rows) in drawn(int(rng.integers(2**32)), shapes).items():
        value, *others = (float(scales @ row) for row in rows)
        # the trapezoid is spectral for what decays at the walls: half of the cells and of the nodes show what is left
        bar = 2 * sum(abs(value - other) for other in others) + 1e-8
        found = mfg.Estimate(value, bar, mfg.Kind.EXTRAPOLATED, how)
        # δ: what the boxes leave out of the widest prior, 1e-10, and its logarithm; what 65 nodes, or 33, see of four
        # bumps in time
        label = f"{name}: left − right (KL {rows[0][0]:.4f})"
        findings.append(equal(label, found, mfg.exact(0.0, "the claim"), resolution={1: 5e-8, 2: 2e-7}[d]))
        points.append((rows[0][0], abs(value)))
    points.sort()
    series = Series("every draw", "KL(p‖p̂)", [a for a, _ in points], "|left − right|", [b for _, b in points])
    return Evidence(findings, [series])


@claim.control("the mean of the residual under the network's own density left out")
def one_mean(level, rng):
    return likelihood(level, rng, own=0.0)


@claim.control("D replaced by g² = 2D in the loss")
def twice_the_diffusivity(level, rng):
    return likelihood(level, rng, loss=2.0)
