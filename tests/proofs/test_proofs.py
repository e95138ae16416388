"""Balls hold closed forms, tails included; bounds hold their functions; what is proved is compared without rounding."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

import mfgpde as mfg
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.verify import Evidence, Outcome, at_most, equal, judge

pytest.importorskip("flint")
from mfgpde.proofs import Instant, MovingMixture, affine, ball, estimate, line, mean, relative_entropy
from mfgpde.proofs.ball import precision

THREE = mfg.GaussianMixture([0.5, 0.3, 0.2], [[-1.5], [0.5], [2.0]], [0.2, 0.1, 0.3])
PROCESSES = (
    mfg.OrnsteinUhlenbeck(0.7, 1.3, 2.0),
    mfg.VariancePreserving(),
    mfg.SubVariancePreserving(0.2, 5.0),
    mfg.VarianceExploding(0.05, 1.2, 1.5),
    mfg.Brownian(0.8),
)


@pytest.mark.parametrize("process", PROCESSES, ids=lambda p: type(p).__name__)
def test_transition_laws_move_as_the_drift_and_the_noise_say(process):
    t = 0.3125
    now = Instant.of(process, t)
    with precision():
        assert abs(now.speed + now.relaxation * now.coefficient) < 1e-24
        assert abs(now.growth - 2 * now.diffusivity + 2 * now.relaxation * now.variance) < 1e-24
    assert float(now.coefficient) == pytest.approx(float(process.mean_coefficient(t)), rel=1e-14)
    assert float(now.variance) == pytest.approx(float(process.variance(t)), rel=1e-13)
    assert float(now.diffusivity) == pytest.approx(float(process.diffusivity(t)), rel=1e-14)


@pytest.mark.parametrize("process", PROCESSES, ids=lambda p: type(p).__name__)
def test_derivatives_are_those_of_the_exact_score_and_stay_below_their_bounds(process):
    import flint

    t, x = 0.3125, np.linspace(-6.0, 7.0, 60)
    law, exact = MovingMixture.noised(THREE, Instant.of(process, t)), mfg.ExactScore(process, THREE)
    log_p, points = law.log_density, x[:, None]
    truth = {
        "value": exact.potential(points, t),
        "slope": exact(points, t)[:, 0],
        "curvature": exact.divergence(points, t),
        "speed": exact.potential_time_derivative(points, t),
        "turning": exact.time_derivative(points, t)[:, 0],
    }
    third = [float(log_p.third.at(flint.acb(float(a)), False).real) for a in x]
    h = 1e-4
    truth["third"] = (exact.divergence(points + h, t) - exact.divergence(points - h, t)) / (2 * h)
    assert third == pytest.approx(truth["third"], rel=1e-5, abs=1e-5)
    for name, values in truth.items():
        function = getattr(log_p, name)
        for a, value in zip(x, values, strict=True):
            found = function.at(flint.acb(float(a)), False).real
            assert float(found) == pytest.approx(value, rel=1e-5, abs=1e-5)
            assert abs(found) <= function.bound(ball(abs(float(a))))


def test_means_are_those_of_a_rule_of_another_kind():
    law = MovingMixture.of(THREE)
    found = estimate(mean(law, law.log_density.value * law.log_density.slope**2), "balls")

    def integrand(x):
        at = np.array([[x]])
        return float((np.exp(THREE.log_density(at)) * THREE.log_density(at) * THREE.score(at)[:, 0] ** 2)[0])

    other, _ = quad(integrand, -8, 8, points=(-1.5, 0.5, 2.0), limit=400, epsabs=1e-12, epsrel=1e-12)
    assert found.value == pytest.approx(other, abs=1e-10)
    assert found.half_width < 1e-14


def test_tails_are_in_the_ball(monkeypatch):
    law, x = MovingMixture.of(mfg.gaussian(0.7, 2.0)), affine(0.0, 1.0)
    for deviations in (0.5, 1.5, 4.0):  # boxes that cut off a third of the mass, and more of the moment
        monkeypatch.setattr(line, "DEVIATIONS", deviations)
        found = estimate(mean(law, x**4), "balls")
        assert 0.7**4 + 6 * 0.49 * 2 + 3 * 4 in found
        assert found.half_width > 1e-3
    monkeypatch.setattr(line, "_beyond", lambda *_: ball(0.0))
    assert 0.7**4 + 6 * 0.49 * 2 + 3 * 4 not in estimate(mean(law, x**4), "balls")  # so the tail is what held it


@given(st.floats(-1e3, 1e3), st.integers(2, 10**6))
def test_an_estimate_holds_its_ball(a, b):
    found = estimate(ball(a) / b, "a share")
    truth = Fraction(a) / b
    assert abs(truth - Fraction(found.value)) <= Fraction(found.half_width)
    assert found.half_width <= 2.0**-52 * abs(found.value) + 1e-300


@given(st.floats(-1e3, 1e3), st.floats(0, 10), st.floats(-1e3, 1e3), st.floats(0, 10))
def test_arithmetic_of_what_is_proved_rounds_outwards(a, da, b, db):
    x, y = Estimate(a, da, Kind.PROVED, "x"), Estimate(b, db, Kind.PROVED, "y")
    ends = [(Fraction(a) + s * Fraction(da), Fraction(b) + r * Fraction(db)) for s in (-1, 1) for r in (-1, 1)]
    for found, truths in ((x + y, [p + q for p, q in ends]), (x - y, [p - q for p, q in ends])):
        assert all(abs(truth - Fraction(found.value)) <= Fraction(found.half_width) for truth in truths)
    products = x * y
    assert all(abs(p * q - Fraction(products.value)) <= Fraction(products.half_width) for p, q in ends)
    if not y.lower <= 0 <= y.upper and min(abs(q) for _, q in ends) > 1e-9:
        ratio = x / y
        assert all(abs(p / q - Fraction(ratio.value)) <= Fraction(ratio.half_width) for p, q in ends)


def test_the_judge_compares_without_rounding():
    third = Estimate(0.1, 0.2, Kind.PROVED, "x")  # 0.1 + 0.2 as doubles exceeds 0.3 as a double
    assert at_most("sum", third, 0.0, resolution=0.3).outcome is Outcome.UNDECIDED
    tight = Estimate(1.0, 2.0**-60, Kind.PROVED, "x")  # 1 + 2⁻⁶⁰ is one in doubles
    assert at_most("a hair above", tight, 1.0, resolution=0.0).outcome is Outcome.UNDECIDED
    assert at_most("not above", tight, 1.0, resolution=2.0**-60).outcome is Outcome.HOLDS


def test_a_finding_is_proved_if_both_sides_are():
    proved, bound = (Estimate(1.0, 1e-20, kind, "x") for kind in (Kind.PROVED, Kind.BOUND))
    assert equal("one", proved, 1.0, resolution=1e-9).kind is Kind.PROVED
    assert equal("one", proved, bound, resolution=1e-9).kind is Kind.BOUND
    assert equal("one", proved, mfg.exact(0.0, "rounded to zero"), resolution=1e-9).kind is Kind.PROVED
    true, false = (Evidence([equal("one", proved, other, resolution=1e-9)]) for other in (1.0, 2.0))
    verdict = judge(true, {"two": false})
    assert verdict.outcome is Outcome.HOLDS
    assert verdict.reason.startswith("proved to")


def test_what_cannot_be_proved_is_said():
    with pytest.raises(TypeError, match="Linear has no closed form in balls; there is one for OrnsteinUhlenbeck"):
        Instant.of(mfg.Linear(np.eye(1)), 0.5)
    with pytest.raises(ValueError, match="mixture in dimension 2"):
        MovingMixture.of(mfg.gaussian(0.0, 1.0, 2))
    with pytest.raises(ValueError, match="a finite number, got inf"):
        ball(float("inf"))
    with pytest.raises(ArithmeticError, match="nothing is proved of a pole"):
        estimate(1 / ball(0.0), "a pole")


def test_divergences_of_gaussians():
    p, q = (MovingMixture.of(mfg.gaussian(m, v)) for m, v in ((0.25, 0.5), (-1.0, 2.0)))
    found = estimate(relative_entropy(p, q), "balls")
    assert found.value == pytest.approx(0.5 * (0.25 - 1 + np.log(4.0) + 1.25**2 / 2), rel=1e-15)
    assert found.half_width < 1e-15


def test_no_more_derivatives_are_computed_than_a_formula_asks_for(monkeypatch):
    """Two of log p's curvature and speed, three of a score's speed; numbers are no functions of the point."""
    import flint

    from mfgpde.proofs.moving_mixture import _Point

    climbed = []
    climb = _Point.climb
    monkeypatch.setattr(_Point, "climb", lambda point: (climbed.append(1), climb(point))[1])
    log_p = MovingMixture.noised(THREE, Instant.of(PROCESSES[0], 0.25)).log_density
    formulas = (log_p.value, log_p.slope**2, log_p.curvature * 2.0 + log_p.speed, log_p.turning - log_p.third)
    for formula, count in zip(formulas, (0, 1, 2, 3), strict=True):
        climbed.clear()
        formula.at(flint.acb(0.3, 0.1), False)
        assert len(climbed) == count
    assert float((line.constant(2.0) * 3.0 - 1.0).at(None, True).real) == 5.0
