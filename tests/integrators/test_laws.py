"""Every integrator keeps every law, whoever adds it; and every law refutes one that is wrong in its way."""

import numpy as np
import pytest

from mfgpde.core.laws import examine, examples
from mfgpde.integrators import INTEGRATORS, SSPRK43, TRBDF2, Integrator, laws

MEMBERS = [(f"{name} {k}", one) for name in INTEGRATORS for k, one in enumerate(examples(INTEGRATORS[name]))]


SLOW = {"runge-kutta-chebyshev 1"}
"""between a weaker and a stronger damping"""


@pytest.mark.parametrize(
    "method",
    [pytest.param(one, marks=[pytest.mark.slow] * (name in SLOW)) for name, one in MEMBERS],
    ids=[name for name, _ in MEMBERS],
)
def test_every_integrator_keeps_the_laws(method):
    assert isinstance(method, Integrator)
    for outcome in examine(method, laws.LAWS):
        assert outcome.kept, f"{method!r} breaks {outcome.law}: {outcome.trouble or outcome.worst}"


class Fourth(SSPRK43):
    order = 4


class Blind(TRBDF2):
    def step(self, system, u, t, dt):
        new, _ = super().step(system, u, t, dt)
        return new, 1e-3 * dt * (new - u)


class Timid(TRBDF2):
    def step(self, system, u, t, dt):
        new, error = super().step(system, u, t, dt)
        return new, error / 1000


class Forward(TRBDF2):
    def step(self, system, u, t, dt):
        _, error = super().step(system, u, t, dt)
        return u + dt * system.rate(u, t), error


class Leaking(TRBDF2):
    def step(self, system, u, t, dt):
        new, error = super().step(system, u, t, dt)
        return new * (1 - 1e-9), error


class Local(TRBDF2):
    def __reduce__(self):
        return SSPRK43, ()


BROKEN = {
    laws.order_is_that_on_the_class: Fourth(),
    laws.estimates_fall_by_their_order: Blind(),
    laws.estimates_are_of_the_size_of_the_error: Timid(),
    laws.decays_do_not_grow: Forward(),
    laws.what_stays_is_kept: Leaking(),
    laws.comes_back_from_a_pickle: Local(),
}


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
def test_every_law_refutes_somebody(law):
    (outcome,) = examine(BROKEN[law], (law,))
    assert not outcome.kept


def test_nobody_pays_for_numpy_warnings():
    with np.errstate(all="raise"):
        assert all(outcome.kept for outcome in examine(TRBDF2(), laws.LAWS))
