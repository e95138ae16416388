"""What a basis of N Hermite polynomials leaves of the score: geometric in N at any fixed time, hopeless as t → 0.

Population moments of two blobs under the Ornstein–Uhlenbeck process, against errors known from an independent computation.
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


def error(t, degree, nodes, eigenvalue):
    """Return E|s̃ − s|² of the best combination of gradients of degree 1 … N, with `nodes` Gauss–Hermite points a blob."""
    law = mfg.marginal(PROCESS, DATA, t)
    z, w = hermegauss(nodes)
    m, v = law.means[:, 0], law.covariances[:, 0, 0]
    x = (m[:, None] + np.sqrt(v)[:, None] * z).ravel()
    p = (law.weights[:, None] * w / np.sqrt(2 * np.pi)).ravel()
    # orthonormal in N(0, 1): h_n = He_n/√n!, h_n' = √n h_{n−1}; columns scaled so that none is huge
    root = np.sqrt(np.cumprod(np.concatenate(([1.0], np.arange(1, degree + 1)))))
    slopes = np.sqrt(np.arange(1, degree + 1)) * (hermevander(x, degree) / root)[:, :-1]
    target = law.score(x[:, None])[:, 0] + x  # −∇log π
    # the estimator's b_n = −λ_n E[h_n], exact for the population: E[∇h_n·(s + x)]; a wrong λ scales it
    A = slopes.T @ (p[:, None] * slopes)
    values = (hermevander(x, degree) / root)[:, 1:]
    b = eigenvalue * np.arange(1, degree + 1) * (values.T @ p)
    alpha = np.linalg.solve(A, b)
    return float(p @ (slopes @ alpha - target) ** 2)


@claim.measure
def truncated(level, eigenvalue=1.0, uniform=False):
    """`eigenvalue` scales λ_n; `uniform` claims that the error falls as fast at t = 0.05 as at t = 1."""
    findings, series = [], []
    for t, known in KNOWN.items():
        nodes = Level(level).pick(160, 200, 240)
        found = [error(t, N, nodes, eigenvalue) for N in DEGREES]
        checks = [error(t, N, 120, eigenvalue) for N in DEGREES]
        # below 1e-7 of the score's square a normal equation of condition 1e10 has no third digit
        worst = max(abs(a / k - 1) for a, k in zip(found, known, strict=True) if k > 1e-7)
        bar = max(abs(a / b - 1) for a, b in zip(found, checks, strict=True)) + 5e-3
        value = mfg.Estimate(worst, bar, mfg.Kind.EXTRAPOLATED, f"{nodes} against 120 nodes, known to half a digit")
        label = f"t = {t:g}: errors for degrees 2 … 12 against known ones, relative"
        findings.append(equal(label, value, mfg.exact(0.0, "the claim"), resolution=1.5e-2))
        fall = mfg.exact((found[1] / found[-1]) ** 0.25, "from degree 4 to 12, a factor for two degrees")
        if t >= 0.5 or uniform:
            findings.append(
                at_least(f"t = {t:g}: fall for two degrees", fall, mfg.exact(3.0, "geometric"), resolution=0.0)
            )
        elif t < 0.1:
            findings.append(
                at_most(f"t = {t:g}: fall for two degrees", fall, mfg.exact(2.0, "hopeless"), resolution=0.0)
            )
        series.append(Series(f"t = {t:g}", "degree N", list(DEGREES), "E|s̃ − s|²", found, "y"))
    return Evidence(findings, series)


@claim.control("the same rate at every time")
def uniformly(level):
    return truncated(level, uniform=True)


@claim.control("eigenvalues of half the generator")
def half_generator(level):
    return truncated(level, eigenvalue=0.5)
