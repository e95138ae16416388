"""Feynman–Kac expectations by particles: sequential Monte Carlo, with twisting functions.

Z = E[e^{−∫k(X_t) dt} u₀(X_T)], X of a diffusion from a law. Particles move by Euler–Maruyama steps, are weighted by
e^{−½h(k + k′)}, and drawn anew where their weights have drifted apart. A twist ψ ≈ u, the solution of the backward
equation, adds 2D∇log ψ to the drift and is divided out of the weights: for ψ = u all would be alike. The estimate of the
chain's own constant is unbiased for every number of particles and every ψ > 0 (Del Moral, Feynman–Kac Formulae, 2004,
theorem 7.4.2; twisting: Guarniero, Johansen, Lee, arXiv:1511.06286); its variance falls like one over their number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mfgpde.core.arrays import Array, dot
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.core.intervals import half_width
from mfgpde.densities import Density
from mfgpde.equations import FeynmanKac

SPARSE = 0.5
"""of the particles: fewer that count than that are drawn anew"""


@dataclass(frozen=True)
class Twist:
    """A positive function of points and the time left, by `log_value` (...), and `slope` = ∇log ψ (..., d).

    >>> mfg.solvers.Twist(lambda x, tau: 0 * x[..., 0], lambda x, tau: 0 * x).slope(np.ones((1, 2)), 0.5).tolist()
    [[0.0, 0.0]]
    """

    log_value: Callable[[Array, float], Array]
    slope: Callable[[Array, float], Array]


def particle_constants(
    equation: FeynmanKac,
    payoff: Callable[[Array], Array],
    start: Density,
    end: float,
    *,
    steps: int,
    particles: int,
    copies: int,
    twist: Twist | None = None,
    seed: int = 0,
) -> Array:
    """Return independent estimates (copies,) of Z of the chain with so many steps: unbiased each, for every twist.

    Raises ValueError for equations with sources or resetting, payoffs that are negative or not finite, and numbers below 1.

    >>> walk = mfg.processes.Diffusion(lambda x, t: 0 * x, lambda x, t: 0.5)
    >>> equation = mfg.equations.FeynmanKac(walk, killing=lambda x, t: 1 + 0 * x[..., 0])
    >>> Z = mfg.solvers.particle_constants(
    ...     equation, lambda x: 1 + 0 * x[..., 0], mfg.gaussian(0.0, 1.0), 1.0, steps=8, particles=16, copies=4
    ... )
    >>> Z.round(4).tolist()  # e⁻¹: the same is killed everywhere
    [0.3679, 0.3679, 0.3679, 0.3679]
    """
    _check(equation, steps, particles, copies, end)
    rng, h = np.random.default_rng(seed), end / steps
    x = start.sample(copies * particles, rng)
    d = x.shape[-1]
    x = np.asarray(x, dtype=float).reshape(copies, particles, d)
    logs, total = np.zeros((copies, particles)), np.zeros(copies)
    if twist is not None:
        logs += twist.log_value(x, end)
    for n in range(steps):
        left = end - n * h
        drift, root = equation.diffusion.ito_drift(x, left), _root(equation, x, left)
        xi = rng.standard_normal((copies, particles, d))
        lean = np.zeros_like(xi)
        if twist is not None:
            lean = np.sqrt(h) * np.einsum("...ij,...i->...j", root, twist.slope(x, left))
            logs -= twist.log_value(x, left)
        moved = x + h * drift + np.sqrt(h) * np.einsum("...ij,...j->...i", root, xi + lean)
        logs -= dot(lean, xi) + 0.5 * dot(lean, lean)
        if equation.killing is not None:
            logs -= 0.5 * h * (equation.killing(x, left) + equation.killing(moved, left - h))
        if twist is not None:
            logs += twist.log_value(moved, left - h)
        x = moved
        if n < steps - 1:
            x, logs, total = _drawn_anew(x, logs, total, rng)
    paid = np.asarray(payoff(x), dtype=float)
    if paid.shape != logs.shape or not np.isfinite(paid).all() or paid.min() < 0:
        raise ValueError(f"the payoff must be ≥ 0 and finite, of shape {logs.shape}, got {paid.shape}")
    if twist is not None:
        logs = logs - twist.log_value(x, 0.0)
    top = logs.max(axis=1, keepdims=True)
    return np.exp(total + top[:, 0]) * (np.exp(logs - top) * paid).mean(axis=1)


def particle_expectation(
    equation: FeynmanKac,
    payoff: Callable[[Array], Array],
    start: Density,
    end: float,
    *,
    steps: int = 64,
    particles: int = 256,
    copies: int = 32,
    twist: Twist | None = None,
    seed: int = 0,
) -> Estimate:
    """Return Z = E[e^{−∫k} u₀(X_T)] from independent copies, 99 %, and half as many steps beside: a bar that holds both.

    Steps err at order one (two where drift and noise are constant), so what half of them change is more than what is left;
    the bar adds it and both copies' intervals.

    >>> walk = mfg.processes.Diffusion(lambda x, t: 0 * x, lambda x, t: 0.5)
    >>> equation = mfg.equations.FeynmanKac(walk, killing=lambda x, t: 0.5 * x[..., 0] ** 2)
    >>> found = mfg.solvers.particle_expectation(equation, lambda x: 1 + 0 * x[..., 0], mfg.gaussian(0.0, 1e-12), 1.0)
    >>> 0.805 in found, found.half_width < 0.02  # Cameron and Martin: 1/√cosh 1
    (True, True)
    """
    if steps < 2 or steps % 2:
        raise ValueError(f"steps are compared with half as many: an even number, got {steps}")
    runs = [
        particle_constants(
            equation, payoff, start, end, steps=n, particles=particles, copies=copies, twist=twist, seed=seed + k
        )
        for k, n in enumerate((steps, steps // 2))
    ]
    fine, coarse = (float(values.mean()) for values in runs)
    bar = abs(fine - coarse) + sum(half_width(values) for values in runs)
    told = "twisted particles" if twist is not None else "particles"
    return Estimate(fine, bar, Kind.CONFIDENCE, f"{copies} × {particles} {told}, {steps} steps and half as many, 99 %")


def _check(equation: FeynmanKac, steps: int, particles: int, copies: int, end: float) -> None:
    if equation.source is not None or equation.resetting is not None:
        raise ValueError("particles know killing alone: march FeynmanKac with sources and resetting on a grid")
    for name, number in (("steps", steps), ("particles", particles), ("copies", copies)):
        if number < 1:
            raise ValueError(f"{name} must be at least one, got {number}")
    if not 0 < end <= equation.horizon:
        raise ValueError(f"the end must lie in (0, {equation.horizon:g}], got {end!r}")


def _root(equation: FeynmanKac, x: Array, t: float) -> Array:
    """Return B (..., d, d) with BBᵀ = 2D, also where D has no inverse."""
    values, vectors = np.linalg.eigh(2 * equation.diffusion.diffusion_tensor(x, t))
    return vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :]


def _drawn_anew(x: Array, logs: Array, total: Array, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Draw particles systematically where few count: their mean weight goes to the total, and all weigh the same."""
    top = logs.max(axis=1, keepdims=True)
    weights = np.exp(logs - top)
    sums = weights.sum(axis=1)
    few = sums**2 < SPARSE * logs.shape[1] * (weights**2).sum(axis=1)
    if not few.any():
        return x, logs, total
    rows, count = np.flatnonzero(few), logs.shape[1]
    shares = np.cumsum(weights[rows], axis=1) / sums[rows, None]
    shares[:, -1] = 1.0
    marks = (rng.uniform(size=(len(rows), 1)) + np.arange(count)) / count
    order = np.arange(len(rows))[:, None]
    chosen = np.searchsorted((shares + order).ravel(), (marks + order).ravel(), side="right").reshape(-1, count)
    chosen = np.minimum(chosen - count * order, count - 1)
    x, logs, total = x.copy(), logs.copy(), total.copy()
    x[rows] = np.take_along_axis(x[rows], chosen[..., None], axis=1)
    total[rows] += top[rows, 0] + np.log(sums[rows] / count)
    logs[rows] = 0.0
    return x, logs, total
