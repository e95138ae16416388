"""What a score is trained for: denoising, implicit or sliced score matching, plus penalties on its equations' residuals.

All for a linear isotropic process, X_t = m(t) X_0 + √v(t) Z, and one point at a time; s is the network's score.
Denoising: ½λ(t)|s(X_t, t) + Z/√v|². Implicit: λ(t)(½|s|² + ∇·s); sliced: the divergence by one random direction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp

from mfgpde.processes import IsotropicProcess

Point = Any
PointScore = Callable[[Point, Any], Point]
CELLS = 4096
"""of the tables of coefficients"""


@dataclass(frozen=True)
class Objective:
    """A score-matching loss and the weights of its penalties; times are drawn uniformly in √t on [start, horizon].

    `matching` is "denoising", "implicit" or "sliced". `weighting` multiplies it: "variance" by v(t), "diffusion" by g(t)²,
    "none" by 1, "balanced" as said below. `score_residual` weighs g(t)²|ε|² of the score Fokker–Planck equation at the
    noised points (arXiv:2210.04296), exactly, or, with `cheap`, as in its authors' code: ∂_t s by the difference over 1e-3
    back and 5e-4 ahead, ∇·s by one random direction. `log_residual` weighs R² of the log-density equation at points uniform
    in a box (arXiv:2311.15996), for networks that are potentials. `control` is the degree of the Hermite functions that
    take noise out of the gradient of the denoising loss (`control_variate.py`), 0 for none.

    Where v(t) is far below the variance V of the data, as for most times of a variance-exploding process, "variance" and
    "diffusion" hardly look at the score, of whose square v V⁻¹ is left in the loss, beside noise of one. "balanced" is
    √(v(m²V + v)), between v and the weight of relative errors, and takes its noise in pairs ±Z of one X_0: what the
    gradient has of s·Z/√v is then a difference quotient of s, bounded as t → 0. Of two blobs in the plane, 2000 steps, the
    largest relative error over times falls from 25 to 11 % (variance exploding to 2), 44 to 18 % (to 20, horizon 3), 10 to
    7 % (preserving).

    >>> from mfgpde.learning.objectives import Coefficients, loss_weight
    >>> process = Coefficients.of(mfg.Brownian(scale=2.0))
    >>> float(loss_weight(mfg.Objective(weighting="diffusion"), process, 0.5))  # g²
    4.0
    """

    matching: Literal["denoising", "implicit", "sliced"] = "denoising"
    weighting: Literal["variance", "diffusion", "none", "balanced"] = "variance"
    score_residual: float = 0.0
    cheap: bool = False
    log_residual: float = 0.0
    start: float = 1e-3
    control: int = 0

    def __post_init__(self) -> None:
        if self.matching not in ("denoising", "implicit", "sliced"):
            raise ValueError(f"matching must be 'denoising', 'implicit' or 'sliced', got {self.matching!r}")
        if self.weighting not in ("variance", "diffusion", "none", "balanced"):
            raise ValueError(f"weighting must be 'variance', 'diffusion', 'none' or 'balanced', got {self.weighting!r}")
        if min(self.score_residual, self.log_residual) < 0 or not self.start > 0:
            raise ValueError("weights of penalties must be ≥ 0 and start > 0")
        if self.control < 0 or (self.control and self.matching != "denoising"):
            raise ValueError(
                f"control must be a degree ≥ 0, for denoising only, got {self.control} for {self.matching}"
            )
        if self.control and self.paired:
            raise ValueError("balanced weights take their noise in pairs and need no control variate: control = 0")

    @property
    def paired(self) -> bool:
        """Whether every point of the data is seen with one noise and its negative."""
        return self.matching == "denoising" and self.weighting == "balanced"


@dataclass(frozen=True)
class Coefficients:
    """The process as functions of time that JAX can differentiate: interpolated from the process's own on a fine grid."""

    horizon: float
    mean_coefficient: Any
    deviation: Any
    diffusivity: Any
    relaxation: Any

    @classmethod
    def of(cls, process: IsotropicProcess) -> Coefficients:
        """Tabulate a process at 4097 times, uniform in √t: √v has a root's slope at zero, but none in √t.

        Cubic interpolation between them is off by less than 1e-6 of the value for t ≥ 1e-7 horizon, of contractions that
        fall below 1e-2 by less than 1e-8.
        """
        import numpy as np

        t = process.horizon * np.linspace(0, 1, CELLS + 1) ** 2
        table = (
            process.mean_coefficient(t),
            np.sqrt(process.variance(t)),
            process.diffusivity(t),
            process.relaxation(t),
        )
        return cls(process.horizon, *(jnp.asarray(np.broadcast_to(values, t.shape), jnp.float32) for values in table))

    def __call__(self, name: str, t: Any) -> Any:
        """Return one coefficient at time t."""
        table, place = getattr(self, name), CELLS * jnp.sqrt(jnp.clip(t / self.horizon, 0.0, 1.0))
        first = jnp.clip(jnp.floor(place).astype(jnp.int32) - 1, 0, CELLS - 3)
        u = place - first
        weights = (
            (1 - u) * (2 - u) * (3 - u) / 6,
            u * (2 - u) * (3 - u) / 2,
            u * (u - 1) * (3 - u) / 2,
            u * (u - 1) * (u - 2) / 6,
        )
        return sum(weight * table[first + k] for k, weight in enumerate(weights))


def loss_weight(objective: Objective, process: Coefficients, t: Any, variance: Any = 1.0) -> Any:
    """Return λ(t); `variance` is that of the data, by axis in the mean, which "balanced" asks for."""
    v = process("deviation", t) ** 2
    if objective.weighting == "balanced":
        return jnp.sqrt(v * (process("mean_coefficient", t) ** 2 * variance + v))
    if objective.weighting == "variance":
        return v
    return 2 * process("diffusivity", t) if objective.weighting == "diffusion" else jnp.ones_like(t)


def matching_loss(
    objective: Objective, process: Coefficients, score: PointScore, x0: Point, t: Any, key: Any, variance: Any = 1.0
) -> Any:
    """Return the score-matching loss at one data point and time; `variance` is that of the data."""
    m, v = process("mean_coefficient", t), process("deviation", t) ** 2
    weight = loss_weight(objective, process, t, variance)
    noise, direction = jax.random.normal(key, (2, *x0.shape))
    x = m * x0 + jnp.sqrt(v) * noise
    if objective.matching == "denoising":
        miss = jnp.sum((score(x, t) + noise / jnp.sqrt(v)) ** 2)
        if objective.paired:
            miss = 0.5 * (miss + jnp.sum((score(m * x0 - jnp.sqrt(v) * noise, t) - noise / jnp.sqrt(v)) ** 2))
        return 0.5 * weight * miss
    if objective.matching == "implicit":
        s, divergence = score(x, t), jnp.trace(jax.jacfwd(lambda y: score(y, t))(x))
    else:
        s, along = jax.jvp(lambda y: score(y, t), (x,), (direction,))
        divergence = direction @ along
    return weight * (0.5 * jnp.sum(s**2) + divergence)


def score_residual(process: Coefficients, score: PointScore, x: Point, t: Any, key: Any, cheap: bool) -> Point:
    """Return ε(x, t) = ∂_t s − ∇[D∇·s + D|s|² + a x·s] for the drift −a x; ∇(∇·f) = 0."""
    D, a = process("diffusivity", t), process("relaxation", t)

    def bracket(y: Point) -> Any:
        if cheap:
            direction = jax.random.normal(key, y.shape)
            s, along = jax.jvp(lambda z: score(z, t), (y,), (direction,))
            divergence = direction @ along
        else:
            s, divergence = score(y, t), jnp.trace(jax.jacfwd(lambda z: score(z, t))(y))
        return D * divergence + D * jnp.sum(s**2) + a * (y @ s)

    if cheap:
        back, ahead = 1e-3, 5e-4
        before, now, after = score(x, t - back), score(x, t), score(x, t + ahead)
        rate = (back**2 * after - ahead**2 * before - (back**2 - ahead**2) * now) / (back * ahead * (back + ahead))
    else:
        rate = jax.jvp(lambda u: score(x, u), (t,), (jnp.ones_like(t),))[1]
    return rate - jax.grad(bracket)(x)


def log_residual(process: Coefficients, potential: Callable[[Point, Any], Any], x: Point, t: Any) -> Any:
    """Return R(x, t) = ∂_tφ − [DΔφ + D|∇φ|² + a x·∇φ + d a] for the drift −a x."""
    D, a = process("diffusivity", t), process("relaxation", t)
    slope, rate = jax.grad(potential, argnums=(0, 1))(x, t)

    def along(e: Point) -> Any:
        return jax.jvp(lambda y: jax.jvp(lambda z: potential(z, t), (y,), (e,))[1], (x,), (e,))[1]

    laplacian = jnp.sum(jax.vmap(along)(jnp.eye(x.shape[0])))
    return rate - (D * laplacian + D * jnp.sum(slope**2) + a * (x @ slope) + a * x.shape[0])
