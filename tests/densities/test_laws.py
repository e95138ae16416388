"""Every density keeps every law, whoever adds it; and every law refutes a density that is wrong in its way."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core.laws import examine, examples
from mfgpde.densities import DENSITIES, GaussianMixture, laws

MEMBERS = [(f"{name} {k}", one) for name in DENSITIES for k, one in enumerate(examples(DENSITIES[name]))]


SLOW = {"swiss-roll 1", "swiss-roll 2"}
"""of a class with another that is not"""


@pytest.mark.parametrize(
    "density",
    [pytest.param(one, marks=[pytest.mark.slow] * (name in SLOW)) for name, one in MEMBERS],
    ids=[name for name, _ in MEMBERS],
)
def test_every_density_keeps_the_laws(density):
    for outcome in examine(density, laws.LAWS):
        assert outcome.kept, f"{density!r} breaks {outcome.law}: {outcome.trouble or outcome.worst}"


class OnePoint(GaussianMixture):
    def log_density(self, x):
        return super().log_density(x.reshape(-1, x.shape[-1]))


class Heavier(GaussianMixture):
    def log_density(self, x):
        return super().log_density(x) + 1e-4


class Slower(GaussianMixture):
    def score(self, x):
        return (1 + 1e-6) * super().score(x)


class Flatter(GaussianMixture):
    def laplacian(self, x):
        return (1 - 1e-6) * super().laplacian(x)


class Narrower(GaussianMixture):
    def sample(self, n, rng):
        return 0.9 * super().sample(n, rng)


class Boxed(GaussianMixture):
    def box(self, mass):
        return super().box(mass * 0.5)


class Noisier(GaussianMixture):
    def after(self, transition):
        return super().after(
            mfg.processes.Transition(transition.factor, transition.offset, 1.2 * transition.covariance)
        )


class Floored(GaussianMixture):
    def after(self, transition):
        law = super().after(transition)
        return GaussianMixture(law.weights, law.means, law.covariances + 1e-19 * np.eye(2))


class Local(GaussianMixture):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.never = lambda: None


def wrong(cls):
    return cls([0.4, 0.6], [[-0.5, 0.2], [0.7, 0.1]], [0.3, 0.5])


BROKEN = {
    laws.takes_points_of_any_leading_shape: OnePoint([1.0], [[0.0]], 1.0),
    laws.integrates_to_one: wrong(Heavier),
    laws.score_is_the_gradient_of_the_logarithm: wrong(Slower),
    laws.curvatures_are_derivatives_of_the_score: wrong(Flatter),
    laws.samples_follow_the_density: wrong(Narrower),
    laws.samples_and_score_satisfy_steins_identity: wrong(Narrower),
    laws.boxes_hold_their_mass: wrong(Boxed),
    laws.transitions_carry_the_density: wrong(Noisier),
    laws.other_units_change_nothing: wrong(Floored),
    laws.comes_back_from_a_pickle: wrong(Local),
}


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
def test_every_law_refutes_somebody(law):
    (outcome,) = examine(BROKEN[law], (law,))
    assert not outcome.kept


def test_a_constant_in_three_dimensions_is_seen_by_sampling():
    roll = mfg.densities.swiss_roll()
    heavier = Heavier(roll.weights, roll.means, roll.structure)
    heavier.log_density = lambda x: roll.log_density(x) + 0.2
    (outcome,) = examine(heavier, (laws.integrates_to_one,))
    assert not outcome.kept


def test_samples_of_a_false_law_in_five_dimensions_are_seen_by_the_score():
    law = mfg.densities.embedded(mfg.densities.four_blobs(), 5, deviation=0.1)
    (outcome,) = examine(
        Narrower(law.weights, law.means, law.covariances), (laws.samples_and_score_satisfy_steins_identity,)
    )
    assert not outcome.kept
