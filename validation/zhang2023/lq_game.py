"""Linear-quadratic games: the value stays quadratic, the density Gaussian; the coefficients solve a matrix Riccati equation.

U = ½xᵀA(τ)x + κ log det(I + (T − τ)Q), A = (Q⁻¹ + (T − τ)I)⁻¹, and densities N(m, C) with the flow's mean and covariance.
"""

import numpy as np
from scipy.special import erfc

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, equal

claim = Claim(
    statement=(
        r"U(x,\tau)=\tfrac12x^\top A(\tau)x+\kappa\log\det(I+(T-\tau)Q),\quad A=(Q^{-1}+(T-\tau)I)^{-1},"
        r"\quad \rho_T=\mathcal N(Sm_0,\,SC_0S+2\kappa\textstyle\int_0^T S_{T\tau}^2d\tau)"
    ),
    source="arXiv:2304.13534",
    standing="theorem",
    assumes=("L = ½|v|²", "no drift", "quadratic terminal cost"),
    coefficients=("viscosity", "weight"),
)

KAPPA, HORIZON, WALL = 0.5, 0.5, 5.0
CASES = {
    1: (np.array([0.6]), np.array([[0.5]]), np.array([[4.0]])),
    2: (np.array([0.5, -0.3]), np.array([[0.5, 0.2], [0.2, 0.4]]), np.array([[3.0, 1.0], [1.0, 2.0]])),
    3: (np.array([0.4, -0.2, 0.3]), 0.3 * np.eye(3) + 0.1, np.diag([3.0, 2.0, 1.0]) + 0.3),
}


def reference(dimension):
    """Return A(0), the constant, and mean and covariance at T; S_{Tτ} = (I + (T − τ)Q)⁻¹ and 2κ∫S² dτ = 2κT (I + TQ)⁻¹."""
    mean, covariance, Q = CASES[dimension]
    eye = np.eye(dimension)
    S = np.linalg.inv(eye + HORIZON * Q)
    constant = KAPPA * np.linalg.slogdet(eye + HORIZON * Q)[1]
    return Q @ S, constant, S @ mean, S @ covariance @ S + 2 * KAPPA * HORIZON * S


def errors(dimension, cells, steps, method, viscosity, weight):
    """Return the largest error of U(0) where the mass is, that of mean and covariance at T, and that of the cost, in the box."""
    mean, covariance, Q = CASES[dimension]
    game = mfg.MeanFieldGame(
        mfg.gaussian(mean, covariance),
        mfg.games.Potential(lambda x, t: 0.5 * weight * np.einsum("...i,ij,...j->...", x, Q, x)),
        HORIZON,
        viscosity=viscosity * KAPPA,
    )
    grid = mfg.CartesianGrid.cube(WALL, cells, dimension)
    found = mfg.equilibrium(game, grid, method=method, steps=steps)
    A, constant, end_mean, end_covariance = reference(dimension)
    x = grid.points
    truth = 0.5 * np.einsum("...i,ij,...j->...", x, A, x) + constant
    near = np.linalg.norm(x - mean, axis=-1) < 1.5
    law = found.densities[-1] * grid.volume
    m = np.tensordot(law, x, axes=dimension)
    y = (x - m).reshape(-1, dimension)
    C = (y * law.reshape(-1, 1)).T @ y
    moments = max(np.abs(m - end_mean).max(), np.abs(C - end_covariance).max())
    cost = 0.5 * (np.trace(A @ covariance) + mean @ A @ mean) + constant
    return np.abs(found.values[0] - truth)[near].max(), moments, abs(found.discrete_primal - cost)


def known(dimension, cells, steps):
    """Return by how much the entropic numbers may be off, a priori: the sums over cells that stand for integrals, and walls.

    A sum of cell width h is off from the integral of a Gaussian of deviation σ by 2e^{−2π²σ²/h²}, relative; the narrowest
    integrand is the noise of a step times e^{−xᵀQx/4κ}. It moves U by 2κ of that, at each step and axis. Beyond the walls
    lies a tail of the initial law, which pays at most what the corner pays.
    """
    mean, covariance, Q = CASES[dimension]
    narrow = 1 / (steps / (2 * KAPPA * HORIZON) + np.linalg.eigvalsh(Q).max() / (2 * KAPPA))
    sums = 2 * np.exp(-2 * np.pi**2 * narrow * (cells / (2 * WALL)) ** 2) * 2 * KAPPA * steps * dimension
    tail = sum(erfc((WALL - abs(m)) / np.sqrt(2 * v)) for m, v in zip(mean, np.diag(covariance), strict=True))
    return sums + tail * (0.5 * np.linalg.eigvalsh(Q).max() * dimension * WALL**2) + 1e-9


DELTA = {1: 1.2e-7, 2: 9e-8}
"""sums over cells leave 2.5e-8"""


@claim.measure
def riccati(level, viscosity=1.0, weight=1.0):
    """`viscosity` and `weight` multiply those of the game that is solved, not those of the reference."""
    findings, series, steps = [], [], 4
    zero = mfg.exact(0.0, "Riccati")
    delta = DELTA | {3: Level(level).pick(2.5e-6, 4.8e-9, 4.8e-9)}  # 5e-7 over 32 cells a side in space, 1e-9 over 40
    for dimension, cells in {1: 128, 2: 64, 3: Level(level).pick(32, 40, 48)}.items():
        bar = known(dimension, cells, steps)
        for name, off in zip(
            ("U(0)", "moments at T", "cost"),
            errors(dimension, cells, steps, "entropic", viscosity, weight),
            strict=True,
        ):
            error = mfg.Estimate(off, bar, mfg.Kind.BOUND, f"{cells} cells a side: sums over cells, tails beyond walls")
            findings.append(equal(f"{dimension}D, entropic: {name}", error, zero, resolution=delta[dimension]))
    sizes = Level(level).pick((128, 256), (128, 256, 512), (128, 256, 512, 1024))
    table = [errors(1, n, n // 2, "newton", viscosity, weight)[0] for n in sizes]
    order = float(np.log2(table[-2] / table[-1]))
    where = f"{sizes[-2]} and {sizes[-1]} cells, as many half steps"
    measured = mfg.Estimate(order, 1e-4, mfg.Kind.BOUND, "log₂ of errors", where)
    findings.append(equal("1D, Newton: order of U(0)", measured, mfg.exact(2.0, "midpoint rule"), resolution=0.07))
    series.append(Series("U(0), Newton", "cells", sizes, "largest error", table, "xy"))
    return Evidence(findings, series)


@claim.control("κ 5 % larger")
def more_noise(level):
    return riccati(level, viscosity=1.05)


@claim.control("the terminal cost 5 % larger")
def steeper(level):
    return riccati(level, weight=1.05)
