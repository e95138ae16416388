"""What a score misses of the true one is known without it, up to a constant: whatever a network predicts, on any schedule.

Integration by parts, E_p[s_θ·∇log p] = −E_p[∇·s_θ], turns the misfit into E|s_θ|² + 2E∇·s_θ + E|∇log p|². Checked on
28 trained networks: noise, data, v, velocity, preconditioned data, score and potential on four schedules, each made a score
by its own formula; the divergence comes from the network's derivatives, the misfit does not. At level quick networks of
a schedule are looked at at one of two times, from standard on at both.
"""

from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, equal, load_module

NETWORKS = Path(__file__).parents[1] / "networks"
zoo, shared = load_module(NETWORKS / "_zoo.py"), load_module(NETWORKS / "_once.py")

claim = Claim(
    statement=(
        r"\mathbb E_{p_t}|s_\theta-\nabla\log p_t|^2=\mathbb E|s_\theta|^2+2\,\mathbb E\,\nabla\cdot s_\theta"
        r"+\mathbb E|\nabla\log p_t|^2"
    ),
    source="Hyvärinen, J. Mach. Learn. Res. 6 (2005), theorem 1",
    standing="theorem",
    assumes=("p s_θ vanishes at infinity",),
    coefficients=("divergence",),
)

SHARES = (0.3, 0.6)
"""of the horizon: times at which networks are looked at"""
DEVIATIONS = 7.5
"""from the means to the end of the lattice"""
FINE, UNSEEN, DELTA = 2e-4, 1e-4, 9e-4
"""of the misfit: what the lattice may leave of an integral, what points may that are left out, and what is asked of both sides"""


def box(law):
    """Return the corners of a square that holds all blobs to `DEVIATIONS`."""
    reach = float(np.abs(law.means).max()) + DEVIATIONS * float(np.sqrt(law.covariances[:, 0, 0].max()))
    return (-reach, -reach), (reach, reach)


def moments(law, tube):
    """Return Σ_k w_k e^{a²/v} times E1, E ρ, E ρ² of each round blob, ρ = |x − m|, as bounds of ∫|p|, ∫|p| |x − m| … on a tube."""
    rows = []
    for w, m, C in zip(law.weights, law.means, law.covariances, strict=True):
        v = float(C[0, 0])
        rows.append((float(w) * np.exp(tube.width**2 / v), float(np.linalg.norm(m)), v))
    return rows


def sizes(law, tube):
    """Return bounds of ∫|f(x + iy)|dx on the tube for f = s·∇p and p∇·s."""
    off, product, spread = np.sqrt(2) * tube.width, 0.0, 0.0
    for w, m, v in moments(law, tube):
        level, first, second = tube.level + tube.steep * (m + off), np.sqrt(np.pi * v / 2), 2 * v
        product += w / v * (level * first + level * off + tube.steep * second + tube.steep * off * first)
        spread += w * tube.divergence
    return product, spread


def outside(law, tube, h):
    """Return bounds of what the lattice leaves out beyond its end, for the same two: geometric series of Gaussians."""
    found = np.zeros(2)
    for w, m, v in moments(law, tube):
        R = DEVIATIONS * np.sqrt(v)
        edge = np.exp(-(R**2) / (2 * v)) / np.sqrt(2 * np.pi * v)
        fall = np.exp(-R * h / v)
        none, two = h * edge / (1 - fall), h * edge * R**2 / (1 - (1 + h / R) ** 2 * fall)
        level = tube.level + tube.steep * m
        for k, (c0, c2) in enumerate(
            (
                ((level**2 + 1) / v, (1 + tube.steep**2 + 2 * tube.steep) / v),
                (tube.divergence, 0.0),
            )
        ):  # c0 + c2 ρ² exceeds what multiplies each blob; two axes, two sides; along the other axis the whole lattice
            found[k] += w * 4 * 1.01 * ((c0 + c2 * v) * none + c2 * two)
    return found


def matter(law, tube, x, p, h, budget):
    """Return which points of a lattice are kept, and bounds of what the others have of ∫s·∇p and E∇·s: their sum is `budget` at most.

    |s| is at most level + steep |x|, |∇log p| at most (|x| + |m|)/v of the farthest blob and the narrowest.
    """
    far, v = np.linalg.norm(x, axis=1), float(law.covariances[:, 0, 0].min())
    steep = (far + float(np.linalg.norm(law.means, axis=1).max())) / v
    product = h * h * p * (tube.level + tube.steep * far) * steep
    spread = h * h * p * tube.divergence
    order = np.argsort(product + spread)
    few = order[: int(np.searchsorted(np.cumsum((product + spread)[order]), budget))]
    kept = np.ones(len(x), bool)
    kept[few] = False
    return kept, (float(product[few].sum()), float(spread[few].sum()))


def integrals(schedule, predicts, share):
    """Return ∫s·∇p and E∇·s of a network at a time, each with a bound of what the lattice leaves, and the misfit, a plain sum."""
    process, score = zoo.SCHEDULES[schedule], zoo.score(schedule, predicts)
    t = share * process.horizon
    law, tube = mfg.densities.marginal(process, zoo.LAW, t), mfg.scores.around(score, t)
    bounds, end = sizes(law, tube), box(law)[1][0]
    x, _ = lattice(end, end / 48)
    misfit = float(np.mean(law.density(x) * np.sum((score(x, t) - law.score(x)) ** 2, axis=1)) * (2 * end) ** 2)
    h = 2 * np.pi * tube.width / np.log(8 * sum(bounds) / (FINE * misfit))
    x, h = lattice(end, h)
    p = law.density(x)
    kept, unseen = matter(law, tube, x, p, h, UNSEEN * misfit)
    x, p, count = x[kept], p[kept], len(x)
    values = np.sum(score(x, t) * law.score(x), axis=1) * p, score.divergence(x, t) * p
    found = [
        mfg.Estimate(
            h * h * float(value.sum()),
            mfg.solvers.lattice_rest(bound, tube.width, h, 2)
            + beyond
            + few
            + 1e-14 * h * h * float(np.abs(value).sum()),
            mfg.Kind.BOUND,
            f"sums over {len(x)} points of a lattice of {count}, bounded",
        )
        for value, bound, beyond, few in zip(values, bounds, outside(law, tube, h), unseen, strict=True)
    ]
    return *found, misfit


def lattice(end, h):
    """Return points to ±end, at least, with spacing h at most, and the spacing."""
    n = int(np.ceil(end / h))
    line = end / n * np.arange(-n, n + 1)
    return np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2), end / n


@claim.measure
def parts(level, swapped=False, divergence=1.0):
    """Compare both sides for every network; `swapped` gives each the divergence of what the next one of the zoo predicts.

    Both sides have E|s_θ|² and E|∇log p|²: their difference is 2E∇·s_θ, times
    `divergence`, and 2∫s_θ·∇p.
    """
    findings, series, zero = [], [], mfg.exact(0.0, "the claim")
    for k, schedule in enumerate(zoo.SCHEDULES):
        misfits, shares = [], Level(level).pick(SHARES[k % 2 : k % 2 + 1], SHARES, SHARES)
        for predicts in zoo.PREDICTIONS:
            for share in shares:
                product, own, misfit = shared.once(integrals, schedule, predicts, share)
                spread = shared.once(integrals, schedule, _next(predicts), share)[1] if swapped else own
                # δ: a share of the misfit, for which a sum over cells is enough
                name = f"{schedule}, {predicts}, {share:g} T: right − misfit"
                findings.append(equal(name, 2 * divergence * spread + 2 * product, zero, resolution=DELTA * misfit))
                if share == shares[0]:
                    misfits.append(misfit)
        series.append(Series(schedule, "prediction", list(range(len(misfits))), "misfit", misfits))
    return Evidence(findings, series)


def _next(predicts):
    names = zoo.PREDICTIONS
    return names[(names.index(predicts) + 1) % len(names)]


@claim.control("the divergence once in place of twice")
def once(level):
    return parts(level, divergence=0.5)


@claim.control("each network's values with the divergence of the next one's")
def another(level):
    return parts(level, swapped=True)
