"""A score on trial in any dimension: trajectories instead of grids, random directions instead of full Jacobians.

Residual, rotation and likelihood are means over trajectories of unbiased estimators (Hutchinson, Commun. Stat. Simul. 19
(1990)): with E vvᵀ = I, ∇·s = E vᵀJv and ‖A‖² = E|Av|²; |ε|² is the product of two independent estimates of ε. What two
clouds of samples say for certain about W₂ is Gelbrich's bound (Math. Nachr. 147 (1990)): no laws with their means and
covariances are closer than the Gaussians that have them.

Every bar is a sum of two parts. *Samples*: the interval of the mean. *Time steps*: what steps twice as long, under the same
noise, change on a part of the trajectories; of a scheme of first order or more it is at least what is left. Heun's has
order two, in law too where the noise does not depend on the place, so that a third of it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np

from mfgpde.core.ability import require
from mfgpde.core.arrays import Array, dot
from mfgpde.core.checkpoint import Checkpoint
from mfgpde.core.kept import Kept
from mfgpde.diagnostics.coupled import coupled
from mfgpde.diagnostics.data import Data, Named, Sampled
from mfgpde.diagnostics.intervals import mean_interval
from mfgpde.diagnostics.ledger import PROBES, Entry, Ledger, entry, probe, stages
from mfgpde.diagnostics.likelihood import FEW, likelihood
from mfgpde.diagnostics.memorisation import ENOUGH, nearest_ratio, share_of_copies
from mfgpde.diagnostics.prior_mismatch import mismatch
from mfgpde.diagnostics.scales import spread, stopped_early
from mfgpde.diagnostics.slips import likely_slip
from mfgpde.processes import ForwardProcess, LinearProcess, ScheduledProcess
from mfgpde.scores import DirectionalScore, Score, Uncertain, require_score
from mfgpde.solvers import counted_directions, prior_of
from mfgpde.solvers.counted import CountedDirections
from mfgpde.transport import wasserstein_gaussian

GROUPS = 16
STEPS = 32
"""of a trajectory of the SDE from one stage to the next, an even number"""
FLOW_STEPS = 4
"""of one of the ODE"""
PART = 4
"""one trajectory of so many is walked once more with steps twice as long"""
TRAJECTORIES, DIRECTIONS, LIKELIHOOD = 1, 2, 3
"""name what chance is for: each part has its own, whatever came before it"""
NOTHING_LEFT = 1e-6
"""of the data: where less of them is left, times are not told apart by it"""


@dataclass(frozen=True, eq=False)
class Walked:
    """Places of trajectories (n, d) at one time, and those of the first of them with steps twice as long."""

    fine: Array
    coarse: Array

    def first(self, n: int) -> Walked:
        """Return the first n trajectories."""
        return Walked(self.fine[:n], self.coarse[: n // PART])


def certify_by_sampling(
    process: LinearProcess,
    score: DirectionalScore,
    dimension: int,
    *,
    data: Data | None = None,
    stop: float = 1e-3,
    training: Array | None = None,
    trajectories: int = 4096,
    seed: int = 0,
    checkpoint: Path | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Ledger:
    """Return the certificate of a score in any dimension, every number a mean with its 99 % confidence interval.

    `data` add likelihood, gaps of the moments, and how far the prior is from what the noise makes of them; a law in closed
    form adds the error of the score and KL(p‖q^ODE). Without, residuals, rotation and the gap of ODE and SDE still come.
    `training` are the points (n, d) that the score was fitted to, by default data that are samples: how near to them it
    generates is told beside data that it has not seen. With `checkpoint`, a file (.npz), trajectories and means are kept as
    they come, for the same trial begun again: each part has chance of its own, so that it ends at the same numbers.

    Raises TypeError for a score without derivatives along directions, ValueError for one that is not finite, and for the
    checkpoint of another trial, Busy where another run is at work on it: before anything long.
    """
    require(process, LinearProcess, "the process")
    require_score(score, DirectionalScore)
    work = {"process": process, "score": score, "dimension": dimension, "data": data, "stop": stop, "seed": seed}
    work |= {"trajectories": trajectories, "steps": (STEPS, FLOW_STEPS)}
    kept = _KeptCosts(Checkpoint(checkpoint, work if checkpoint is not None else {}), counted_directions(score))
    with kept.working():
        return _by_sampling(process, score, dimension, data, stop, training, trajectories, seed, kept, tell)


def _by_sampling(
    process: LinearProcess,
    score: DirectionalScore,
    dimension: int,
    data: Data | None,
    stop: float,
    training: Array | None,
    trajectories: int,
    seed: int,
    kept: _KeptCosts,
    tell: Callable[[str], None],
) -> Ledger:
    clock, ledger = time.perf_counter(), Ledger()
    counted, rng = kept.counted, np.random.default_rng(seed)
    start = prior_of(process, dimension).sample(trajectories, rng)
    probe(counted, start[:PROBES], process, stop)
    slip = likely_slip(process, score, data, dimension, stop, np.random.default_rng(0))
    if slip:
        ledger.warnings.append(slip)
    times = stages(process, stop)
    ends = (process.horizon, *(t for t in times if t < process.horizon * (1 - 1e-12)), stop)
    tell("trajectories of the SDE and the ODE")
    sde, ode = (_trajectories(process, counted, start, ends, seed, kept, noisy) for noisy in (True, False))
    tell("residuals along trajectories")
    few = max(GROUPS, trajectories // 4)
    looked = zip((*times, stop), sde[-len(times) - 1 :], strict=True)
    ledger.rows = [_row(process, counted, places.first(few), t, seed, k, kept) for k, (t, places) in enumerate(looked)]
    if isinstance(score, Uncertain):
        for row in ledger.rows:
            row["uncertainty of the derivatives"] = max(score.uncertainty.values(), default=0.0)
    clouds = {"sde": sde[-1], "ode": ode[-1]}
    if data is not None:
        tell("likelihood")
        known = data.sample(min(trajectories, len(data.at)) if isinstance(data, Sampled) else trajectories, rng)
        clouds["data"] = Walked(known, known[: len(known) // PART])
        off = mismatch(process, data, dimension)
        chance = np.random.default_rng([seed, LIKELIHOOD])
        likely = likelihood(process, counted, data, few, stop, chance, off["KL(p_T‖prior)"], kept)
        ledger.enter("likelihood", "data", likely)
        if isinstance(data, Named):
            ledger.enter("likelihood", "data", {"|s − ∇log p|² at the end": _off(counted, data, known[:few], stop)})
        ledger.enter("prior", "p_T–prior", off)
        ledger.enter("stopping", "p_stop–data", {"W2": stopped_early(process, data, stop, dimension)})
    tell("moments and couplings")
    for a, b in combinations(clouds, 2):
        least, most = _gelbrich(clouds[a], clouds[b]), _coupled(clouds[a], clouds[b])
        ledger.enter("moments", f"{a}–{b}", {"W2², at least": least, "W2², at most": most})
    if training is not None or isinstance(data, Sampled):
        _memory(ledger, {name: clouds[name].fine for name in ("sde", "ode")}, data, training)
    ledger.facts |= {
        "dimension": dimension,
        "stop": stop,
        "spread": spread(data, clouds["sde"].fine),
        "trajectories": trajectories,
        "seed": seed,
        "steps": STEPS,
        "cost": {
            "seconds": time.perf_counter() - clock + kept.seconds,
            "seconds in the score": counted.seconds + kept.score_seconds,
            "score evaluations": counted.points + kept.points,
        },
    }
    return ledger


class _KeptCosts(Kept):
    """Parts with what they cost; of those that were taken up, the sums: score evaluations, seconds in them, all seconds."""

    def __init__(self, checkpoint: Checkpoint, counted: CountedDirections) -> None:
        super().__init__(checkpoint)
        self.counted = counted
        self.points, self.score_seconds, self.seconds = 0, 0.0, 0.0

    def part(self, name: str, make: Callable[[], Mapping[str, Array]], *, now: bool = False) -> dict[str, Array]:
        made = False

        def costed() -> dict[str, Array]:
            nonlocal made
            made = True
            points, seconds, clock = self.counted.points, self.counted.seconds, time.perf_counter()
            found = dict(make())
            spent = (self.counted.points - points, self.counted.seconds - seconds, time.perf_counter() - clock)
            return found | {"cost": np.array(spent)}

        found = super().part(name, costed, now=now)
        points, score_seconds, seconds = found.pop("cost").tolist()
        if not made:
            self.points += round(points)
            self.score_seconds += score_seconds
            self.seconds += seconds
        return found


def _trajectories(
    process: ForwardProcess, score: Score, x: Array, ends: Sequence[float], seed: int, kept: Kept, noisy: bool
) -> list[Walked]:
    """Return the places at all ends, latest time first, by Heun's scheme: of the SDE, or, without noise, of the ODE.

    One trajectory of `PART` is walked twice, with steps twice as long under the same noise.
    """
    found = [Walked(x, x[: len(x) // PART])]
    for k, (late, early) in enumerate(pairwise(ends)):
        rng = np.random.default_rng([seed, TRAJECTORIES, k]) if noisy else None
        part = kept.part(
            f"{'sde' if noisy else 'ode'} {k}", partial(_walked, process, score, found[-1], late, early, rng)
        )
        found.append(Walked(part["fine"], part["coarse"]))
    return found


def _walked(
    process: ForwardProcess, score: Score, places: Walked, late: float, early: float, rng: np.random.Generator | None
) -> dict[str, Array]:
    """Return the places at an earlier time; with `rng` those of the SDE."""
    share, steps = (1.0, STEPS) if rng is not None else (0.5, FLOW_STEPS)
    x, y = places.fine, places.coarse

    def velocity(z: Array, t: float) -> Array:
        return 2 * share * float(process.diffusivity(t)) * score(z, t) - process.drift(z, t)

    def noise(t: float, s: float) -> float:
        """Return the deviation of the noise within a step."""
        return float(np.sqrt((process.diffusivity(t) + process.diffusivity(s)) * (t - s)))

    def step(z: Array, t: float, s: float, kick: Array) -> Array:
        h, first = t - s, velocity(z, t)
        return z + 0.5 * h * (first + velocity(z + h * first + kick, s)) + kick

    knots = _knots(process, late, early, steps)
    for t, middle, s in zip(knots[::2], knots[1::2], knots[2::2], strict=False):
        one = two = joined = np.zeros(1)
        if rng is not None:
            a, b = noise(t, middle), noise(middle, s)
            one, two = a * rng.standard_normal(x.shape), b * rng.standard_normal(x.shape)
            joined = (one + two)[: len(y)] * (noise(t, s) / float(np.hypot(a, b)))
        x = step(step(x, t, middle, one), middle, s, two)
        y = step(y, t, s, joined)
    return {"fine": x, "coarse": y}


def _knots(process: ForwardProcess, late: float, early: float, steps: int) -> list[float]:
    """Return times with equal steps in √t, as the stages are; of a schedule that loses the data, in √t and log α."""
    if not isinstance(process, ScheduledProcess):
        return [float((1 - k / steps) * late**0.5 + k / steps * early**0.5) ** 2 for k in range(steps + 1)]
    u: Array = np.linspace(0, 1, 4001)
    fine: Array = early + (late - early) * np.sin(0.5 * np.pi * u) ** 2  # dense at both ends
    left: Array = np.maximum(process.mean_coefficient(fine), NOTHING_LEFT)
    place: Array = np.sqrt(fine / process.horizon) - 0.3 * np.log(left)
    wanted: Array = np.linspace(float(place[-1]), float(place[0]), steps + 1)
    found: Array = np.interp(wanted, place, fine)
    return [float(t) for t in found.ravel()]


def _row(
    process: ForwardProcess, score: DirectionalScore, places: Walked, t: float, seed: int, k: int, kept: Kept
) -> dict[str, float | Entry]:
    """Return mean squares at the k-th time: of the score, of ε, of the rotation; above 16 dimensions by two directions."""
    shape, rng = places.fine.shape, np.random.default_rng([seed, DIRECTIONS, k])
    all_of_them = [np.broadcast_to(e, shape) for e in np.eye(shape[1])] if shape[1] <= FEW else None
    directions = all_of_them or [np.sign(rng.standard_normal(shape)) for _ in range(2)]
    first = [v[: len(places.coarse)] for v in directions]
    fine = kept.part(f"row {k}", lambda: _squares(process, score, places.fine, t, directions))
    rough = kept.part(f"rough row {k}", lambda: _squares(process, score, places.coarse, t, first))
    return {"t": float(t)} | {name: _mean(values, rough[name]) for name, values in fine.items()}


def _squares(
    process: ForwardProcess, score: DirectionalScore, x: Array, t: float, directions: Sequence[Array]
) -> dict[str, Array]:
    d, D = x.shape[1], float(process.diffusivity(t))
    s, f = score(x, t), process.drift(x, t)
    slope = score.time_derivative(x, t)
    known = slope + score.directional_derivatives(x, t, f - 2 * D * s)[1]
    known = known + process.drift_vjp(x, t, s) + process.divergence_gradient(x, t)
    products = [score.directional_derivatives(x, t, v) for v in directions]
    if d <= FEW:  # all directions, no chance
        first = second = known - D * sum(curvature for _, _, curvature in products)
    else:
        first, second = (known - D * curvature for _, _, curvature in products)
    turned = [0.25 * np.sum((pushed - pulled) ** 2, axis=-1) for pushed, pulled, _ in products]
    rotation = np.sum(turned, axis=0) if d <= FEW else 0.5 * (turned[0] + turned[1])
    squares = {"score": dot(s, s), "time derivative": dot(slope, slope)}
    return squares | {"score residual": dot(first, second), "rotation": rotation}


def _mean(values: Array, rough: Array) -> Entry:
    """Return the mean over trajectories; the first of them with longer steps have the values `rough`."""
    found, changed = mean_interval(values), mean_interval(values[: len(rough)] - rough)
    return _of_parts(found.value, found.half_width, abs(changed.value) + changed.half_width, found.method)


def _of_parts(value: float, samples: float, steps: float, method: str) -> Entry:
    return Entry(value, samples + steps, method, {"samples": samples, "time steps": steps})


def _off(score: Score, data: Named, x: Array, stop: float) -> Entry:
    wrong = score(x, stop) - data.at.score(x)
    return entry(mean_interval(dot(wrong, wrong)))


def _coupled(a: Walked, b: Walked) -> Entry:
    """Return W₂² from above; a law that was moved by τ, as its coarse steps move it, moves W₂ by τ."""
    found = coupled(a.fine, b.fine)
    moved = sum(
        float(np.sqrt(np.mean(np.sum((one.fine[: len(one.coarse)] - one.coarse) ** 2, axis=-1)))) for one in (a, b)
    )
    return _of_parts(found.value, found.half_width, moved * (2 * float(np.sqrt(found.value)) + moved), found.method)


def _memory(ledger: Ledger, clouds: Mapping[str, Array], data: Data | None, training: Array | None) -> None:
    """Enter how near to its training points a score generates, beside data at the stop that it has not seen."""
    samples = data if isinstance(data, Sampled) else None
    fitted = samples.raw if training is None and samples is not None else training
    if fitted is None or min(map(len, clouds.values())) < ENOUGH or len(fitted) < ENOUGH:
        ledger.warnings.append(
            f"how near to training points it generates is not told: that takes {ENOUGH} of them and {ENOUGH} trajectories"
        )
        return
    own = training is None or samples is None
    fresh = fitted if samples is None else samples.at
    for name, cloud in clouds.items():
        share, near = share_of_copies(cloud, fitted, fresh, own)
        found = {
            "distance to the nearest training point, over that of fresh data": entry(
                nearest_ratio(cloud, fitted, fresh, own)
            ),
            f"share nearer than {near:.3g}, a twentieth of fresh data": entry(share),
        }
        ledger.enter("memorisation", name, found)


def _gelbrich(a: Walked, b: Walked) -> Entry:
    """Return the squared bound from moments, jackknifed over groups: its bias from finite samples is of their order.

    Gelbrich's distance is a metric of moments: two laws moved by τ and υ change it by at most τ + υ.
    """

    def distance(p: Array, q: Array) -> float:
        return wasserstein_gaussian(p.mean(axis=0), np.cov(p.T), q.mean(axis=0), np.cov(q.T))

    def without(p: Array, k: int) -> Array:
        return p[np.arange(len(p)) % GROUPS != k]

    whole = distance(a.fine, b.fine)
    left = np.array([distance(without(a.fine, k), without(b.fine, k)) ** 2 for k in range(GROUPS)])
    found = mean_interval(GROUPS * whole**2 - (GROUPS - 1) * left, "jackknife over groups, mean")
    moved = sum(distance(one.fine[: len(one.coarse)], one.coarse) for one in (a, b))
    return _of_parts(found.value, found.half_width, moved * (2 * whole + moved), found.method)
