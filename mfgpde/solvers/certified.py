"""Integrals of formulas over boxes with a bound of what quadrature leaves, from Taylor coefficients in intervals.

Gauss's rule with m points misses ∫f over an interval of length h by h^{2m+1} (m!)⁴/((2m+1) (2m)!²)·c_{2m} with a
Taylor coefficient c_{2m} of f somewhere on it, and by at most 4 (h/2)^{k+1}/2^{k−1}·|c_k| for k ≤ 2m, by Bernstein's
bound of best polynomials. `core.taylor` encloses the c_k, so every bar is a bound, up to rounding. In a box the rules of
the axes are taken one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.core.taylor import Jet, NotEnclosed, called
from mfgpde.densities import GaussianMixture

POINTS = {1: 8, 2: 6, 3: 4}
"""of Gauss's rule along an axis, by dimension"""
BEGIN = {1: 32, 2: 12, 3: 6}
"""pieces of an axis, at first"""
MOST = {1: 20_000, 2: 40_000, 3: 40_000}
"""cells: then the bar is what it is"""
AT_ONCE = 4000
"""cells whose coefficients are enclosed at a time"""
ROUNDINGS = 64 * 2.0**-52
"""of the integral of |f|"""


def certified_integral(
    f: Callable[..., Any], lower: ArrayLike, upper: ArrayLike, *, tolerance: float = 1e-12, cells: int | None = None
) -> Estimate:
    """Return ∫f over the box [lower, upper] in one to three dimensions, with a bound of what quadrature leaves.

    `f(x, y, …)` is a formula: arithmetic, powers, and NumPy's exp, log, sqrt, sin, cos, tanh of its coordinates, which are
    arrays of points or Taylor coefficients on intervals. Cells are halved where most is left, until all together leave
    `tolerance` (absolute, in the unit of the integral) or there are too many: the bar says what was reached. `cells` is
    their number along an axis at first.

    Raises ValueError for a box that is empty or not finite and a tolerance that is not positive, NotEnclosed for what is no
    formula or has a pole.

    >>> found = mfg.solvers.certified_integral(lambda x: np.exp(-x**2), 0.0, 3.0)
    >>> print(f"{found.value:.12f}", found.half_width < 2e-12, found.kind.name)  # √π/2 erf 3
    0.886207348260 True BOUND
    """
    low, high = np.atleast_1d(np.asarray(lower, dtype=float)), np.atleast_1d(np.asarray(upper, dtype=float))
    d = len(low)
    if low.shape != high.shape or low.ndim != 1 or d not in POINTS:
        raise ValueError(f"a box has two corners in one to three dimensions, got {lower!r} and {upper!r}")
    if not (np.all(np.isfinite(low)) and np.all(np.isfinite(high)) and np.all(low < high)):
        raise ValueError(f"the box is to be finite and not empty, got {lower!r} to {upper!r}; bound the rest by `tail`")
    if not tolerance > 0:
        raise ValueError(f"a tolerance is positive, got {tolerance!r}")
    n = BEGIN[d] if cells is None else int(cells)
    edges = [a + (b - a) * np.arange(n + 1) / n for a, b in zip(low, high, strict=True)]
    new = np.stack([np.stack([one.ravel() for one in np.meshgrid(*[e[s] for e in edges], indexing="ij")], axis=-1)
                    for s in (slice(None, -1), slice(1, None))])  # fmt: skip
    kept, left = new[:, :0], np.zeros((d, 0))
    while True:
        kept, left = (
            np.concatenate((kept, new), axis=1),
            np.concatenate((left, rests(f, new[0], new[1], POINTS[d])), axis=1),
        )
        each = left.sum(axis=0)
        if each.sum() <= tolerance or len(each) >= MOST[d]:
            break
        room = min(MOST[d] - len(each), int(np.sum(each > 0.5 * tolerance / len(each))))
        far = np.zeros(len(each), dtype=bool)
        far[np.argsort(each)[-room:]] = True
        new = _halved(kept[:, far], left[:, far].argmax(axis=0))
        kept, left = kept[:, ~far], left[:, ~far]
    if not np.isfinite(left.sum()):
        raise NotEnclosed(
            f"the function is not bounded on {int(np.sum(~np.isfinite(each)))} of {len(each)} cells: a pole?"
        )
    value, size = _gauss(f, kept[0], kept[1], POINTS[d])
    return Estimate(
        value, float(left.sum()) + ROUNDINGS * size, Kind.BOUND, f"Gauss's rule on {len(each)} cells, bounded"
    )


def rests(f: Callable[..., Any], lower: Array, upper: Array, points: int) -> Array:
    """Return, axis by axis, what Gauss's rule leaves of ∫f on cells with corners (n, d) at most: an array (d, n)."""
    n, d = lower.shape
    found = np.empty((d, n))
    for first in range(0, n, AT_ONCE):
        part = slice(first, first + AT_ONCE)
        low, high = lower[part], upper[part]
        widths = high - low
        for axis in range(d):
            at = [(Jet.variable if k == axis else Jet.constant)(low[:, k], high[:, k], 2 * points) for k in range(d)]
            with np.errstate(all="ignore"):
                jet = _formula(f, at)
                other = np.prod(np.delete(widths, axis, axis=1), axis=1)
                found[axis, part] = other * _rest(jet, widths[:, axis], points)
    return found


def _rest(jet: Any, width: Array, points: int) -> Array:
    """Return the least of all bounds of what the rule leaves on intervals; a number is integrated exactly."""
    if not isinstance(jet, Jet):
        return np.zeros_like(width)
    m = points
    best = width ** (2 * m + 1) * factorial(m) ** 4 / ((2 * m + 1) * factorial(2 * m) ** 2) * jet.largest(2 * m)
    best = np.where(np.isfinite(best), best, np.inf)
    for k in range(1, 2 * m + 1):
        bound = 4 * (0.5 * width) ** (k + 1) / 2.0 ** (k - 1) * jet.largest(k)
        best = np.minimum(best, np.where(np.isfinite(bound), bound, np.inf))
    flat = width * (jet.upper[0] - jet.lower[0])  # between its least and its largest value
    best = np.minimum(best, np.where(np.isfinite(flat), flat, np.inf))
    return best


def _formula(f: Callable[..., Any], at: Sequence[Any]) -> Any:
    found = called(f, *at)
    if not isinstance(found, Jet | int | float | np.floating | np.integer):
        raise NotEnclosed(f"a formula returned {type(found).__name__}")
    return found


def _gauss(f: Callable[..., Any], lower: Array, upper: Array, points: int) -> tuple[float, float]:
    """Return the rule's value on cells, and that of |f|."""
    node, weight = np.polynomial.legendre.leggauss(points)
    d, total, size = lower.shape[1], 0.0, 0.0
    for first in range(0, len(lower), AT_ONCE):
        low, width = lower[first : first + AT_ONCE], (upper - lower)[first : first + AT_ONCE]
        at, w = [], np.prod(0.5 * width, axis=1).reshape(-1, *(1,) * d)
        for k in range(d):
            shape = [points if j == k else 1 for j in range(d)]
            at.append((low[:, k, None] + 0.5 * width[:, k, None] * (node + 1)).reshape(-1, *shape))
            w = w * weight.reshape(1, *shape)
        values = w * np.asarray(f(*at), dtype=float)
        total, size = total + float(values.sum()), size + float(np.abs(values).sum())
    if not np.isfinite(total):
        raise ValueError("the function is not finite on the box")
    return total, size


def _halved(cells: Array, axis: NDArray[np.intp]) -> Array:
    """Return both halves of cells (2, n, d), cut along an axis each."""
    low, high = cells
    rows = np.arange(len(axis))
    middle = 0.5 * (low + high)
    end, start = high.copy(), low.copy()
    end[rows, axis] = start[rows, axis] = middle[rows, axis]
    return np.stack((np.concatenate((low, start)), np.concatenate((end, high))))


def lattice_rest(size: float, width: float, spacing: float, dimension: int = 1) -> float:
    """Return what sums over all points of a lattice, times its cells, miss of the integral at most.

    `size` bounds ∫|f(x + iy)|dx for all |y_i| ≤ width, where f is analytic: by Poisson's formula the sum is off by values
    of the Fourier transform at the reciprocal lattice, each below size·e^{−width Σ|ξ_i|}. — L. N. Trefethen and J. A. C.
    Weideman, SIAM Review 56 (2014), theorem 5.1, axis by axis.

    Raises ValueError for a width or spacing that is not positive.

    >>> h, x = 0.5, 0.5 * np.arange(-40, 41)
    >>> missed = abs(h * np.exp(-x**2).sum() - np.sqrt(np.pi))
    >>> bool(missed <= mfg.solvers.lattice_rest(np.sqrt(np.pi) * np.exp(4.0), 2.0, h) < 1e-7)  # |e^{−z²}| = e^{y²−x²}
    True
    """
    if not (width > 0 and spacing > 0):
        raise ValueError(f"a width and a spacing are positive, got {width!r} and {spacing!r}")
    q = float(np.exp(-2 * np.pi * width / spacing))
    return size * float(np.expm1(dimension * (np.log1p(q) - np.log1p(-q))))


def ellipse_rest(size: float, rho: float, degree: int, half: float = 1.0) -> float:
    """Return what a symmetric rule with positive weights misses at most that is exact to an odd `degree`.

    `size` bounds |f| in the ellipse around an interval of length 2·`half`, of half axes (ρ ± 1/ρ)/2 · `half`, where f is
    analytic: its Chebyshev coefficients are below 2·size·ρ^{−k}, and of each T_k with k ≥ 4 even the rule misses 32/15 at
    most. Gauss's rule with m points has the degree 2m − 1, that of Clenshaw and Curtis with an odd number m of points m.
    — L. N. Trefethen, SIAM Review 50 (2008), theorem 4.5.

    Raises ValueError unless ρ > 1 and the degree is odd and at least three.

    >>> u, w = np.polynomial.legendre.leggauss(6)
    >>> missed = abs(w @ (1 / (u - 2)) + np.log(3))  # 1/(x − 2) is 1/(2 − a) at most where ρ = 3, a = 5/3
    >>> bool(missed <= mfg.solvers.ellipse_rest(3.0, 3.0, 11) < 3e-5)
    True
    """
    if not (rho > 1 and degree % 2 == 1 and degree >= 3):
        raise ValueError(f"ρ exceeds one and the degree is odd, at least three; got {rho!r} and {degree!r}")
    return half * 64 / 15 * size * float(rho) ** -(degree + 1) / (1 - float(rho) ** -2)


def tail(law: GaussianMixture, reach: float, coefficients: Sequence[float]) -> float:
    """Return a bound of ∫ Σ_n c_n |x_i|^n p over |x_i| > reach, summed over the axes i; c_n ≥ 0.

    J_n = m J_{n−1} + (n−1) v J_{n−2} + v R^{n−1} N(R) for N(m, v) beyond R. Raises ValueError for a reach that does not
    exceed all means, and coefficients below zero.

    >>> law = mfg.gaussian(0.0, 1.0)
    >>> print(f"{mfg.solvers.tail(law, 3.0, [1.0]):.4e}")  # 2 Φ(−3)
    2.6998e-03
    """
    if min(coefficients) < 0:
        raise ValueError(f"a bound needs coefficients ≥ 0, got {list(coefficients)}")
    total = 0.0
    for w, mean, covariance in zip(law.weights, law.means, law.covariances, strict=True):
        for i, centre in enumerate(np.abs(mean)):
            m, v = float(centre), float(covariance[i, i])
            if not reach > m:
                raise ValueError(f"tails begin beyond the means, got a reach of {reach!r} and a mean at {m:g}")
            edge = float(np.exp(-((reach - m) ** 2) / (2 * v)) / np.sqrt(2 * np.pi * v))
            moments = [float(ndtr(-(reach - m) / np.sqrt(v)))]
            for n in range(1, len(coefficients)):
                before = (n - 1) * v * moments[n - 2] if n > 1 else 0.0
                moments.append(m * moments[n - 1] + before + v * reach ** (n - 1) * edge)
            total += 2 * float(w) * sum(c * j for c, j in zip(coefficients, moments, strict=True))
    return total * (1 + 1e-12)
