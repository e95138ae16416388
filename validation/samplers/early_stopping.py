"""What steps cost down to a stop δ: d log²(1/δ)/4N at most on geometric levels, and far more on steps of equal length in time.

A step that holds the denoiser x̂₀ from γ_k to γ_{k+1} (γ = a²/V, the signal-to-noise ratio) loses ½∫(m(γ_k) − m(γ))dγ of the
divergence of paths, m the least mean squared error: x̂₀ is a martingale. The whole is the error of a sum for the integral of ½m, and
bounds the divergence of what an ancestral sampler generates.
"""

from dataclasses import replace
from functools import cache

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, at_most, equal

claim = Claim(
    statement=(
        r"\mathrm{KL}(p_\delta\|q_\delta)\le\tfrac12\sum_k\int_{\gamma_k}^{\gamma_{k+1}}\big(m(\gamma_k)-m(\gamma)\big)d\gamma\ "
        r"\le\ \frac{d\,L^2}{4N}(1+o(1)),\qquad \gamma_k\ \text{geometric},\ L=\log\frac{\gamma_N}{\gamma_0}"
    ),
    source="arXiv:2308.03686",
    standing="derived",
    assumes=("the exact score and start", "N → ∞ in the second bound"),
    coefficients=("bound", "drop"),
)

PROCESS = mfg.VariancePreserving()


def drawn(rng, d):
    """Return blobs, some of them narrow."""
    return mfg.GaussianMixture(rng.dirichlet(3 * np.ones(3)), rng.uniform(-1, 1, (3, d)), rng.uniform(1e-3, 0.3, 3))


def least_error(law, gammas, count):
    """Return m(γ) = E|X − E[X|√γX + Z]|², by Gauss–Hermite points at every blob: E tr(I + ∇²log p)/γ."""
    z, w = np.polynomial.hermite_e.hermegauss(count)
    d, found = law.dimension, []
    nodes = np.stack(np.meshgrid(*d * [z], indexing="ij"), axis=-1).reshape(-1, d)
    weights = np.prod(np.stack(np.meshgrid(*d * [w / w.sum()], indexing="ij"), axis=-1), axis=-1).ravel()
    for gamma in gammas:
        after = law.after(mfg.processes.Transition(np.sqrt(gamma), 0.0, 1.0))
        x = after.means[:, None] + np.sqrt(after.covariances[:, 0, 0])[:, None, None] * nodes
        curved = after.laplacian(x.reshape(-1, d)).reshape(len(x), -1)
        found.append(float(after.weights @ (curved @ weights) + d) / gamma)
    return np.array(found)


KEPT = {}
"""by law, levels and rule: a changed coefficient integrates nothing again"""


def lost(law, levels, count, inside=6):
    """Return `parted`, computed once."""
    key = *(one.tobytes() for one in (law.weights, law.means, law.covariances, levels)), count, inside
    if key not in KEPT:
        KEPT[key] = parted(law, levels, count, inside)
    return KEPT[key]


def parted(law, levels, count, inside):
    """Return ½Σ∫(m(γ_k) − m(γ))dγ over the intervals between levels of γ, by Gauss–Legendre points in log γ."""
    u, w = np.polynomial.legendre.leggauss(inside)
    logs = np.log(levels)
    width = np.diff(logs)
    points = np.exp(logs[:-1, None] + 0.5 * width[:, None] * (u + 1))
    start = least_error(law, levels[:-1], count)
    within = least_error(law, points.ravel(), count).reshape(points.shape)
    return 0.5 * float(np.sum(0.5 * width[:, None] * w * points * (start[:, None] - within)))


def between(law, levels):
    """Return two numbers that ½Σ∫(m(γ_k) − m(γ))dγ lies between, by estimators and by blobs that are known.

    m falls. It is at most the linear estimator's Σ_i S_i/(1 + γS_i), S_i of the law's covariance, and at least Σ_k w_k
    d v_k/(1 + γv_k), what is left to him who knows the blob. From above by parts: each m(γ_k) has a factor that is not
    negative where intervals grow; from below the sum with the least m, less the integral of the largest.
    """
    mean = law.weights @ law.means
    away, own, d = law.means - mean, law.covariances[:, 0, 0], law.dimension
    S = np.linalg.eigvalsh((law.weights[:, None] * away).T @ away + float(law.weights @ own) * np.eye(d))
    most = np.sum(S / (1 + levels[:, None] * S), axis=1)
    least = d * np.sum(law.weights * own / (1 + levels[:, None] * own), axis=1)
    widths = np.diff(levels)
    if np.any(np.diff(widths) < 0):
        raise ValueError("intervals that grow")
    above = 0.5 * float(most[:-1] @ np.diff(widths, prepend=0.0) - least[-1] * widths[-1])
    spent = float(np.sum(np.log1p(levels[-1] * S) - np.log1p(levels[0] * S)))
    return max(0.5 * (float(least[:-1] @ widths) - spent), 0.0), above


def snr(t):
    """Return γ at a time."""
    factor, _, covariance = PROCESS.transition(0.0, float(t)).in_dimension(1)
    return float(factor[0, 0] ** 2 / covariance[0, 0])


@cache
def ancestral(n):
    """Return the times of so many steps, and KL of the law that they make of two blobs."""
    law, times = mfg.densities.bimodal(), mfg.samplers.LogSNR().times(PROCESS, n, 1e-2)
    exact = mfg.ExactScore(PROCESS, law)
    made = mfg.samplers.generated_law(
        mfg.samplers.Ancestral(), mfg.samplers.Model(PROCESS, exact), times, exact.at(float(times[0]))
    )
    at = f"{mfg.samplers.generated.CELLS_1D} cells"  # the bar holds what half of them would make of it
    return times, replace(made.against(exact.at(float(times[-1]))).kl, kind=mfg.Kind.BOUND, at=at)


@claim.measure
def stopped(level, rng, bound=1.0, uniform=False, drop=1.0):
    """`bound` scales dL²/4N; `uniform` takes steps of equal length in time; `drop` scales the divergence of paths."""
    findings, one, series = [], mfg.exact(1.0, "claim"), []
    ends, N = (snr(1.0), snr(1e-3)), 400
    L = np.log(ends[1] / ends[0])

    def levels(n):
        if uniform:
            return np.array([snr(t) for t in np.linspace(1.0, 1e-3, n + 1)])
        return np.geomspace(*ends, n + 1)

    gauss = mfg.gaussian(0.0, 1.0)
    # m = 1/(1 + γ): ½·½(L/N)∫γ|m'|dγ to first order
    many = 6 * N
    whole = np.log((1 + ends[1]) / (1 + ends[0])) + 1 / (1 + ends[1]) - 1 / (1 + ends[0])
    step, limit = L / many, L / (4 * many) * whole
    used = levels(many)
    sums = 0.5 * float(np.diff(used) @ (1 / (1 + used[:-1]))) - 0.5 * np.log((1 + used[-1]) / (1 + used[0]))
    off = (abs(lost(gauss, used, 2, 3) - sums) + 1e-13 * L) / limit
    # a step adds ∫e^v(e^v − 1)dv of its first order at most, and sums of an increasing function lag behind by a step
    off += max(float((0.5 * np.expm1(2 * step) - np.expm1(step)) / (0.5 * step**2)) - 1, step / whole)
    ratio = mfg.Estimate(sums / (bound * limit), off / bound, mfg.Kind.BOUND, f"{many} steps, and what is left")
    # δ: two steps in log γ
    findings.append(equal("N(0, 1): divergence of paths over its first order", ratio, one, resolution=0.02))
    ratios, ends_of, stops = [], [], (1e-1, 1e-2, 1e-3)
    for d in (1, 2, 3):
        for _ in range(Level(level).pick(2, 6, 20)):
            law = drawn(rng, d)
            used = levels(N // 2) if d < 3 else levels(N // 4)
            scale = (len(used) - 1) * 4 / (d * L**2)
            ratios.append(lost(law, used, {1: 60, 2: 16, 3: 8}[d], 3) * scale)
            ends_of.append([scale * end for end in between(law, used)])
    largest, (low, high) = max(ratios), (max(column) for column in zip(*ends_of, strict=True))
    largest = min(max(largest, low), high)
    known = mfg.Estimate(largest, max(high - largest, largest - low), mfg.Kind.BOUND, "between two estimators' errors")
    findings.append(at_most("divergence of paths over dL²/4N, largest", known, bound * one, resolution=0.0))
    law, n = mfg.densities.bimodal(), 24
    times, kl = ancestral(n)
    used = np.array([snr(t) for t in times])
    whole, more = lost(law, used, 60), lost(law, used, 90, 8)
    rule = "6 points a step, 60 a blob"  # the bar holds what 8 and 90 make of it
    paths = drop * mfg.Estimate(whole, 2 * abs(whole - more) + 1e-12, mfg.Kind.BOUND, "Gauss", rule)
    findings.append(at_most(f"two blobs, {n} ancestral steps: KL, and that of paths", kl, paths, resolution=1e-7))
    for name, make in (("geometric", np.geomspace), ("equal in time", None)):
        values = []
        for stop in stops:
            grid = (
                np.geomspace(snr(1.0), snr(stop), 201)
                if make
                else np.array([snr(t) for t in np.linspace(1.0, stop, 201)])
            )
            values.append(lost(gauss, grid, 2, 3))
        series.append(Series(f"{name}, 200 steps", "stop", list(stops), "KL of paths", values))
    return Evidence(findings, series)


@claim.control("steps of equal length in time")
def in_time(level, rng):
    return stopped(level, rng, uniform=True)


@claim.control("a hundredth of the divergence of paths, below what is generated")
def less(level, rng):
    return stopped(level, rng, drop=0.01)
