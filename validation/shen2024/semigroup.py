"""The noised density is the kernel mean embedding of the data: Mehler's kernel, eigen-expansions and Fokker–Planck solves agree.

For Ornstein–Uhlenbeck by Hermite functions; for a double well by finite-element eigenfunctions, against finite volumes; and the
squared norm of the embedding at time t is one plus the χ² divergence at half the time.
"""

from functools import cache
from importlib.util import find_spec

import numpy as np
from scipy.special import eval_legendre

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, equal

claim = Claim(
    statement=(
        r"p_t=\mathbb E_{y\sim p_0}\,k_t(\cdot,y),\quad k_t(x,y)=\pi(x)\sum_ne^{-\lambda_nt}\varphi_n(x)\varphi_n(y),\quad"
        r"\mathbb E_{x,y\sim p_0}\frac{k_t(x,y)}{\pi(x)}=1+\chi^2(p_{t/2}\,\|\,\pi)"
    ),
    source="arXiv:2406.09084, section 3",
    standing="theorem",
    assumes=("noising reversible in π", "p_0 in L²(π) after any time"),
    coefficients=("rate",),
)

PROCESS, KAPPA = mfg.OrnsteinUhlenbeck(horizon=2.0), 0.5


SPHERE = ("sphere",)


@claim.measure
def embedding(level, rng, rate=1.0, parts=("line", "well", *SPHERE), lost=()):
    """`rate` multiplies the eigenvalues; the functions numbered in `lost` are left out of the sphere's basis."""
    findings, series = _line(level, rng, rate) if "line" in parts else ([], [])
    if find_spec("dolfinx"):
        findings += [_double_well(level, rate)] if "well" in parts else []
        findings += _sphere(rng, rate, lost) if "sphere" in parts else []
    return Evidence(findings, series)


def _line(level, rng, rate):
    """Return findings and series for Ornstein–Uhlenbeck on a line, by Hermite functions."""
    zero, findings, series = mfg.exact(0.0, "the claim"), [], []
    grid = mfg.CartesianGrid.cube(4.0, 400, 1)
    x = grid.points
    points = mfg.densities.bimodal(1).sample(200, rng)
    degrees = Level(level).pick((10, 20, 40), (10, 20, 40, 60), (10, 20, 40, 60, 80))
    for t in (0.2, 0.6):
        known = mfg.empirical_score(PROCESS, points).at(t).density(x)
        errors = []
        for degree in degrees:
            found = (
                mfg.scores.Semigroup(mfg.scores.HermiteBasis(1, degree, KAPPA)).embedding(points).density(x, rate * t)
            )
            errors.append(float(grid.integrate(np.abs(found - known))))
        left = mfg.Estimate(
            errors[-1], 1e-13, mfg.Kind.BOUND, "against the kernel, in 400 places", f"degree {degrees[-1]}"
        )
        # δ: the first function left out has faded by e^{−nt}; then rounding
        findings.append(
            equal(
                f"200 points, t = {t:g}: L¹ of expansion and Mehler's kernel",
                left,
                zero,
                resolution=max(4.5e-13, (4.5e-5 if t < 0.5 else 1.6e-12) * np.exp(-(degrees[-1] - 40) * t)),
            )
        )
        series.append(Series(f"t = {t:g}", "degree", list(degrees), "L¹ from Mehler's kernel", errors, "y"))
    findings += _solved(rate)
    findings += _norm(points, rate)
    return findings, series


@cache
def _spectral(t):
    """Return a space, a law, and what becomes of it: solved for once, whatever rate the functions have."""
    law, space = mfg.densities.bimodal(1), mfg.Spectral(mfg.CartesianGrid.cube(6.0, 256, 1))
    return space, law, mfg.solve(mfg.FokkerPlanck.of(PROCESS), space, law, (0.0, t)).at(t)


def _solved(rate):
    """Return the distance of the expansion of a smooth law from a spectral solve, at one time."""
    t, (space, law, found) = 0.5, _spectral(0.5)
    basis = mfg.scores.HermiteBasis(1, 40, KAPPA)
    nodes = mfg.CartesianGrid.cube(
        7.0, 4000, 1
    )  # moments of p_0 by the midpoint rule, exact to rounding for such widths
    moments = (basis(nodes.points) * law.density(nodes.points)[:, None]).sum(axis=0) * nodes.volume
    x = space.grid.points
    expanded = np.exp(basis.stationary(x, 0)[0]) * (basis(x) @ mfg.scores.Semigroup(basis)(moments, rate * t))
    error = float(space.grid.integrate(np.abs(expanded - found.values)))
    bar = mfg.Estimate(error, 1e-6, mfg.Kind.BOUND, "tolerance of the solve")
    return [
        equal(
            "two blobs, t = 0.5: L¹ of expansion and spectral solve", bar, mfg.exact(0.0, "the claim"), resolution=5e-6
        )
    ]


def _norm(points, rate):
    """Return the squared norm by pairs of points against χ² on a grid."""
    t, grid, basis = 0.6, mfg.CartesianGrid.cube(5.0, 1000, 1), mfg.scores.HermiteBasis(1, 60, KAPPA)
    pairs = mfg.scores.Semigroup(basis).embedding(points).norm_squared(rate * t)
    half = mfg.empirical_score(mfg.OrnsteinUhlenbeck(horizon=4.0), points).at(t / 2).density(grid.points)
    chi = float(grid.integrate(half**2 / np.exp(basis.stationary(grid.points, 0)[0])))
    return [
        equal(
            "‖embedding‖² and 1 + χ² at half the time",
            mfg.Estimate(pairs, np.exp(-61 * t) * pairs * 60, mfg.Kind.BOUND, "60 Hermite functions"),
            mfg.Estimate(chi, 1e-6 * chi, mfg.Kind.BOUND, "trapezoid rule"),
            resolution=4e-6 * chi,
        )
    ]


@cache
def _in_one_well(cells, reach, t):
    """Return functions, a law, and by volumes what becomes of it: solved for once, whatever rate the functions have."""
    process = mfg.processes.double_well(depth=1.5, scale=np.sqrt(2.0))  # generator Δ − ∇V·∇, reflected at ±2
    space = mfg.FiniteElement(mfg.meshes.interval(-reach, reach, 64), degree=3)
    basis = mfg.finite_element.FiniteElementBasis(mfg.processes.MarkovGenerator.of(process), space, 24)
    start, line = mfg.gaussian([0.9], [[0.02]]), mfg.CartesianGrid.cube(reach, cells, 1)
    solved = mfg.solve(mfg.FokkerPlanck.of(process), mfg.FiniteVolume(line), start, (0.0, t)).at(t).values
    return basis, start, line, solved


@cache
def _on_sphere(count):
    """Return the lowest functions of a sphere, by cubic elements."""
    space = mfg.FiniteElement(mfg.meshes.sphere(1.0, 8), 3)
    return mfg.finite_element.FiniteElementBasis(mfg.processes.MarkovGenerator(), space, count, count)


def _double_well(level, rate):
    """Return the distance of the finite-element expansion from a finite-volume solve, for a law in one well."""
    cells, reach, t = Level(level).pick(200, 400, 800), 2.0, 0.4
    basis, start, line, solved = _in_one_well(cells, reach, t)
    nodes, x = mfg.CartesianGrid.cube(reach, 2000, 1), line.points
    moments = (basis(nodes.points) * start.density(nodes.points)[:, None]).sum(axis=0) * nodes.volume
    values = np.exp(basis.stationary(x, 0)[0]) * (basis(x) @ mfg.scores.Semigroup(basis)(moments, rate * t))
    error = float(line.integrate(np.abs(values - solved)))
    bar = mfg.Estimate(error, 1e-12, mfg.Kind.BOUND, "as solved for", f"{cells} volumes, 64 elements")
    small = 1.7e-4 * (200 / cells) ** 2  # volumes are of order two
    return equal(
        "double well: L¹ of finite-element expansion and volumes", bar, mfg.exact(0.0, "the claim"), resolution=small
    )


def _sphere(rng, rate, lost):
    """Return the spectrum against l(l+1), each as often as there are harmonics, and an embedding against Legendre's series.

    Six degrees have 36 functions; the rest of the series, from degree six on, is its bar. The embedding would not notice a
    function of degree five missing, which has faded by e^{−9}: the spectrum does. Functions that are lost are replaced by
    the next ones, as by a solver that overlooks a copy.
    """
    count = 36 + len(lost)
    basis = _on_sphere(37)  # one more than is asked for, so that one may be lost
    kept = np.setdiff1d(np.arange(count), lost)
    points = rng.normal(size=(8, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    grid, tau, degrees = basis.discretisation.grid, 0.3, np.arange(30)
    on_sphere = grid.points / np.linalg.norm(grid.points, axis=1, keepdims=True)
    cosines = np.clip(on_sphere @ points.T, -1, 1)
    fading = (2 * degrees + 1) / (4 * np.pi) * np.exp(-degrees * (degrees + 1) * tau)
    known = sum(w * eval_legendre(k, cosines) for k, w in zip(degrees, fading, strict=True)).mean(axis=1)
    values, there = basis(grid.points)[:, kept], basis(points)[:, kept]
    fades = np.exp(-rate * basis.eigenvalues[kept] * tau)
    found = np.exp(basis.stationary(grid.points, 0)[0]) * (values @ (fades * there.mean(axis=0)))
    # degree six is the first left out: |P_l| ≤ 1 bounds all that is
    bar = mfg.Estimate(
        float(grid.integrate(np.abs(found - known))), 4 * np.pi * fading[6:].sum(), mfg.Kind.BOUND, "degrees 0 to 5"
    )
    harmonics = np.concatenate([[degree * (degree + 1.0)] * (2 * degree + 1) for degree in range(6)])
    off = float(np.abs(rate * basis.eigenvalues[kept] - harmonics).max())
    return [
        equal("sphere: L¹ of elements and Legendre's series", bar, mfg.exact(0.0, "the claim"), resolution=2.4e-4),
        equal(
            "sphere: the lowest 36 eigenvalues, each copy counted, from l(l + 1)",
            mfg.Estimate(off, 1e-4, mfg.Kind.BOUND, "elements of degree three"),
            mfg.exact(0.0, "2l + 1 harmonics of each degree"),
            resolution=7e-4,
        ),
    ]


@claim.control("eigenvalues half as large again")
def faster(level, rng):
    return embedding(level, rng, rate=1.5)


@claim.control("one of the eleven copies of the sphere's sixth eigenvalue missing")
def a_copy_missing(level, rng):
    return embedding(level, rng, parts=SPHERE, lost=(30,))
