"""Every sampler and every rule for levels keeps every law; every law refutes one that is wrong in its way."""

import numpy as np
import pytest

from mfgpde.core.laws import examine, examples
from mfgpde.samplers import LEVELS, SAMPLERS, Levels, Sampler, laws
from mfgpde.samplers.euler import Euler
from mfgpde.samplers.levels.uniform import Uniform

MEMBERS = [(f"{name} {k}", one) for name in SAMPLERS for k, one in enumerate(examples(SAMPLERS[name]))]
RULES = [(f"{name} {k}", one) for name in LEVELS for k, one in enumerate(examples(LEVELS[name]))]


SLOW = {"predictor-corrector 1", "predictor-corrector 2", "exponential 2", "euler-maruyama 1", "ddim 2"}
"""of a class with another that is not and keeps the same laws"""


@pytest.mark.parametrize(
    "sampler",
    [pytest.param(one, marks=[pytest.mark.slow] * (name in SLOW)) for name, one in MEMBERS],
    ids=[name for name, _ in MEMBERS],
)
def test_every_sampler_keeps_the_laws(sampler):
    assert isinstance(sampler, Sampler)
    for outcome in examine(sampler, laws.LAWS):
        assert outcome.kept, f"{sampler!r} breaks {outcome.law}: {outcome.trouble or outcome.worst}"


@pytest.mark.parametrize("levels", [one for _, one in RULES], ids=[name for name, _ in RULES])
def test_every_rule_for_levels_keeps_the_laws(levels):
    assert isinstance(levels, Levels)
    for outcome in examine(levels, laws.LEVEL_LAWS):
        assert outcome.kept, f"{levels!r} breaks {outcome.law}: {outcome.trouble or outcome.worst}"


class Second(Euler):
    order = 2


class Silent(Euler):
    stochastic = True


class Forgetful(Euler):
    markov = False


class Mixing(Euler):
    def run(self, model, times):
        for (move,) in super().run(model, times):
            yield [lambda x, move=move: (move(x)[0] + 1e-3 * x.sum(axis=1, keepdims=True), 0.0)]


class Trusting(Euler):
    def run(self, model, times):
        yield [lambda x: (x, 0.0)]


class Local(Euler):
    def __reduce__(self):
        return Mixing, ()


class Nudged(Euler):
    """One that adds what is nothing in its own unit and much in another."""

    def run(self, model, times):
        for (move,) in super().run(model, times):
            yield [lambda x, move=move: (move(x)[0] + 1e-15, 0.0)]


BROKEN = {
    laws.other_units_change_nothing: Nudged(),
    laws.order_is_that_on_the_class: Second(),
    laws.noise_is_added_where_stated: Silent(),
    laws.memory_is_as_stated: Forgetful(),
    laws.coordinates_of_products_are_sampled_apart: Mixing(),
    laws.times_that_go_up_are_refused: Trusting(),
    laws.comes_back_from_a_pickle: Local(),
}


class Short(Uniform):
    def times(self, process, steps, stop=0.0):
        return super().times(process, steps, stop)[:-1]


class Coarse(Uniform):
    def times(self, process, steps, stop=0.0):
        return np.append(process.horizon, super().times(process, steps, stop)[1:] * 0.1 + 0.9 * stop)


class Willing(Uniform):
    def times(self, process, steps, stop=0.0):
        return np.linspace(process.horizon, stop, steps + 1)


class Late(Uniform):
    def times(self, process, steps, stop=0.0):
        times = super().times(process, steps, stop)
        return np.append(times[:-1] + 1e-15 * (np.arange(steps) > 0), stop)


class Swapped(Uniform):
    def __reduce__(self):
        return Late, ()


WRONG = {
    laws.levels_come_back_from_a_pickle: Swapped(),
    laws.levels_go_with_the_unit_of_time: Late(),
    laws.times_go_down_to_the_stop: Short(),
    laws.more_steps_are_closer: Coarse(),
    laws.bad_requests_are_refused: Willing(),
}


@pytest.mark.parametrize(
    ("law", "member"), [*BROKEN.items(), *WRONG.items()], ids=lambda one: getattr(one, "__name__", "")
)
def test_every_law_refutes_somebody(law, member):
    (outcome,) = examine(member, (law,))
    assert not outcome.kept


def test_each_law_has_one_that_it_refutes():
    assert set(BROKEN) == set(laws.LAWS)
    assert set(WRONG) == set(laws.LEVEL_LAWS)
