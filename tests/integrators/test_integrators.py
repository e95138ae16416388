"""What single integrators promise: stability to a boundary, stages, damping at infinity, φ functions, the next step."""

import numpy as np
import pytest

from mfgpde.integrators import TRBDF2, Controller, RungeKuttaChebyshev
from mfgpde.integrators.chebyshev import _coefficients, real_boundary
from mfgpde.integrators.etdrk4 import phi


@pytest.mark.parametrize("damping", [2 / 13, 2.0, 10.0])
@pytest.mark.parametrize("stages", [2, 3, 5, 10, 40, 100])
def test_chebyshev_is_stable_up_to_its_boundary(stages, damping):
    weights, _ = _coefficients(stages, damping)
    z = -np.linspace(0, real_boundary(stages, damping), 2000)
    before, here = np.ones_like(z), 1 + weights[1, 3] * z
    for j in range(2, stages + 1):
        c = weights[j]
        before, here = here, c[0] + c[1] * here + c[2] * before + z * (c[3] * here + c[4])
    assert np.abs(here).max() <= 1 + 1e-9
    reach = 0.65 * (stages**2 - 1) if damping < 1 else 0.3 * (stages**2 - 1)
    assert real_boundary(stages, damping) >= reach
    small = -1e-3
    assert weights[1, 3] > 0
    value = np.interp(-small, -z, here) if stages < 4 else None
    assert value is None or value == pytest.approx(np.exp(small), abs=1e-6)


def test_chebyshev_takes_as_many_stages_as_it_needs():
    method = RungeKuttaChebyshev()
    for reach in (0.1, 10.0, 1e3, 1e5):
        s = method.stages(reach)
        assert real_boundary(s, method.damping) >= reach
        assert s <= 3 + 1.3 * np.sqrt(reach / 0.65)


def test_tr_bdf2_is_l_stable():
    z = -np.geomspace(1e3, 1e9, 7)

    class Stiff:
        def rate(self, u, t, out=None):
            return z * u

        def frozen(self, t0, t1):
            return self

        def solve(self, rhs, t, shift):
            return rhs / (1 - shift * z)

    new, _ = TRBDF2().step(Stiff(), np.ones_like(z), 0.0, 1.0)
    assert np.all(np.abs(new) < 10 / np.abs(z))


def test_phi_functions_in_extended_precision():
    z = -np.concatenate((np.geomspace(1e-8, 1, 50), np.linspace(0.9, 1.1, 21), np.geomspace(1, 1e4, 50)))
    series = np.zeros((3, z.size), dtype=np.longdouble)
    wide = z.astype(np.longdouble)
    term = np.ones_like(wide)
    factorial = [np.longdouble(1)]
    for j in range(1, 80):
        factorial.append(factorial[-1] * j)
    for j in range(60):
        for k in range(3):
            series[k] += term / factorial[j + k + 1]
        term = term * wide
    close = np.abs(z) < 5
    for got, expected in zip(phi(z), series, strict=True):
        np.testing.assert_allclose(got[close], expected[close].astype(float), rtol=5e-15)
    first, second, third = phi(z)
    np.testing.assert_allclose(first[~close], np.expm1(z[~close]) / z[~close], rtol=1e-15)
    np.testing.assert_allclose(second[~close] * z[~close] + 1, first[~close], rtol=1e-12)
    np.testing.assert_allclose(third[~close] * z[~close] + 0.5, second[~close], rtol=1e-12)


@pytest.mark.parametrize("embedded", [1, 2, 3])
def test_the_controller_is_gustafssons(embedded):
    """0.9 r^{−0.7/k} r₋^{0.4/k} after an accepted step, 0.9 r^{−1/k} after a rejected one, k the order + 1."""
    k, controller = embedded + 1, Controller(1e-6, 0.0, embedded)
    assert controller.factor(0.05) == pytest.approx(0.9 * 0.05 ** (-0.7 / k))  # 1.52 for k = 4: a gain worth a change
    assert controller.factor(0.9) == pytest.approx(0.9 * 0.9 ** (-0.7 / k) * 0.05 ** (0.4 / k))
    assert controller.factor(4.0) == pytest.approx(0.9 * 4.0 ** (-1 / k))
    assert controller.factor(0.9) == pytest.approx(
        0.9 * 0.9 ** (-0.7 / k) * 0.9 ** (0.4 / k)
    )  # the rejected one forgotten
    assert controller.factor(1e-30) == 5.0
    assert controller.factor(float("nan")) == 0.2


def test_only_steps_that_are_not_kept_grow_to_where_the_controller_rests():
    """Errors r = dt³ rest where 0.9 r^{−0.3/3} = 1, at 0.9¹⁰; where small gains are forgone, r stays below that."""
    ends = []
    for keeps in (True, False):
        controller, dt = Controller(1e-6, 0.0, 2, keeps=keeps, previous=0.05), 0.05 ** (1 / 3)
        for _ in range(60):
            dt *= controller.factor(dt**3)
        ends.append(dt**3)
    assert ends == pytest.approx([0.05, 0.9**10], rel=1e-4)


def test_a_state_that_stays_zero_is_no_error():
    assert Controller(1e-6, 0.0, 2).ratio(np.zeros(3), np.zeros(3)) == 0.0
    assert Controller(1e-6, 0.0, 2).ratio(np.zeros(3), np.ones(3)) == np.inf
