"""The Fokker–Planck residual controls the score gap: an energy identity along the generating SDE.

Three blobs with bumps that move in time, under four processes: blobs, bumps, horizons are drawn. Both sides come from one
finite-volume solve of q^SDE.
"""

from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, equal, load_module

claim = Claim(
    statement=(
        r"\int_0^T D\,\mathbb{E}_{q}\left|\nabla e\right|^2 dt = \mathbb{E}_{q}[e]_{t=0}-\mathbb{E}_{q}[e]_{t=T}+\int_0^T \mathbb{E}_{q}[R]\,dt,"
        r"\qquad e=\varphi-\log q^{\mathrm{SDE}}"
    ),
    source="after arXiv:2311.15996",
    standing="derived",
    assumes=("s_θ = ∇φ smooth", "q = q^SDE decays at infinity"),
    coefficients=("diffusivity", "residual"),
)

DELTA = {"OU 1D": 7e-5, "VP 1D": 1e-3, "sub-VP 1D": 6e-4, "VE 1D": 1e-3}
DELTA |= {"OU 2D": 2e-4, "VP 2D": 1.5e-3, "sub-VP 2D": 2e-3, "VE 2D": 1e-3}
"""δ for any draw: many reach a tenth and less, of exploding variance some reach half"""
family = load_module(Path(__file__).parents[1] / "networks" / "_family.py")


def parts(found, weights):
    """Return ∫D E_q|∇e|², E_q[e] at the stop less that at T, and ∫E_q[R]."""
    phi = np.array([found.case.score.potential(found.grid.points, t) for t in found.times])
    e = found.mean(found.q * (phi - np.log(found.q)))
    energy = weights @ (found.diffusivity * found.mean(found.q * np.sum(found.gap**2, axis=-1)))
    return np.array([energy, e[-1] - e[0], weights @ found.mean(found.q * found.residual)])


@claim.measure
def energy(level, rng, diffusivity=1.0, residual=1.0):
    """`diffusivity` scales the left side, `residual` the last integral."""
    findings, points, zero = [], [], mfg.exact(0.0, "the claim")
    for name, rows in family.drawn(int(rng.integers(2**32)), Level(level).pick(*family.SHAPES), parts).items():
        found = family.defect([diffusivity * E - ends - residual * R for E, ends, R in rows])
        findings.append(
            equal(
                f"{name}: left − right (left {rows[0][0]:.3f})",
                found,
                zero,
                resolution=DELTA[name.partition(",")[0]],
            )
        )
        points.append((rows[0][0], abs(found.value)))
    points.sort()
    series = Series("every draw", "∫D E|∇e|²", [a for a, _ in points], "|left − right|", [b for _, b in points], "xy")
    return Evidence(findings, [series])


@claim.control("D replaced by g² = 2D")
def twice_the_diffusivity(level, rng):
    return energy(level, rng, diffusivity=2.0)


@claim.control("the residual left out")
def without_residual(level, rng):
    return energy(level, rng, residual=0.0)
