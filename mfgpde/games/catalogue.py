"""Generative models and textbook problems as games, one constructor each. — arXiv:2304.13534, table 1."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from mfgpde.core.arrays import Array, dot
from mfgpde.densities import Density, Propagated, gaussian, marginal
from mfgpde.games.functionals import (
    Capacity,
    Functional,
    Potential,
    Power,
    RelativeEntropy,
    ReverseRelativeEntropy,
    Target,
    cross_entropy,
)
from mfgpde.games.mean_field_game import MeanFieldGame
from mfgpde.processes import IsotropicProcess, Linear, LinearProcess, OrnsteinUhlenbeck


def normalizing_flow(source: Density, target: Density, horizon: float = 1.0, *, forward: bool = True) -> MeanFieldGame:
    """Return the continuous normalizing flow with kinetic cost (OT-flow): min ∫½|v|²ρ + KL(ρ_T‖target).

    One step of length T of the Jordan–Kinderlehrer–Otto scheme; `forward=False` takes KL(target‖ρ_T), maximum likelihood.

    >>> game = mfg.games.normalizing_flow(mfg.gaussian(0.0, 0.5), mfg.gaussian(1.0, 0.5))
    >>> print(f"{mfg.equilibrium(game, mfg.CartesianGrid.cube(5.0, 64, 1), steps=16).discrete_primal:.2f}")  # ½·4/9 + 1/9
    0.33
    """
    cost: Functional = RelativeEntropy(target) if forward else ReverseRelativeEntropy(target)
    return MeanFieldGame(source, cost, horizon, name="normalizing flow")


def score_based_model(process: LinearProcess, data: Propagated, *, initial: Density | None = None) -> MeanFieldGame:
    """Return the score-based model: b = −f, noise and control both by g, running cost ½|v|² + ∇·f, terminal −∫log p_0 dρ.

    All at noising time T − τ. From ρ_0 = p_T (the default) it ends in p_0 with U = −log p_{T−τ}, v = g∇log p_{T−τ}, at the
    cost −∫ρ_0 log p_T. The drift is a gradient for isotropic processes; others are for Newton's method.

    >>> game = mfg.games.score_based_model(mfg.OrnsteinUhlenbeck(), mfg.gaussian(0.0, 0.5))
    >>> print(f"{mfg.equilibrium(game, mfg.CartesianGrid.cube(5.0, 128, 1)).discrete_primal:.2f}")  # −∫p log p = ½ log(πe)
    1.07
    """
    end, isotropic = process.horizon, isinstance(process, IsotropicProcess)

    def pull(x: Array, tau: float) -> Array:
        return -0.5 * float(process.relaxation(end - tau)) * dot(x, x)  # pyright: ignore[reportAttributeAccessIssue]

    def divergence(x: Array, tau: float) -> Array:
        return np.broadcast_to(process.divergence(x, end - tau), x.shape[:-1])

    return MeanFieldGame(
        initial if initial is not None else marginal(process, data, end),
        cross_entropy(data),
        end,
        viscosity=lambda tau: float(process.diffusivity(end - tau)),
        gain=lambda tau: float(process.diffusion(end - tau)),
        drift_potential=pull if isotropic else None,
        drift=None if isotropic else (lambda x, tau: -process.drift(x, end - tau)),
        running=divergence,
        name="score-based model",
    )


def gradient_flow(source: Density, target: Density, epsilon: float, horizon: float = 1.0) -> MeanFieldGame:
    """Return the Wasserstein gradient flow of KL(·‖target) at ε: min ∫e^{−τ/ε}(½|v|² + KL(ρ_τ‖target)/ε) dτ.

    Tends to ∂_τρ = ∇·(ρ∇log(ρ/target)) as ε → 0. The infinite horizon is cut at `horizon`, where the value that the limit
    would have goes on: U = log(ρ/target).

    >>> mfg.games.gradient_flow(mfg.gaussian(0.0, 0.5), mfg.gaussian(1.0, 0.5), epsilon=0.1).discount
    10.0
    """
    if not epsilon > 0:
        raise ValueError(f"epsilon must be positive, got {epsilon}")
    return MeanFieldGame(
        source,
        RelativeEntropy(target),
        horizon,
        interaction=RelativeEntropy(target, 1 / epsilon),
        discount=1 / epsilon,
        name="Wasserstein gradient flow",
    )


def benamou_brenier(source: Density, target: Density, horizon: float = 1.0) -> MeanFieldGame:
    """Return optimal transport as a game: min ∫½|v|²ρ with ρ_T = target; the cost is W₂²/(2T).

    >>> game = mfg.games.benamou_brenier(mfg.gaussian(-0.5, 0.5), mfg.gaussian(0.5, 0.5))
    >>> print(f"{mfg.equilibrium(game, mfg.CartesianGrid.cube(5.0, 64, 1), steps=16).discrete_primal:.2f}")  # W₂²/2T
    0.50
    """
    return MeanFieldGame(source, Target(target), horizon, name="Benamou–Brenier")


def schroedinger_bridge(source: Density, target: Density, viscosity: float, horizon: float = 1.0) -> MeanFieldGame:
    """Return the Schrödinger bridge: noise √(2κ), min E∫½|v|² with both ends given.

    >>> law, grid = mfg.gaussian(0.0, 0.25), mfg.CartesianGrid.cube(4.0, 64, 1)
    >>> found = mfg.equilibrium(mfg.games.schroedinger_bridge(law, law, viscosity=0.5), grid, steps=16)
    >>> print(f"{grid.integrate(grid.points[..., 0] ** 2 * found.densities[8]):.2f}")  # ⅛ + ½√(1/16 + ¼), half-way
    0.40
    """
    if not viscosity > 0:
        raise ValueError(f"a bridge needs viscosity > 0, got {viscosity}; without noise it is benamou_brenier")
    return MeanFieldGame(source, Target(target), horizon, viscosity=viscosity, name="Schrödinger bridge")


def proximal_operator(
    source: Density, potential: Callable[[Array], Array], horizon: float = 1.0, *, beta: float = 0.0
) -> MeanFieldGame:
    """Return the (regularised) Wasserstein proximal operator: min ∫½|v|²ρ + ∫Vρ_T, with noise of viscosity β ≥ 0.

    — Li, Liu, Osher, Res. Math. Sci. 10 (2023); their Φ is −U.

    >>> game = mfg.games.proximal_operator(mfg.gaussian(0.0, 0.25), lambda x: 0.5 * x[..., 0] ** 2, beta=0.5)
    >>> print(f"{mfg.equilibrium(game, mfg.CartesianGrid.cube(4.0, 128, 1)).discrete_primal:.2f}")  # ¼·E|x|² + ½ log 2
    0.41
    """
    end = Potential(lambda x, t: potential(x))
    return MeanFieldGame(source, end, horizon, viscosity=beta, name="Wasserstein proximal operator")


def crowd_motion(
    source: Density,
    goal: Callable[[Array], Array],
    horizon: float = 1.0,
    *,
    viscosity: float = 0.0,
    aversion: float = 1.0,
    capacity: float | None = None,
    obstacle: Callable[[Array, float], Array] | None = None,
) -> MeanFieldGame:
    """Return a crowd that walks to where `goal` is low and pays aversion·ρ for company, or cannot exceed a capacity.

    `obstacle` is a cost per time of being somewhere.

    >>> mfg.games.crowd_motion(mfg.gaussian(0.0, 0.5), lambda x: -x[..., 0], capacity=2.0).interaction
    Capacity(largest=2.0)
    """
    company: Functional = Power(aversion) if capacity is None else Capacity(capacity)
    end = Potential(lambda x, t: goal(x))
    return MeanFieldGame(
        source, end, horizon, viscosity=viscosity, interaction=company, running=obstacle, name="crowd motion"
    )


def linear_quadratic(
    source: Density, weight: float = 1.0, horizon: float = 1.0, *, viscosity: float = 0.0, centre: float = 0.0
) -> MeanFieldGame:
    """Return min ∫½|v|²ρ + ½ weight ∫|x − centre|²ρ_T: U = ½a|x − centre|² + c with a′ = a², c′ = −κ d a backwards.

    >>> game = mfg.games.linear_quadratic(mfg.gaussian(0.0, 0.25), viscosity=0.5)
    >>> print(f"{mfg.equilibrium(game, mfg.CartesianGrid.cube(4.0, 128, 1)).discrete_primal:.2f}")  # ¼·E|x|² + ½ log 2
    0.41
    """
    if not weight >= 0:
        raise ValueError(f"the terminal cost needs weight ≥ 0 to be bounded below, got {weight}")

    end = Potential(lambda x, t: 0.5 * weight * dot(x - centre, x - centre))
    return MeanFieldGame(source, end, horizon, viscosity=viscosity, name="linear-quadratic")


def examples() -> Iterator[MeanFieldGame]:
    """Yield one of each to hold the laws to."""
    source, target = gaussian(-0.3, 0.4), gaussian(0.6, 0.3)
    process = OrnsteinUhlenbeck(0.7, 1.3, 2.7)
    yield from (normalizing_flow(source, target, 2.7), normalizing_flow(source, target, forward=False))
    yield score_based_model(process, source)
    yield score_based_model(Linear(np.array([[-1.0]]), 0.7, horizon=2.7), source)
    yield from (gradient_flow(source, target, 0.2), benamou_brenier(source, target), crowd_motion(source, _away, 2.7))
    yield schroedinger_bridge(source, target, 0.3)
    yield from (proximal_operator(source, _away, beta=0.2), linear_quadratic(source, 2.0, viscosity=0.1))


def _away(x: Array) -> Array:
    return 0.5 * dot(x - 1.0, x - 1.0)
