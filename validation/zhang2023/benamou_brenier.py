"""The game with a prescribed end is optimal transport: its cost is W₂²/2T, its densities the displacement interpolation.

The interval [dual, primal] of the discrete problem must hold W₂²/2T of two Gaussians in the plane up to the discretisation, which two grids show.
"""

from functools import cache

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, equal

claim = Claim(
    statement=(
        r"\min\Big\{\int_0^T\!\!\int\tfrac12|v|^2\rho:\ \rho(0)=\rho_0,\ \rho(T)=\rho_1\Big\}=\frac{W_2^2(\rho_0,\rho_1)}{2T},"
        r"\qquad \rho(\tau)=\big((1-\tfrac\tau T)\mathrm{id}+\tfrac\tau T\nabla\varphi\big)_\#\rho_0"
    ),
    source="arXiv:2304.13534, section 3.1; Benamou, Brenier, Numer. Math. 84 (2000)",
    standing="theorem",
    assumes=("no noise",),
    coefficients=("time", "way"),
)

FROM, TO = ((-0.5, 0.1), ((0.3, 0.1), (0.1, 0.2))), ((0.5, -0.2), ((0.15, -0.05), (-0.05, 0.35)))


def interpolation(share):
    """Return the Gaussian between both: mean and covariance of (1 − s)x + s·Ax, A the optimal linear map."""
    (a, A), (b, B) = ((np.array(m), np.array(C)) for m, C in (FROM, TO))
    root = _root(A)
    inverse = np.linalg.inv(root)
    M = (1 - share) * np.eye(2) + share * inverse @ _root(root @ B @ root) @ inverse
    return mfg.gaussian((1 - share) * a + share * b, M @ A @ M)


def _root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(values)) @ vectors.T


@cache
def solved(time, n, tolerance):
    """Return the equilibrium on n² cells, whatever it is compared with."""
    game = mfg.games.benamou_brenier(*(mfg.gaussian(np.array(m), np.array(C)) for m, C in (FROM, TO)), time)
    return mfg.equilibrium(game, mfg.CartesianGrid.cube(3.0, n, 2), steps=n // 2, tolerance=tolerance)


@claim.measure
def transport(level, time=1.0, way=1.0, mixed=False):
    """`time` multiplies the horizon of the game that is solved, `way` τ/T in the interpolation.

    Half-way `mixed` is half of either end.
    """
    sizes, tolerance = Level(level).pick(((24, 36), 2e-3), ((28, 42), 1.5e-3), ((48, 72), 5e-4))
    source, target = (mfg.gaussian(np.array(m), np.array(C)) for m, C in (FROM, TO))
    exact = 0.5 * mfg.transport.wasserstein_gaussian(*map(np.array, (*FROM, *TO))) ** 2
    middle, rows = interpolation(0.5 * way).density, []
    if mixed:

        def middle(x):
            return 0.5 * (source.density(x) + target.density(x))

    for n in sizes:
        found = solved(time, n, tolerance)
        k = len(found.times) // 2
        rows.append((found, float(found.grid.integrate(np.abs(found.densities[k] - middle(found.grid.points))))))
    (rough, rough_law), (fine, fine_law) = rows
    bar = (
        abs(fine.discrete_optimum.value - rough.discrete_optimum.value)
        + fine.discrete_optimum.half_width
        + rough.discrete_optimum.half_width
    )
    cost = mfg.Estimate(
        fine.discrete_optimum.value, bar, mfg.Kind.BOUND, f"gap, and change from {sizes[0]}²", f"{sizes[1]}² cells"
    )
    # the density is where the cost is flat: an L¹ error of the root of the gap
    near = mfg.Estimate(
        fine_law,
        abs(fine_law - rough_law) + np.sqrt(2 * (fine.discrete_primal - fine.discrete_dual)),
        mfg.Kind.EXTRAPOLATED,
        "same",
    )
    findings = [
        # δ: cells and the gap, which is halved with h²
        equal("cost", cost, mfg.exact(exact, "W₂²/2 of Gaussians"), resolution=7.5 * tolerance),
        equal(
            "L¹ from the interpolation half-way", near, mfg.exact(0.0, "displacement interpolation"), resolution=0.15
        ),
    ]
    count = list(range(1, len(fine.history) + 1))
    return Evidence(
        findings, [Series("24…72 cells", "looks at the gap", count, "primal − dual", list(fine.history), "xy")]
    )


@claim.control("a horizon 1.2 times as long")
def longer(level):
    return transport(level, time=1.2)


@claim.control("half of either end half-way: mass that does not move")
def mixture(level):
    return transport(level, mixed=True)
