"""A score whose values are rounded: what its residual is then is said to be rounding, and a wrong score still is wrong."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.app.requirements import Certificate, Requirement
from mfgpde.diagnostics.certificate import certify
from mfgpde.diagnostics.rounding import bits, bits_kept
from mfgpde.report.shares import residual_share
from mfgpde.scores import Differenced, ExactScore
from mfgpde.verify.finding import Outcome

VP = mfg.VariancePreserving()
LAW = mfg.GaussianMixture([0.5, 0.5], [[-1.0], [1.0]], 0.15)
EXACT = ExactScore(VP, LAW)


def rounded(values, kept):
    fraction, power = np.frexp(values)
    return np.ldexp(np.round(np.ldexp(fraction, kept)), power - kept)


def residuals(function):
    score = Differenced(function, 1, end=VP.horizon)
    found = certify(VP, score, mfg.CartesianGrid.cube(5.0, 64, 1), stop=5e-3, bars="ladders")
    return {"residuals": found.rows}


@pytest.mark.parametrize("kept", [8, 11, 16, 20, 24])
def test_what_rounding_alone_leaves_of_a_residual_is_at_most_what_is_said(kept):
    found = residual_share(residuals(lambda x, t: rounded(EXACT(x, t), kept)))
    assert found.overall <= found.rounding
    assert found.rounding < 50 * found.overall


@pytest.mark.parametrize("kept", [8, 11])
def test_it_refutes_no_requirement(kept):
    found = residuals(lambda x, t: rounded(EXACT(x, t), kept))
    finding = Requirement.read("score residual at stop <= 0.1").of(Certificate(found))
    assert finding.outcome is Outcome.UNDECIDED


@pytest.mark.parametrize("kept", [16, 24, 53])
def test_a_wrong_score_is_refuted_however_its_values_are_kept(kept):
    found = residuals(lambda x, t: rounded(2.0 * EXACT(x, t), kept))
    one = residual_share(found)
    assert one.overall > max(0.1, one.rounding)
    finding = Requirement.read("score residual at stop <= 0.1").of(Certificate(found))
    assert finding.outcome is Outcome.REFUTED


@pytest.mark.parametrize("function", [np.sign, lambda x: np.floor(3 * x), lambda x: -3 * x, lambda x: 0 * x, np.sin])
def test_steps_and_double_precision_are_no_rounding(function):
    assert bits_kept(lambda x, t: function(x), mfg.CartesianGrid.cube(4.0, 64, 1), 0.5) is None


@pytest.mark.parametrize("kept", range(1, 53, 4))
def test_bits_are_those_that_numbers_were_rounded_to(kept, rng):
    assert bits(rounded(rng.normal(size=2000), kept)) == kept
