"""Costs of the density with drawn weights: convex analysis by other routes than their laws'."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

import mfgpde as mfg

GRID = mfg.CartesianGrid.cube(3.0, 12, 1)
LAW = mfg.gaussian(0.3, 0.5)
SEED = st.integers(0, 2**32 - 1)


@st.composite
def costs(draw):
    """A smooth cost that is local and not linear, of some weight."""
    weight = draw(st.floats(0.05, 20.0))
    made = (
        lambda: mfg.games.Power(weight, draw(st.floats(1.2, 4.0))),
        lambda: mfg.games.RelativeEntropy(LAW, weight),
        lambda: mfg.games.RelativeEntropy(None, weight),
        lambda: mfg.games.ChiSquared(LAW),
        lambda: mfg.games.ReverseRelativeEntropy(LAW),
    )
    return draw(st.sampled_from(made))()


def density(seed):
    return 10.0 ** np.random.default_rng(seed).uniform(-2, 0.5, GRID.cells)


@given(costs(), SEED, SEED, st.floats(0.01, 10.0))
def test_proximal_maps_bring_nothing_apart(cost, seed, other, s):
    """|prox(y) − prox(z)|² ≤ (prox(y) − prox(z))(y − z), entry by entry: monotone, and no steeper than one."""
    c = cost.reference(GRID.points, 0.3)
    y, z = density(seed), density(other)
    p, q = cost.proximal(y, s, c), cost.proximal(z, s, c)
    slack = 1e-9 * (p + q + y + z) ** 2
    assert ((p - q) ** 2 <= (p - q) * (y - z) + slack).all()
    assert (np.minimum(p, q) >= 0).all()


@given(costs(), SEED, st.floats(0.01, 10.0))
def test_proximal_maps_undo_the_slope(cost, seed, s):
    """The map takes r + s f′(r) back to r, the entropic one log r + s f′(r) to log r: resolvents are inverses."""
    c, r = cost.reference(GRID.points, 0.3), density(seed)
    slope = cost.first_variation(r, c)
    room = 1e-8 * (r + s * np.abs(slope) / np.minimum(1 + s * cost.second_variation(r, c), 1e300) + r)
    assert (np.abs(cost.proximal(r + s * slope, s, c) - r) <= room).all()
    np.testing.assert_allclose(
        cost.kl_proximal(np.log(r) + s * slope, s, c), np.log(r), atol=1e-8 * (1 + s * np.abs(slope).max())
    )


@given(costs(), SEED, st.floats(0.05, 5.0), st.floats(0.05, 5.0))
def test_small_steps_are_less_than_large_ones(cost, seed, s, t):
    """f(prox_s(y)) falls as s grows, and the way from y grows: what one step pays and what it gains are monotone."""
    c, y = cost.reference(GRID.points, 0.3), density(seed)
    near, far = (cost.proximal(y, one, c) for one in sorted((s, t)))
    value = cost.value(far, c) - cost.value(near, c)
    assert (value <= 1e-8 * (np.abs(cost.value(near, c)) + np.abs(cost.value(far, c)) + 1)).all()
    assert (np.abs(near - y) <= np.abs(far - y) + 1e-9 * (y + far)).all()


@settings(max_examples=25)
@given(costs(), SEED, st.floats(0.2, 3.0))
def test_conjugates_are_suprema_that_a_search_finds(cost, seed, share):
    """f*(u) = sup u r − f(r) by Brent's search in log r about the place where the slope is u."""
    c, r = cost.reference(GRID.points, 0.3), density(seed)
    u = cost.first_variation(share * r, c)
    known = np.broadcast_to(cost.conjugate(u, c), r.shape)
    for k in (0, 5, 11):

        def short(z, k=k):
            moved = r.copy()
            moved[k] = np.exp(z)
            return float(cost.value(moved, c)[k] - u[k] * moved[k])

        middle = float(np.log(share * r[k]))
        found = minimize_scalar(short, bounds=(middle - 3, middle + 3), method="bounded", options={"xatol": 1e-9})
        size = abs(float(u[k])) * share * r[k] + abs(float(known[k]))
        assert float(known[k]) == pytest.approx(-found.fun, abs=1e-7 * size)


@given(SEED, st.floats(0.1, 10.0), st.floats(0.1, 10.0))
def test_weights_multiply_and_conjugates_follow(seed, weight, more):
    """(wf)*(u) = w f*(u/w); prox of s·(wf) is prox of (sw)·f."""
    for make in (lambda w: mfg.games.RelativeEntropy(LAW, w), lambda w: mfg.games.Power(w, 2.7)):
        weights_multiply(make(weight), make(weight * more), more, density(seed))


def weights_multiply(one, several, more, r):
    c = one.reference(GRID.points, 0.3)
    np.testing.assert_allclose(several.value(r, c), more * one.value(r, c), rtol=1e-12)
    u = one.first_variation(r, c)
    np.testing.assert_allclose(several.conjugate(more * u, c), more * one.conjugate(u, c), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(several.proximal(r, 0.3, c), one.proximal(r, 0.3 * more, c), rtol=1e-9)


@given(SEED)
def test_divergences_are_least_at_their_law_and_positive(seed):
    """∫ f is zero at the law itself, and not below zero for any density of the same mass (Gibbs; Cauchy and Schwarz)."""
    law = np.exp(LAW.log_density(GRID.points))
    other = density(seed)
    other *= float(GRID.integrate(law)) / float(GRID.integrate(other))
    for cost in (mfg.games.RelativeEntropy(LAW), mfg.games.ReverseRelativeEntropy(LAW), mfg.games.ChiSquared(LAW)):
        c = cost.reference(GRID.points, 0.3)
        least = float(GRID.integrate(cost.value(law, c)))
        assert float(GRID.integrate(cost.value(other, c))) >= least - 1e-12


@given(st.floats(1.1, 6.0), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_young_holds_between_any_speed_and_slope(q, v, p):
    """Young: p v ≤ L(v) + H(p), with equality where v = H′(p), and H′ the inverse of L′ = v^{q−1}."""
    cost = mfg.games.PowerCost(q)
    L, H = float(cost.lagrangian(np.array(v))), float(cost.hamiltonian(np.array(p)))
    assert p * v <= (L + H) * (1 + 1e-12)
    best = float(cost.speed(np.array(p)))
    assert best ** (q - 1) == pytest.approx(p, rel=1e-9)
    assert float(cost.lagrangian(np.array(best))) + H == pytest.approx(p * best, rel=1e-9)
