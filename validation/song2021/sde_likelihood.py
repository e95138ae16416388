"""What the generating SDE loses in likelihood, exactly: Girsanov's bound less the mismatch of its own score.

p is the exact mixture of three blobs, under four processes: all drawn. Of scores whose q^SDE is a mixture too, integrals over place
and time are bounded; that of a score disturbed by bumps comes from finite volumes, in the plane of one process at level quick,
of three at standard: exploding variance, on ten times the cells, is there at level full.
What the identity says of an instant is proved for mixtures on the line, in ball arithmetic.
"""

from functools import cache
from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, at_most, equal, load_module

claim = Claim(
    statement=(
        r"\mathrm{KL}(p_0\|q_0)=\mathrm{KL}(p_T\|q_T)+\int_0^T D\,\mathbb{E}_p|s_\theta-\nabla\log p|^2dt"
        r"-\int_0^T D\,\mathbb{E}_p|s_\theta-\nabla\log q|^2dt,\qquad q=q^{\mathrm{SDE}}"
    ),
    source="after arXiv:2101.09258",
    standing="derived",
    assumes=("s_θ smooth", "p, q decay at infinity"),
    coefficients=("diffusivity", "slack"),
)

PROCESS, STOP = mfg.OrnsteinUhlenbeck(horizon=1.0), 0.2
"""of what is proved at an instant"""

DELTA = {1: 1e-3, 2: 3e-3}  # wider cells in the plane; most draws reach 1e-4 and less
SCATTER = {1: "one δ for all draws: VP of seed 2 reaches 3.3e-4", 2: "one δ for all draws: OU of seed 3 reaches 9.6e-4"}
"""on cells of 0.07, in the plane of 0.16"""
NETWORKS = Path(__file__).parents[1] / "networks"
family, known = load_module(NETWORKS / "_family.py"), load_module(NETWORKS / "_known.py")
ALLOWED = "each of two integrals over time may leave 1e-9: of six seeds one leaves 5.4e-10 in all"
SHAPES = (((1, 0.07, 33, 0), (2, 0.16, 17, 1)), ((1, 0.05, 49, 4),) * 4 + ((2, 0.13, 33, 3),), family.SHAPES[2])
"""of the families on grids"""


def in_closed_form(case):
    """Return the same four numbers of a known law, as bounds."""

    def squared(which):
        return lambda t: [(case.process.diffusivity(t), *2 * (case.errors(t)[which],))]

    ends = [case.divergence(t) for t in (case.stop, case.process.horizon)]
    return *ends, *(case.over_time(squared(which)) for which in (0, 1))


def parts(found, weights):
    """Return KL(p‖q) at the stop, at T, and ∫D E_p of the loss and of the mismatch."""
    gap = found.divergence(found.p, found.q)
    terms = (found.diffusivity * found.mean(found.p * np.sum(one**2, axis=-1)) for one in (found.error, found.gap))
    return np.array([gap[-1], gap[0], *(weights @ term for term in terms)])


@claim.measure
def likelihood(level, rng, diffusivity=1.0, slack=1.0, share=1.0):
    """Compare both sides; `slack` scales the last term, which the published bound leaves out; `share` that bound."""
    findings, points, shares, zero = [], [], [], mfg.exact(0.0, "the claim")
    seed = int(rng.integers(2**32))
    for name, (gap, prior, loss, miss) in known.drawn(seed, Level(level).pick(1, 4, 16), in_closed_form).items():
        label = f"{name}: left − right (KL {gap.value:.3f}, slack {miss.value:.3f})"
        off = gap - prior - diffusivity * (loss - slack * miss)
        findings.append(equal(label, off, zero, resolution=2.2e-9, because=ALLOWED))
        shares.append(gap / (share * (prior + diffusivity * loss)))
        points.append((gap.value, prior.value + loss.value))
    largest = max(shares, key=lambda e: e.value + e.half_width)
    label = "law known: KL over Girsanov's bound, largest"
    findings.append(at_most(label, largest, mfg.exact(1.0, "the claim"), resolution=0.0))
    for name, rows in family.drawn(seed, Level(level).pick(*SHAPES), parts).items():
        label = f"{name}: left − right (KL {rows[0][0]:.3f}, slack {rows[0][3]:.3f})"
        off = family.defect([a - b - diffusivity * (loss - slack * miss) for a, b, loss, miss in rows])
        d = 2 if " 2D" in name else 1
        findings.append(equal(label, off, zero, resolution=DELTA[d], because=SCATTER[d]))
        points.append((rows[0][0], rows[0][1] + rows[0][2]))
    points.sort()
    series = [Series("every draw", "KL", [a for a, _ in points], "Girsanov's bound", [b for _, b in points], "xy")]
    if mfg.proofs.available():
        findings.append(proved(diffusivity, slack))
    return Evidence(findings, series)


BLOBS = {
    "p": mfg.GaussianMixture([0.5, 0.3, 0.2], [[-1.5], [0.5], [2.0]], [0.2, 0.1, 0.3]),
    "q": mfg.GaussianMixture([0.6, 0.4], [[-0.8], [1.0]], [0.5, 0.3]),
    "learned": mfg.GaussianMixture([0.3, 0.7], [[-1.0], [0.7]], [0.4, 0.6]),
}
"""data, a law that the SDE generates, and one whose score is the learned one"""


@cache
def of_an_instant():
    """Return ∂_t KL(p‖q), D E_p|s_θ − ∇log p|² and D E_p|s_θ − ∇log q|² at an instant, both mixtures."""
    now = mfg.proofs.Instant.of(PROCESS, STOP)
    law = mfg.proofs.MovingMixture.noised(BLOBS["p"], now)
    made, learned = (mfg.proofs.MovingMixture.of(BLOBS[name]).log_density for name in ("q", "learned"))
    log_p, D = law.log_density, now.diffusivity
    velocity = mfg.proofs.affine(0.0, 1.0) * -now.relaxation - learned.slope * (2 * D)
    widening = -learned.curvature * (2 * D) - now.relaxation
    spread = (made.curvature + made.slope**2) * D
    speed = -widening - velocity * made.slope - spread  # ∂_t log q, against the direction of the SDE
    change = mfg.proofs.mean(law, log_p.speed * (log_p.value - made.value) - speed)
    loss, mismatch = (mfg.proofs.mean(law, (learned.slope - one.slope) ** 2) for one in (log_p, made))
    return change, D * loss, D * mismatch


def proved(diffusivity, slack):
    """Return ∂_t KL(p‖q) over D(E_p|s_θ − ∇log q|² − E_p|s_θ − ∇log p|²)."""
    change, loss, mismatch = of_an_instant()
    ratio = mfg.proofs.estimate(change / (diffusivity * (slack * mismatch - loss)), "balls")
    # δ: no quadrature is left; ten roundings of a double
    return equal("1D, an instant: left over right, proved", ratio, 1.0, resolution=2.5e-15)


@claim.control("D replaced by g² = 2D")
def twice_the_diffusivity(level, rng):
    return likelihood(level, rng, diffusivity=2.0)


@claim.control("the published bound taken for an identity: the last term left out")
def girsanov_alone(level, rng):
    return likelihood(level, rng, slack=0.0)


@claim.control("a hundredth of Girsanov's bound")
def hundredth(level, rng):
    return likelihood(level, rng, share=0.01)
