"""What a basis of N Hermite polynomials leaves of the score: geometric in N at any fixed time, hopeless as t → 0.

Population moments under the Ornstein–Uhlenbeck process: of two blobs against errors known from an independent computation, of drawn
laws and times against the best combination there is, by least squares on points.
"""

import numpy as np
from numpy.polynomial.hermite_e import hermegauss, hermevander

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, at_least, at_most, equal

claim = Claim(
    statement=(
        r"\mathbb E_{p_t}|\tilde s_N-\nabla\log p_t|^2\to0\ (N\to\infty)\ \text{geometrically at each }t>0,\ \text{not uniformly as }t\to0"
    ),
    source="after arXiv:2406.09084",
    standing="derived",
    assumes=("population moments", "dX = −X dt + √2 dW"),
    coefficients=("eigenvalue",),
)

DATA = mfg.GaussianMixture([0.6, 0.4], [[-1.0], [1.2]], [0.04, 0.09])
PROCESS = mfg.Linear(np.array([[-1.0]]), scale=np.sqrt(2.0), horizon=2.0)
KNOWN = {
    0.05: (5.48, 1.93, 1.00, 0.619, 0.419, 0.301),
    0.2: (0.663, 0.227, 0.102, 5.17e-2, 2.83e-2, 1.63e-2),
    0.5: (3.42e-2, 6.20e-3, 1.56e-3, 4.66e-4, 1.57e-4, 5.72e-5),
    1.0: (7.54e-4, 3.84e-5, 3.08e-6, 3.21e-7, 4.03e-8, 5.84e-9),
}
"""mean squared errors for degrees 2, 4, …, 12, to three digits"""
DEGREES = (2, 4, 6, 8, 10, 12)


NODES = 160
"""Gauss–Hermite points a blob: exact for all polynomials here, whose degree is below 26"""


def information(law):
    """Return E|s|² of two blobs on the line, bounded."""
    w, m, v = (one.tolist() for one in (law.weights, law.means[:, 0], law.covariances[:, 0, 0]))
    reach = max(abs(c) for c in m) + 9 * max(v) ** 0.5

    def integrand(x):
        logs = [-0.5 / c * (x - b) ** 2 for b, c in zip(m, v, strict=True)]
        sizes = [a / np.sqrt(2 * np.pi * c) for a, c in zip(w, v, strict=True)]
        share = 1 / (1 + float(sizes[1] / sizes[0]) * np.exp(logs[1] - logs[0]))  # of the first blob
        pull = share * ((m[0] - x) / v[0]) + (1 - share) * ((m[1] - x) / v[1])
        return sum(float(a) * np.exp(b) for a, b in zip(sizes, logs, strict=True)) * pull**2

    sharp = 1 / min(v) ** 2
    tails = mfg.solvers.tail(law, reach, [2 * sharp * max(c * c for c in m), 0.0, 2 * sharp])
    beyond = mfg.Estimate(0.0, tails, mfg.Kind.BOUND, "tails")
    return mfg.solvers.certified_integral(integrand, -reach, reach, tolerance=1e-12, cells=200) + beyond


def error(law, degree, eigenvalue, fisher):
    """Return E|s̃ − s|² of the best combination of gradients of degree 1 … N, from E|s|² and means of polynomials."""
    z, w = hermegauss(NODES)
    m, v = law.means[:, 0], law.covariances[:, 0, 0]
    x = (m[:, None] + np.sqrt(v)[:, None] * z).ravel()
    p = (law.weights[:, None] * w / np.sqrt(2 * np.pi)).ravel()
    # orthonormal in N(0, 1): h_n = He_n/√n!, h_n' = √n h_{n−1}; columns scaled so that none is huge
    order = np.arange(1, degree + 1)
    root = np.sqrt(np.cumprod(np.concatenate(([1.0], order))))
    basis = hermevander(x, degree) / root
    slopes = np.sqrt(order) * basis[:, :-1]
    bends = np.sqrt(order * (order - 1)) * np.concatenate((np.zeros((len(x), 1)), basis[:, :-2]), axis=1)
    # the estimator's b_n = −λ_n E[h_n], exact for the population: E[∇h_n·(s + x)]; a wrong λ scales it
    A = slopes.T @ (p[:, None] * slopes)
    b = eigenvalue * order * (basis[:, 1:].T @ p)
    alpha = np.linalg.solve(A, b)
    # of target s + x, −∇log of the law by that of N(0, 1): E[g (s + x)] = E[g x] − E g′
    crossed = slopes.T @ (p * x) - bends.T @ p
    square = fisher - 2 + float(p @ x**2)
    parts = float(alpha @ A @ alpha - 2 * alpha @ crossed)
    return square + mfg.Estimate(parts, ROUNDING * (1 + square.value), mfg.Kind.BOUND, "polynomials, exact rules")


ROUNDING = 1e-10
"""of E|s|²: sums that cancel to what is left"""


def best(law, degree):
    """Return the least E|Σ α_n∇h_n − (s + x)|² there is: least squares over 4000 points, which leave nothing of a smooth law."""
    x, h = np.linspace(-9, 9, 4001, retstep=True)
    root = np.sqrt(np.cumprod(np.concatenate(([1.0], np.arange(1, degree + 1)))))
    slopes = np.sqrt(np.arange(1, degree + 1)) * (hermevander(x, degree) / root)[:, :-1]
    weight = np.sqrt(h * law.density(x[:, None]))[:, None]
    target = weight[:, 0] * (law.score(x[:, None])[:, 0] + x)
    alpha = np.linalg.lstsq(weight * slopes, target)[0]
    return float(np.sum((weight * slopes @ alpha - target) ** 2))


def drawn(rng):
    """Return two blobs on the line, noised for a drawn time."""
    places, spreads = [[-rng.uniform(0.5, 1.2)], [rng.uniform(0.5, 1.2)]], rng.uniform(0.04, 0.2, 2)
    return mfg.marginal(
        PROCESS, mfg.GaussianMixture(rng.dirichlet([4.0, 4.0]), places, spreads), float(rng.uniform(0.1, 0.8))
    )


@claim.measure
def truncated(level, rng, eigenvalue=1.0, uniform=False):
    """`eigenvalue` scales λ_n; `uniform` claims that the error falls as fast at t = 0.05 as at t = 1."""
    findings, series = [], []
    for t, known in KNOWN.items():
        law = mfg.marginal(PROCESS, DATA, t)
        fisher = information(law)
        errors = [error(law, N, eigenvalue, fisher) for N in DEGREES]
        found = [one.value for one in errors]
        # below 1e-7 of the score's square a normal equation of condition 1e10 has no third digit
        sure = [(one, k) for one, k in zip(errors, known, strict=True) if k > 1e-7]
        off = [mfg.Estimate(abs(one.value / k - 1), one.half_width / k + 5e-3, mfg.Kind.BOUND, "known to half a digit") for one, k in sure]  # fmt: skip
        label = f"t = {t:g}: errors for degrees 2 … 12 against known ones, relative"
        worst = max(off, key=lambda one: one.value + one.half_width)
        findings.append(equal(label, worst, mfg.exact(0.0, "the claim"), resolution=1.5e-2))
        fall = (found[1] / found[-1]) ** 0.25
        bar = 0.26 * fall * sum(errors[k].half_width / found[k] for k in (1, -1))  # of first order, and what is beyond
        fall = mfg.Estimate(fall, bar, mfg.Kind.BOUND, "from degree 4 to 12, a factor for two degrees")
        if t >= 0.5 or uniform:
            findings.append(
                at_least(f"t = {t:g}: fall for two degrees", fall, mfg.exact(3.0, "geometric"), resolution=0.0)
            )
        elif t < 0.1:
            findings.append(
                at_most(f"t = {t:g}: fall for two degrees", fall, mfg.exact(2.0, "hopeless"), resolution=0.0)
            )
        series.append(Series(f"t = {t:g}", "degree N", list(DEGREES), "E|s̃ − s|²", found, "y"))
    apart = []
    for _ in range(Level(level).pick(3, 8, 30)):
        law = drawn(rng)
        fisher = information(law)
        errors = [error(law, N, eigenvalue, fisher) for N in DEGREES[:4]]
        least = [best(law, N) for N in DEGREES[:4]]
        apart += [(one - floor) / fisher.value for one, floor in zip(errors, least, strict=True)]
    worst = max(apart, key=lambda one: abs(one.value) + one.half_width)
    label = "drawn laws: error less that of the best combination, over E|s|², furthest from 0"
    findings.append(equal(label, worst, mfg.exact(0.0, "the claim"), resolution=5e-10))
    return Evidence(findings, series)


@claim.control("the same rate at every time")
def uniformly(level, rng):
    return truncated(level, rng, uniform=True)


@claim.control("eigenvalues of half the generator")
def half_generator(level, rng):
    return truncated(level, rng, eigenvalue=0.5)
