"""Steps of every integrator on linear systems: stability functions by hand, φ functions, stages and error estimates."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfgpde.integrators import ETDRK4, SSPRK43, TRBDF2, BackwardEuler, RungeKuttaChebyshev, size, sizes
from mfgpde.integrators.chebyshev import _chebyshev, _coefficients, real_boundary
from mfgpde.integrators.etdrk4 import _weights, phi

RATES, STEPS = st.floats(-3, 1), st.floats(0.01, 0.8)


class Linear:
    """u′ = a u + b t, with all that integrators ask of a system."""

    def __init__(self, a, b=0.0):
        self.a, self.b = a, b

    def rate(self, u, t, out=None):
        return self.a * u + self.b * t

    def frozen(self, t0, t1):
        return self

    def solve(self, rhs, t, shift):
        return rhs / (1 - shift * self.a)

    def spectral_radius(self, u, t):
        return abs(self.a)

    def stiff(self, t0, t1):
        return np.array([self.a])

    def nonstiff(self, u, t, stiff):
        return 0 * u + self.b * t


def stepped(method, system, dt, t=0.0):
    new, error = method.step(system, np.array([1.0]), t, dt)
    return float(new[0]), float(error[0])


@settings(max_examples=40)
@given(RATES, STEPS)
def test_stability_functions_are_those_of_the_papers(a, dt):
    """R(z) of SSPRK(4,3), backward Euler and TR-BDF2; ETDRK4 is exact where all is stiff."""
    z = a * dt
    assert stepped(SSPRK43(), Linear(a), dt)[0] == pytest.approx(1 + z + z**2 / 2 + z**3 / 6 + z**4 / 48, rel=1e-12)
    if a < 0:
        assert stepped(BackwardEuler(), Linear(a), dt)[0] == pytest.approx(1 / (1 - z), rel=1e-12)
        g = 2 - math.sqrt(2)
        middle = (1 + 0.5 * g * z) / (1 - 0.5 * g * z)
        wanted = (middle - (1 - g) ** 2) / (g * (2 - g)) / (1 - 0.5 * g * z)
        assert stepped(TRBDF2(), Linear(a), dt)[0] == pytest.approx(wanted, rel=1e-12)
    assert stepped(ETDRK4(), Linear(a), dt)[0] == pytest.approx(math.exp(z), rel=1e-12)


@settings(max_examples=40)
@given(st.floats(-3, -0.1), st.sampled_from([2 / 13, 2.0, 10.0]))
def test_chebyshev_methods_are_their_polynomials(a, damping):
    """R(z) = 1 − b T_s(w₀) + b T_s(w₀ + w₁z), whatever the number of stages."""
    for dt in (0.3, 3.0, 30.0):
        method = RungeKuttaChebyshev(damping)
        s = method.stages(dt * abs(a))
        w0 = 1 + damping / s**2
        T, d, dd = _chebyshev(s, w0)
        b = dd[s] / d[s] ** 2
        wanted = 1 - b * T[s] + b * _chebyshev(s, w0 + d[s] / dd[s] * a * dt)[0][s]
        assert stepped(method, Linear(a), dt)[0] == pytest.approx(wanted, rel=1e-8, abs=1e-10)
        assert abs(wanted) <= 1 + 1e-12
        assert real_boundary(s, damping) >= dt * abs(a)


@settings(max_examples=40)
@given(st.integers(2, 40), st.floats(1.0, 1.2))
def test_chebyshev_polynomials_and_their_derivatives(s, w):
    T, d, dd = _chebyshev(s, w)
    poly = np.polynomial.chebyshev.Chebyshev.basis(s)
    assert T[s] == pytest.approx(float(poly(w)), rel=1e-9)
    assert d[s] == pytest.approx(float(poly.deriv()(w)), rel=1e-8)
    assert dd[s] == pytest.approx(float(poly.deriv(2)(w)), rel=1e-7)
    weights, nodes = _coefficients(s, 2.0)
    assert weights[2:, :3].sum(axis=1) == pytest.approx(1.0)  # a constant stays
    assert nodes[0] == 0.0
    assert np.all(np.diff(nodes) > 0)
    assert nodes[-1] == pytest.approx(1.0)


@settings(max_examples=40)
@given(st.floats(-30, 5))
def test_phi_functions_obey_their_recurrence(z):
    one, two, three = (float(p[0]) for p in phi(np.array([z])))
    assert one * z == pytest.approx(math.expm1(z), rel=1e-12, abs=1e-300)
    assert two * z == pytest.approx(one - 1, rel=1e-6, abs=1e-12)
    assert three * z == pytest.approx(two - 0.5, rel=1e-6, abs=1e-12)
    assert phi(np.zeros(1))[2][0] == pytest.approx(1 / 6)


@settings(max_examples=40)
@given(st.floats(-20, 1), STEPS)
def test_weights_of_exponential_steps_integrate_polynomials(a, dt):
    """f₁ + 2f₂ + 2f₂ + f₃ = dt φ₁, and each is Cox and Matthews' formula."""
    decay, half_decay, half, f1, f2, f3 = (float(w[0]) for w in _weights(np.array([a]), dt))
    z = a * dt
    one, two, three = (float(p[0]) for p in phi(np.array([z])))
    assert decay == pytest.approx(math.exp(z))
    assert half_decay == pytest.approx(math.exp(0.5 * z))
    assert half == pytest.approx(0.5 * dt * float(phi(np.array([0.5 * z]))[0][0]))
    assert f1 + 4 * f2 + f3 == pytest.approx(dt * one, rel=1e-9)
    assert (f1, f2, f3) == pytest.approx(
        (dt * (one - 3 * two + 4 * three), dt * (two - 2 * three), dt * (4 * three - two)), rel=1e-9, abs=1e-14
    )


METHODS = {SSPRK43(): 3, RungeKuttaChebyshev(): 2, TRBDF2(): 2, BackwardEuler(): 1, ETDRK4(): 4}


class Halved(Linear):
    """The same rate, half of it stiff."""

    def stiff(self, t0, t1):
        return np.array([0.5 * self.a])

    def nonstiff(self, u, t, stiff):
        return 0.5 * self.a * u


@pytest.mark.parametrize("method", METHODS, ids=lambda one: type(one).__name__)
def test_orders_and_error_estimates_are_two_sided(method):
    """On u′ = −1.3u the error of a step falls by 2^(order + 1), its estimate by 2^(embedded order + 1)."""
    off, told = [], []
    for dt in (0.1, 0.05):
        new, error = stepped(method, Halved(-1.3), dt)
        off.append(abs(new - math.exp(-1.3 * dt)))
        told.append(abs(error))
    assert math.log2(off[0] / off[1]) == pytest.approx(METHODS[method] + 1, abs=0.25)
    assert method.order == METHODS[method]
    seen = math.log2(told[0] / told[1])
    assert method.embedded_order + 0.6 < seen < method.embedded_order + 2.4  # linear problems may have one more
    assert told[1] > 0.2 * off[1]


class PowerOfTime(Linear):
    """u′ = t^k."""

    def rate(self, u, t, out=None):
        return 0 * u + t**self.a


@pytest.mark.parametrize(("method", "order"), [(SSPRK43(), 3), (RungeKuttaChebyshev(), 2)])
def test_times_of_stages_are_where_they_should_be(method, order):
    """u′ = t^k has the integral of t^k to order one more: stages look at their own times."""
    for k in range(order):
        new, _ = method.step(PowerOfTime(k), np.array([0.0]), 0.4, 0.3)
        assert new[0] == pytest.approx((0.7 ** (k + 1) - 0.4 ** (k + 1)) / (k + 1), rel=1e-9)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.floats(1e-6, 1e6))
def test_sizes_are_root_mean_squares(seed, unit):
    rng = np.random.default_rng(seed)
    u, v = rng.normal(size=(3, 4)), rng.normal(size=(3, 4)) * 1j
    assert size(unit * u) == pytest.approx(unit * np.sqrt((u**2).mean()))
    assert sizes(u, v) == pytest.approx((size(u), size(v.imag)))
    assert size(np.full((2, 2), -3.0)) == 3.0


def test_systems_that_are_still_use_their_first_rate_again():
    calls = []
    system = Linear(-2.0)
    counted = SimpleNamespace(
        rate=lambda u, t, out=None: calls.append(t) or system.rate(u, t), frozen=lambda a, b: counted,
        spectral_radius=system.spectral_radius,
    )  # fmt: skip
    RungeKuttaChebyshev().step(counted, np.array([1.0]), 0.0, 0.1)
    stages = RungeKuttaChebyshev().stages(0.2)
    assert len(calls) == stages + 1  # one a stage, and the one at the end
