"""Laws T#N(0, I) of monotone maps T = ∇(convex): distances, divergences and Fisher information by quadrature, nothing solved.

T(x) = A x + m + Σ_k c_k tanh(k·x + b_k) k with A symmetric and ∇T positive definite, so that T is the optimal map.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincc

import mfgpde as mfg


@dataclass(frozen=True)
class Map:
    """The gradient of a convex function; `directions` (n, d), `steps` (n,) are the c_k, `places` (n,) the b_k."""

    matrix: np.ndarray
    shift: np.ndarray
    directions: np.ndarray
    steps: np.ndarray
    places: np.ndarray

    @classmethod
    def drawn(cls, rng, d):
        """Return a map with three ridges, some of them compressing; its derivative is at least 0.35."""
        turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
        matrix = turn @ np.diag(rng.uniform(0.7, 1.3, d)) @ turn.T
        directions = rng.normal(size=(3, d))
        directions /= np.linalg.norm(directions, axis=1)[:, None]
        steps = np.array([0.5, 0.4, -0.3]) * rng.uniform(0.5, 1.0, 3)  # −0.3 at most leaves 0.4 of 0.7
        return cls(matrix, rng.uniform(-0.8, 0.8, d), directions, steps, rng.uniform(-0.6, 0.6, 3))

    @classmethod
    def shifted(cls, shift):
        """Return x + shift."""
        d = len(shift)
        return cls(np.eye(d), np.asarray(shift, float), np.zeros((1, d)), np.zeros(1), np.zeros(1))

    @classmethod
    def scaled(cls, factors):
        """Return diag(factors) x."""
        d = len(factors)
        return cls(np.diag(factors), np.zeros(d), np.zeros((1, d)), np.zeros(1), np.zeros(1))

    def at(self, x):
        """Return T, and ∇(log det ∇T), ∇T, log det ∇T at points (n, d)."""
        K = self.directions
        u = np.tanh(x @ K.T + self.places)
        slope = self.steps * (1 - u**2)
        J = self.matrix + np.einsum("nk,ki,kj->nij", slope, K, K)
        inverse = np.linalg.inv(J)
        # ∂_l log det J = Σ_k c_k (sech²)' k_l (kᵀJ⁻¹k)
        bent = -2 * self.steps * u * (1 - u**2) * np.einsum("ki,nij,kj->nk", K, inverse, K)
        T = x @ self.matrix + self.shift + (self.steps * u) @ K
        return T, bent @ K, inverse, np.linalg.slogdet(J)[1]


def nodes(count, d):
    """Return Gauss–Hermite points (n, d) and weights of N(0, I)."""
    z, w = np.polynomial.hermite_e.hermegauss(count)
    x = np.stack(np.meshgrid(*d * [z], indexing="ij"), axis=-1).reshape(-1, d)
    weights = np.prod(np.stack(np.meshgrid(*d * [w / w.sum()], indexing="ij"), axis=-1), axis=-1).ravel()
    return x, weights


def quantities(T, rule):
    """Return W₂², KL and relative Fisher information of T#γ to γ = N(0, I), by a rule of points (n, d) and weights."""
    x, weights = rule
    y, bent, inverse, logdet = T.at(x)
    slope = np.einsum("nij,ni->nj", inverse, -x - bent)  # ∇log p at T(x): (∇T)⁻ᵀ ∇(log γ − log det ∇T)
    w2 = weights @ np.sum((y - x) ** 2, axis=1)
    kl = weights @ (0.5 * np.sum(y**2 - x**2, axis=1) - logdet)
    fisher = weights @ np.sum((slope + y) ** 2, axis=1)
    return np.array([w2, kl, fisher])


KEPT = {}
"""by map and number of nodes: controls need the same ones"""


def estimated(T, d, count):
    """Return the three as estimates, computed once; see `bounded`."""
    key = (count, *(part.tobytes() for part in (T.matrix, T.shift, T.directions, T.steps, T.places)))
    if key not in KEPT:
        KEPT[key] = bounded(T, d, count)
    return KEPT[key]


def bounded(T, d, count):
    """Return the three as estimates, each with a bound.

    For affine maps the rule is exact, their integrands are of degree two. On the line and in the plane the integrals over
    a box have a certified rest, in space sums over a lattice that of `around`; there `count` is of its points along an axis.
    """
    if not T.steps.any():
        name = "Gauss–Hermite, exact for polynomials"
        return [mfg.Estimate(a, 1e-14 * (1 + abs(a)), mfg.Kind.BOUND, name) for a in quantities(T, nodes(count, d))]
    if d > 2:
        return on_a_lattice(T, d, count)
    outside = mfg.solvers.tail(mfg.gaussian(0.0, 1.0, d), REACH, [MOST * d, 0.0, MOST])
    beyond = mfg.Estimate(0.0, outside, mfg.Kind.BOUND, "tails")
    return [
        mfg.solvers.certified_integral(
            lambda *x, k=k: formulas(T, x)[k], (-REACH,) * d, (REACH,) * d, tolerance=1e-5, cells={1: 48, 2: 24}[d]
        )
        + beyond
        for k in range(3)
    ]


SPACE = 5.8
"""where the lattice ends along an axis"""


def on_a_lattice(T, d, count):
    """Return the three by sums over a lattice of `count` points along an axis, at the widest strip that pays."""
    h = 2 * SPACE / count
    axis = -SPACE + h * (np.arange(count) + 0.5)
    x = np.stack(np.meshgrid(*d * [axis], indexing="ij"), axis=-1).reshape(-1, d)
    weights = np.exp(-0.5 * np.sum(x**2, axis=1)) * (h / np.sqrt(2 * np.pi)) ** d
    seen = np.sum(x**2, axis=1) < (SPACE - h) ** 2
    values = quantities(T, (x[seen], weights[seen]))
    widths = np.linspace(0.1, 0.7, 61)
    alias = np.min([around(T, d, w) * mfg.solvers.lattice_rest(1.0, float(w), h, d) for w in widths], axis=0)
    # points left out: their cells reach nearer by half a diagonal, and what is there is that of as much nearer again
    near = SPACE - h * (1 + d**0.5)
    left_out = (1 + 0.5 * h * d**0.5 / near) ** (d - 1) * around(T, d, 0.0, near)
    bars = alias + left_out + 1e-13 * (1 + np.abs(values))
    name = f"a lattice of {count} points an axis"
    return [mfg.Estimate(a, b, mfg.Kind.BOUND, name) for a, b in zip(values, bars, strict=True)]


def around(T, d, width, beyond=0.0):
    """Return bounds of ∫γ(x + iy)|q(x + iy)|dx for |y_i| ≤ width and the three integrands q; infinite if it is too wide.

    Of ridges at v = |Im k·x| < π/4: |tanh| ≤ 1, |sech²| ≤ S = 1/cos² v and Re sech² ≥ 0, so that Re ∇T ≥ ρ = λ − S Σc⁻, with
    |(∇T)⁻¹| ≤ 1/ρ and |log det ∇T| ≤ d(max|log|λ|| + π/2). Every q is a product of
    two a|x| + b at most, but for the logarithm. With `beyond` the integral is over |x| > beyond alone.
    """
    v = width * float(np.abs(T.directions).sum(axis=1).max())
    steps, values = np.abs(T.steps), np.linalg.eigvalsh(T.matrix)
    if not v < np.pi / 4:
        return np.full(3, np.inf)
    S = 1 / np.cos(v) ** 2
    rho = float(values[0]) - S * float(steps[T.steps < 0].sum())
    if not rho > 0:
        return np.full(3, np.inf)
    off, total = width * d**0.5, float(steps.sum())
    shift = float(np.linalg.norm(T.shift)) + total
    apart = float(np.abs(values - 1).max())
    largest, farther = float(values[-1]), float(np.abs(values + 1).max())
    bent = 2 * total * S / rho
    logs = d * (max(abs(np.log(rho)), abs(np.log(largest + S * total))) + (np.pi / 2 if width else 0.0))
    lines = (  # a and b of |T − x|, of |T + x|, of the score and T together
        (apart, apart * off + shift),
        (farther, farther * off + shift),
        (1 / rho + largest, (off + bent) / rho + largest * off + shift),
    )
    mass, first, second = far_moments(d, beyond)

    def squared(one, other):
        (a, b), (c, e) = one, other
        return a * c * second + (a * e + b * c) * first + b * e * mass

    grown = 0.5 * squared(lines[0], lines[1]) + logs * mass
    return np.exp(0.5 * off**2) * np.array([squared(lines[0], lines[0]), grown, squared(lines[2], lines[2])])


def far_moments(d, beyond):
    """Return bounds of ∫|x|^n N(0, I) over |x| > beyond, n = 0, 1, 2: by Cauchy and Schwarz the second."""
    half = 0.5 * beyond**2
    mass, square = (float(gammaincc(0.5 * d + k, half)) * (d if k else 1.0) for k in (0, 1))
    return mass, (mass * square) ** 0.5, square


REACH = 9.0
MOST = 250.0
"""of drawn maps: ∇T ≥ 0.35, |T| ≤ 1.3|x| + 2.4, |∇log det ∇T| ≤ 2.7, so that no integrand exceeds 250 (1 + |x|²)"""


def formulas(T, x):
    """Return the integrands of `quantities` times the density of N(0, I), as formulas of one or two coordinates."""
    d = len(x)
    u = [np.tanh(sum(float(k[i]) * x[i] for i in range(d)) + float(b)) for k, b in zip(T.directions, T.places, strict=True)]  # fmt: skip
    steep = [1 - one**2 for one in u]  # sech²

    def entry(i, j):
        parts = (float(c * k[i] * k[j]) * s for c, k, s in zip(T.steps, T.directions, steep, strict=True))
        return sum(parts, float(T.matrix[i, j]))

    y = []
    for i in range(d):
        bent = sum(float(c * k[i]) * one for c, k, one in zip(T.steps, T.directions, u, strict=True))
        y.append(sum(float(T.matrix[i, j]) * x[j] for j in range(d)) + float(T.shift[i]) + bent)
    if d == 1:
        det = entry(0, 0)
        inverse = [[1 / det]]
    else:
        a, b, c = entry(0, 0), entry(0, 1), entry(1, 1)
        det = a * c - b**2
        inverse = [[c / det, -b / det], [-b / det, a / det]]
    slopes = [-one for one in x]
    for c, k, one, s in zip(T.steps, T.directions, u, steep, strict=True):
        form = sum(float(k[i] * k[j]) * inverse[i][j] for i in range(d) for j in range(d))
        slopes = [v + float(2 * c * k[i]) * (one * s * form) for i, v in enumerate(slopes)]
    score = [sum(inverse[i][j] * slopes[i] for i in range(d)) for j in range(d)]
    weight = np.exp(-0.5 * sum(one**2 for one in x)) * (2 * np.pi) ** (-0.5 * d)
    moved = sum((b - a) ** 2 for a, b in zip(x, y, strict=True))
    grown = 0.5 * sum(b**2 - a**2 for a, b in zip(x, y, strict=True)) - np.log(det)
    steeper = sum((a + b) ** 2 for a, b in zip(score, y, strict=True))
    return weight * moved, weight * grown, weight * steeper
