"""Fitted at t = 0 only, a mixture carried by the process solves the score Fokker–Planck equation at all times.

The time derivative is that of computed values: the imaginary part of the score at t + iη over η, with η so small that nothing but
rounding is left; neither the drift nor the motion of parameters goes into it. Kernels of frozen width, at the same centres, do not
solve it. The identity holds for any kernels: at level quick there are 80 of them.
"""

import numpy as np
from scipy.linalg import expm

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, equal

claim = Claim(
    statement=(
        r"s(\cdot,t)=\nabla\log\sum_iw_i\,\mathcal N\big(\cdot\,;F_tZ_i+b_t,\,F_t\Gamma_i^{-1}F_t^\top+Q_t\big)\ \Rightarrow\ "
        r"\partial_ts=\nabla\big[D\,\nabla\cdot s+D|s|^2-f\cdot s-\nabla\cdot f\big]"
    ),
    source="arXiv:2402.06162, section 5",
    standing="theorem",
    assumes=("linear process",),
    coefficients=("noise",),
)

TURNING = mfg.Linear(np.array([[-1.0, 1.5], [-1.0, -0.5]]), scale=0.9, offset=np.array([0.3, -0.2]))
STEP = 1e-40
"""of t: imaginary, so that nothing cancels; what a derivative from there leaves out is of size η²"""
ROUNDING = 1e-10
"""of ∂_t s: sums over up to thousands of kernels, inverses of covariances with a condition of up to a thousand"""


class Moved:
    """The score of a mixture at time t under deliberate changes: `noise` multiplies Q, `frozen` keeps the kernels' covariances."""

    def __init__(self, process, mixture, noise, frozen):
        self.process, self.mixture, self.noise, self.frozen = process, mixture, noise, frozen

    def law(self, t):
        F, b, Q = self.process.transition(0.0, t).in_dimension(self.mixture.dimension)
        C = self.mixture.covariances
        moved = C if self.frozen else F @ C @ F.T + self.noise * Q
        return mfg.GaussianMixture(self.mixture.weights, self.mixture.means @ F.T + b, moved)

    def transition(self, t):
        """Return factor, offset and covariance of the transition from the start at a complex time."""
        d, process = self.mixture.dimension, self.process
        if not isinstance(process, mfg.Linear):
            return process.mean_coefficient(t) * np.eye(d), np.zeros(d), process.variance(t) * np.eye(d)
        # C. F. Van Loan, IEEE Trans. Automat. Control 23 (1978): e^{At}, its integral and the covariance from one exponential
        A, noise = process.matrix, process.scale**2 * np.eye(d)
        blocks = np.block([[-A, noise], [np.zeros((d, d)), A.T]]) * t
        whole = expm(blocks)
        F = whole[d:, d:].T
        offset = expm(np.block([[A, process.offset[:, None]], [np.zeros((1, d + 1))]]) * t)[:d, d]
        return F, offset, F @ whole[:d, d:]

    def score_at(self, x, t):
        """Return the score at points (n, d) and a complex time."""
        F, b, Q = self.transition(t)
        C, means = self.mixture.covariances, self.mixture.means @ F.T + b
        moved = C.astype(complex) if self.frozen else F @ C @ F.T + self.noise * Q
        pulled = np.einsum("kij,nkj->nki", np.linalg.inv(moved), x[:, None] - means)
        logs = np.log(self.mixture.weights) - 0.5 * np.log(np.linalg.det(moved))
        logs = logs - 0.5 * np.einsum("nki,nki->nk", x[:, None] - means, pulled)
        shares = np.exp(logs - logs.real.max(axis=1, keepdims=True))
        return -np.einsum("nk,nki->ni", shares / shares.sum(axis=1, keepdims=True), pulled)

    def residual(self, x, t):
        """Return the largest |ε| over the largest |∂_t s|, and how far the score is from the library's, over the largest |s|."""
        law, step = self.law(t), STEP * t
        near = self.score_at(x, t + 1j * step)
        rate = near.imag / step
        s, d, D = law.score(x), x.shape[1], float(self.process.diffusivity(t))
        f, origin = self.process.drift(x, t), self.process.drift(np.zeros((1, d)), t)
        slope = self.process.drift(np.eye(d), t) - origin
        third = sum(law.directional_derivatives(x, e)[1] for e in np.eye(d))
        known = D * third + law.directional_derivatives(x, 2 * D * s - f)[0] - s @ slope.T
        return np.abs(rate - known).max() / np.abs(rate).max(), np.abs(near.real - s).max() / np.abs(s).max()


KEPT = {}
"""by what kernels are fitted to: controls need the same ones"""


def fitted(training, options):
    """Return the kernels fitted to samples, once."""
    key = training.tobytes(), *options.items()
    if key not in KEPT:
        KEPT[key] = mfg.fit_kernel_model(training, **options).mixture
    return KEPT[key]


@claim.measure
def solved(level, rng, noise=1.0, frozen=False):
    """`noise` multiplies the covariance that the process adds, `frozen` lets it add none."""
    findings = []
    cases = {
        "rings, full, OU": (mfg.OrnsteinUhlenbeck(), mfg.densities.two_rings(), {}),
        "rings, full, turning": (TURNING, mfg.densities.two_rings(), {}),
        "roll, low rank, VP": (
            mfg.VariancePreserving(),
            mfg.densities.swiss_roll(),
            {"precision": "low-rank", "rank": 2},
        ),
        "spiral in 12 dimensions, diagonal, OU": (
            mfg.OrnsteinUhlenbeck(),
            mfg.densities.embedded(mfg.densities.spiral(), 12, deviation=0.1),
            {"precision": "diagonal"},
        ),
    }
    for name, (process, data, options) in cases.items():
        training = data.sample(Level(level).pick(80, 400, 2000), rng)
        moved = Moved(process, fitted(training, options), noise, frozen)
        for t in Level(level).pick((0.05, 0.5), (0.02, 0.1, 0.5), (0.01, 0.05, 0.2, 0.5, 0.9)):
            x = mfg.marginal(process, data, t).sample(200, rng)
            found, bar = moved.residual(x, t)
            estimate = mfg.Estimate(found, ROUNDING + bar, mfg.Kind.BOUND, "imaginary step, to rounding")
            # δ: a wrong coefficient would show as its own relative size
            findings.append(
                equal(f"{name}, t = {t:g}: |ε| over |∂_t s|", estimate, mfg.exact(0.0, "the claim"), resolution=4.5e-10)
            )
    return Evidence(findings)


@claim.control("5 % more noise than the process adds")
def noisier(level, rng):
    return solved(level, rng, noise=1.05)


@claim.control("precisions that stay as they were fitted")
def stiff(level, rng):
    return solved(level, rng, frozen=True)
