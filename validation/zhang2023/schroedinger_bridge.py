"""Schrödinger bridges: Sinkhorn's algorithm is alternating Cole–Hopf, and without noise the bridge is optimal transport.

Gaussians, where the static problem reduces to one covariance: with ε = 2κT the optimal coupling has covariance c, c² + εc = AB. The
density half-way differs from the displacement interpolation by its variance ε²/16√(AB) + …: of second order in the noise.
"""

from functools import cache

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, at_most, equal

claim = Claim(
    statement=(
        r"\min E\!\int_0^T\!\tfrac12|v|^2d\tau=2\kappa\,\mathrm{KL}(P\|R),\qquad \rho_\tau=\varphi_\tau\hat\varphi_\tau,\qquad"
        r"\rho^\kappa_{T/2}\to\rho^0_{T/2}\ \text{at rate}\ \kappa^2"
    ),
    source="arXiv:2304.13534, section 3.4",
    standing="theorem",
    assumes=("both ends Gaussian",),
    coefficients=("viscosity", "end"),
)

A, B, SHIFT = 0.3, 0.5, 1.2


def coupling(kappa, end=1.0):
    """Return the covariance of both ends, the last with a multiple of its variance."""
    eps = 2 * kappa
    return -0.5 * eps + np.sqrt(0.25 * eps**2 + A * (end * B))


def exact_cost(kappa, end):
    """Return 2κ KL of the coupling from x ~ ρ_0, y = x + N(0, 2κ)."""
    c, eps, last = coupling(kappa, end), 2 * kappa, end * B
    square = SHIFT**2 + A + last - 2 * c
    return eps * (
        0.5 * square / eps + 0.5 * np.log(2 * np.pi * eps) - 0.5 * np.log(2 * np.pi * np.e * (last - c**2 / A))
    )


SIDE = 5.0
"""half of the box's"""


@cache
def solved(kappa, cells, wider=1.0, tolerance=1e-9):
    """Return the equilibrium in 1D; `wider` multiplies the variance of its end."""
    ends = (mfg.gaussian([m], [[v]]) for m, v in ((-0.5 * SHIFT, A), (0.5 * SHIFT, wider * B)))
    steps = min(16, int(2 * kappa / (1.2 * 10 / cells) ** 2) // 2 * 2)
    return mfg.equilibrium(
        mfg.games.schroedinger_bridge(*ends, kappa),
        mfg.CartesianGrid.cube(SIDE, cells, 1),
        steps=steps,
        tolerance=tolerance,
    )


def excess(kappa, cells, wider):
    """Return by how much the variance at T/2 exceeds that of optimal transport, of the bridge on these cells.

    Between the plan that was found and the best one the divergence is gap/2κ at most, and so is ½|ρ − ρ*|² (Pinsker); a
    variance changes by half of the largest square times |ρ − ρ*|.
    """
    found = solved(kappa, cells, wider, 1e-14)
    law, x = found.densities[len(found.times) // 2] * found.grid.volume, found.grid.axes[0]
    variance = float(np.sum(law * x**2) - np.sum(law * x) ** 2)
    gap = max(found.discrete_primal - found.discrete_dual, 0.0) + 1e-15
    apart = float(np.sqrt(2 * gap / (2 * kappa)))
    without = 0.25 * (A + B + 2 * np.sqrt(A * B))
    bar = 0.5 * (SIDE + 0.5 * SHIFT) ** 2 * apart
    return mfg.Estimate(variance - without, bar, mfg.Kind.BOUND, "the gap, by Pinsker", f"{cells} cells")


@claim.measure
def bridge(level, viscosity=1.0, end=1.0, wider=1.0):
    """`viscosity` multiplies that of the bridges that are solved, `wider` the variance of their ends.

    `end` multiplies the variance that ρ_1 is said to have, in the cost and at the end.
    """
    findings = []
    cells = Level(level).pick(160, 256, 512)
    for kappa in (0.5, 0.1):
        found = solved(viscosity * kappa, cells, wider)
        truth = mfg.Estimate(
            exact_cost(kappa, end), 1e-7, mfg.Kind.BOUND, "Gaussian bridge on the line; mass beyond the walls"
        )
        # kernels are resolved to rounding; what remains is the gap, and mass beyond the walls, 1e-9
        findings.append(equal(f"κ = {kappa:g}: cost", found.discrete_optimum, truth, resolution=4e-7))
        last = mfg.gaussian([0.5 * SHIFT], [[end * B]]).density(found.grid.points)
        miss = float(found.grid.integrate(np.abs(found.densities[-1] - last)))
        miss = mfg.Estimate(miss, 1e-13, mfg.Kind.BOUND, "as found, to rounding")
        findings.append(
            at_most(f"κ = {kappa:g}: L¹ from the prescribed end", miss, mfg.exact(1e-4, "asked for"), resolution=0.0)
        )
    noises = Level(level).pick((0.1, 0.05), (0.1, 0.05, 0.025), (0.1, 0.05, 0.025, 0.0125))
    beyond = [excess(viscosity * kappa, cells, wider) for kappa in noises]
    coarse, fine = beyond[-2:]
    # ½(√(ε²/4 + AB) − √AB) has the slope 1 + √(AB/(ε²/4 + AB)) in log ε, and its share of ε²/16√AB is 2/(1 + √(1 + ε²/4AB))
    steep = float(1 - np.sqrt(A * B / (noises[-2] ** 2 + A * B)))
    flat = float(1 - 2 / (1 + np.sqrt(1 + noises[-1] ** 2 / (A * B))))
    factor = float(np.log(noises[-2] / noises[-1]))
    own = 1.1 * (coarse.half_width / coarse.value + fine.half_width / fine.value) / factor
    between = f"between κ = {noises[-2]:g} and {noises[-1]:g}, and the rest of the expansion"
    slope = float(np.log(coarse.value / fine.value)) / factor
    measured = mfg.Estimate(slope, own + steep, mfg.Kind.BOUND, between, fine.at)
    findings.append(
        equal("rate of the variance half-way as κ → 0", measured, mfg.exact(2.0, "expansion"), resolution=0.1)
    )
    leading = fine.value / (2 * noises[-1]) ** 2
    bar = (fine.half_width / fine.value + 1.1 * flat) * leading
    known = mfg.Estimate(leading, bar, mfg.Kind.BOUND, f"κ = {noises[-1]:g}, and the rest of the expansion", fine.at)
    findings.append(equal("its constant", known, mfg.exact(1 / (16 * np.sqrt(A * B)), "expansion"), resolution=0.01))
    excesses = [one.value for one in beyond]
    return Evidence(findings, [Series("half-way", "κ", list(noises), "variance beyond transport's", excesses, "xy")])


@claim.control("the noise 2 % stronger")
def noisier(level):
    return bridge(level, viscosity=1.02)


@claim.control("an end whose variance is a twentieth larger")
def wider(level):
    return bridge(level, wider=1.05)
