"""Every score keeps every law, whoever adds it; and every law refutes a score that is wrong in its way."""

import importlib.util
from dataclasses import dataclass

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core.laws import examine, examples
from mfgpde.core.register import Register
from mfgpde.scores import Bump, Sum, laws
from mfgpde.scores.contract import DivergenceScore

REGISTER = Register("mfgpde.scores", DivergenceScore, "score")
MISSING = {"torch-score", "torch-potential"} if importlib.util.find_spec("torch") is None else set()
MEMBERS = [(f"{n} {k}", one) for n in REGISTER if n not in MISSING for k, one in enumerate(examples(REGISTER[n]))]


SLOW = {"jax-score 0", "differenced 1", *(f"predicted {k}" for k in (1, 2, 5, 6, 9, 10))}
"""a potential as that of jax-potential; three dimensions; predictions, each quick on one of two processes"""


@pytest.mark.parametrize(
    "score",
    [pytest.param(one, marks=[pytest.mark.slow] * (name in SLOW)) for name, one in MEMBERS],
    ids=[name for name, _ in MEMBERS],
)
def test_every_score_keeps_the_laws(score):
    for outcome in examine(score, laws.LAWS):
        assert outcome.kept, f"{score!r} breaks {outcome.law}: {outcome.trouble or outcome.worst}"


EXACT = mfg.ExactScore(mfg.VariancePreserving(0.3, 4.0, 2.7), mfg.densities.bimodal(2))


class Exact(mfg.ExactScore):
    pass


class OnePoint(Exact):
    def __call__(self, x, t):
        return super().__call__(x.reshape(-1, x.shape[-1]), t)


class Negative(Exact):
    def divergence(self, x, t):
        return -super().divergence(x, t)


class Late(Exact):
    def time_derivative(self, x, t):
        return 1.001 * super().time_derivative(x, t)


class Flat(Exact):
    def divergence_gradient(self, x, t):
        return (1 + 1e-5) * super().divergence_gradient(x, t)


class Turned(Exact):
    def directional_derivatives(self, x, t, v):
        pushed, pulled, slope = super().directional_derivatives(x, t, v)
        return pushed, -pulled, slope


class Halved(Exact):
    def with_form(self, x, t, v):
        return self(x, t), 0.5 * np.sum(v * self.directional_derivatives(x, t, v)[0], axis=-1)


class Shifted(Exact):
    def potential(self, x, t):
        return super().potential(x, t) + 1e-4 * np.sin(x[..., 0])


class Drifting(Exact):
    def potential_time_derivative(self, x, t):
        return super().potential_time_derivative(x, t) + 1e-3


@dataclass(frozen=True, eq=False)
class Local(mfg.ExactScore):
    def __reduce__(self):
        return Bump, (0.3, (0.0, 0.0), 1.0)


def wrong(cls):
    return cls(EXACT.process, EXACT.data)


BROKEN = {
    laws.takes_points_of_any_leading_shape: wrong(OnePoint),
    laws.divergence_is_the_trace_of_the_jacobian: wrong(Negative),
    laws.rate_is_the_derivative_in_time: wrong(Late),
    laws.divergence_gradient_is_its_gradient: wrong(Flat),
    laws.products_are_those_of_the_jacobian: wrong(Turned),
    laws.forms_are_those_of_the_jacobian: wrong(Halved),
    laws.the_score_is_the_gradient_of_its_potential: wrong(Shifted),
    laws.comes_back_from_a_pickle: wrong(Local),
}


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
def test_every_law_refutes_somebody(law):
    (outcome,) = examine(BROKEN[law], (law,))
    assert not outcome.kept


def test_a_false_derivative_in_time_of_the_potential_is_found():
    (outcome,) = examine(wrong(Drifting), (laws.the_score_is_the_gradient_of_its_potential,))
    assert not outcome.kept
    assert outcome.worst.case.startswith("∂_tφ")


class Gauge:
    """A function of time alone, with no gradient."""

    def __call__(self, x, t):
        return 0 * x

    def potential(self, x, t):
        return np.full(x.shape[:-1], 3 + np.sin(5 * t))

    def divergence(self, x, t):
        return 0 * x[..., 0]

    def potential_time_derivative(self, x, t):
        return np.full(x.shape[:-1], 5 * np.cos(5 * t))


def test_potentials_are_free_in_what_depends_on_time_alone():
    for outcome in examine(Sum(mfg.ExactScore(mfg.VariancePreserving(), mfg.densities.bimodal(2)), Gauge()), laws.LAWS):
        assert outcome.kept, outcome
