"""Our softplus against NumPy's in extended precision, and its derivatives against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mfgpde.scores.activations import softplus
from mfgpde.scores.jax_score import MOST, JaxScore


@pytest.mark.parametrize(("double", "lowest", "bar"), [(True, -700.0, 2e-15), (False, -80.0, 1e-6)])
def test_softplus_to_rounding(double, lowest, bar):
    with jax.enable_x64(double):
        x = jnp.concatenate([jnp.linspace(lowest, 50, 20_001), jnp.linspace(-1, 1, 20_001)])
        ours, wide = np.asarray(softplus(x)), np.asarray(x, np.longdouble)
    want = np.logaddexp(wide, 0)
    assert np.max(np.abs(ours - want) / want) < bar


@pytest.mark.slow
def test_its_derivatives_and_far_ends():
    with jax.enable_x64(True):
        x = jnp.linspace(-30, 30, 601)
        sigmoid = 1 / (1 + np.exp(-np.asarray(x)))
        first, third = jax.grad(softplus), jax.grad(jax.grad(jax.grad(softplus)))
        np.testing.assert_allclose(jax.vmap(first)(x), sigmoid, rtol=1e-13)
        closed = sigmoid * (1 - sigmoid) * (1 - 2 * sigmoid)
        np.testing.assert_allclose(jax.vmap(third)(x), closed, rtol=1e-9, atol=1e-15)
        assert float(softplus(jnp.asarray(1e308))) == 1e308
        assert float(softplus(jnp.asarray(-1e308))) == 0.0
        assert float(first(jnp.asarray(0.0))) == 0.5


@pytest.mark.parametrize("count", [0, 1, MOST, MOST + 1, 2 * MOST + 3])
def test_any_number_of_points(count, rng):
    score = JaxScore(lambda x, t: -0.5 * jnp.sum(x**2) * t, 2)
    x = rng.normal(size=(count, 2))
    np.testing.assert_allclose(score(x, 2.0), -2 * x, rtol=1e-14)
    value, _, slope, laplacian = score.pieces(x, 2.0)
    assert value.shape == laplacian.shape == (count,)
    assert slope.shape == (count, 2)
