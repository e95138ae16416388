"""A former name is an error that says the present one, wherever it is used."""

import dataclasses
import inspect
import pickle

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.app.problem import EQUATIONS
from mfgpde.core.renamed import renamed

SCORE = mfg.ExactScore(mfg.OrnsteinUhlenbeck(), mfg.gaussian(0.0, 1.0))
EQUATION = mfg.ScoreFokkerPlanck.of(SCORE.process)
BAR = mfg.Estimate(1.0, 0.1, mfg.Kind.BOUND, "given")


class Squared(mfg.games.Functional):
    pass


@pytest.mark.parametrize(
    ("asked", "present"),
    [
        (lambda: BAR.error, "Estimate.error is now called 'half_width'"),
        (lambda: SCORE.rate, "ExactScore.rate is now called 'time_derivative'"),
        (lambda: SCORE.products, "directional_derivatives"),
        (lambda: SCORE.data.products, "directional_derivatives"),
        (lambda: SCORE.process.contraction, "OrnsteinUhlenbeck.contraction is now called 'mean_coefficient'"),
        (lambda: EQUATION.square, "quadratic_coefficient"),
        (lambda: Squared().entropic, "Squared.entropic is now called 'kl_proximal'"),
        (lambda: mfg.Equilibrium.primal, "discrete_primal"),
        (lambda: mfg.games.Quadratic, "QuadraticCost"),
    ],
)
def test_an_attribute(asked, present):
    with pytest.raises(AttributeError, match=present):
        asked()


@pytest.mark.parametrize(
    ("asked", "present"),
    [
        (lambda: mfg.train(SCORE.process, np.zeros((9, 1)), batch=2), "train: .*'batch' is now called 'batch_size'"),
        (lambda: mfg.train(SCORE.process, np.zeros((9, 1)), rate=2), "'learning_rate'"),
        (lambda: dataclasses.replace(BAR, error=2.0), "Estimate: the argument 'error' is now called 'half_width'"),
        (lambda: type("Mine", (mfg.games.Functional,), {"entropic": None}), "Mine: 'entropic' is now called 'kl_prox"),
    ],
)
def test_an_argument_and_what_a_class_defines(asked, present):
    with pytest.raises(TypeError, match=present):
        asked()


@pytest.mark.parametrize(
    ("register", "former", "present"),
    [(mfg.games.LANDSCAPES, "quadratic", "quadratic-well"), (EQUATIONS, "score", "score-fokker-planck")],
)
def test_a_name_in_problem_files(register, former, present):
    assert register.named(present)
    with pytest.raises(ValueError, match=f"{former!r} is now called {present!r}"):
        register.named(former)


def test_the_rest_is_as_it_was():
    assert pickle.loads(pickle.dumps(BAR)) == BAR
    assert list(inspect.signature(mfg.Estimate).parameters) == ["value", "half_width", "kind", "method", "at"]
    assert dataclasses.replace(BAR, half_width=2.0).upper == 3.0
    assert not hasattr(SCORE, "rate")


def test_classes_keep_what_their_bases_do_when_heirs_are_made():
    made = []

    class Base:
        def __init_subclass__(cls, **options):
            made.append((cls.__name__, options))

    @renamed(old="new")
    class Middle(Base):
        pass

    class Heir(Middle, kind="one"):
        pass

    assert made == [("Middle", {}), ("Heir", {"kind": "one"})]


class Once:
    """A score that was written for the last release."""

    def __call__(self, x, t):
        return -x

    def potential(self, x, t):
        return -0.5 * np.sum(x * x, axis=-1)

    def divergence(self, x, t):
        return np.full(x.shape[:-1], -x.shape[-1])

    def time_derivative(self, x, t):
        return np.zeros(x.shape[:-1])


class Turned:
    def __call__(self, x, t):
        return -x

    def rate(self, x, t):
        return 0 * x


class Named:
    """A score whose parameter happens to be called so."""

    rate = 2.0

    def __call__(self, x, t):
        return -self.rate * x


def test_a_score_of_the_last_release_is_not_overlooked():
    with pytest.raises(TypeError, match="potential_time_derivative"):
        mfg.scores.offers(Once(), mfg.scores.PotentialScore)
    with pytest.raises(TypeError, match="'rate' is now called 'time_derivative'"):
        mfg.scores.offers(Turned(), mfg.scores.DirectionalScore)
    assert mfg.scores.offers(Named(), mfg.scores.Score)
