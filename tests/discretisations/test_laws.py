"""Every discretisation keeps every law, whoever adds it; and every law refutes one that is wrong in its way."""

from dataclasses import dataclass

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core.laws import examine, examples
from mfgpde.discretisations import DISCRETISATIONS, FiniteVolume, laws

MEMBERS = [(f"{n} {k}", one) for n in DISCRETISATIONS for k, one in enumerate(examples(DISCRETISATIONS[n]))]


SLOW = {"finite-volume 3", "finite-volume 4", "finite-volume 5", "spectral 2", "finite-element 0", "finite-element 1"}
"""of a class with another that is not and keeps the same laws"""


@pytest.mark.parametrize(
    "space",
    [pytest.param(one, marks=[pytest.mark.slow] * (n in SLOW)) for n, one in MEMBERS],
    ids=[n for n, _ in MEMBERS],
)
def test_every_discretisation_keeps_the_laws(space):
    found = examine(space, laws.LAWS)
    looked = {outcome.law for outcome in found if outcome.checks}
    for outcome in found:
        assert outcome.kept, f"{space!r} breaks {outcome.law}: {outcome.trouble or outcome.worst}"
    assert looked & {"order_is_the_stated_one", "other_equations_have_the_order_too"}, "nothing was looked at"
    assert "other_units_change_nothing" in looked


GRID = mfg.CartesianGrid.cube(7.0, 32, 1)


class Weaker:
    """A system whose rate is scaled, and whose values may be lowered."""

    def __init__(self, whole, share=1.0, less=0.0, leak=0.0):
        self.whole, self.share, self.less, self.leak = whole, share, less, leak
        self.default_integrator = mfg.integrators.SSPRK43()

    def rate(self, u, t, out=None):
        return self.share * self.whole.rate(u, t) - self.leak * u

    def mass(self, u):
        return self.whole.mass(u)

    def start(self, initial):
        return self.whole.start(initial)

    def values(self, u):
        return self.whole.values(u) - self.less * u.max() * (self.whole.grid.points[..., 0] > 5)


def altered(**changes):
    @dataclass(frozen=True)
    class Altered(FiniteVolume):
        def semidiscretise(self, equation):
            return Weaker(super().semidiscretise(equation), **changes)

    return Altered(GRID)


@dataclass(frozen=True)
class Fourth(FiniteVolume):
    def semidiscretise(self, equation):
        return FiniteVolume(self.grid).semidiscretise(equation)


@dataclass(frozen=True)
class Sloping(FiniteVolume):
    def gradient(self, values):
        return 1.05 * super().gradient(values)


@dataclass(frozen=True)
class Local(FiniteVolume):
    def __reduce__(self):
        return FiniteVolume, (self.grid.refined(),)


class Sinking(Weaker):
    """A system that also lowers one end and raises the other, the more the longer it runs."""

    def rate(self, u, t, out=None):
        x = self.whole.grid.points[..., 0]
        return self.whole.rate(u, t) + 0.1 * np.sin(np.pi * x / 7) * u.max()


@dataclass(frozen=True)
class Tilted(FiniteVolume):
    def semidiscretise(self, equation):
        return Sinking(super().semidiscretise(equation))


@dataclass(frozen=True)
class Slower(FiniteVolume):
    """A scheme that is right for densities alone."""

    def semidiscretise(self, equation):
        whole = super().semidiscretise(equation)
        return whole if isinstance(equation, mfg.FokkerPlanck) else Weaker(whole, share=0.95)


class Drizzle(Weaker):
    """A system that adds what is nothing in its own unit and much in another."""

    def rate(self, u, t, out=None):
        return self.whole.rate(u, t) + 1e-15


@dataclass(frozen=True)
class Wetted(FiniteVolume):
    def semidiscretise(self, equation):
        return Drizzle(super().semidiscretise(equation))


class Reversed(Weaker):
    """A system whose start and values are of the other sign: no difference to an exact solution so treated shows it."""

    def start(self, initial):
        return -self.whole.start(initial)


@dataclass(frozen=True)
class Backwards(FiniteVolume):
    def semidiscretise(self, equation):
        return Reversed(super().semidiscretise(equation))


BROKEN = {
    laws.starts_are_what_is_given: Backwards(GRID),
    laws.other_equations_have_the_order_too: Slower(GRID),
    laws.other_units_change_nothing: Wetted(GRID),
    laws.order_is_the_stated_one: Fourth(GRID, order=4),
    laws.mass_is_kept: altered(leak=1e-6),
    laws.equilibria_stay: Tilted(GRID),
    laws.fields_are_known_between_points: Sloping(GRID),
    laws.comes_back_from_a_pickle: Local(GRID),
}


@pytest.mark.parametrize(
    "law", [law for law in laws.LAWS if law is not laws.what_is_negative_is_error], ids=lambda law: law.__name__
)
def test_every_law_refutes_somebody(law):
    (outcome,) = examine(BROKEN[law], (law,))
    assert not outcome.kept


def test_no_law_goes_without_somebody_that_it_refutes():
    assert {*BROKEN, laws.what_is_negative_is_error} == set(laws.LAWS)  # the latter below


def test_a_slower_equation_has_no_order():
    (outcome,) = examine(altered(share=0.95), (laws.order_is_the_stated_one,))
    assert not outcome.kept


def test_negative_values_beyond_the_error_are_refuted(monkeypatch):
    found = laws.Run(np.where(np.arange(32) == 0, -1.0, 0.1), (1.0, 1.0), 1e-3)
    monkeypatch.setattr(laws, "_run", lambda space, still: found)
    (outcome,) = examine(FiniteVolume(GRID), (laws.what_is_negative_is_error,))
    assert not outcome.kept
