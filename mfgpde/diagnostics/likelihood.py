"""How likely data are under what the probability-flow ODE generates, in nats and in bits a dimension, bar by bar.

Along the flow d/dt log q(X_t, t) = −∇·u, from the prior at the horizon. Above `FEW` dimensions ∇·u is vᵀ(∇u)v for two
random directions v a point, ±1 in every coordinate and kept all the way (Hutchinson, Commun. Stat. Simul. 19 (1990);
arXiv:1810.01367). Data that take few equal levels have a probability, not a density: with X_s = αx + σZ the noised point,
    −log P(x) ≤ E[log N(X_s; αx, σ²) − log q(X_s) − log P(x | X_s)],
P(x | X_s) the decoder that gives every level of a coordinate its Gaussian weight (variational dequantisation by the noise
at the stop: arXiv:1902.00275, 2101.09258).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mfgpde.core.arrays import Array, dot
from mfgpde.core.checkpoint import Checkpoint
from mfgpde.core.kept import Kept
from mfgpde.diagnostics.data import Data, Named, Sampled, noised
from mfgpde.diagnostics.intervals import mean_interval
from mfgpde.diagnostics.ledger import Entry
from mfgpde.diagnostics.signal_clock import stretches
from mfgpde.equations import Continuity
from mfgpde.processes import IsotropicProcess, LinearProcess, ScheduledProcess, schedule_of
from mfgpde.scores import DirectionalScore, FlowFormScore, Score, offers, with_form
from mfgpde.solvers import flow, prior_of

FEW = 16
"""dimensions up to which the divergence is summed over all directions instead of drawn"""
RTOL, DRAWN_RTOL = 1e-4, 1e-3
"""of the flow; where directions are drawn, chance is far larger than what steps leave"""
LOOSER = 10.0
"""times the tolerance, on `PART` of the points: what it changes is at least what the tolerance leaves"""
PART = 4
LEFT = 1e-3
MOST_LEVELS = 256
EVEN = 1e-6
"""of a step, within which levels are equally far apart"""
FAR = 9.0
"""deviations of the noise beyond which a level has no weight: less than 1e-17 of that of the nearest"""
Pair = Callable[[Array, float, Array], tuple[Array, Array]]


def flow_log_density(
    process: LinearProcess,
    score: DirectionalScore,
    x: Array,
    stop: float,
    *,
    directions: Array | None = None,
    rtol: float = RTOL,
) -> Array:
    """Return log q^ODE at time `stop` at points (n, d): natural logarithms, shape (n,).

    The divergence is summed over all directions, or vᵀ(∇u)v of one direction a point, `directions` (n, d).
    Raises RuntimeError where the flow cannot be followed.

    >>> process = mfg.VariancePreserving(horizon=1.0)
    >>> law = mfg.gaussian(0.0, 1.0)  # which the process leaves as it is
    >>> found = mfg.diagnostics.flow_log_density(process, mfg.ExactScore(process, law), np.zeros((1, 1)), 1e-3)
    >>> print(f"{found[0]:.6f}")  # −½ log 2π
    -0.918939
    """
    alone, both = _velocity_with_form(process, score)
    d = x.shape[1]
    last: tuple[Array, float, Array, Array] | None = None

    def at(y: Array, t: float) -> tuple[Array, Array]:
        nonlocal last
        if last is None or last[0] is not y or last[1] != t:  # a step asks for both at the same points
            if directions is not None:
                velocity, grown = both(y, t, directions)
            else:
                found = [both(y, t, np.broadcast_to(e, y.shape)) for e in np.eye(d)]
                velocity, grown = found[0][0], np.sum([form for _, form in found], axis=0)
            last = y, t, velocity, grown
        return last[2], last[3]

    def velocity(y: Array, t: float) -> Array:
        return at(y, t)[0] if len(y) == len(x) else alone(y, t)

    own = getattr(score, "predicts", None) == "flow"

    def rates(y: Array, t: float) -> Array:
        """Return what of the velocity may jump in time: f and D, nothing where a network predicts it."""
        return np.zeros(1) if own else np.append(process.drift(y, t), process.diffusivity(t))

    equation = Continuity(velocity, lambda y, t: at(y, t)[1], rates=rates)
    grown: Array = np.zeros(len(x))
    for one, begin, end in stretches(process, equation, stop, _end(process, both, x), of_velocities=own):
        x, more = flow(one, x, begin, end, rtol=rtol)
        grown = grown + more
    return prior_of(process, d).log_density(x) + grown


def _end(process: LinearProcess, both: Pair, x: Array) -> float:
    """Return the horizon, or, where the velocity is infinite there, the last time with a thousandth of the data left.

    A prediction of the noise says nothing of the velocity where nothing of the data is left. What the prior is off by
    there, 10⁻⁶ E|x|²/2 nats at most, is below all that is said.
    """
    with np.errstate(all="ignore"):
        velocity, form = both(x[:1], process.horizon, x[:1])
    finite = bool(np.isfinite(velocity).all() and np.isfinite(form).all())
    if finite or not isinstance(process, ScheduledProcess):
        return process.horizon
    times = process.horizon * np.linspace(0, 1, 4001)
    return float(times[process.mean_coefficient(times) >= LEFT][-1])


def _velocity_with_form(process: LinearProcess, score: DirectionalScore) -> tuple[Score, Pair]:
    """Return u, and u with vᵀ(∇u)v, of the flow, as it is where the score is made of velocities."""
    if offers(score, FlowFormScore):
        return score.velocity, score.velocity_with_form

    def alone(y: Array, t: float) -> Array:
        return process.drift(y, t) - float(process.diffusivity(t)) * score(y, t)

    def both(y: Array, t: float, v: Array) -> tuple[Array, Array]:
        D = float(process.diffusivity(t))
        s, form = with_form(score, y, t, v)
        return process.drift(y, t) - D * s, dot(v, process.drift_vjp(y, t, v)) - D * form

    return alone, both


class Levels(NamedTuple):
    """Equal steps that data take: how many, the lowest, and how far apart."""

    many: int
    lowest: float
    step: float


def levels(values: Array) -> Levels | None:
    """Return the levels of data whose numbers take few equal steps; None where they do not.

    >>> mfg.diagnostics.levels(np.array([[0.0, 0.25], [1.0, 0.5], [0.75, 0.0]]))
    Levels(many=5, lowest=0.0, step=0.25)
    >>> mfg.diagnostics.levels(np.random.default_rng(0).normal(size=(99, 2)))
    """
    found: Array = np.unique(values)
    if not 2 <= len(found) <= MOST_LEVELS:
        return None
    step = float(np.diff(found).min())
    places: Array = (found - found[0]) / step
    if np.abs(places - np.round(places)).max() > EVEN:
        return None
    count = round(float(places[-1])) + 1
    return Levels(count, float(found[0]), step) if count <= MOST_LEVELS else None


def likelihood(
    process: LinearProcess,
    score: DirectionalScore,
    data: Data,
    n: int,
    stop: float,
    rng: np.random.Generator,
    kl_of_prior: Entry | None = None,
    kept: Kept | None = None,
) -> dict[str, Entry]:
    """Return −E log q^ODE over n data at the stop, in nats and in bits a dimension, and what of it is the prior's.

    Of data with few levels also the bits of a level, an upper bound; of a law in closed form KL(p‖q^ODE). Every bar is the
    sum of its parts: samples; trace estimator, half of what two directions differ by; solver tolerance; dequantisation,
    half of what two draws of the noise differ by. What takes long goes into, or comes from, `kept`.
    """
    kept = kept or Kept(Checkpoint(None, {}))
    coarse = (
        levels(data.raw) if isinstance(data, Sampled) and stop > 0 and isinstance(process, IsotropicProcess) else None
    )
    n = min(n, len(data.at)) if isinstance(data, Sampled) else n
    clean, x = _chosen(data, n, rng)
    d, part = x.shape[1], max(2, n // PART)
    drawn = d > FEW
    v: Array = np.sign(rng.standard_normal((2, *x.shape)))
    points, directions = [x], [v[0]]
    if drawn:
        points.append(x)
        directions.append(v[1])
    if coarse is not None and clean is not None:
        points.append(noised(process, clean, stop, rng))
        directions.append(v[0])
    joined, rtol = (np.concatenate(directions), DRAWN_RTOL) if drawn else (None, RTOL)
    some = directions[0][:part] if drawn else None

    def log_densities() -> dict[str, Array]:
        sharp = flow_log_density(process, score, np.concatenate(points), stop, directions=joined, rtol=rtol)
        return {"sharp": sharp.reshape(len(points), n)}

    def rough_ones() -> dict[str, Array]:
        return {"rough": flow_log_density(process, score, x[:part], stop, directions=some, rtol=LOOSER * rtol)}

    logs = kept.part("log-densities", log_densities)["sharp"]
    tolerance = _reach(kept.part("rough log-densities", rough_ones)["rough"] - logs[0][:part])
    own = 0.5 * (logs[0] + logs[1]) if drawn else logs[0]
    trace = _half_width(0.5 * (logs[0] - logs[1])) if drawn else 0.0
    nats = _entry(-own, {"trace estimator": trace, "solver tolerance": tolerance})
    bits = 1 / (d * np.log(2))
    found = {"−log q^ODE, nats": nats, "bits a dimension": _scaled(nats, bits)}
    if kl_of_prior is not None:
        found["bits a dimension, of the prior"] = _scaled(kl_of_prior, bits)
    if coarse is not None and clean is not None and isinstance(process, IsotropicProcess):
        one, other = (
            _encoded(process, stop, clean, y, coarse) - values
            for y, values in ((x, own), (points[-1], logs[-1] + (own - logs[0])))
        )
        draws = {"dequantisation": _half_width(0.5 * (one - other))}
        whole = _entry(0.5 * (one + other), {"trace estimator": trace, "solver tolerance": tolerance, **draws})
        found[f"bits a dimension of {coarse.many} levels, at most"] = _scaled(whole, bits)
    if isinstance(data, Named):
        found["KL(p‖q^ODE)"] = _entry(
            data.at.log_density(x) - own, {"trace estimator": trace, "solver tolerance": tolerance}
        )
    return found


def _chosen(data: Data, n: int, rng: np.random.Generator) -> tuple[Array | None, Array]:
    """Return data at t = 0 where they are known, and the same at the stop."""
    if isinstance(data, Named):
        return None, data.sample(n, rng)
    which = rng.permutation(len(data.at))[:n]
    return data.raw[which], data.at[which]


def _encoded(process: IsotropicProcess, stop: float, clean: Array, y: Array, coarse: Levels) -> Array:
    """Return log N(y; αx, σ²) − log P(x | y) for every point."""
    now = schedule_of(process, stop)
    alpha, sigma = float(now.alpha), float(now.sigma)
    off = (y - alpha * clean) / sigma
    nearest = np.clip(np.round((y / alpha - coarse.lowest) / coarse.step), 0, coarse.many - 1)

    def half_square(place: Array) -> Array:
        return 0.5 * ((y - alpha * (coarse.lowest + coarse.step * place)) / sigma) ** 2

    reach, weights = half_square(nearest), np.zeros_like(y)
    beside = min(coarse.many - 1, int(np.ceil(FAR * sigma / (alpha * coarse.step))))
    for k in range(-beside, beside + 1):
        place = nearest + k
        inside = (place >= 0) & (place < coarse.many)
        weights += np.where(inside, np.exp(np.minimum(reach - half_square(place), 0.0)), 0.0)
    decoded = -0.5 * off**2 + reach - np.log(weights)
    gained: Array = -0.5 * off**2 - 0.5 * np.log(2 * np.pi * sigma**2) - decoded
    return gained.sum(axis=-1)


def _half_width(values: Array) -> float:
    return mean_interval(values).half_width


def _reach(changes: Array) -> float:
    found = mean_interval(changes)
    return abs(found.value) + found.half_width


def _entry(values: Array, others: dict[str, float]) -> Entry:
    """Return a mean whose bar is that of the samples, which holds what was drawn for each of them, and of the others."""
    found = mean_interval(values)
    drawn = sum(others.get(name, 0.0) ** 2 for name in ("trace estimator", "dequantisation"))
    parts = {"samples": float(np.sqrt(max(found.half_width**2 - drawn, 0.0)))} | others
    return Entry(found.value, sum(parts.values()), found.method, {name: size for name, size in parts.items() if size})


def _scaled(one: Entry, unit: float) -> Entry:
    """Return an entry in another unit."""
    bounds = [None if bound is None else bound * unit for bound in (one.lower, one.upper)]
    width = None if one.half_width is None else one.half_width * unit
    return Entry(
        float(one.value * unit),
        None if width is None else float(width),
        one.method,
        {k: float(size * unit) for k, size in one.parts.items()},
        *bounds,
    )
