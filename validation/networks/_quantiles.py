"""One step of a flow with kinetic cost on the line, in quantiles: min ε E|q − q₀|²/2T + KL(ρ‖π), by Newton's method."""

import numpy as np
from scipy.linalg import solveh_banded


def quantiles(source, levels, reach=6.0):
    """Return the quantiles of a law on the line at (i + ½)/levels, by its distribution function on 40 001 points."""
    x = np.linspace(-reach, reach, 40001)
    distribution = np.cumsum(source.density(x[:, None])) * (x[1] - x[0])
    return np.interp((np.arange(levels) + 0.5) / levels, distribution, x + 0.5 * (x[1] - x[0]))


def step(source, target, horizon, levels, kinetic=1.0, start=None):
    """Return q₀ and the quantiles q that minimise kinetic·Σ(q − q₀)²/2Tn + entropy of the gaps − mean log π, and that value."""
    first, steps = quantiles(source, levels), levels
    weight = kinetic / horizon

    def cost(q):
        gaps = np.diff(q)
        if gaps.min() <= 0:
            return np.inf
        moved = 0.5 * weight * np.mean((q - first) ** 2)
        return float(moved - np.mean(target.log_density(q[:, None])) - np.log(steps * gaps).mean())

    q = (first if start is None else start).copy()
    for _ in range(300):
        gaps, e = np.diff(q), 1e-5
        inner = 1 / gaps / (levels - 1)
        slope = (weight * (q - first) - target.score(q[:, None])[:, 0]) / levels
        slope[:-1] += inner
        slope[1:] -= inner
        bend = -(target.score(q[:, None] + e) - target.score(q[:, None] - e))[:, 0] / (2 * e)
        outer = inner / gaps  # where −log π is concave its part of the Hessian is left out
        diagonal = (weight + np.maximum(bend, 0.0)) / levels
        diagonal[:-1] += outer
        diagonal[1:] += outer
        move = solveh_banded(np.stack((np.append(0.0, -outer), diagonal)), slope)
        size, now = 1.0, cost(q)
        while cost(q - size * move) > now and size > 1e-10:
            size /= 2
        q = q - size * move
        if np.abs(size * move).max() < 1e-12:
            break
    return first, q, cost(q)


def limit(source, target, horizon, levels):
    """Return the least cost for ever more quantiles, and what it changes from half as many: the rest is a log n/n + b/n."""
    counts = np.array([levels // 8, levels // 4, levels // 2, levels])
    values = np.array([step(source, target, horizon, int(n))[2] for n in counts])
    terms = np.stack((np.ones(4), np.log(counts) / counts, 1 / counts), axis=1)
    fine, coarse = (np.linalg.solve(terms[part], values[part])[0] for part in (slice(1, 4), slice(0, 3)))
    return float(fine), float(abs(fine - coarse))
