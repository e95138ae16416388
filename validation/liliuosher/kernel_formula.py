"""The regularised Wasserstein proximal operator: kernel formula, coupled equations and dynamic cost agree, and β → 0 is at rate β.

A quadratic potential has closed forms; a double well is solved for by Newton's method on the coupled equations, which knows nothing
of kernels. Without noise the operator pushes forward by the proximal map of V, found pointwise.
"""

import numpy as np
from scipy.special import ndtr

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, equal

claim = Claim(
    statement=(
        r"\rho_T=\int\frac{e^{-(V(x)+|x-y|^2/2T)/2\beta}}{\int e^{-(V(z)+|z-y|^2/2T)/2\beta}dz}\rho_0(y)\,dy,\qquad "
        r"W_2(\rho_T^\beta,\ (\mathrm{prox}_{TV})_\#\rho_0)=O(\beta)"
    ),
    source="arXiv:2301.10301",
    standing="theorem",
    assumes=("L = ½|v|²", "V bounded below"),
    coefficients=("beta",),
)

BETA, HORIZON, CURVATURE = 0.2, 0.5, 3.0
MEAN, COVARIANCE = np.array([0.7, -0.4]), np.array([[0.4, 0.15], [0.15, 0.3]])


def double_well(x):
    """Return 0.6 (x² − 1)²."""
    return 0.6 * (x[..., 0] ** 2 - 1) ** 2


def bowl(x):
    """Return ½·CURVATURE·|x|²."""
    return 0.5 * CURVATURE * np.sum(x * x, axis=-1)


@claim.measure
def formula(level, beta=1.0, longer=1.0):
    """`beta` multiplies the regularisation in the kernel formula only, `longer` the horizon of the proximal map only."""
    findings = []
    shrink = 1 / (1 + CURVATURE * HORIZON)
    truth = mfg.gaussian(shrink * MEAN, shrink**2 * COVARIANCE + 2 * BETA * HORIZON * shrink * np.eye(2))
    cost = 0.5 * CURVATURE * shrink * (np.trace(COVARIANCE) + MEAN @ MEAN) + 2 * BETA * np.log(1 / shrink)
    source = mfg.gaussian(MEAN, COVARIANCE)
    n = Level(level).pick(72, 96, 128)
    grid = mfg.CartesianGrid.cube(5.5, n, 2)
    found = mfg.wasserstein_proximal(source.density(grid.points), bowl, grid, horizon=HORIZON, beta=beta * BETA)
    law = float(grid.integrate(np.abs(found.density.values - truth.density(grid.points))))
    bars = owed(source, grid, float(found.value.values.max()))
    for what, error, bar in zip(("L¹ of ρ_T", "cost"), (law, abs(found.cost - cost)), bars, strict=True):
        bound = mfg.Estimate(error, bar, mfg.Kind.BOUND, f"{n}² cells, walls and lattice bounded")
        findings.append(
            equal(f"bowl in the plane: {what}", bound, mfg.exact(0.0, "closed form"), resolution=DELTA[what])
        )
    findings += _wells(level, beta)
    rates, series = _limit(level, beta, longer)
    return Evidence([*findings, *rates], series)


DELTA = {"L¹ of ρ_T": 1e-11, "cost": 3.5e-10}
"""of the bowl: mass beyond the walls, and roundings of sums of size one"""


def owed(source, grid, largest):
    """Return bounds of what walls and the lattice change of the law in L¹, and of the cost, where U ≤ `largest`.

    All sums are of Gaussians of variance v over the lattice, off by 2Σe^{−2π²j²v/h²} an axis; the least v is that of kernel
    and bowl, 1/(1/2βT + CURVATURE/2β), or of the kernel against the start. What is beyond the walls keeps its mass.
    """
    least = float(np.linalg.eigvalsh(COVARIANCE).min())
    spread = 2 * BETA * HORIZON * (1 + CURVATURE * HORIZON)  # of the place that the kernel takes to another
    v = min(1 / (1 / (2 * BETA * HORIZON) + CURVATURE / (2 * BETA)), 1 / (1 / least + 1 / spread))
    alias = 9 * float(np.exp(-2 * np.pi**2 * v / float(max(grid.spacing)) ** 2))
    deviations = np.sqrt(np.diagonal(source.covariances, axis1=1, axis2=2))
    outside = 2 * float(ndtr(-(float(grid.upper[0]) - np.abs(source.means)) / deviations).sum())
    law = alias + 4 * outside + 2e-12
    return law, law * largest


def _wells(level, beta):
    """Return findings on the double well: kernel formula against Newton's method on two grids."""
    start, rows = mfg.gaussian([0.3], [[0.3]]), []
    for n in Level(level).pick((96, 192), (128, 256), (256, 512)):
        grid = mfg.CartesianGrid.cube(3.5, n, 1)
        kernel = mfg.wasserstein_proximal(
            start.density(grid.points), double_well, grid, horizon=HORIZON, beta=beta * BETA
        )
        game = mfg.games.proximal_operator(start, double_well, HORIZON, beta=BETA)
        coupled = mfg.equilibrium(game, grid, method="newton", steps=n // 2)
        near = kernel.density.values > 1e-3
        rows.append(
            (
                mfg.l1_distance(kernel.density, coupled.density(-1)),
                float(np.abs(kernel.value.values - coupled.values[0])[near].max()),
                abs(kernel.cost - coupled.discrete_primal),
                n,
            )
        )
    found = []
    for k, (what, resolution) in enumerate((("L¹ of ρ_T", 8e-3), ("U(0)", 3e-3), ("cost", 2e-3))):
        (a, b) = (row[k] for row in rows)
        error = mfg.Estimate(
            b, abs(a - b) / 2, mfg.Kind.EXTRAPOLATED, f"{rows[1][3]} cells, half the change from {rows[0][3]}"
        )
        found.append(
            equal(
                f"double well, against the coupled equations: {what}",
                error,
                mfg.exact(0.0, "the same"),
                resolution=resolution,
            )
        )
    return found


def _limit(level, beta, longer):
    """Return the rate at which W₂ to the push-forward by the proximal map vanishes, for the bowl along one axis."""
    betas = np.array(Level(level).pick((0.02, 0.01), (0.02, 0.01, 0.005), (0.02, 0.01, 0.005, 0.0025)))
    grid = mfg.CartesianGrid.cube(3.0, 384, 1)
    start, shrink = mfg.gaussian([0.5], [[0.3]]), 1 / (1 + CURVATURE * HORIZON)
    mapped = 1 / (1 + CURVATURE * longer * HORIZON)
    pushed = mfg.gaussian([0.5 * mapped], [[0.3 * mapped**2]]).density(grid.points)
    distances = []
    for b in betas:
        found = mfg.wasserstein_proximal(start.density(grid.points), bowl, grid, horizon=HORIZON, beta=beta * b)
        distances.append(mfg.wasserstein(found.density.values, pushed, grid))
    slope = float(np.log(distances[-2] / distances[-1]) / np.log(betas[-2] / betas[-1]))
    # W₂ = √(σ² + 2βTS) − σ with σ² = 0.048, S = 0.4: the second order is 2βTS/4σ² = 2 % of the first at β = 0.01
    exact = float(np.sqrt(0.3 * shrink**2 + 2 * betas[-1] * HORIZON * shrink) - np.sqrt(0.3) * shrink)
    rate = mfg.Estimate(slope, 0.04, mfg.Kind.EXTRAPOLATED, f"between β = {betas[-2]:g} and {betas[-1]:g}")
    last = mfg.Estimate(distances[-1], 1e-5, mfg.Kind.EXTRAPOLATED, "quantiles on 384 cells")
    findings = [
        equal("rate of W₂ to the proximal map's push-forward in β", rate, mfg.exact(1.0, "expansion"), resolution=0.1),
        equal(f"W₂ at β = {betas[-1]:g}", last, mfg.exact(exact, "two Gaussians"), resolution=8e-5),
    ]
    return findings, [Series("bowl, 1D", "β", betas.tolist(), "W₂ to the unregularised operator", distances, "xy")]


@claim.control("half the regularisation in the kernel")
def half(level):
    return formula(level, beta=0.5)


@claim.control("a proximal map of a horizon a fifth longer")
def farther(level):
    return Evidence(_limit(level, 1.0, 1.2)[0])
