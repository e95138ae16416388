"""Föllmer's drift takes Brownian motion from zero to a law in unit time, and none does so with less energy: KL to N(0, I).

v(x, t) = ∇log E f(x + √(1−t) Z), f = dμ/dN(0, I): in closed form v = ∇log p_t + x/t with p_t the law of tY + √(t(1−t)) Z.
Other drifts that reach μ: those of laws tY + √c Z with another c between the same ends. Energies and KL are bounded for
blobs of one width that lie on a line: three on the line, two in space, in any direction.
"""

from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, at_least, equal, load_module

enclosed = load_module(Path(__file__).parent / "_bridge.py")

claim = Claim(
    statement=(
        r"\tfrac12\int_0^1\mathbb E|v_t|^2dt=\mathrm{KL}(\mu\|\mathcal N(0,\mathrm{Id}))\le\tfrac12\int_0^1\mathbb E|u_t|^2dt"
        r"\quad\text{for every drift }u\text{ that reaches }\mu"
    ),
    source="classical (Föllmer)",
    standing="theorem",
    assumes=("μ a mixture of Gaussians",),
    coefficients=("energy", "noise"),
)


def bridge(law, t, bend=0.0):
    """Return the law of tY + √c Z, c = t(1−t)(1 + bend·t(1−t))."""
    c = t * (1 - t)
    return law.after(mfg.processes.Transition(t, 0.0, c * (1 + bend * c)))


def drift(law, x, t, noise=1.0, bend=0.0):
    """Return the drift whose law is the bridge's: x/t + (c/t − c'/2 + ½)∇log p_t; at bend 0 it is Föllmer's.

    `noise` scales the variance 1 − t that v smooths with.
    """
    c = t * (1 - t)
    factor = (1 - t) * (1 + bend * c) - 0.5 * (1 - 2 * t) * (1 + 2 * bend * c) + 0.5
    law = law.after(mfg.processes.Transition(t, 0.0, noise * c * (1 + bend * c)))
    return x / t + factor * law.score(x)


def of_one_width(rng, d):
    """Return a mixture of three blobs of one width on the line, of two in space."""
    count = 3 if d == 1 else 2
    share, places, width = rng.dirichlet(3 * np.ones(count)), rng.uniform(-1.2, 1.2, (count, d)), rng.uniform(0.25, 0.5)
    return mfg.GaussianMixture(share, places, np.full(count, width))


def drawn(rng, d):
    """Return a mixture of three blobs."""
    return mfg.GaussianMixture(rng.dirichlet(3 * np.ones(3)), rng.uniform(-1.2, 1.2, (3, d)), rng.uniform(0.25, 0.5, 3))


def mean(law, values, count):
    """Return E values(X) by Gauss–Hermite points at every blob."""
    z, w = np.polynomial.hermite_e.hermegauss(count)
    d, parts = law.dimension, 0.0
    points = np.stack(np.meshgrid(*d * [z], indexing="ij"), axis=-1).reshape(-1, d)
    weights = np.prod(np.stack(np.meshgrid(*d * [w / w.sum()], indexing="ij"), axis=-1), axis=-1).ravel()
    for share, m, s in zip(law.weights, law.means, np.sqrt(law.covariances[:, 0, 0]), strict=True):
        parts += share * float(weights @ values(m + s * points))
    return parts


def energies(law, count, steps, noise, bends):
    """Return ½∫E|u|²dt for each bend, by Gauss–Legendre points in √t, where drifts start smoothly."""
    r, w = np.polynomial.legendre.leggauss(steps)
    found = []
    for bend in bends:
        total = 0.0
        for root, weight in zip(0.5 * (r + 1), 0.5 * w, strict=True):
            t = root**2

            def square(x, t=t, bend=bend):
                return np.sum(drift(law, x, t, noise, bend) ** 2, axis=-1)

            total += root * weight * mean(bridge(law, t, bend), square, count)  # dt = 2 √t d√t, and the ½
        found.append(total)
    return np.array(found)


def divergence(law, count):
    """Return KL(μ‖N(0, I))."""
    rest = mfg.gaussian(0.0, 1.0, law.dimension)
    return mean(law, lambda x: law.log_density(x) - rest.log_density(x), count)


def missed(law, cells, noise):
    """Return ∫|p − μ| for the law that the drift makes of the bridge's law at t = 0.2, solved for on a grid.

    The bar is what the solution may be off in L¹, by its residual: sampled, since intervals of this drift are wide.
    """
    start = 0.2
    equation = mfg.FokkerPlanck(lambda x, s: drift(law, x, start + s, noise), lambda s: 0.5)
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(5.0, cells, 1), order=4)
    solution = mfg.solve(equation, space, bridge(law, start), (0.0, 1.0 - start - 1e-9), rtol=1e-7)
    end = solution.fields[-1]
    bar = solution.error_bound().value + 1e-13
    return mfg.Estimate(mfg.l1_distance(end, law), bar, mfg.Kind.EXTRAPOLATED, f"residual, sampled, on {cells} cells")


def between(a, b, name):
    """Return the finer of two values with their difference as bar."""
    return mfg.Estimate(a, abs(a - b) + 1e-13, mfg.Kind.EXTRAPOLATED, name)


SEEN = "one δ for all draws: what is left of integrals is over KL, which some draws have little of"

KEPT = {}
"""by law and bends: controls ask for the same"""


def bounded(law, bends):
    """Return KL and the energy for each bend, bounded, computed once."""
    key = (bends, *(part.tobytes() for part in (law.weights, law.means, law.covariances)))
    if key not in KEPT:
        KEPT[key] = enclosed.divergence(law), [enclosed.energy(law, bend) for bend in bends]
    return KEPT[key]


def by_rules(label, law, count, noise, bends):
    """Return KL and the energies by Gauss's rules: exact for shifts, whose drift is constant and KL's integrand of degree one."""
    fine, rough = (energies(law, n, m, noise, bends) for n, m in ((count, 16), (3 * count // 4, 12)))
    kl = between(divergence(law, count), divergence(law, 3 * count // 4), "Gauss–Hermite")
    spent = [between(a, b, "three quarters of the points") for a, b in zip(fine, rough, strict=True)]
    if label == "shift" and noise == 1.0:
        kl, *spent = (
            mfg.Estimate(e.value, 1e-13 * (1 + abs(e.value)), mfg.Kind.BOUND, "rules exact for polynomials")
            for e in (kl, *spent)
        )
    return kl, spent


@claim.measure
def optimal(level, rng, energy=1.0, noise=1.0, solved=True, dimensions=(1, 2, 3)):
    """`energy` scales the ½, `noise` the variance 1 − t in v; some dimensions alone may be asked for."""
    findings, bends = [], (0.0, -0.8, 1.5)
    for d in dimensions:
        count = Level(level).pick({1: 64, 2: 20, 3: 10}, {1: 64, 2: 32, 3: 16}, {1: 96, 2: 40, 3: 20})[d]
        laws = {"mixture": of_one_width(rng, d), "shift": mfg.gaussian(np.array([0.9, -0.6, 0.4][:d]), np.eye(d))}
        for label, law in laws.items():
            used = bends[: {1: 3, 2: 2, 3: 1}[d]] if label == "mixture" else bends[:1]
            kept = label == "mixture" and noise == 1.0  # the score of another law is in no bound
            kl, spent = bounded(law, used) if kept else by_rules(label, law, count, noise, used)
            spent = [energy * one for one in spent]
            small, seen = (2.5e-12, "") if label == "shift" else (1e-9, SEEN)
            ratio, label = spent[0] / kl, f"{d}D {label}: energy over KL"
            findings.append(equal(label, ratio, mfg.exact(1.0, "claim"), resolution=small, because=seen))
            for bend, other in zip(used[1:], spent[1:], strict=True):
                label = f"{d}D: energy of a drift with c bent by {bend:g} over KL"
                findings.append(at_least(label, other / kl, mfg.exact(1.0, "claim"), resolution=0.0))
    if solved:
        law, cells = drawn(rng, 1), Level(level).pick(160, 240, 320)
        gap = missed(law, cells, noise)
        # δ: cells and time steps: of eight seeds the worst reaches 5.1e-6 on 160 cells, of six 1.8e-6 on 240
        small = Level(level).pick(1.3e-5, 4e-6, 4e-6)
        findings.append(equal("∫|law at 1 − μ|", gap, mfg.exact(0.0, "claim"), resolution=small))
    return Evidence(findings)


@claim.control("smoothing with 1 − t in place of √(1 − t): half of the variance")
def half_noise(level, rng):
    return optimal(level, rng, noise=0.5)


@claim.control("the energy without its ½")
def whole(level, rng):
    return optimal(level, rng, energy=2.0, solved=False, dimensions=(1,))


@claim.control("half of the energy")
def half(level, rng):
    return optimal(level, rng, energy=0.5, solved=False, dimensions=(1, 2))
