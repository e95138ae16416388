"""A score-based model is the Wasserstein proximal operator of the cross-entropy: it inverts the heat flow.

With V = −2β log π the kernel is K(x, y) = π(x)G(x − y)/(G∗π)(y), so that ρ_0 = G∗π comes back as π; the value function is that of
the score-based model of Brownian motion, −2β log of the noised density, and its gradient the score. The generic game solver, told
only costs and dynamics, does the same.
"""

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, equal

claim = Claim(
    statement=(
        r"V=-2\beta\log\pi,\ \rho_0=G_{2\beta T}*\pi\ \Rightarrow\ \mathrm{WProx}_{TV,\beta}(\rho_0)=\pi,\quad "
        r"U(\cdot,0)=-2\beta\log(G_{2\beta T}*\pi),\quad \text{cost}=2\beta\cdot\text{entropy of }\rho_0"
    ),
    source="arXiv:2402.06162, section 3",
    standing="theorem",
    assumes=("π positive",),
    coefficients=("potential", "noise"),
)

BETA, HORIZON = 0.5, 0.4


@claim.measure
def inverse(level, rng, potential=1.0, noise=1.0):
    """`potential` multiplies V, `noise` the variance with which ρ_0 was made from π."""
    findings = []
    cases = {
        "1D, two blobs": (mfg.densities.bimodal(1), Level(level).pick(96, 128, 256)),
        "2D, four blobs": (mfg.densities.four_blobs(), Level(level).pick(72, 96, 128)),
    }
    if Level(level) is not Level.QUICK:
        cases["3D, two blobs"] = (mfg.densities.bimodal(3), 48)
    process = mfg.Brownian(horizon=HORIZON * noise)  # variance t, as that of √(2β) dW with β = ½
    for name, (law, cells) in cases.items():
        grid = mfg.CartesianGrid.cube(7.0 if law.dimension < 3 else 6.0, cells, law.dimension)
        noised = mfg.marginal(process, law, HORIZON * noise)
        x, start = grid.points, noised.density(grid.points)

        def V(y, law=law):
            return -2 * BETA * potential * law.log_density(y)

        found = mfg.wasserstein_proximal(start, V, grid, horizon=HORIZON, beta=BETA)
        target = law.density(x)
        missed = float(grid.integrate(np.abs(found.density.values - target)))
        near = start > 1e-4 * start.max()  # further out the walls are seen
        value = float(np.abs(found.value.values + 2 * BETA * noised.log_density(x))[near].max())
        entropy = -2 * BETA * float(grid.integrate(start * noised.log_density(x)))
        game = mfg.equilibrium(mfg.games.proximal_operator(noised, V, HORIZON, beta=BETA), grid, steps=2)
        cost = mfg.exact(game.discrete_optimum.value, game.method)
        zero = mfg.exact(0.0, "closed form")
        # sums over the lattice are exact to rounding for the blobs' widths, in 3D to 1e-4; mass beyond the walls is 1e-6
        size = 1e-4 if law.dimension < 3 else 5e-3
        for what, error in (("L¹ from π", missed), ("U(0) + 2β log G∗π", value)):
            findings.append(
                equal(
                    f"{name}: {what}",
                    mfg.Estimate(error, 0.2 * size, mfg.Kind.EXTRAPOLATED, f"{cells} cells a side"),
                    zero,
                    resolution=size,
                )
            )
        findings.append(
            equal(
                f"{name}: cost of the game",
                cost,
                mfg.Estimate(entropy, 0.2 * size, mfg.Kind.EXTRAPOLATED, "entropy"),
                resolution=size,
            )
        )
    return Evidence(findings + _sampled(level, rng, potential, noise))


def _sampled(level, rng, potential, noise):
    """Return the same in six dimensions, where means over the noise stand for quadrature."""
    law, d = mfg.densities.bimodal(6), 6
    process = mfg.Brownian(horizon=HORIZON * noise)
    noised = mfg.marginal(process, law, HORIZON * noise)
    start = noised.sample(Level(level).pick(8000, 16_000, 32_000), rng)
    known = {"horizon": HORIZON, "beta": BETA, "draws": 512, "rng": rng}
    found = mfg.equilibria.proximal_by_sampling(start, lambda x: -2 * BETA * potential * law.log_density(x), **known)
    energy = float(law.weights @ (np.trace(law.covariances, axis1=1, axis2=2) + np.sum(law.means**2, axis=1)))
    entropy = mfg.diagnostics.mean_interval(-2 * BETA * noised.log_density(noised.sample(200_000, rng)))
    cases = {
        "∫|x|²ρ_T": (found.mean(lambda x: np.sum(x * x, axis=-1)), mfg.exact(energy, "moments of π"), 0.3),
        "cost": (found.value, entropy, 0.3),
    }
    # δ: a tenth of the value; 99 % intervals and the bias of 512 draws are a third of that
    return [equal(f"{d}D, by sampling: {what}", a, b, resolution=size) for what, (a, b, size) in cases.items()]


@claim.control("half the cross-entropy")
def weaker(level, rng):
    return inverse(level, rng, potential=0.5)


@claim.control("a start noised by 5 % more")
def noisier(level, rng):
    return inverse(level, rng, noise=1.05)
