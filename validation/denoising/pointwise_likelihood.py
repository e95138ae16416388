"""The log-density of a point is an integral of the errors of denoising it; what denoising costs depends on the signal-to-noise ratio alone.

z = √γ x + ε: −log p(x) = (d/2) log 2πe + ½∫(E|x − x̂(z, γ)|² − d/(1+γ)) dγ at every point, x̂ the mean of X given z. For any
denoiser ½∫E|X − x̂|² d SNR is one number for VP, cosine and straight paths between the same end points. On the line, of blobs of one
width, both integrals are bounded; in two and three dimensions rules are compared.
"""

from functools import cache
from pathlib import Path

import numpy as np
from scipy.optimize import brentq

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, equal, load_module

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

in_time = load_module(Path(__file__).parent / "_schedules.py")
lines = load_module(Path(__file__).parents[1] / "networks" / "_one_width.py")
NOISE = 4
"""points of the noise where schedules are compared: what is said of them holds for noise of any law"""
NODES = {2: (28, 32, 48), 3: (14, 16, 24)}
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


@cache
def bounded(weights, places, s, x):
    """Return half the integral at a place x on the line, for blobs N(ν_j, s), as a bound.

    With θ = 1/γ, τ = s + θ and η = √θ ε/τ: x − x̂ = θ(x − ν̄)/τ − sη, ν̄ the mean of places under weights tilted by
    e^{ν_j(η + x/τ) − ν_j²/2τ}. Below γ = e^{−28} the integrand is at most 2(|x| + N)² + s + 1, N the largest place; beyond e^{28}
    it is below θ²((1 + s)² + (|x| + N)² + 2N²)/s², since E ην̄ = Var(η) E dν̄/dη.
    """
    blobs = lines.Blobs(np.array(weights), np.array(places))

    def theta(u):  # u = log γ
        return np.exp(-1.0 * u)

    def terms(u):
        part = 1.0 / (s / theta(u) + 1.0)
        away = {"1": part * x, "q": -1.0 * part, "z": -s}
        return [(1.0 / theta(u), away, away), (-1.0 / (1.0 + theta(u)), {"1": 1.0}, {"1": 1.0})]

    frame = lines.Frame(
        lines.Blobs(np.ones(1), np.zeros(1)),
        lambda u: (s + theta(u)) ** 2 / theta(u),
        blobs,
        offset=lambda u: -x * (s + theta(u)) / theta(u),
        narrow=lambda u: 1.0 / (s + theta(u)),
    )
    far = abs(x) + blobs.far
    rest = np.exp(-2 * REACH) * (2 * far**2 + s + 1 + ((1 + s) ** 2 + far**2 + 2 * blobs.far**2) / s**2)
    found = lines.over_time(frame, terms, -2 * REACH, 2 * REACH, tolerance=1e-10)
    return 0.5 * (found + mfg.Estimate(0.0, float(rest), mfg.Kind.BOUND, "both ends"))


def on_the_line(rng, integral):
    """Compare both sides at six points of a law of three blobs of one width, where all is bounded."""
    drawn_law, off = drawn(rng, 1), []
    law = mfg.GaussianMixture(drawn_law.weights, drawn_law.means, float(drawn_law.covariances[0, 0, 0]))
    of = tuple(law.weights.tolist()), tuple(law.means[:, 0].tolist()), float(law.covariances[0, 0, 0])
    for x in drawn_law.sample(6, rng):
        known = 0.5 * np.log(2 * np.pi * np.e) + float(law.log_density(x[None])[0])
        off.append(integral * bounded(*of, float(x[0])) + known)
    worst = max(off, key=lambda one: abs(one.value) + one.half_width)
    # δ: twice what is allowed of half the integral
    label = "1D, blobs of one width: right side + log p, at six points"
    return equal(label, worst, mfg.exact(0.0, "claim"), resolution=1e-10)


def pointwise(law, x, count, steps, integral):
    """Return the right side at points x (n, d), by the trapezoidal rule in log γ, and Gauss–Hermite points in ε.

    By Tweedie √γ(x − x̂) = −(ε + ∇log p(z)): of x and x̂, which agree to twelve digits at last, no difference is taken.
    """
    d = x.shape[1]
    noise, weights = gauss(count, d)
    logs = np.linspace(-2 * REACH, 2 * REACH, steps)
    total = np.zeros(len(x))
    for log in logs:
        gamma = float(np.exp(log))
        after = law.after(mfg.processes.Transition(np.sqrt(gamma), 0.0, 1.0))
        errors = np.sum((noise + after.score(np.sqrt(gamma) * x[:, None] + noise)) ** 2, axis=-1) @ weights
        total += errors - d * gamma / (1 + gamma)
    return 0.5 * d * np.log(2 * np.pi * np.e) + 0.5 * integral * total * (logs[1] - logs[0])


def ends(law, x):
    """Return what the integral has beyond log γ = ±28 at most, to leading order.

    Half of e^{−28} times |x − E X|² − d below, and 2Δlog p + |∇log p|² + d above.
    """
    d, mean = x.shape[1], law.weights @ law.means
    _, slope, laplacian = law.pieces(x)
    below = np.sum((x - mean) ** 2, axis=1) - d
    above = 2 * laplacian + np.sum(slope**2, axis=1) + d
    return 0.5 * np.exp(-2 * REACH) * float((np.abs(below) + np.abs(above)).max())


ROUNDING = 1e-13
"""of sums of 225 terms below 10, and of log p"""


DELTA = {2: (5e-8, "a draw of seed 3 reaches 1.2e-8"), 3: (5e-6, "a draw of seed 2 reaches 2.2e-6")}


@claim.measure
def likelihood(level, rng, integral=1.0, weighted=True):
    """`integral` scales the integral, of schedules that of cosine and of straight paths; `weighted` False keeps the weight of one schedule for all."""
    findings = [on_the_line(rng, integral)]
    for d, counts in NODES.items():
        law, n = drawn(rng, d), Level(level).pick(*counts)
        x = law.sample(6, rng)
        steps = Level(level).pick(113, 169, 225)
        fine = pointwise(law, x, n, steps, integral) + law.log_density(x)
        rough = pointwise(law, x, 3 * n // 4, 3 * steps // 4, integral) + law.log_density(x)
        bar = float(np.abs(fine - rough).max()) + ends(law, x) + ROUNDING
        found = mfg.Estimate(float(np.abs(fine).max()), bar, mfg.Kind.EXTRAPOLATED, "coarser rules, and both ends")
        # no bound: where densities of blobs vanish for complex γ and ε is not known
        # δ: what the rules leave, the worse the fewer points an axis, and of some draws a hundred times as much as of others
        label, small, seen = f"{d}D: right side + log p, at six points", *DELTA[d]
        findings.append(equal(label, found, mfg.exact(0.0, "claim"), resolution=small, because=seen))
    return Evidence(findings + schedules(rng, weighted, integral))


def snr(process, t):
    """Return a²/V."""
    factor, _, covariance = process.transition(0.0, float(t)).in_dimension(1)
    return float(factor[0, 0] ** 2 / covariance[0, 0])


def time_of(process, log):
    """Return when the logarithm of the ratio is this."""
    return brentq(lambda t: np.log(snr(process, t)) - log, 1e-6, process.horizon * (1 - 1e-6), xtol=1e-13)


PATHS = {"VP": mfg.VariancePreserving(), "cosine": mfg.processes.Cosine(), "straight": mfg.processes.Straight()}


@cache
def denoised_in_time(seed):
    """Return of each schedule panels in time, and the errors of the exact denoiser and of a wrong one, noise on `NOISE` points."""
    rng, points = np.random.default_rng(seed), gauss(NOISE, 1)
    law, other, points = drawn(rng, 1), drawn(rng, 1), (points[0][:, 0], points[1])
    logs = np.linspace(4.0, -4.0, in_time.PANELS + 1)
    edges = {name: np.array([time_of(process, log) for log in logs]) for name, process in PATHS.items()}
    return edges, {
        label: {name: in_time.errors(process, edges[name], law, believed, points) for name, process in PATHS.items()}
        for label, believed in (("exact", law), ("wrong", other))
    }


def schedules(rng, weighted, integral):
    """Compare the losses of three schedules, `integral` times that of two, with the third one's; without `weighted` all have the weights of VP."""
    edges, found = denoised_in_time(int(rng.integers(2**32)))
    findings = []
    for label, errors in found.items():
        weights = {name: name if weighted else "VP" for name in PATHS}
        losses = {name: in_time.loss(PATHS[of], edges[of], errors[name], NOISE) for name, of in weights.items()}
        for name in ("cosine", "straight"):
            # δ: four times what ellipses leave and what is known of the ends
            label_ = f"{label} denoiser: loss of {name} over that of VP"
            ratio = integral * losses[name] / losses["VP"]
            findings.append(equal(label_, ratio, mfg.exact(1.0, "claim"), resolution=3.5e-11))
    return findings


@claim.control("the schedule changed, the weight not")
def unweighted(level, rng):
    return likelihood(level, rng, weighted=False)


@claim.control("the integral without its ½")
def twice(level, rng):
    return likelihood(level, rng, integral=2.0)
