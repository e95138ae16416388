"""Integrals with a certified remainder: known ones, remainders that are equalities, and a wrong one that is noticed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import erf

import mfgpde as mfg
from mfgpde.core.taylor import NotEnclosed
from mfgpde.solvers import certified
from mfgpde.solvers.certified import POINTS, certified_integral, rests, tail

KNOWN = {
    "a Gaussian": (lambda x: np.exp(-(x**2)), -5.0, 3.0, 0.5 * np.sqrt(np.pi) * (erf(3) + erf(5))),
    "Runge": (lambda x: 1 / (1 + 25 * x**2), -1.0, 1.0, 2 * np.arctan(5) / 5),
    "a kink just outside": (lambda x: np.sqrt(x), 1e-6, 1.0, 2 / 3 * (1 - 1e-9)),
    "tanh": (lambda x: np.tanh(20 * x), -1.0, 2.0, np.log(np.cosh(40) / np.cosh(20)) / 20),
}


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("tolerance", [1e-2, 1e-6, 1e-12])
def test_known_integrals_are_inside(name, tolerance):
    f, a, b, truth = KNOWN[name]
    found = certified_integral(f, a, b, tolerance=tolerance, cells=2)
    assert found.kind is mfg.Kind.BOUND
    assert abs(found.value - truth) <= found.half_width
    assert found.half_width <= 2 * tolerance + 1e-13


def test_of_a_power_the_remainder_is_an_equality_and_a_smaller_one_is_noticed():
    m = POINTS[1]
    corners = np.zeros((1, 1)), np.ones((1, 1))
    f = lambda x: x ** (2 * m)  # noqa: E731
    bound = float(rests(f, *corners, m)[0, 0])
    value, _ = certified._gauss(f, *corners, m)
    true = 1 / (2 * m + 1) - value
    assert true == pytest.approx(bound, rel=1e-4)  # what the difference keeps of 17 digits
    assert true > 0.99 * bound


def test_half_of_the_remainder_would_be_caught(monkeypatch):
    rest = certified._rest
    monkeypatch.setattr(certified, "_rest", lambda *given: 0.5 * rest(*given))
    m = POINTS[1]
    found = certified_integral(lambda x: x ** (2 * m), 0.0, 1.0, tolerance=1.0, cells=1)
    assert abs(found.value - 1 / (2 * m + 1)) > found.half_width


@pytest.mark.slow
@given(st.floats(-2, 2), st.floats(0.2, 3), st.floats(-1, 1), st.integers(1, 6), st.floats(1e-9, 0.1))
def test_in_the_plane_against_another_rule(a, b, c, cells, tolerance):
    found = certified_integral(
        lambda x, y: np.cos(a * x + b * y) * np.exp(c * x), (0.0, -1.0), (1.5, 1.0), tolerance=tolerance, cells=cells
    )
    inner = 2 * np.sin(b) / b  # ∫cos(ax + by)dy = cos(ax)·2 sin b/b
    truth = quad(lambda x: np.cos(a * x) * np.exp(c * x), 0, 1.5, epsabs=1e-13)[0] * inner
    assert abs(found.value - truth) <= found.half_width + 1e-12


def test_three_dimensions():
    found = certified_integral(lambda x, y, z: x**2 * y**2 + np.sin(z), (0, 0, 0), (1, 2, np.pi), tolerance=1e-8)
    assert abs(found.value - (8 * np.pi / 9 + 4)) <= found.half_width
    assert found.half_width < 2e-8


def test_what_it_cannot_bound_is_refused():
    with pytest.raises(NotEnclosed, match="holds zero"):
        certified_integral(lambda x: 1 / x, -1.0, 1.0)
    with pytest.raises(NotEnclosed, match="no formula"):
        certified_integral(lambda x: 1.0 if x > 0 else 0.0, -1.0, 1.0)
    with pytest.raises(ValueError, match="finite and not empty"):
        certified_integral(np.exp, 0.0, np.inf)
    with pytest.raises(ValueError, match="corners"):
        certified_integral(np.exp, np.zeros(4), np.ones(4))
    with pytest.raises(ValueError, match="positive"):
        certified_integral(np.exp, 0.0, 1.0, tolerance=0.0)


def test_tails_hold_the_moments_beyond():
    law = mfg.GaussianMixture([0.3, 0.7], [[-1.0], [0.5]], [0.4, 1.2])
    for n in range(5):
        coefficients = [0.0] * n + [1.0]
        density = lambda x, n=n: abs(x) ** n * float(law.density(np.array([[x]]))[0])  # noqa: E731
        truth = quad(density, 3, 20)[0] + quad(density, -20, -3)[0]
        assert truth <= tail(law, 3.0, coefficients) <= 2.5 * truth
    with pytest.raises(ValueError, match="beyond the means"):
        tail(law, 0.5, [1.0])
    with pytest.raises(ValueError, match="≥ 0"):
        tail(law, 3.0, [-1.0])


@pytest.mark.parametrize("points", [4, 7, 12])
@pytest.mark.parametrize("rho", [1.3, 2.0, 3.5])
def test_rules_miss_what_an_ellipse_allows(points, rho):
    """1/(c − x) with its pole at c = 1.01 times the end of the ellipse: largest there, 1/(c − a)."""
    u, w = np.polynomial.legendre.leggauss(points)
    a = 0.5 * (rho + 1 / rho)
    c = 1.01 * a
    missed = abs(float(w @ (1 / (c - u))) - np.log((c + 1) / (c - 1)))
    allowed = mfg.solvers.ellipse_rest(1 / (c - a), rho, 2 * points - 1)
    assert missed <= allowed + 1e-15


def test_an_ellipse_allows_no_less_than_a_polynomial_asks_for():
    """T_8 by Gauss's rule with four points: of size (ρ⁸ + ρ⁻⁸)/2 at most, and missed by more than 1.2 whatever ρ is."""
    u, w = np.polynomial.legendre.leggauss(4)
    missed = abs(float(w @ np.cos(8 * np.arccos(u))) - 2 / (1 - 64))
    for rho in (1.5, 4.0, 40.0):
        allowed = certified.ellipse_rest(0.5 * (rho**8 + rho**-8), rho, 7)
        assert missed <= allowed
    assert missed > 0.6 * allowed  # 32/15 at most: a constant of less than 38 in place of 64 would not hold
