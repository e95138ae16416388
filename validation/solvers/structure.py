"""The discretisations keep what the equations keep: mass, positivity, equilibria, and duality — to rounding."""

from dataclasses import replace
from functools import cache

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, at_least, at_most, equal

claim = Claim(
    statement=r"\tfrac{d}{dt}\textstyle\int p = 0,\quad p\ge 0,\quad A\,e^{-V}=0,\quad \langle A p,u\rangle=\langle p,A^{\top}u\rangle",
    source="mfgpde",
    standing="theorem",
    coefficients=("mass", "contrast", "depth", "drift"),
)

EPS = 2.0**-52
CORNER = "the least density is that of a corner, below 1e-140: δ is a rounding, of RKC 1e-12 of the peak"


def bound(value, error, method):
    return mfg.Estimate(float(value), float(error), mfg.Kind.BOUND, method)


PROCESS, TIMES = mfg.VariancePreserving(), np.linspace(0.05, 0.6, 6)


@cache
def marches(n):
    """Return mass and least densities at the stored times of every run, the peak of the start and the mean density."""
    box = mfg.CartesianGrid.cube(6.5, n, 2)
    runs = {
        "finite volume, RKC": (mfg.FiniteVolume(box), None),
        "finite volume, backward Euler": (
            mfg.FiniteVolume(mfg.CartesianGrid.cube(6.5, n // 2, 2)),
            mfg.integrators.BackwardEuler(),
        ),
        "finite volume, TR-BDF2": (mfg.FiniteVolume(mfg.CartesianGrid.cube(6.5, n // 2, 2)), mfg.integrators.TRBDF2()),
        "finite volume of order 4": (mfg.FiniteVolume(box, order=4), None),
        "spectral": (mfg.Spectral(box), None),
    }
    start, found = mfg.marginal(PROCESS, mfg.densities.nine_blobs(0.5), TIMES[0]), {}
    for name, (space, integrator) in runs.items():
        solution = mfg.solve(mfg.FokkerPlanck.of(PROCESS), space, start, TIMES, integrator=integrator, rtol=1e-4)
        found[name] = solution.conserved["mass"], solution.conserved["minimum"]
    return found, float(start.density(box.points).max()), 1 / (2 * 6.5) ** 2


@claim.measure
def structure(level, rng, well_balanced=True, below=0.0, aside=0.0, mass=1.0, contrast=1.0, depth=1.0, drift=1.0):
    """`below` is taken off the densities, `aside` moves the drift of the backward equation.

    Factors: `mass` of the mass at the stored times, `contrast` of the densities less their mean, which keeps mass and not
    signs, `depth` of the well whose law is put in, `drift` of the backward equation's drift.
    """
    n = Level(level).pick(64, 96, 128)
    zero, findings = mfg.exact(0.0, "the claim"), []
    runs, peak, mean = marches(n)
    for name, (masses, lowest) in runs.items():
        lost = np.abs(mass * masses / masses[0] - 1).max() / (TIMES[-1] - TIMES[0])
        findings.append(
            equal(
                f"{name}: mass lost per unit time",
                bound(lost, 100 * EPS, "sums of 1e4 cells over 1e3 stages"),
                zero,
                resolution=1.1e-13,
            )
        )
        if "Euler" in name or "RKC" in name:
            least = bound(contrast * lowest.min() + (1 - contrast) * mean - below, 0, "all cells, all stored times")
            # backward Euler is positive for every step; RKC is not, but its undershoots must stay below 1e-12 of the peak
            allowed = EPS if "Euler" in name else 1e-12 * peak
            findings.append(at_least(f"{name}: least density", least, zero, resolution=allowed, because=CORNER))

    well = mfg.processes.double_well(depth=2.0)
    equation = mfg.FokkerPlanck.of(well)
    if not well_balanced:
        equation = replace(equation, potential=None)
    wall = mfg.CartesianGrid((-2.2, -4.0), (2.2, 4.0), (n, n))
    for order in (2, 4):
        system = mfg.FiniteVolume(wall, walls="reflecting", order=order).semidiscretise(equation)
        gibbs = np.exp(-depth * well.potential(wall.points))
        speed = np.abs(system.rate(gibbs, 0.0)).max() / (system.spectral_radius(gibbs, 0.0) * gibbs.max())
        label = f"double well, order {order}: |A e^{{−V}}| over ‖A‖"
        findings.append(
            equal(label, bound(speed, 4 * EPS, "max over cells"), zero, resolution=20 * EPS)
        )  # 4 faces, ~10 roundings each

    for d, periodic in ((1, False), (2, True), (3, False)):
        grid = mfg.CartesianGrid.cube(3.0, (64, 24, 12)[d - 1], d, periodic=periodic)

        def velocity(x, t):
            return np.sin(np.pi / 3 * (x + t))

        forward = mfg.FiniteVolume(grid).semidiscretise(mfg.FokkerPlanck(velocity, PROCESS.diffusivity))
        backward = mfg.FiniteVolume(grid).semidiscretise(
            mfg.BackwardKolmogorov(lambda x, t: drift * velocity(x + aside, t), PROCESS.diffusivity)
        )
        p, u = rng.random(grid.cells), rng.standard_normal(grid.cells)
        left, right = np.vdot(forward.rate(p, 0.3), u), np.vdot(p, backward.rate(u, 0.3))
        size = np.linalg.norm(forward.rate(p, 0.3)) * np.linalg.norm(u)
        gap = bound(abs(left - right) / size, 4 * EPS, "random p, u")
        findings.append(
            at_most(
                f"{d}D{' torus' if periodic else ''}: |⟨Ap,u⟩ − ⟨p,Aᵀu⟩| relative",
                gap,
                zero,
                resolution=20 * EPS,
            )
        )
    return Evidence(findings)


@claim.control("face velocities from the drift at the face instead of differences of the potential")
def unbalanced(level, rng):
    return structure(level, rng, well_balanced=False)


@claim.control("mass off by 1e-11")
def leaking(level, rng):
    return structure(level, rng, mass=1 + 1e-11)


@claim.control("densities lower by 1e-9, the backward drift read 1e-6 aside, the law of a well 1e-6 deeper")
def below_zero(level, rng):
    return structure(level, rng, below=1e-9, aside=1e-6, depth=1 + 1e-6)
