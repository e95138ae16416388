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
    """Return findings on the double well: kernel formula against Newton's method, both on the same cells."""
    start, n = mfg.gaussian([0.3], [[0.3]]), Level(level).pick(192, 256, 512)
    grid = mfg.CartesianGrid.cube(3.5, n, 1)
    kernel = mfg.wasserstein_proximal(start.density(grid.points), double_well, grid, horizon=HORIZON, beta=beta * BETA)
    game = mfg.games.proximal_operator(start, double_well, HORIZON, beta=BETA)
    coupled = mfg.equilibrium(game, grid, method="newton", steps=n // 2)
    near = kernel.density.values > 1e-3
    apart = {
        "L¹ of ρ_T": (mfg.l1_distance(kernel.density, coupled.density(-1)), 4e-3),
        "U(0)": (float(np.abs(kernel.value.values - coupled.values[0])[near].max()), 8e-4),
        "cost": (abs(kernel.cost - coupled.discrete_primal), 4.5e-4),
    }
    # Newton's steps end far below
    return [
        equal(
            f"double well, against the coupled equations: {what}",
            mfg.Estimate(value, 1e-7, mfg.Kind.BOUND, "both solved to rounding", f"{n} cells"),
            mfg.exact(0.0, "the same"),
            resolution=resolution,
        )
        for what, (value, resolution) in apart.items()
    ]


SPREAD, CENTRE = 0.3, 0.5
"""of the start of the bowl on the line"""


def _limit(level, beta, longer):
    """Return the rate at which W₂ to the push-forward by the proximal map vanishes, for the bowl along one axis."""
    betas = np.array(Level(level).pick((0.02, 0.01), (0.02, 0.01, 0.005), (0.02, 0.01, 0.005, 0.0025)))
    grid, distances = mfg.CartesianGrid.cube(4.0, 512, 1), []
    start, shrink = mfg.gaussian([CENTRE], [[SPREAD]]), 1 / (1 + CURVATURE * HORIZON)
    mapped = 1 / (1 + CURVATURE * longer * HORIZON)
    pushed = CENTRE * mapped, SPREAD * mapped**2
    for b in betas:
        found = mfg.wasserstein_proximal(start.density(grid.points), bowl, grid, horizon=HORIZON, beta=beta * b)
        distances.append(between_gaussians(moments(found.density, start, 2 * beta * b * HORIZON * shrink), pushed))
    coarse, fine = distances[-2:]
    own = coarse.half_width / coarse.value + fine.half_width / fine.value
    # W₂ = √(σ² + 2βTS) − σ: its slope in log β is between ½(1 + σ/√(σ² + 2βTS)) at the larger β and one
    variance = SPREAD * shrink**2
    left = 0.5 * (1 - np.sqrt(variance / (variance + 2 * betas[-2] * HORIZON * shrink)))
    slope = float(np.log(coarse.value / fine.value) / np.log(betas[-2] / betas[-1]))
    where = f"between β = {betas[-2]:g} and {betas[-1]:g}, and what their square leaves"
    rate = mfg.Estimate(slope, float(left + 1.1 * own / np.log(betas[-2] / betas[-1])), fine.kind, where)
    exact = float(np.sqrt(variance + 2 * betas[-1] * HORIZON * shrink) - np.sqrt(variance))
    findings = [
        equal("rate of W₂ to the proximal map's push-forward in β", rate, mfg.exact(1.0, "expansion"), resolution=0.1),
        equal(f"W₂ at β = {betas[-1]:g}", fine, mfg.exact(exact, "two Gaussians"), resolution=2.5e-7),
    ]
    values = [one.value for one in distances]
    return findings, [Series("bowl, 1D", "β", betas.tolist(), "W₂ to the unregularised operator", values, "xy")]


def moments(law, start, least):
    """Return mean and variance of the proximal operator's law by sums over the lattice, and a bound of what each is off.

    Kernels of variance `least` are summed, off by 2Σe^{−2π²j²·least/h²} of at most the box's side squared; what is beyond the
    walls of the start keeps its mass, and comes no farther than it was.
    """
    x, h = law.grid.points[:, 0], float(law.grid.spacing[0])
    p = law.values * h
    mean = float(p @ x)
    reach = float(law.grid.upper[0])
    alias = 9 * float(np.exp(-2 * np.pi**2 * least / h**2)) * (2 * reach) ** 2
    far = mfg.solvers.tail(start, reach, [2 * reach**2, 0.0, 2.0])
    return mean, float(p @ (x - mean) ** 2), alias + far + 1e-12 * reach**2


def between_gaussians(found, other):
    """Return W₂ of two Gaussians on the line, the first known by its moments: a bowl's kernel makes Gaussians of Gaussians.

    By moments alone, whatever the laws, it is a bound from below (Gelbrich).
    """
    (m, v, off), (c, u) = found, other
    value = float(np.hypot(m - c, np.sqrt(v) - np.sqrt(u)))
    return mfg.Estimate(value, off + off / np.sqrt(v - off), mfg.Kind.BOUND, "moments by sums over a lattice, bounded")


@claim.control("half the regularisation in the kernel")
def half(level):
    return formula(level, beta=0.5)


@claim.control("a proximal map of a horizon a fifth longer")
def farther(level):
    return Evidence(_limit(level, 1.0, 1.2)[0])
