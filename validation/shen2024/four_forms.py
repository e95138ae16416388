"""Explicit, implicit, operator-informed and denoising score matching are one objective but for constants, by one integration by parts.

With the generator ℒ and the carré du champ Γ(a, b) = ½(ℒ(ab) − aℒb − bℒa) = D∇a·∇b of a reversible process, the third asks for
the data's averages and the semigroup alone. Ornstein–Uhlenbeck processes with Hermite functions, circles with waves, and two wells
on a circle; kernels of the first two in closed form. Rates, landscapes, data, times and potentials h are drawn.
"""

import numpy as np
from scipy.linalg import eigh

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, equal

claim = Claim(
    statement=(
        r"s=\nabla\log\pi+\nabla h:\quad \tfrac12\mathbb E_{\rho_t}|s-\nabla\log\rho_t|^2"
        r"=\mathbb E_{\rho_t}\big[\tfrac12|s|^2+\nabla\!\cdot s\big]+c_1"
        r"=\tfrac1D\mathbb E_{\rho_0}P_t\big[\tfrac12\Gamma(h,h)+\mathcal Lh\big]+c_2"
        r"=\tfrac12\mathbb E|s(X_t)-\nabla\log k_t(X_t|X_0)|^2+c_3"
    ),
    source="after arXiv:2406.09084, equations (8) to (10)",
    standing="derived",
    assumes=("reversible in π", "h smooth"),
    coefficients=("quadratic", "generator"),
)

BAR = 1e-14


class Line:
    """A reversible process at quadrature nodes: π, slope and bend of log π, eigenfunctions, eigenvalues, D, and kernels from given points."""

    def __init__(self, x, w, pi, slopes, functions, eigenvalues, D, kernel):
        self.x, self.w, self.pi, self.functions, self.eigenvalues = x, w, pi, functions, eigenvalues
        self.slope, self.bend = slopes
        self.D, self.kernel = D, kernel

    def semigroup(self, values, y, weights, t):
        """Return E_{ρ_0} P_t of a function given at the nodes, by its coefficients."""
        inner = self.functions(self.x).T @ (self.w * self.pi * values)
        return float(inner @ (np.exp(-self.eigenvalues * t) * (weights @ self.functions(y))))


def on_the_line(rng):
    """Return an Ornstein–Uhlenbeck process dX = −rX dt + √(2D) dW, with Hermite functions; kernels are Gaussian."""
    r, D = rng.uniform(0.5, 2.0, 2)
    sd, n = np.sqrt(D / r), 70
    x = sd * np.linspace(-22, 22, 3001)  # as far as the last function reaches

    def functions(z):
        rows = [np.ones_like(z), z / sd]
        for k in range(1, n - 1):
            rows.append((z / sd * rows[-1] - np.sqrt(k) * rows[-2]) / np.sqrt(k + 1))
        return np.stack(rows, axis=-1)

    def kernel(y, t):
        v, m = D / r * (1 - np.exp(-2 * r * t)), np.exp(-r * t) * y
        return np.exp(-0.5 * (x - m) ** 2 / v) / np.sqrt(2 * np.pi * v), -(x - m) / v

    pi = np.exp(-0.5 * (x / sd) ** 2) / np.sqrt(2 * np.pi) / sd
    w = np.full(x.shape, x[1] - x[0])
    return (
        Line(x, w, pi, (-x / sd**2, -np.ones_like(x) / sd**2), functions, r * np.arange(n), D, kernel),
        1.5 * sd,
        1 / r,
    )


def on_a_circle(rng):
    """Return Brownian motion on a circle, with waves; kernels are sums over windings."""
    D, L = float(rng.uniform(0.3, 1.5)), float(rng.uniform(2.0, 6.0))
    x, k = L * np.arange(800) / 800, 2 * np.pi * np.arange(1, 25) / L

    def functions(z):
        phase = np.multiply.outer(z, k)
        return np.concatenate((np.ones((*z.shape, 1)), np.sqrt(2) * np.cos(phase), np.sqrt(2) * np.sin(phase)), axis=-1)

    def kernel(y, t):
        gaps = x[:, None] - y + L * np.arange(-12, 13)
        parts = np.exp(-(gaps**2) / (4 * D * t)) / np.sqrt(4 * np.pi * D * t)
        return parts.sum(axis=1), -(parts * gaps).sum(axis=1) / (2 * D * t) / parts.sum(axis=1)

    eigenvalues = D * np.concatenate(([0.0], k**2, k**2))
    w, pi = np.full(800, L / 800), np.full(800, 1 / L)
    return Line(x, w, pi, (0 * x, 0 * x), functions, eigenvalues, D, kernel), L / 4, (L / 2 / np.pi) ** 2 / D


def in_a_landscape(rng):
    """Return dX = −DV′dt + √(2D) dW on a circle with two wells; functions and kernels by waves, Galerkin."""
    D, a = float(rng.uniform(0.3, 1.5)), rng.uniform(0.5, 1.2, 2)
    x, k = 2 * np.pi * np.arange(400) / 400, np.arange(1, 40)
    w, slope = np.full(400, 2 * np.pi / 400), a[0] * np.sin(x) + 2 * a[1] * np.sin(2 * x)
    pi = np.exp(-a[0] * np.cos(x) - a[1] * np.cos(2 * x))
    pi /= w @ pi

    def waves(z):
        phase = np.multiply.outer(z, k)
        return np.concatenate((np.ones((*z.shape, 1)), np.cos(phase), np.sin(phase)), axis=-1)

    phase = np.multiply.outer(x, k)
    slopes = np.concatenate((np.zeros((400, 1)), -k * np.sin(phase), k * np.cos(phase)), axis=-1)
    values, vectors = eigh((slopes.T * (w * pi * D)) @ slopes, (waves(x).T * (w * pi)) @ waves(x))

    def functions(z):
        return waves(z) @ vectors

    def kernel(y, t):
        share = np.exp(-values * t) * functions(np.array([y]))[0]
        ratio = functions(x) @ share
        return pi * ratio, slopes @ vectors @ share / ratio + slope

    bend = a[0] * np.cos(x) + 4 * a[1] * np.cos(2 * x)
    return Line(x, w, pi, (slope, bend), functions, values, D, kernel), np.pi / 2, 1 / D


def potential(line, rng, length):
    """Return h′ and h″ of a drawn h, two waves that close on a circle of four lengths."""
    a, b = rng.standard_normal((2, 2)), 2 * np.pi * np.array([1, 2]) / (4 * length)
    phase = np.multiply.outer(line.x, b)
    slope = (b * (a[0] * np.cos(phase) - a[1] * np.sin(phase))).sum(axis=1)
    return slope, -(b**2 * (a[0] * np.sin(phase) + a[1] * np.cos(phase))).sum(axis=1)


def forms(line, length, time, rng, quadratic, generator, noise):
    """Return by how much the three other forms, constants included, are off the explicit one, over its size."""
    count = int(rng.integers(2, 7))
    y, weights = length * rng.uniform(-1.2, 1.2, count), rng.dirichlet(2 * np.ones(count))
    t, w, D, (slope, bend) = float(rng.uniform(0.15, 0.6)) * time, line.w, line.D, potential(line, rng, length)
    kernels = [line.kernel(one, t) for one in y]
    rho = sum(p * k for p, (k, _) in zip(weights, kernels, strict=True))
    exact = sum(p * k * g for p, (k, g) in zip(weights, kernels, strict=True)) / np.maximum(rho, 1e-300)
    s, rho = line.slope + slope, w * rho
    explicit, size = 0.5 * rho @ (s - exact) ** 2, 0.5 * rho @ exact**2
    implicit = rho @ (0.5 * quadratic * s**2 + line.bend + bend)
    acted = 0.5 * quadratic * D * slope**2 + generator * D * (bend + line.slope * slope)
    by_operators = line.semigroup(acted, y, weights, t) / D
    seen = [(k, line.kernel(one, noise * t)[1]) for one, (k, _) in zip(y, kernels, strict=True)]
    denoising, spread = (
        0.5 * sum(p * (w * k) @ (at - g) ** 2 for p, (k, g) in zip(weights, pairs, strict=True))
        for at, pairs in ((s, seen), (0.0, kernels))
    )
    denoising += 0.5 * (quadratic - 1) * float(rho @ s**2)
    others = implicit + size, by_operators + 0.5 * rho @ (exact - line.slope) ** 2, denoising - spread + size
    return (np.array(others) - explicit) / (explicit + size)


@claim.measure
def one_objective(level, rng, quadratic=1.0, generator=1.0, noise=1.0):
    """`quadratic` scales ½|s|² (in denoising, too) and ½Γ, `generator` ℒ, `noise` the time of the kernels whose score is asked for."""
    names = ("implicit", "by operators", "denoising")
    rows = []
    for _ in range(Level(level).pick(12, 60, 300)):
        for place in (on_the_line, on_a_circle, in_a_landscape):
            rows.append(forms(*place(rng), rng, quadratic, generator, noise))
    findings, zero = [], mfg.exact(0.0, "claim")
    for name, found in zip(names, np.array(rows).T, strict=True):
        # rules and series are spectral: sums of up to 3000 terms are left
        furthest = mfg.Estimate(float(found[np.argmax(np.abs(found))]), BAR, mfg.Kind.BOUND, "spectral rules")
        findings.append(
            equal(f"{name}: off the explicit form, relative, furthest from 0", furthest, zero, resolution=4 * BAR)
        )
    series = Series(
        "every draw", "draw", list(range(len(rows))), "by operators", [abs(r[1]) + 1e-18 for r in rows], "y"
    )
    return Evidence(findings, [series])


@claim.control("the ½ of |s|² and Γ forgotten, the score of kernels at twice the time")
def whole_squares(level, rng):
    return one_objective(level, rng, quadratic=2.0, noise=2.0)


@claim.control("ℒ = 2D(Δ − ∇V·∇), that of g² for D")
def twice_the_generator(level, rng):
    return one_objective(level, rng, generator=2.0)
