"""The log-density of a point is an integral of the errors of denoising it; what denoising costs depends on the signal-to-noise ratio alone.

z = √γ x + ε: −log p(x) = (d/2) log 2πe + ½∫(E|x − x̂(z, γ)|² − d/(1+γ)) dγ at every point, x̂ the mean of X given z. For any
denoiser ½∫E|X − x̂|² d SNR is one number for VP, cosine and straight paths between the same end points.
"""

import numpy as np
from scipy.optimize import brentq

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, equal

claim = Claim(
    statement=(
        r"-\log p(x)=\tfrac d2\log2\pi e+\tfrac12\int_0^\infty\Big(\mathbb E_\varepsilon|x-\hat x(\sqrt\gamma x+\varepsilon,\gamma)|^2"
        r"-\tfrac d{1+\gamma}\Big)d\gamma,\qquad \tfrac12\int\mathbb E|X-\hat x|^2\,d\,\mathrm{SNR}\ \text{depends on the ends alone}"
    ),
    source="arXiv:2302.03792 and arXiv:2107.00630",
    standing="derived",
    assumes=("finite second moments",),
    coefficients=("integral",),
)

NODES = {1: (40, 64, 96), 2: (28, 32, 48), 3: (14, 16, 24)}
REACH = 14.0
"""log γ runs over ±28: the rest of the integral is below e^{−28} times a constant"""


def drawn(rng, d):
    """Return a mixture of three blobs."""
    return mfg.GaussianMixture(rng.dirichlet(3 * np.ones(3)), rng.uniform(-1, 1, (3, d)), rng.uniform(0.3, 0.6, 3))


def gauss(count, d):
    """Return points and weights of N(0, I)."""
    z, w = np.polynomial.hermite_e.hermegauss(count)
    points = np.stack(np.meshgrid(*d * [z], indexing="ij"), axis=-1).reshape(-1, d)
    return points, np.prod(np.stack(np.meshgrid(*d * [w / w.sum()], indexing="ij"), axis=-1), axis=-1).ravel()


def denoised(law, z, gamma):
    """Return E[X|√γ X + ε = z], by Tweedie: (z + ∇log p(z))/√γ."""
    after = law.after(mfg.processes.Transition(np.sqrt(gamma), 0.0, 1.0))
    return (z + after.score(z)) / np.sqrt(gamma)


def pointwise(law, x, count, steps, integral):
    """Return the right side at points x (n, d), by the trapezoidal rule in log γ, and Gauss–Hermite points in ε."""
    d = x.shape[1]
    noise, weights = gauss(count, d)
    logs = np.linspace(-2 * REACH, 2 * REACH, steps)
    total = np.zeros(len(x))
    for log in logs:
        gamma = float(np.exp(log))
        z = np.sqrt(gamma) * x[:, None] + noise
        errors = np.sum((x[:, None] - denoised(law, z, gamma)) ** 2, axis=-1) @ weights
        total += gamma * (errors - d / (1 + gamma))
    return 0.5 * d * np.log(2 * np.pi * np.e) + 0.5 * integral * total * (logs[1] - logs[0])


@claim.measure
def likelihood(level, rng, integral=1.0, weighted=True):
    """`integral` scales the integral, `weighted` False keeps the weight of one schedule for all."""
    findings = []
    for d, counts in NODES.items():
        law, n = drawn(rng, d), Level(level).pick(*counts)
        x = law.sample(6, rng)
        steps = Level(level).pick(113, 169, 225)
        fine = pointwise(law, x, n, steps, integral) + law.log_density(x)
        rough = pointwise(law, x, 3 * n // 4, 3 * steps // 4, integral) + law.log_density(x)
        found = mfg.Estimate(
            float(np.abs(fine).max()), float(np.abs(fine - rough).max()) + 1e-11, mfg.Kind.EXTRAPOLATED, "coarser rules"
        )
        # no bound: where densities of blobs vanish for complex γ and ε is not known
        # δ: what the rules leave, the worse the fewer points an axis, and of some draws a hundred times as much as of others
        small = {1: 8e-10, 2: 1e-7, 3: 5e-6}[d]
        findings.append(
            equal(f"{d}D: right side + log p, at six points", found, mfg.exact(0.0, "claim"), resolution=small)
        )
    return Evidence(findings + schedules(rng, weighted))


def snr(process, t):
    """Return a²/V."""
    factor, _, covariance = process.transition(0.0, float(t)).in_dimension(1)
    return float(factor[0, 0] ** 2 / covariance[0, 0])


def time_of(process, log):
    """Return when the logarithm of the ratio is this."""
    return brentq(lambda t: np.log(snr(process, t)) - log, 1e-6, process.horizon * (1 - 1e-6), xtol=1e-13)


def growth(process, t):
    """Return |d SNR/dt|, by differences of order four."""
    h = 1e-3 * min(t, process.horizon - t)
    return abs(8 * (snr(process, t + h) - snr(process, t - h)) - snr(process, t + 2 * h) + snr(process, t - 2 * h)) / (
        12 * h
    )


def error(law, believed, gamma, noise, weights):
    """Return E|X − x̂|² for X of one law and the denoiser of another."""
    total = 0.0
    for share, m, v in zip(law.weights, law.means[:, 0], law.covariances[:, 0, 0], strict=True):
        # given z of this blob, X is Gaussian about its own mean with variance v/(1 + γv)
        z = np.sqrt(gamma) * m + np.sqrt(1 + gamma * v) * noise
        own = (m + v * np.sqrt(gamma) * z) / (1 + gamma * v)
        total += share * float(weights @ ((own - denoised(believed, z, gamma)) ** 2)[:, 0] + v / (1 + gamma * v))
    return total


def loss(process, law, believed, count, weight_of=None):
    """Return ½∫E|X − x̂|²|dSNR/dt|dt between SNR e⁴ and e⁻⁴; with the weights of another process at its own times, if given."""
    u, w = np.polynomial.legendre.leggauss(count)
    noise, weights = gauss(40, 1)

    def times(one):
        start, end = time_of(one, 4.0), time_of(one, -4.0)
        return 0.5 * (end - start) * (u + 1) + start, end - start

    nodes, length = times(process)
    rates = [growth(process, t) for t in nodes]
    if weight_of is not None:
        rates = [growth(weight_of, t) for t in times(weight_of)[0]]
    errors = [error(law, believed, snr(process, t), noise, weights) for t in nodes]
    return 0.25 * length * float(w @ np.multiply(rates, errors))


def schedules(rng, weighted):
    """Compare the losses of three schedules, for the exact denoiser and a wrong one."""
    law, other, findings = drawn(rng, 1), drawn(rng, 1), []
    vp = mfg.VariancePreserving()
    paths = {"cosine": mfg.processes.Cosine(), "straight": mfg.processes.Straight()}
    for label, believed in (("exact", law), ("wrong", other)):
        for name, process in paths.items():
            ratios = [
                loss(process, law, believed, n, None if weighted else vp) / loss(vp, law, believed, n) for n in (32, 24)
            ]
            bar = abs(ratios[0] - ratios[1]) + 1e-11
            ratio = mfg.Estimate(ratios[0], bar, mfg.Kind.EXTRAPOLATED, "24 and 32 nodes in time")
            # δ: differences of order four for dSNR/dt
            label_ = f"{label} denoiser: loss of {name} over that of VP"
            findings.append(equal(label_, ratio, mfg.exact(1.0, "claim"), resolution=2.5e-10))
    return findings


@claim.control("the schedule changed, the weight not")
def unweighted(level, rng):
    return likelihood(level, rng, weighted=False)


@claim.control("the integral without its ½")
def twice(level, rng):
    return likelihood(level, rng, integral=2.0)
