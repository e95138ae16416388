"""Families against what they are made of: which elements and orders ladders of passages have, what products add up to."""

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

import mfgpde as mfg
from mfgpde.calibration import laws_in_space, passages
from mfgpde.calibration.laws_in_space import LawsInSpace, turned
from mfgpde.calibration.passages import Passages, Well
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.samplers.distances import Distances

ELEMENTS = pytest.mark.parametrize(
    ("pick", "name", "degree", "scheme", "wanted"),
    [
        (0, "volumes", None, None, 2.0),
        (1, "fitted elements", 1, "fitted", 2.0),
        (2, "elements of degree one", 1, "galerkin", 2.0),
        (3, "elements of degree two", 2, "galerkin", 4.0),
    ],
)


class Chosen:
    """Numbers that are not drawn: a flat well with a slope, a noise, a side, cells, and what is asked."""

    def __init__(self, pick):
        self.whole, self.real = iter((20, pick)), iter((2.0, 0.3, 0.4))

    def uniform(self, low, high):
        return np.array([0.5, -0.3, 0.2, 0.4]) if np.ndim(low) else next(self.real)

    def integers(self, *_):
        return next(self.whole)


@ELEMENTS
def test_ladders_of_passages_are_on_the_elements_and_of_the_order_that_are_named(
    pick, name, degree, scheme, wanted, monkeypatch
):
    """The order seen is the one that is asked for: with another the bar would be that of values out of the range."""
    if degree is not None:
        pytest.importorskip("dolfinx")
    seen, converge = [], passages.converge

    def watched(quantity, space, order):
        found = converge(quantity, space, order=order)
        seen.append((space, order, found.order.value))
        return found

    monkeypatch.setattr(passages, "converge", watched)
    cases = list(Passages().cases(Chosen(pick)))
    assert [case.what for case in cases] == [f"mean time, {name}, 20 cells", f"stationary mean, {name}, 20 cells"]
    for (space, order, found), case in zip(seen, cases, strict=True):
        assert order == wanted
        assert found == pytest.approx(wanted, abs=0.3)
        assert "Richardson" in case.estimate.method
        assert case.ratio <= 1
        if degree is not None:
            assert (space.degree, space.scheme) == (degree, scheme)


def test_truths_of_passages_are_those_of_their_equations():
    """T″ by an integrator of its own, and the mean over Gibbs's law by adaptive quadrature, on an interval not of one."""
    noise, side = float(np.exp(0.3)), float(np.exp(0.4))
    time, mean = list(Passages().cases(Chosen(0)))
    well = Well(0.5, -0.3, 0.2, 0.4, 2.0)

    def rate(x, y):  # D T″ + f T′ = −1, T′(0) = 0
        drift = -noise * float(well.slope(np.array(x / side))) / side
        return [y[1], (-1 - drift * y[1]) / noise, y[0]]

    there = solve_ivp(rate, (0, side), [0.0, 0.0, 0.0], rtol=1e-11, atol=1e-12).y[:, -1]
    assert time.truth == pytest.approx((there[2] - side * there[0]) / side, rel=1e-8)  # T(side) = 0

    def weight(y):
        return float(np.exp(-well.value(np.array(y))))

    above = quad(lambda y: np.sin(2 * y) * weight(y), 0, 1, epsabs=0, epsrel=1e-12)[0]
    assert mean.truth == pytest.approx(above / quad(weight, 0, 1, epsabs=0, epsrel=1e-12)[0], rel=1e-9)


def test_squares_of_distances_and_divergences_of_products_are_sums(monkeypatch):
    """Factors 3 ± 0.1 and 4 ± 0.2: 5, known to √(3.1² + 4.2²) − 5; divergences 0.3 ± 0.01 and 0.5 ± 0.02."""

    def estimate(value, bar):
        return Estimate(value, bar, Kind.BOUND, "given")

    whole = Distances(estimate(5.1, 0.3), kl=estimate(0.81, 0.02))
    factors = [
        Distances(estimate(3.0, 0.1), kl=estimate(0.3, 0.01)),
        Distances(estimate(4.0, 0.2), kl=estimate(0.5, 0.02)),
    ]
    asked = []

    def found(sampler, process, law, stop, steps, cells):
        asked.append((law.dimension, cells))
        return whole if cells else factors[len(asked) - 2]

    monkeypatch.setattr(laws_in_space, "_found", found)
    for seed in range(20):
        asked.clear()
        rng = np.random.default_rng(seed)
        try:
            w2, kl = LawsInSpace().cases(rng)
        except IndexError:  # three dimensions
            continue
        assert [d for d, _ in asked] == [2, 1, 1]
        assert 96 <= asked[0][1] <= 144
        assert (w2.truth, kl.truth) == (pytest.approx(5.0), pytest.approx(0.8))
        assert w2.known == pytest.approx(np.hypot(3.1, 4.2) - 5)
        assert kl.known == pytest.approx(0.03)
        assert w2.ratio == 0.0
        break
    assert asked


@pytest.mark.parametrize("d", [2, 3])
def test_turned_products_have_the_densities_of_their_factors(d, rng):
    factors = [mfg.GaussianMixture([0.3, 0.7], [[-1.0 - k], [0.5]], [0.2, 0.4 + 0.1 * k]) for k in range(d)]
    turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
    law, x = turned(factors, turn), rng.normal(size=(20, d))
    assert len(law.weights) == 2**d
    alone = sum(one.log_density(x[:, k : k + 1]) for k, one in enumerate(factors))
    np.testing.assert_allclose(law.log_density(x @ turn.T), alone, rtol=1e-10)
