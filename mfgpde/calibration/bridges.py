"""Optimal costs of games with given ends or entropies: Schrödinger bridges, transport, flows, score-based models."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.integrate import solve_bvp

from mfgpde.calibration.contract import Case
from mfgpde.core.arrays import dot
from mfgpde.densities import gaussian
from mfgpde.equilibria.refined import Walls, optimal_cost
from mfgpde.games import (
    MeanFieldGame,
    Potential,
    RelativeEntropy,
    benamou_brenier,
    normalizing_flow,
    schroedinger_bridge,
    score_based_model,
)
from mfgpde.grids import CartesianGrid
from mfgpde.processes import OrnsteinUhlenbeck


class Bridges:
    """Gaussians, whose bridges, plans and flows stay Gaussian: costs in closed form, or of two ordinary equations.

    An entropy as a running cost is λ∫(ρ log ρ − ρ + 1), which belongs to its box: its length but one is added.
    """

    covers = ("equilibria.optimal_cost", "equilibria.RefinedEquilibrium.optimal_cost")
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw two Gaussians, a horizon, noise, a weight and cells, and one of five games on a line."""
        m, n = (float(rng.normal(0, 0.6)) for _ in range(2))
        s, r = (float(rng.uniform(0.35, 0.8)) for _ in range(2))
        horizon, kappa, weight = (
            float(rng.uniform(0.4, 1.6)),
            float(rng.uniform(0.15, 0.6)),
            float(rng.uniform(0.2, 1.0)),
        )
        cells, pick = 16 * int(rng.integers(4, 9)), int(rng.integers(5))
        source, target = gaussian(m, s**2), gaussian(n, r**2)
        reach = max(abs(m), abs(n)) + 6.5 * max(s, r)
        known = 0.0
        walls: Walls = "cut"
        if pick == 0:
            game, truth = schroedinger_bridge(source, target, kappa, horizon), bridge(m, s, n, r, kappa, horizon)
            reach = max(abs(m), abs(n)) + 6.5 * float(np.sqrt(max(s, r) ** 2 + 0.5 * kappa * horizon))
        elif pick == 1:
            game, truth = benamou_brenier(source, target, horizon), ((m - n) ** 2 + (s - r) ** 2) / (2 * horizon)
        elif pick == 2:
            game, truth = normalizing_flow(source, target, horizon), flow(m, s, n, r, horizon)
        elif pick == 3:
            process = OrnsteinUhlenbeck(horizon=horizon)
            game, law = score_based_model(process, source), source.after(process.transition(0.0, horizon))
            truth = 0.5 * float(np.log(2 * np.pi * np.e * law.covariances[0, 0, 0]))
            reach = abs(m) + 7 * max(s, 1.0)
        else:
            end = Potential(lambda x, t: 0.5 * weight * dot(x, x))
            company = RelativeEntropy(None, kappa)
            game = MeanFieldGame(source, end, horizon, interaction=company, name="entropy as a cost")
            reach, walls = abs(m) + 7 * (s + float(np.sqrt(kappa)) * horizon), "real"
            truth, known = crowded(m, s, weight, horizon, kappa) + kappa * horizon * (2 * reach - 1), 1e-8
        found = optimal_cost(game, CartesianGrid.cube(reach, cells, 1), walls=walls)
        yield Case(f"optimal cost, {game.name}, T = {horizon:.2g}, {cells} cells", found, float(truth), known)


def bridge(m: float, s: float, n: float, r: float, kappa: float, horizon: float) -> float:
    """Return min E∫½|v|² between two Gaussians under noise √(2κ): 2κ KL(π‖ρ₀ ⊗ heat kernel), π Gaussian of covariance c.

    c² + 2κT c = s²r² makes it least, with deviations s, r.

    >>> from mfgpde.calibration.bridges import bridge
    >>> print(f"{bridge(0.0, 1.0, 2.0, 1.0, 1e-9, 1.0):.4f}")  # without noise (m − n)²/2T
    2.0000
    """
    v = 2 * kappa * horizon
    c = 0.5 * (np.sqrt(v**2 + 4 * (s * r) ** 2) - v)
    entropies = 0.5 * (np.log(v) + np.log(s**2) - np.log(v * c))  # s²r² − c² = vc
    return float(2 * kappa * (entropies - 0.5 + ((m - n) ** 2 + s**2 + r**2 - 2 * c) / (2 * v)))


def flow(m: float, s: float, n: float, r: float, horizon: float) -> float:
    """Return min over Gaussians N(a, b²) of ((a − m)² + (b − s)²)/2T + KL(N(a, b²)‖N(n, r²)).

    >>> from mfgpde.calibration.bridges import flow
    >>> print(f"{flow(0.0, 0.5**0.5, 1.0, 0.5**0.5, 1.0):.4f}")  # ½·4/9 + 1/9
    0.3333
    """
    a = (m / horizon + n / r**2) / (1 / horizon + 1 / r**2)
    p = 1 / horizon + 1 / r**2
    b = (s / horizon + np.sqrt((s / horizon) ** 2 + 4 * p)) / (2 * p)
    kl = np.log(r / b) + (b**2 + (a - n) ** 2) / (2 * r**2) - 0.5
    return float(((a - m) ** 2 + (b - s) ** 2) / (2 * horizon) + kl)


def crowded(m: float, s: float, weight: float, horizon: float, aversion: float) -> float:
    """Return min ∫½|v|²ρ + λ∫∫ρ log ρ + ½w∫|x|²ρ_T from a Gaussian: deviations solve σ″ = −λ/σ, σ′(T) = −wσ(T).

    The entropy is −λ log σ but for a constant. The two ordinary equations to 1e-10.

    >>> from mfgpde.calibration.bridges import crowded
    >>> print(f"{crowded(1.0, 0.5, 1.0, 1.0, 1e-12):.4f}")  # ½·(1 + ¼)/(1 + wT)
    0.3125
    """
    times = np.linspace(0, horizon, 41)
    guess = np.array([s * (1 - 0.3 * times / horizon), np.full(41, -0.1), 0 * times])

    def slope(_: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.array([y[1], -aversion / y[0], 0.5 * y[1] ** 2 - aversion * np.log(y[0])])

    def ends(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.array([a[0] - s, b[1] + weight * b[0], a[2]])

    found = solve_bvp(slope, ends, times, guess, tol=1e-10, max_nodes=100_000)
    if not found.success:
        raise ValueError(f"the deviations were not found: {found.message}")
    moved = 0.5 * weight * m**2 / (1 + weight * horizon)
    spread, _, cost = found.y[:, -1]
    return float(moved + cost - 0.5 * aversion * horizon * np.log(2 * np.pi * np.e) + 0.5 * weight * spread**2)
