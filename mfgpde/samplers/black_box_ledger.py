"""The ledger of samplers that can only be called: what their laws on the line owe to stop, score, prior and steps.

Infinitely many steps of one without noise are the probability flow of its network, from the first level to the least at
which the network is asked, and then what the network predicts as data. With the exact score that flow is the increasing map
between two laws. What adds noise is refined itself, as far as its library goes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.densities import GaussianMixture
from mfgpde.processes import Transition
from mfgpde.samplers.adapters.perfect import time_of
from mfgpde.samplers.black_box import Begin, Nature, Standing, nature, on_cells
from mfgpde.samplers.contract import Model, require_repeatable_model
from mfgpde.samplers.generated import Generated, carried, flat, split
from mfgpde.samplers.heun import Heun
from mfgpde.samplers.ledger import Ledger
from mfgpde.samplers.limits import LEVELS, MASSES, Law, extrapolated
from mfgpde.samplers.line import REACH, Line, Quantiles

CELLS = 1024
"""of a law with noise"""
FLOW, MOST = 64, 2048
"""steps of the coarsest list of a flow, and of the finest"""
NEAR = 1e-6
"""of the data's deviation: limits closer than this are not refined"""
LEAST = 1e-6
"""share of the data in the first state, below which the flow begins a little later"""


def box_ledgers(
    exact: Begin,
    learned: Begin,
    model: Model | None,
    counts: Sequence[int],
    data: GaussianMixture,
    *,
    exponent: int = 2,
    most: int = 800,
    tell: Callable[[str], None] = lambda text: None,
) -> list[Ledger]:
    """Return a ledger for each number of steps of a black box, run with the exact score (`exact`) and a model's.

    `model` is None where that is exact too. `most` is how many steps a library takes. Raises ValueError for what can only
    be sampled, for unknown levels, and for levels that the model's process does not reach.
    """
    if model is not None:
        require_repeatable_model(model, data, model.process.horizon)
    kind = nature(learned)
    if not kind.computed:
        raise ValueError(
            f"it is {kind.words}: its law can only be sampled, and a ledger of samples would be their noise"
        )
    run = exact(min(counts))
    right, prior = run.start, getattr(run, "prior", None)
    first, lowest, last = _ends(exact, most)
    if prior is None or first is None or lowest is None or last is None:
        raise ValueError("its first and last levels are not known, and so neither is what it should generate")
    truth, goal = Law.of(data), last.law.after(Transition(1 / last.scale, 0.0, 0.0))
    stopped, near = Law.of(goal), NEAR * float(np.sqrt(Line.of(data).variance))

    def limit(begin: Begin, start: GaussianMixture, own: Model | None, word: str) -> Law:
        tell(word)
        if kind.stochastic:
            base = min(counts)
            return extrapolated(lambda k: _law(begin, k * base, start, kind), 1, base, most, near)
        if own is None:
            return _increasing(start, right, goal)
        return _flow(own, start, (first, lowest, last), near)

    ideal = limit(exact, prior, None, "prior")
    theirs, ours = limit(learned, right, model, "score"), limit(learned, prior, model, "score and prior")
    found = []
    for n in counts:
        tell(f"{n} steps")
        plain, whole = _law(exact, n, right, kind), _law(learned, n, prior, kind)
        found.append(
            Ledger(
                steps=n,
                stop=truth.to(stopped, exponent),
                score=stopped.to(theirs, exponent),
                prior=stopped.to(ideal, exponent),
                discretisation=stopped.to(plain, exponent),
                prior_in_turn=theirs.to(ours, exponent),
                discretisation_in_turn=ours.to(whole, exponent),
                whole=truth.to(whole, exponent),
                exponent=exponent,
            )
        )
    return found


def _increasing(start: GaussianMixture, first: GaussianMixture, last: GaussianMixture) -> Law:
    """Return where the increasing map between two laws takes a third; levels that double precision does not have are known
    to nothing.
    """
    levels = Quantiles(first).level(Quantiles(start)(LEVELS))
    points = Quantiles(last)(levels)
    beyond = np.abs(levels) > REACH
    return Law(points, float(np.sqrt(MASSES[beyond] @ points[beyond] ** 2)), "increasing map")


def _ends(begin: Begin, steps: int) -> tuple[Standing | None, Standing | None, Standing | None]:
    """Return the first level, the least at which the network is asked, and the last."""
    run, x = begin(steps), np.zeros(2)
    first = lowest = run.standing()
    for _ in range(run.calls):
        lowest = run.standing() or lowest
        x = run.call(x, 0 * x)
    return first, lowest, run.standing()


def _law(begin: Begin, steps: int, start: GaussianMixture, kind: Nature) -> Law:
    if kind.stochastic:
        fine, coarse = (on_cells(begin(steps), n, start).line() for n in (CELLS, CELLS // 2))
        return Law.read(Generated(fine, coarse, f"push-forward and blur on {CELLS} cells"))
    run, line = begin(steps), Line.of(start, len(LEVELS))
    x: Array = line.points
    for _ in range(run.calls):
        x = run.call(x, 0 * x)
    return Law.read(Generated(*line.moved_twice(x), f"quantiles at {len(LEVELS)} levels"))


def _flow(model: Model, start: GaussianMixture, levels: tuple[Standing, Standing, Standing], near: float) -> Law:
    """Return the law of a model's flow between levels, in states of the black box; a start without data a little later."""
    first, lowest, last = levels
    begin, end = (time_of(model, one.alpha, one.sigma) for one in (first, lowest if last.sigma == 0 else last))
    left = begin == model.process.horizon and model.alpha(begin) < LEAST
    if left:
        begin = model.time_at(float(np.log(LEAST)))
    to = model.sigma(begin) / first.sigma * first.scale
    law = start.after(Transition(to, 0.0, 0.0))
    line = Line.of(law, len(LEVELS))
    times = end + (begin - end) * (1 - np.arange(FLOW + 1) / FLOW) ** 3

    def refined(k: int) -> Law:
        x = carried(line.points[:, None], flat(Heun().run(model, split(times, k))))
        if last.sigma == 0:
            x = model.data(x, end) * last.alpha / last.scale
        else:
            x = x * last.sigma / model.sigma(end) / last.scale
        return Law(line.moved(x[:, 0]).points, 0.0, f"flow by {k * FLOW} steps")

    found = extrapolated(refined, 2, FLOW, MOST, near)
    extra = LEAST * float(np.abs(LEVELS).max()) if left else 0.0
    return Law(found.points, found.radius + extra, found.method)
