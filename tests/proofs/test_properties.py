"""What proved numbers keep: units and places, sums, products and powers, moments, and information lost to noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

import mfgpde as mfg

pytest.importorskip("flint")

from mfgpde.proofs import Instant, MovingMixture, affine, ball, constant, estimate, mean, relative_entropy

SEEDS = st.integers(0, 10**6)


def drawn(seed, count=2):
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.3, 1.0, count)
    return mfg.GaussianMixture(weights / weights.sum(), rng.normal(size=(count, 1)), rng.uniform(0.2, 0.8, count))


def moved(law, scale, shift):
    return mfg.GaussianMixture(law.weights, scale * law.means + shift, scale**2 * law.covariances)


def test_divergences_are_those_of_quadrature_and_know_no_unit_and_no_place():
    """The same in a unit of 0.4, mirrored and moved; and below that of what has less noise, as intervals that part."""
    p, q = drawn(3), mfg.gaussian(0.2, 0.7, 1)
    here, there = (
        estimate(relative_entropy(*(MovingMixture.of(moved(law, *how)) for law in (p, q))), "balls")
        for how in ((1.0, 0.0), (-2.5, 1.5))
    )
    assert here.kind is mfg.Kind.PROVED
    assert abs(here.value - there.value) <= here.half_width + there.half_width + 1e-14  # moved means are rounded

    def integrand(x):
        at = np.array([[x]])
        return float((p.density(at) * (p.log_density(at) - q.log_density(at)))[0])

    other, off = quad(integrand, -12, 12, epsabs=1e-12, epsrel=1e-12, limit=200)
    assert abs(here.value - other) <= here.half_width + off + 1e-12
    now = Instant.of(mfg.Brownian(0.8), 0.3)
    later = estimate(relative_entropy(*(MovingMixture.noised(law, now) for law in (p, q))), "balls")
    assert later.value - later.half_width > 0
    assert later.value + later.half_width < here.value - here.half_width


@settings(max_examples=5)
@given(SEEDS, st.floats(-2, 2), st.floats(-2, 2), st.integers(0, 4))
def test_means_of_polynomials_are_moments(seed, a, b, power):
    """E (a + b x)^n of a mixture, by Gauss–Hermite of each part, which is exact; sums and products as they are written."""
    law = drawn(seed)
    line = affine(a, b)
    nodes, weights = np.polynomial.hermite_e.hermegauss(8)
    x = law.means[:, 0, None] + np.sqrt(law.covariances[:, 0, 0, None]) * nodes
    share = law.weights[:, None] * weights / weights.sum()
    moving = MovingMixture.of(law)
    size = 1 + float(np.sum(share * np.abs(a + b * x) ** power))
    for f, values in (
        (line**power, (a + b * x) ** power),
        (line * affine(1.0, -0.5) - 2.0, (a + b * x) * (1 - 0.5 * x) - 2),
        (3.0 - line * line, 3 - (a + b * x) ** 2),
        (0.5 * line + line * (-1.0), -0.5 * (a + b * x)),
    ):
        found = estimate(mean(moving, f), "balls")
        assert abs(found.value - float(np.sum(share * values))) <= found.half_width + 1e-13 * size


def test_nothing_has_the_mean_zero_and_powers_are_whole():
    law, line = MovingMixture.of(drawn(1)), affine(0.5, 2.0)
    for nothing in (affine(0.0, 0.0), 0.0 * line, line - line):
        assert 0.0 in estimate(mean(law, nothing), "balls")
    assert 1.0 in estimate(mean(law, line**0), "balls")
    for power in (-1, 0.5):
        with pytest.raises(ValueError, match="whole powers are 0, 1, 2"):
            line**power


NO_NUMBERS = st.one_of(
    st.none(),
    st.booleans(),
    st.booleans().map(np.bool_),
    st.sampled_from([np.nan, np.inf, -np.inf, np.float32(np.nan), np.longdouble(np.inf)]),
    st.text().filter(lambda word: not any(letter.isdecimal() for letter in word)),  # nan and inf are among words
    st.complex_numbers(),
    st.lists(st.floats(), max_size=2),
    st.lists(st.floats(), max_size=2).map(np.array),
)


@settings(max_examples=100)
@given(NO_NUMBERS)
def test_nothing_is_proved_of_what_is_no_number(thing):
    """Nothing at all would be zero, and truth values one."""
    line, process = affine(0.0, 1.0), mfg.Brownian(1.0)
    for ask in (
        ball,
        constant,
        lambda x: affine(x, 1.0),
        lambda x: affine(1.0, x),
        lambda x: line + x,
        lambda x: line - x,
        lambda x: line * x,
        lambda x: pow(line, x),
        lambda x: Instant.of(process, x),
        lambda x: estimate(x, "what was given"),
        lambda x: mean(MovingMixture.of(mfg.gaussian(0.0, 1.0)), line, tolerance=x),
    ):
        with pytest.raises(ValueError, match=r"a finite number|whole power|a real ball|whole number"):
            ask(thing)


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers())
def test_numbers_of_all_kinds_are_what_they_are(double, whole):
    """Of halves and singles the value that they hold; of a longer number a ball that holds it."""
    for number in (double, np.float64(double)):
        assert float(ball(number)) == double
    for kind in (np.float16, np.float32):
        short = kind(np.clip(double, -6e4, 6e4))
        assert float(ball(short)) == float(short)
    assert whole in ball(whole)
    assert float(ball(np.int64(whole % 2**62))) == float(whole % 2**62)
    with pytest.raises(ValueError, match="from its start"):
        Instant.of(mfg.Brownian(1.0), -1.0)
