"""Noising by a linear process: relative entropy falls by D I (de Bruijn), and so do entropy, information and distance, exponentially.

Seeded mixtures under Ornstein–Uhlenbeck and VP, in one and two dimensions, for entropy and information of one width on a line; equality for shifts of the stationary law. At
instants of mixtures on the line and in the plane both sides are proved.
"""

from functools import cache
from pathlib import Path

import numpy as np
from scipy.special import ndtr

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, at_most, equal, load_module

noised = load_module(Path(__file__).parent / "_dissipation.py")

claim = Claim(
    statement=(
        r"\tfrac{d}{dt}\mathrm{KL}(p_t\|\pi)=-D\,I(p_t\|\pi),\qquad "
        r"\mathrm{KL}(p_t\|\pi)\le a^2\,\mathrm{KL}(p_0\|\pi),\quad I_t\le a^2I_0,\quad W_2(p_t,q_t)\le a\,W_2(p_0,q_0),"
        r"\qquad a=e^{-\int_0^tD/\sigma^2},\ \pi=\mathcal N(0,\sigma^2)"
    ),
    source="classical (Stam; Bakry and Émery)",
    standing="theorem",
    assumes=("drift −(D/σ²) x",),
    coefficients=("dissipation", "rate"),
)


def processes():
    """Return processes with a stationary law, each with its variance and a time."""
    return {
        "OU": (mfg.OrnsteinUhlenbeck(horizon=2.0), 0.5, 0.7),
        "VP": (mfg.VariancePreserving(), 1.0, 0.4),
    }


def of_a_shift(law, variance):
    """Return KL and relative Fisher information of a shift of N(0, variance): polynomials of degree two, Gauss's rule is exact."""
    d = law.dimension
    z, w = np.polynomial.hermite_e.hermegauss(6)
    x = np.stack(np.meshgrid(*d * [z], indexing="ij"), axis=-1).reshape(-1, d) * np.sqrt(variance) + law.means[0]
    weights = np.prod(np.stack(np.meshgrid(*d * [w / w.sum()], indexing="ij"), axis=-1), axis=-1).ravel()
    rest = mfg.gaussian(0.0, variance, d)
    values = law.log_density(x) - rest.log_density(x), np.sum((law.score(x) + x / variance) ** 2, axis=-1)
    means = [float(weights @ one) for one in values]
    return [mfg.Estimate(one, 1e-14 * abs(one), mfg.Kind.BOUND, "a rule that is exact") for one in means]


def distribution(law, x):
    """Return the distribution function of a mixture on the line."""
    deviations = np.sqrt(law.covariances[:, 0, 0])
    return sum(w * ndtr((x - m) / s) for w, m, s in zip(law.weights, law.means[:, 0], deviations, strict=True))


def quantiles(law, u):
    """Return the quantiles of a mixture on the line, by Newton's method, and how far its distribution function is off there."""
    m, deviations = law.means[:, 0], np.sqrt(law.covariances[:, 0, 0])
    line = np.linspace(float((m - 8 * deviations).min()), float((m + 8 * deviations).max()), 4001)
    heights = distribution(law, line)
    x, last = np.interp(u, heights, line), np.clip(np.searchsorted(heights, u), 1, len(line) - 1)
    low, high = line[last - 1], line[last]
    for _ in range(8):
        gap = distribution(law, x) - u
        low, high = np.where(gap < 0, x, low), np.where(gap > 0, x, high)
        step = x - gap / law.density(x[:, None])
        x = np.where((step >= low) & (step <= high), step, 0.5 * (low + high))
    return x, np.abs(distribution(law, x) - u)


def parts(law, x):
    """Return ∫y p dy up to x, and ∫y² p dy beyond the first and the last of these places."""
    w, m, s = law.weights, law.means[:, 0], np.sqrt(law.covariances[:, 0, 0])
    z = (x[:, None] - m) / s
    normal = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    below = (m**2 + s**2) * ndtr(z[0]) - s * (x[0] + m) * normal[0]
    above = (m**2 + s**2) * ndtr(-z[-1]) + s * (x[-1] + m) * normal[-1]
    return (m * ndtr(z) - s * normal) @ w, float(w @ (below + above))


def distance(p, q, cells):
    """Return W₂ of two mixtures on the line, between numbers that are proved.

    W₂² = E_p x² + E_q x² − 2∫QR du, Q and R the quantiles. They increase: on a piece ∫QR is at least ∫Q ∫R/Δu (Chebyshev), and
    at most ¼ΔQ ΔR Δu more (Grüss); ∫Q is known. For a mixture and its shift the means from below, blob by blob from above.
    """
    u = ndtr(np.linspace(-6.5, 6.5, cells))
    (x, off), (y, missed) = (quantiles(law, u) for law in (p, q))
    (a, beyond), (b, far) = parts(p, x), parts(q, y)
    together = float(np.sum(np.diff(a) * np.diff(b) / np.diff(u)))
    more = 0.25 * float(np.sum(np.diff(x) * np.diff(y) * np.diff(u)))
    squares = [float(law.weights @ (law.means[:, 0] ** 2 + law.covariances[:, 0, 0])) for law in (p, q)]
    reach, off = float(np.abs(x).max() * np.abs(y).max()), np.maximum(off, missed)
    inexact = 8 * float(off.sum()) + float(np.sum((off[1:] + off[:-1]) ** 2 / np.diff(u)))
    room = 2 * np.sqrt(beyond * far) + reach * inexact + 1e-14 * sum(squares)
    low, high = (sum(squares) - 2 * (together + gain) for gain in (more + room, -room))
    low = max(low, float(p.weights @ p.means[:, 0] - q.weights @ q.means[:, 0]) ** 2)
    if np.allclose(p.weights, q.weights, rtol=0.0, atol=4e-16):  # but for roundings
        moved = (p.means - q.means)[:, 0] ** 2
        wider = (np.sqrt(p.covariances[:, 0, 0]) - np.sqrt(q.covariances[:, 0, 0])) ** 2
        high = min(high, float(p.weights @ (moved + wider)))
    low, high = np.sqrt(low), np.sqrt(high)
    rounding = 1e-14 * high
    return mfg.Estimate(
        0.5 * (low + high), 0.5 * abs(high - low) + rounding, mfg.Kind.BOUND, f"increasing quantiles on {cells} pieces"
    )


LITTLE = "one δ for all draws: what is left of integrals is over the entropy lost, which some draws have little of"

KEPT = {}
"""by process and law: controls need the same ones"""


def known(name, law):
    """Return KL and I at the begin and at the process's time, and ∫D I between, all bounded and computed once."""
    key = name, *(part.tobytes() for part in (law.weights, law.means, law.covariances))
    if key not in KEPT:
        process, variance, t = processes()[name]
        moving, exact = noised.Noised(process, law, variance), mfg.ExactScore(process, law)
        if len(law.weights) == 1:
            ends = [of_a_shift(exact.at(s), variance) for s in (0.0, t)]
        else:
            ends = [(moving.entropy(s), moving.information(s)) for s in (0.0, t)]
        KEPT[key] = *ends, moving.lost(t)
    return KEPT[key]


@claim.measure
def decay(level, rng, dissipation=1.0, rate=1.0):
    """`dissipation` scales D I, `rate` the exponents; draws and, with equality, shifts of the stationary law."""
    one, findings = mfg.exact(1.0, "the claim"), []
    for name, (process, variance, t) in processes().items():
        a = float(process.mean_coefficient(t))
        balance, drawn, shifted = [], [], []
        for d in (1, 2):
            for law in (on_a_line(rng, d), mfg.gaussian(np.array([1.1, -0.4][:d]), variance * np.eye(d))):
                before, after, lost = known(name, law)
                balance.append((before[0] - after[0]) / (dissipation * lost))
                ratios = [late / (a ** (2 * rate) * early) for early, late in zip(before, after, strict=True)]
                (drawn if len(law.weights) > 1 else shifted).extend(ratios)
        pair, moved = (
            rate_of_distance(process, t, two, Level(level).pick(5000, 10_000, 20_000)) / a**rate for two in pairs(rng)
        )
        far = {
            "entropy lost over ∫D I": (balance, 5e-11, LITTLE),
            "shifts: KL and I over their bounds": (shifted, 6e-14, ""),
        }
        for label, (found, resolution, seen) in far.items():
            furthest = max(found, key=lambda e: abs(e.value - 1) + e.half_width)
            label = f"{name}: {label}, furthest from 1"
            findings.append(equal(label, furthest, one, resolution=resolution, because=seen))
        largest = max(drawn, key=lambda e: e.value)
        findings.append(
            at_most(f"{name}: KL and I of mixtures over their bounds, largest", largest, one, resolution=0.0)
        )
        findings.append(at_most(f"{name}: W₂ of two mixtures over its bound", pair, one, resolution=0.0))
        # δ: roundings of means
        findings.append(equal(f"{name}: W₂ of a mixture and its shift over its bound", moved, one, resolution=1e-13))
    if mfg.proofs.available():
        for name in processes():
            findings += [*proved(name, dissipation, rate), proved_in_the_plane(name, dissipation)]
    return Evidence(findings)


THREE = mfg.GaussianMixture([0.5, 0.3, 0.2], [[-1.5], [0.5], [2.0]], [0.2, 0.1, 0.3])


@cache
def of_an_instant(name):
    """Return ∂_t KL and −D I of three blobs at an instant; and a, KL and I before and after of two near the stationary law."""
    process, variance, t = processes()[name]
    rest = mfg.proofs.MovingMixture.of(mfg.gaussian(0.0, variance))
    near = mfg.GaussianMixture([0.4, 0.6], [[0.7], [1.0]], 0.95 * variance)

    def sides(data, s):
        law = mfg.proofs.MovingMixture.noised(data, mfg.proofs.Instant.of(process, s))
        steep = law.log_density.slope - rest.log_density.slope
        return law, mfg.proofs.relative_entropy(law, rest), mfg.proofs.mean(law, steep**2)

    now, (law, _, information) = mfg.proofs.Instant.of(process, t), sides(THREE, t)
    lost = mfg.proofs.mean(law, law.log_density.speed * (law.log_density.value - rest.log_density.value))
    return lost, -now.diffusivity * information, now.coefficient, sides(near, 0.0)[1:], sides(near, t)[1:]


def proved(name, dissipation, rate):
    """Return de Bruijn's identity at an instant of three blobs, and the decay until then of two near the stationary law."""
    lost, spent, a, before, after = of_an_instant(name)
    a2 = (2 * rate * a.log()).exp()
    balance = mfg.proofs.estimate(lost / (dissipation * spent), "balls")
    # δ: no quadrature is left; roundings of doubles
    return [
        equal(f"{name}: ∂_t KL over −D I, proved", balance, 1.0, resolution={"OU": 1.7e-15}.get(name, 2.8e-15)),
        at_most(f"{name}: KL over its bound, proved", _ratio(after[0], a2 * before[0]), 1.0, resolution=0.0),
        at_most(f"{name}: I over its bound, proved", _ratio(after[1], a2 * before[1]), 1.0, resolution=0.0),
    ]


TWO = mfg.GaussianMixture([0.4, 0.6], [[-1.0, 0.2], [0.8, -0.3]], np.stack(2 * [np.array([[0.3, 0.1], [0.1, 0.2]])]))


@cache
def in_the_plane(name):
    """Return ∂_t KL and −D I of two blobs in the plane at an instant."""
    process, variance, t = processes()[name]
    rest, now = mfg.proofs.PlanarMixture.of(mfg.gaussian(0.0, variance, 2)), mfg.proofs.Instant.of(process, t)
    law = mfg.proofs.PlanarMixture.noised(TWO, now)
    return mfg.proofs.planar_entropy_rate(law, rest), -now.diffusivity * mfg.proofs.planar_information(law, rest)


def proved_in_the_plane(name, dissipation):
    """Return de Bruijn's identity at an instant of two blobs in the plane, whose shape is turned against the axes."""
    lost, spent = in_the_plane(name)
    # δ: what the lattice may miss of a bound that is far from sharp
    label = f"{name}, two blobs in the plane: ∂_t KL over −D I, proved"
    balance = mfg.proofs.estimate(lost / (dissipation * spent), "balls")
    return equal(label, balance, 1.0, resolution={"OU": 1.5e-9}.get(name, 2e-9))


def _ratio(left, right):
    return mfg.proofs.estimate(left / right, "balls")


def on_a_line(rng, d):
    """Return blobs of one width: three on the line, two in the plane."""
    count = 3 if d == 1 else 2
    share, places, width = rng.dirichlet(3 * np.ones(count)), rng.uniform(-1.5, 1.5, (count, d)), rng.uniform(0.2, 0.5)
    return mfg.GaussianMixture(share, places, np.full(count, width))


def mixture(rng, d):
    """Return three blobs."""
    return mfg.GaussianMixture(rng.dirichlet(3 * np.ones(3)), rng.uniform(-1.5, 1.5, (3, d)), rng.uniform(0.2, 0.5, 3))


def pairs(rng):
    """Yield two mixtures, and one with its shift."""
    draw = [mixture(rng, 1) for _ in range(2)]
    yield tuple(draw)
    yield draw[0], mfg.GaussianMixture(draw[0].weights, draw[0].means + 0.7, draw[0].covariances)


def rate_of_distance(process, t, pair, cells):
    """Return W₂ of two laws noised to t over that at the start."""
    return distance(*[mfg.marginal(process, law, t) for law in pair], cells) / distance(*pair, cells)


@claim.control("entropy falling by 2 D I")
def twice(level, rng):
    return decay(level, rng, dissipation=2.0)


@claim.control("e^{−6t} in place of e^{−2t}")
def faster(level, rng):
    """Laws whose mean is near that of the stationary one fall as e^{−4t}: a bound of that would be kept by some draws."""
    return decay(level, rng, rate=3.0)
