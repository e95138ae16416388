"""The ledger of a sampler on the line: what its law owes to the stop, the score, the prior and the steps, and to all.

Each part is the distance that its error makes with the others switched off. Their sum bounds nothing, since each error
is carried by what the others changed: the flow of a wrong score may widen what the prior misses. What bounds the whole
is the sum of the parts *in turn*, by the triangle inequality along

    p₀ → p_stop → (limit, score, p_T) → (limit, score, prior) → (scheme, score, prior).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate
from mfgpde.densities import GaussianMixture
from mfgpde.samplers.contract import Model, Sampler, checked_times, require_repeatable_model
from mfgpde.samplers.generated import line_law, prior, split
from mfgpde.samplers.heun import Heun
from mfgpde.samplers.limits import Law, extrapolated
from mfgpde.samplers.line import Line
from mfgpde.samplers.predictor_corrector import PredictorCorrector
from mfgpde.scores import ExactScore

NEAR = 1e-6
"""of the data's deviation: limits closer than this are not refined"""
MOST_STEPS, MOST_MOVES = 4096, 1024
"""of the finest list, without noise and with it; or eight times those of the list given"""


@dataclass(frozen=True)
class Ledger:
    """What a generated law owes to what: distances W_p, lengths, each with its bar.

    `stop` W(p_stop, p₀); `score`, `prior`, `discretisation` are distances to p_stop with that one error alone;
    `prior_in_turn`, `discretisation_in_turn` are what each adds to those before it; `whole` is W(generated, p₀).
    """

    steps: int
    stop: Estimate
    score: Estimate
    prior: Estimate
    discretisation: Estimate
    prior_in_turn: Estimate
    discretisation_in_turn: Estimate
    whole: Estimate
    exponent: int = 2

    @property
    def sum_alone(self) -> Estimate:
        """The sum of the parts, each with the others switched off; the whole may be more."""
        return self.stop + self.score + self.prior + self.discretisation

    @property
    def sum_in_turn(self) -> Estimate:
        """The sum of the parts in turn, which the whole does not exceed."""
        return self.stop + self.score + self.prior_in_turn + self.discretisation_in_turn

    @property
    def cancelled(self) -> float:
        """How much of the sum in turn cancels, as a share of it; zero where there is none."""
        total = self.sum_in_turn.value
        return 1.0 - self.whole.value / total if total > 0 else 0.0

    @property
    def holds(self) -> bool:
        """Whether the whole is at most the sum in turn, within bars: it must be."""
        return self.whole.lower <= self.sum_in_turn.upper

    @property
    def largest(self) -> str:
        """The name of the largest part in turn."""
        parts = {"stop": self.stop, "score": self.score, "prior": self.prior_in_turn}
        parts["discretisation"] = self.discretisation_in_turn
        return max(parts, key=lambda name: parts[name].value)

    def __str__(self) -> str:
        rows = [
            ("stop", self.stop, self.stop),
            ("score", self.score, self.score),
            ("prior", self.prior, self.prior_in_turn),
            ("discretisation", self.discretisation, self.discretisation_in_turn),
            ("sum", self.sum_alone, self.sum_in_turn),
        ]
        lines = [f"{f'W{self.exponent}, {self.steps} steps':<16}{'alone':<22}in turn"]
        lines += [f"{name:<16}{_told(alone):<22}{_told(turn)}" for name, alone, turn in rows]
        return "\n".join([*lines, f"{'whole':<16}{_told(self.whole):<22}{self.cancelled:.0%} of the sum cancels"])


def _told(one: Estimate) -> str:
    return f"{one.value:.3e} ± {one.half_width:.0e}"


def ledger(
    sampler: Sampler,
    model: Model,
    times: Array,
    data: GaussianMixture,
    start: GaussianMixture | None = None,
    *,
    exponent: int = 2,
) -> Ledger:
    """Return what the law owes to what that a sampler with a model's score generates along `times` from a prior.

    `data` is p₀, a mixture on the line, `start` the prior, N(0, σ²) of the process if it is not given. Without noise the
    limit of many steps is the probability flow; with noise that of the scheme itself: both by refined lists, until 1e-6 of
    the data's deviation or 4096 steps (1024 with noise), at least eight times those of the list. Bars hold what refinement,
    the grid and the quadrature leave.
    `exponent` 1 or 2 says which distance W. Raises ValueError for data not on the line, another exponent, times that do not
    decrease, moves that leave finite numbers, and predictor–corrector schemes, which change their dynamics with the steps.

    >>> process, data = mfg.OrnsteinUhlenbeck(horizon=3.0), mfg.densities.bimodal()
    >>> model = mfg.samplers.Model(process, mfg.ExactScore(process, data))
    >>> times = mfg.samplers.LogSNR().times(process, 20, stop=1e-3)
    >>> found = mfg.samplers.ledger(mfg.samplers.DDIM(), model, times, data)
    >>> found.largest, found.holds, found.score.value <= found.score.half_width  # the score is exact
    ('discretisation', True, True)
    """
    return ledgers(sampler, model, [times], data, start, exponent=exponent)[0]


def ledgers(
    sampler: Sampler,
    model: Model,
    lists: Sequence[Array],
    data: GaussianMixture,
    start: GaussianMixture | None = None,
    *,
    exponent: int = 2,
    tell: Callable[[str], None] = lambda text: None,
) -> list[Ledger]:
    """Return a ledger for each list of times; all go from one time to one stop, so that their limits are the same.

    Raises ValueError as `ledger` does, and for lists that begin or end elsewhere.
    """
    lists = [checked_times(times, model.process) for times in lists]
    _refuse(sampler, lists, data, exponent)
    start = start or prior(model)
    require_repeatable_model(model, start, float(lists[0][0]))
    exact = Model(model.process, ExactScore(model.process, data))
    first, last = float(lists[0][0]), float(lists[0][-1])
    laws = exact.score
    right, stopped = laws.at(first), Law.of(laws.at(last))  # pyright: ignore[reportAttributeAccessIssue]
    near = NEAR * float(np.sqrt(Line.of(data).variance))
    base = min(lists, key=len)

    def limit(what: Model, law: GaussianMixture, word: str) -> Law:
        tell(word)
        return _limit(sampler, what, base, law, near)

    ideal = limit(exact, start, "prior")
    learned, ours = limit(model, right, "score"), limit(model, start, "score and prior")
    truth = Law.of(data)
    stop, score = truth.to(stopped, exponent), stopped.to(learned, exponent)
    alone, turn = stopped.to(ideal, exponent), learned.to(ours, exponent)
    found = []
    for times in lists:
        tell(f"{len(times) - 1} steps")
        plain = Law.read(line_law(sampler, exact, times, right))
        whole = Law.read(line_law(sampler, model, times, start))
        found.append(
            Ledger(
                steps=len(times) - 1,
                stop=stop,
                score=score,
                prior=alone,
                discretisation=stopped.to(plain, exponent),
                prior_in_turn=turn,
                discretisation_in_turn=ours.to(whole, exponent),
                whole=truth.to(whole, exponent),
                exponent=exponent,
            )
        )
    return found


def _refuse(sampler: Sampler, lists: Sequence[Array], data: GaussianMixture, exponent: int) -> None:
    if data.dimension != 1:
        raise ValueError(f"a ledger is for data on the line, these are in dimension {data.dimension}")
    if exponent not in (1, 2):
        raise ValueError(f"the exponent of W must be 1 or 2, got {exponent!r}")
    if isinstance(sampler, PredictorCorrector):
        raise ValueError("a predictor–corrector has no dynamics that steps refine: each step adds its own corrections")
    if not lists:
        raise ValueError("a ledger needs a list of times")
    ends = {(float(times[0]), float(times[-1])) for times in lists}
    if len(ends) > 1:
        raise ValueError(f"lists must begin and end at the same times, got {sorted(ends)}")


def _limit(sampler: Sampler, model: Model, times: Array, start: GaussianMixture, near: float) -> Law:
    """Return the law of ever finer lists, each interval halved in turn, extrapolated by the order stated and the next."""
    scheme: Any = sampler if sampler.stochastic else Heun()
    most = MOST_MOVES if sampler.stochastic else MOST_STEPS

    def refined(k: int) -> Law:
        return Law.read(line_law(scheme, model, split(times, k), start))

    return extrapolated(refined, scheme.order, len(times) - 1, most, near)
