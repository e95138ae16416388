"""The equations of every process, whoever adds it, have its exact solutions; false equations have not."""

from dataclasses import replace

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core.laws import examine, examples
from mfgpde.equations import laws
from mfgpde.processes import PROCESSES

MEMBERS = [(f"{name} {k}", one) for name in PROCESSES for k, one in enumerate(examples(PROCESSES[name]))]


SLOW = {
    *(f"cumulative {k}" for k in range(4)),
    *(f"{name} {k}" for name in ("linear-betas", "scaled-linear-betas", "squared-cosine-betas") for k in (0, 2)),
    *("linear 2", "linear 5", "linear 6"),
}
"""the same by another name, and variants of a class with another that is not: a thousand steps, gigametres, what
changes in time twice"""


@pytest.mark.parametrize(
    "process",
    [pytest.param(one, marks=[pytest.mark.slow] * (name in SLOW)) for name, one in MEMBERS],
    ids=[name for name, _ in MEMBERS],
)
def test_the_equations_of_every_process_have_its_exact_solutions(process):
    for outcome in examine(process, laws.LAWS):
        assert outcome.kept, f"{process!r} breaks {outcome.law}: {outcome.trouble or outcome.worst}"


WELL, TURNING = mfg.processes.double_well(0.8, 0.9, 2.7), mfg.VariancePreserving(0.3, 4.0, 2.7)


def plus_divergence(self, x, s, t):
    return (
        self.quadratic_coefficient(t) * np.sum(s * s, axis=-1)
        - np.sum(self.drift(x, t) * s, axis=-1)
        + self.divergence(x, t)
    )


def half_noise(kind):
    whole = kind.of.__func__
    return classmethod(
        lambda cls, process: replace(whole(cls, process), diffusivity=lambda t: 0.5 * process.diffusivity(t))
    )


def whole_score(cls, process, score):
    return cls(lambda x, t: process.drift(x, t) - 2 * process.diffusivity(t) * score(x, t))


def one_score(cls, process, score):
    end = process.horizon
    return cls(
        lambda x, u: process.diffusivity(end - u) * score(x, end - u) - process.drift(x, end - u),
        lambda u: process.diffusivity(end - u),
    )


def without_divergence(self, x, p, t):
    return np.sum(self.drift(x, t) * p, axis=-1) - self.quadratic_coefficient(t) * np.sum(p * p, axis=-1)


def without_drift(self, x, s, t):
    return np.sum(s * (s @ self.tensor(t)), axis=-1) - self.divergence(x, t)


FALSE = {
    laws.marginals_solve_fokker_planck: ("FokkerPlanck", "of", half_noise(mfg.FokkerPlanck)),
    laws.generation_brings_marginals_back: ("FokkerPlanck", "reverse", classmethod(one_score)),
    laws.marginals_are_carried_by_the_probability_flow: ("Continuity", "probability_flow", classmethod(whole_score)),
    laws.logarithms_solve_their_equation: ("LogDensity", "hamiltonian", without_divergence),
    laws.scores_solve_their_equation: ("ScoreFokkerPlanck", "transport", plus_divergence),
    laws.tensors_move_densities_and_scores: ("ScoreKolmogorov", "transport", without_drift),
    laws.equations_come_back_from_a_pickle: ("Continuity", "probability_flow", classmethod(whole_score)),
    laws.expectations_solve_the_backward_equation: ("BackwardKolmogorov", "of", half_noise(mfg.BackwardKolmogorov)),
}


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
def test_every_law_refutes_a_false_equation(law, monkeypatch):
    kind, name, false = FALSE[law]
    monkeypatch.setattr(getattr(laws, kind), name, false)
    process = mfg.OrnsteinUhlenbeck() if "backward" in law.__name__ else WELL
    process = mfg.processes.critically_damped() if "tensors" in law.__name__ else process
    (outcome,) = examine(process, (law,))
    assert not outcome.kept
    assert bool(outcome.trouble) == ("pickle" in law.__name__)


def test_a_process_whose_laws_are_not_those_of_its_drift_is_found():
    class Doubled(mfg.VariancePreserving):
        def variance(self, t):
            return 2 * super().variance(t)

    broken = [outcome.law for outcome in examine(Doubled(), laws.LAWS) if not outcome.kept]
    assert {law.__name__ for law in laws.LAWS[:6]} <= set(broken)
