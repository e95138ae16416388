"""Mixtures with drawn, crossed covariances in drawn units: what motions, products, parts and sums of laws must do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, ortho_group

import mfgpde as mfg
from mfgpde.core.laws import examine
from mfgpde.densities import laws

UNIT = st.sampled_from((1e-9, 1.0, 1e9))
SEED = st.integers(0, 2**32 - 1)


def drawn(seed, d, k, unit=1.0):
    """Return a mixture of crossed Gaussians, eight points where it lives, and the generator."""
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(k, d, d))
    covariances = unit**2 * (roots @ roots.transpose(0, 2, 1) / d + 0.1 * np.eye(d))
    law = mfg.GaussianMixture(rng.dirichlet(np.ones(k)), unit * rng.normal(size=(k, d)), covariances)
    return law, 1.5 * unit * rng.normal(size=(8, d)), rng


QUICK = (
    laws.takes_points_of_any_leading_shape,
    laws.score_is_the_gradient_of_the_logarithm,
    laws.curvatures_are_derivatives_of_the_score,
    laws.transitions_carry_the_density,
    laws.comes_back_from_a_pickle,
)


@pytest.mark.slow
@settings(max_examples=20)
@given(SEED, st.integers(1, 4), st.integers(1, 5), UNIT)
def test_laws_hold_for_mixtures_that_nobody_chose(seed, d, k, unit):
    law, _, _ = drawn(seed, d, k, unit)
    for outcome in examine(law, QUICK):
        assert outcome.kept, f"{law!r} breaks {outcome.law}: {outcome.trouble or outcome.worst}"


@settings(max_examples=40)
@given(SEED, st.integers(1, 4), st.integers(1, 5), UNIT)
def test_a_mixture_is_the_sum_of_its_parts(seed, d, k, unit):
    """By SciPy's normal law for each; the score is the mean of theirs by their shares, −C⁻¹(x − m)."""
    law, x, _ = drawn(seed, d, k, unit)
    parts = list(zip(law.weights, law.means / unit, law.covariances / unit**2, strict=True))
    each = np.array([w * multivariate_normal(m, C).pdf(x / unit) for w, m, C in parts]).reshape(k, 8)
    np.testing.assert_allclose(law.log_density(x), np.log(each.sum(axis=0)) - d * np.log(unit), rtol=1e-9, atol=1e-9)
    pulls = np.array([-np.linalg.solve(C, (x / unit - m).T).T for _, m, C in parts])
    score = np.einsum("kn,knd->nd", each / each.sum(axis=0), pulls)
    np.testing.assert_allclose(unit * law.score(x), score, atol=1e-9 * np.abs(pulls).max())


@settings(max_examples=40)
@given(SEED, st.integers(2, 4), st.integers(1, 5), UNIT)
def test_turning_and_moving_the_law_turns_its_score_and_keeps_its_curvature(seed, d, k, unit):
    """With Y = RX + a: p_Y(Rx + a) = p_X(x), its score R∇log p, its Laplacian the same, Hessians RHRᵀ."""
    law, x, rng = drawn(seed, d, k, unit)
    R, a = ortho_group.rvs(d, random_state=rng), unit * rng.normal(size=d)
    moved = mfg.GaussianMixture(law.weights, law.means @ R.T + a, R @ law.covariances @ R.T)
    y, slack = x @ R.T + a, 1e-9 * (1 + np.abs(unit**2 * law.hessian(x)).max())
    np.testing.assert_allclose(moved.log_density(y), law.log_density(x), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(unit * moved.score(y), unit * law.score(x) @ R.T, atol=slack)
    np.testing.assert_allclose(unit**2 * moved.laplacian(y), unit**2 * law.laplacian(x), atol=slack)
    np.testing.assert_allclose(unit**2 * moved.hessian(y), unit**2 * R @ law.hessian(x) @ R.T, atol=slack)


@settings(max_examples=40)
@given(SEED, st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
def test_laws_of_independent_parts_add_their_logarithms(seed, d, k, j):
    """Of (X, Y) independent: log p = log p_X + log p_Y, scores side by side, and no curvature across."""
    (first, x, _), (second, y, _) = drawn(seed, d, k), drawn(seed + 1, 2, j)
    weights = np.outer(first.weights, second.weights).ravel()
    means = np.concatenate((np.repeat(first.means, j, axis=0), np.tile(second.means, (k, 1))), axis=1)
    covariances = np.zeros((k * j, d + 2, d + 2))
    covariances[:, :d, :d] = np.repeat(first.covariances, j, axis=0)
    covariances[:, d:, d:] = np.tile(second.covariances, (k, 1, 1))
    both, z = mfg.GaussianMixture(weights, means, covariances), np.concatenate((x, y), axis=1)
    np.testing.assert_allclose(both.log_density(z), first.log_density(x) + second.log_density(y), rtol=1e-9, atol=1e-9)
    scores = np.concatenate((first.score(x), second.score(y)), axis=1)
    curvatures = both.hessian(z)
    slack = 1e-9 * (1 + np.abs(curvatures).max() + np.abs(scores).max() ** 2)
    np.testing.assert_allclose(both.score(z), scores, atol=slack)
    np.testing.assert_allclose(curvatures[:, :d, d:], 0.0, atol=slack)


@settings(max_examples=40)
@given(SEED, st.integers(1, 4), st.integers(1, 4), st.floats(0.01, 3.0), st.floats(0.01, 3.0))
def test_noise_adds_up_in_any_portions(seed, d, k, s, t):
    """Blurred by s, then by t, is blurred by s + t; the mean stays, and the covariance grows by as much."""
    law, x, _ = drawn(seed, d, k)

    def blurred(one, variance):
        return one.after(mfg.processes.Transition(1.0, 0.0, variance))

    twice, once = blurred(blurred(law, s), t), blurred(law, s + t)
    np.testing.assert_allclose(twice.log_density(x), once.log_density(x), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(twice.covariances, law.covariances + (s + t) * np.eye(d), rtol=1e-12)
    np.testing.assert_allclose(twice.weights @ twice.means, law.weights @ law.means, atol=1e-12)


@settings(max_examples=40)
@given(SEED, st.integers(1, 4), st.integers(1, 4), st.floats(0.05, 2.0))
def test_tweedie_says_the_mean_of_what_was_noised(seed, d, k, variance):
    """E[X₀|y] = y + v∇log p_v(y) is the mean of m_j + C_j(C_j + v)⁻¹(y − m_j) by the shares of the components."""
    law, y, _ = drawn(seed, d, k)
    noised = law.after(mfg.processes.Transition(1.0, 0.0, variance))
    found = y + variance * noised.score(y)
    parts = list(zip(law.weights, law.means, law.covariances, strict=True))
    wide = [C + variance * np.eye(d) for _, _, C in parts]
    each = np.array([w * multivariate_normal(m, V).pdf(y) for (w, m, _), V in zip(parts, wide, strict=True)])
    each = each.reshape(k, 8)
    means = np.array([m + np.linalg.solve(V, (y - m).T).T @ C for (_, m, C), V in zip(parts, wide, strict=True)])
    wanted = np.einsum("kn,knd->nd", each / each.sum(axis=0), means)
    np.testing.assert_allclose(found, wanted, atol=1e-9 * (1 + np.abs(y).max()))


@given(SEED, st.integers(1, 3), st.floats(0.5, 0.9999))
def test_boxes_grow_with_their_mass(seed, d, mass):
    law, _, _ = drawn(seed, d, 3)
    (low, high), (lower, higher) = law.box(mass), law.box(0.5 + 0.5 * mass)
    assert (lower <= low).all()
    assert (high <= higher).all()
    inside = law.sample(400, np.random.default_rng(0))
    share = np.mean(np.all((inside >= low) & (inside <= high), axis=1))
    assert share >= mass - 5 * np.sqrt(mass * (1 - mass) / 400) - 1e-3


@pytest.mark.parametrize("k", [2, 130])
@given(seed=SEED)
def test_components_may_come_in_any_order_and_in_halves(k, seed):
    """Of few and of many: the sum does not know an order, nor that one component is written as two of half its weight."""
    law, x, rng = drawn(seed, 2, k)
    order = rng.permutation(k)
    mixed = mfg.GaussianMixture(law.weights[order], law.means[order], law.covariances[order])
    halves = mfg.GaussianMixture(
        np.tile(law.weights / 2, 2), np.tile(law.means, (2, 1)), np.tile(law.covariances, (2, 1, 1))
    )
    for other in (mixed, halves):
        np.testing.assert_allclose(other.log_density(x), law.log_density(x), rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(other.score(x), law.score(x), atol=1e-10 * (1 + np.abs(law.score(x)).max()))
