"""Every process keeps every law, whoever adds it; and every law refutes a process that is wrong in its way."""

from dataclasses import dataclass

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core.laws import examine, examples
from mfgpde.processes import PROCESSES, laws
from mfgpde.processes.langevin import Wells

MEMBERS = [(f"{name} {k}", one) for name in PROCESSES for k, one in enumerate(examples(PROCESSES[name]))]


SLOW = {
    *(f"cumulative {k}" for k in range(4)),
    *(f"{name} {k}" for name in ("linear-betas", "scaled-linear-betas", "squared-cosine-betas") for k in (0, 2)),
    *("linear 4", "linear 5", "linear 6"),
}
"""the same by another name, and variants of a class with another that is not: a thousand steps, nanometres, gigametres"""


@pytest.mark.parametrize(
    "process",
    [pytest.param(one, marks=[pytest.mark.slow] * (name in SLOW)) for name, one in MEMBERS],
    ids=[name for name, _ in MEMBERS],
)
def test_every_process_keeps_the_laws(process):
    for outcome in examine(process, laws.LAWS):
        assert outcome.kept, f"{process!r} breaks {outcome.law}: {outcome.trouble or outcome.worst}"


class Doubled(mfg.VariancePreserving):
    def variance(self, t):
        return 2 * super().variance(t)


class Uphill(mfg.OverdampedLangevin):
    def drift(self, x, t):
        return -super().drift(x, t)

    def divergence(self, x, t):
        return -super().divergence(x, t)


class Negative(mfg.OrnsteinUhlenbeck):
    def divergence(self, x, t):
        return -super().divergence(x, t)


class Transposed(mfg.Linear):
    def drift_vjp(self, x, t, v):
        return v @ self.drift_jacobian(x, t)[0].T


class HorizonTwice(mfg.VariancePreserving):
    def beta(self, t):
        return self.beta_min + (self.beta_max - self.beta_min) * np.asarray(t) * self.horizon


class NotIntegrated(mfg.VariancePreserving):
    def integrated_beta(self, t):
        t = np.asarray(t)
        return self.beta_min * t + 0.5 * (self.beta_max - self.beta_min) * t**2 * self.horizon


class WholeSquare(mfg.Brownian):
    def diffusivity(self, t):
        return self.diffusion(t) ** 2


class Ageing(mfg.Brownian):
    def drift(self, x, t):
        return -np.asarray(t)[..., None] * x if np.ndim(t) else -t * x


class OneTimeOnly(mfg.VariancePreserving):
    def drift(self, x, t):
        return -0.5 * float(np.max(self.beta(t))) * x


class Bent(mfg.OrnsteinUhlenbeck):
    def drift(self, x, t):
        return super().drift(x, t) - 0.01 * x**3


class Jumps(mfg.OrnsteinUhlenbeck):
    def transition(self, s, t):
        law = super().transition(s, t)
        return mfg.processes.Transition(law.factor, law.offset, law.covariance * (1.1 if s > 0 else 1.0))


class Skewed(mfg.Linear):
    def transition(self, s, t):
        law = super().transition(s, t)
        return mfg.processes.Transition(law.factor, law.offset, law.covariance + np.array([[0.0, 1e-3], [0.0, 0.0]]))


class NarrowPrior(mfg.VarianceExploding):
    @property
    def prior_variance(self):
        return 0.8 * super().prior_variance


class Endless(mfg.OrnsteinUhlenbeck):
    def transition(self, s, t):
        factor = float(np.exp(-self.rate * (t - s)))
        return mfg.processes.Transition(factor, 0.0, (1 - factor**2) * self.prior_variance)


class Hasty(mfg.VarianceExploding):
    @property
    def time_scale(self):
        return 2.1 * super().time_scale


@dataclass(frozen=True)
class Unchecked(mfg.OrnsteinUhlenbeck):
    def __post_init__(self):
        pass


class Floored(mfg.VarianceExploding):
    @property
    def prior_variance(self):
        return max(super().prior_variance, 1e-12)


def local_well():
    wells = Wells()
    return mfg.OverdampedLangevin(lambda x: wells.potential(x), wells.gradient, wells.laplacian)


WELLS = Wells(1.5)
BROKEN = {
    laws.takes_points_and_times_of_any_leading_shape: OneTimeOnly(),
    laws.divergence_is_the_trace_of_the_jacobian: Negative(),
    laws.derivatives_of_the_drift_are_those_of_its_values: Transposed(np.array([[-1.0, 2.0], [0.0, -1.0]])),
    laws.diffusivity_is_half_the_square_of_the_diffusion: WholeSquare(),
    laws.autonomous_processes_do_not_change: Ageing(),
    laws.coefficients_change_no_faster_than_the_time_scale: Hasty(),
    laws.linear_drifts_are_affine: Bent(),
    laws.transitions_solve_the_moment_equations: Doubled(),
    laws.transitions_compose: Jumps(),
    laws.transition_covariances_are_covariances: Skewed(-np.eye(2)),
    laws.the_prior_is_where_the_process_ends: NarrowPrior(),
    laws.isotropic_coefficients_belong_together: NotIntegrated(horizon=2.7),
    laws.times_outside_the_horizon_are_refused: Endless(),
    laws.what_is_no_number_is_refused: Unchecked(),
    laws.comes_back_from_a_pickle: local_well(),
    laws.other_units_change_nothing: Floored(),
    laws.langevin_drifts_descend_their_potential: Uphill(WELLS.potential, WELLS.gradient, WELLS.laplacian),
}


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
def test_every_law_refutes_somebody(law):
    (outcome,) = examine(BROKEN[law], (law,))
    assert not outcome.kept


@pytest.mark.parametrize(
    "process",
    [Doubled(), Negative(), HorizonTwice(horizon=2.7), NotIntegrated(horizon=2.7), NarrowPrior()],
    ids=lambda p: type(p).__name__,
)
def test_wrong_numbers_are_found_by_numbers_not_by_an_exception(process):
    broken = [outcome for outcome in examine(process, laws.LAWS) if not outcome.kept]
    assert broken
    assert not any(outcome.trouble or outcome.worst.violation <= 10 * outcome.worst.bound for outcome in broken)
