"""A score on trial in any dimension: trajectories instead of grids, random directions instead of full Jacobians.

Residual, rotation and likelihood are means over trajectories of unbiased estimators (Hutchinson, Commun. Stat. Simul. 19
(1990)): with E vvᵀ = I, ∇·s = E vᵀJv and ‖A‖² = E|Av|²; |ε|² is the product of two independent estimates of ε. What two
clouds of samples say for certain about W₂ is Gelbrich's bound (Math. Nachr. 147 (1990)): no laws with their means and
covariances are closer than the Gaussians that have them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import combinations

import numpy as np

from mfgpde.core.ability import require
from mfgpde.core.arrays import Array, dot
from mfgpde.core.estimate import Estimate
from mfgpde.densities import Density
from mfgpde.diagnostics.data import Data, Named
from mfgpde.diagnostics.intervals import mean_interval
from mfgpde.diagnostics.ledger import PROBES, Entry, Ledger, entry, probe, stages
from mfgpde.diagnostics.prior_mismatch import mismatch
from mfgpde.diagnostics.scales import spread, stopped_early
from mfgpde.diagnostics.slips import likely_slip
from mfgpde.equations import Continuity
from mfgpde.processes import ForwardProcess, LinearProcess, ScheduledProcess
from mfgpde.scores import DirectionalScore, Score, require_score
from mfgpde.solvers import CountedDirections, flow, prior_of
from mfgpde.transport import wasserstein_gaussian

GROUPS = 16
FEW = 16
"""dimensions up to which the divergence is summed over all directions instead of drawn"""
STEPS = 32  # of the trajectories, from one stage to the next


def certify_by_sampling(
    process: LinearProcess,
    score: DirectionalScore,
    dimension: int,
    *,
    data: Data | None = None,
    stop: float = 1e-3,
    trajectories: int = 4096,
    seed: int = 0,
    tell: Callable[[str], None] = lambda text: None,
) -> Ledger:
    """Return the certificate of a score in any dimension, every number a mean with its 99 % confidence interval.

    `data` add likelihood, gaps of the moments, and how far the prior is from what the noise makes of them; a law in closed
    form adds the error of the score and KL(p‖q^ODE). Without, residuals, rotation and the gap of ODE and SDE still come.

    Raises TypeError for a score without derivatives along directions, ValueError for one that is not finite: before
    anything long.
    """
    require(process, LinearProcess, "the process")
    require_score(score, DirectionalScore)
    clock, ledger = time.perf_counter(), Ledger()
    counted, rng = CountedDirections(score), np.random.default_rng(seed)
    prior = prior_of(process, dimension)
    start = prior.sample(trajectories, rng)
    probe(counted, start[:PROBES], process, stop)
    slip = likely_slip(process, score, data, dimension, stop, np.random.default_rng(0))
    if slip:
        ledger.warnings.append(slip)
    times = stages(process, stop)
    tell("trajectories of the SDE and the ODE")
    sde = _trajectories(process, counted, start, times, stop, rng)
    ode = _trajectories(process, counted, start, times, stop, None)
    tell("residuals along trajectories")
    few = max(GROUPS, trajectories // 4)
    ledger.rows = [_row(process, counted, places[:few], t, rng) for t, places in zip((*times, stop), sde, strict=True)]
    clouds = {"sde": sde[-1], "ode": ode[-1]}
    if data is not None:
        tell("likelihood")
        clouds["data"] = data.sample(trajectories, rng)
        law = data.at if isinstance(data, Named) else None
        ledger.enter("likelihood", "data", _likelihood(process, counted, clouds["data"][:few], stop, law, rng))
        ledger.enter("prior", "p_T–prior", mismatch(process, data, dimension))
        ledger.enter("stopping", "p_stop–data", {"W2": stopped_early(process, data, stop, dimension)})
    tell("moments")
    for a, b in combinations(clouds, 2):
        ledger.enter("moments", f"{a}–{b}", {"W2², at least": entry(_gelbrich(clouds[a], clouds[b]))})
    ledger.facts |= {
        "dimension": dimension,
        "stop": stop,
        "spread": spread(data, clouds["sde"]),
        "trajectories": trajectories,
        "seed": seed,
        "steps": STEPS,
        "cost": {
            "seconds": time.perf_counter() - clock,
            "seconds in the score": counted.seconds,
            "score evaluations": counted.points,
        },
    }
    return ledger


def _trajectories(
    process: ForwardProcess,
    score: Score,
    x: Array,
    times: tuple[float, ...],
    stop: float,
    rng: np.random.Generator | None,
) -> list[Array]:
    """Return the places at all stages, latest time first, by Heun's scheme; with `rng` those of the SDE."""
    ends, found = np.array([*times, stop]), [x]
    share = 1.0 if rng is not None else 0.5

    def velocity(y: Array, t: float) -> Array:
        return 2 * share * float(process.diffusivity(t)) * score(y, t) - process.drift(y, t)

    for late, early in zip(ends, ends[1:], strict=False):
        knots = _knots(process, late, early, STEPS // 8 if rng is None else STEPS)
        for t, s in zip(knots, knots[1:], strict=False):
            h = t - s
            kick = (
                0.0
                if rng is None
                else np.sqrt(process.diffusivity(t) * h + process.diffusivity(s) * h) * _normal(rng, x)
            )
            first = velocity(x, t)
            x = x + 0.5 * h * (first + velocity(x + h * first + kick, s)) + kick
        found.append(x)
    return found


def _knots(process: ForwardProcess, late: float, early: float, steps: int) -> list[float]:
    """Return times with equal steps in √t, as the stages are; of a schedule that loses the data, in √t and log α."""
    if not isinstance(process, ScheduledProcess):
        return [float((1 - k / steps) * late**0.5 + k / steps * early**0.5) ** 2 for k in range(steps + 1)]
    u: Array = np.linspace(0, 1, 4001)
    fine: Array = early + (late - early) * np.sin(0.5 * np.pi * u) ** 2  # dense at both ends
    place: Array = np.sqrt(fine / process.horizon) - 0.3 * np.log(process.mean_coefficient(fine))
    wanted: Array = np.linspace(float(place[-1]), float(place[0]), steps + 1)
    found: Array = np.interp(wanted, place, fine)
    return [float(t) for t in found.ravel()]


def _normal(rng: np.random.Generator, x: Array) -> Array:
    return rng.standard_normal(x.shape)


def _row(
    process: ForwardProcess, score: DirectionalScore, x: Array, t: float, rng: np.random.Generator
) -> dict[str, float | Entry]:
    """Return mean squares at one time: of the score, of ε (above 16 dimensions two directions drawn), of the rotation."""
    d, D = x.shape[1], float(process.diffusivity(t))
    s, f = score(x, t), process.drift(x, t)
    slope = score.time_derivative(x, t)
    known = slope + score.directional_derivatives(x, t, f - 2 * D * s)[1]
    known = known + process.drift_vjp(x, t, s) + process.divergence_gradient(x, t)
    if d <= FEW:  # all directions, no chance
        products = [score.directional_derivatives(x, t, np.broadcast_to(e, x.shape)) for e in np.eye(d)]
        first = second = known - D * sum(curvature for _, _, curvature in products)
    else:
        products = [score.directional_derivatives(x, t, np.sign(_normal(rng, x))) for _ in range(2)]
        first, second = (known - D * curvature for _, _, curvature in products)
    turned = [0.25 * np.sum((pushed - pulled) ** 2, axis=-1) for pushed, pulled, _ in products]
    rotation = sum(turned) if d <= FEW else 0.5 * (turned[0] + turned[1])
    squares = {"score": dot(s, s), "time derivative": dot(slope, slope)}
    squares |= {"score residual": dot(first, second), "rotation": rotation}
    return {"t": float(t)} | {name: entry(mean_interval(values)) for name, values in squares.items()}


def _likelihood(
    process: LinearProcess,
    score: DirectionalScore,
    x: Array,
    stop: float,
    law: Density | None,
    rng: np.random.Generator,
) -> dict[str, Entry]:
    """Return −E log q^ODE in nats, the divergence along each path by one random direction kept all the way."""
    v = np.sign(rng.standard_normal(x.shape))
    d = x.shape[1]

    def velocity(y: Array, t: float) -> Array:
        return process.drift(y, t) - float(process.diffusivity(t)) * score(y, t)

    def divergence(y: Array, t: float) -> Array:
        return process.divergence(y, t) - float(process.diffusivity(t)) * dot(
            v, score.directional_derivatives(y, t, v)[0]
        )

    end, grown = flow(Continuity(velocity, divergence), x, stop, process.horizon, rtol=1e-4)
    logs = prior_of(process, d).log_density(end) + grown
    found = {"−log q^ODE, nats": entry(mean_interval(-logs))}
    if law is not None:
        found["KL(p‖q^ODE)"] = entry(mean_interval(law.log_density(x) - logs))
        wrong = score(x, stop) - law.score(x)
        found["|s − ∇log p|² at the end"] = entry(mean_interval(dot(wrong, wrong)))
    return found


def _gelbrich(a: Array, b: Array) -> Estimate:
    """Return the squared bound from moments, jackknifed over groups: its bias from finite samples is of their order."""

    def squared(p: Array, q: Array) -> float:
        return wasserstein_gaussian(p.mean(axis=0), np.cov(p.T), q.mean(axis=0), np.cov(q.T)) ** 2

    n = min(len(a), len(b)) // GROUPS * GROUPS
    group = np.arange(n) % GROUPS
    whole = squared(a[:n], b[:n])
    without = np.array([squared(a[:n][group != k], b[:n][group != k]) for k in range(GROUPS)])
    pseudo = GROUPS * whole - (GROUPS - 1) * without
    return mean_interval(pseudo, "jackknife over groups, mean")
