"""Derivatives of scores and disturbances against central differences."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.scores.exact import motion

H = 1e-5  # central differences: h² = 1e-10 of the third derivative, and rounding of 1e-16/h


def differences(f, x):
    """∂f/∂x_i at points x, last axis i."""
    return np.stack([(f(x + H * e) - f(x - H * e)) / (2 * H) for e in np.eye(x.shape[-1])], axis=-1)


def test_a_swirl_is_no_gradient(rng):
    x = rng.normal(size=(40, 2))
    swirl = mfg.scores.Swirl(lambda x, t: 0 * x, strength=0.3, width=2.0)
    jacobian = differences(lambda y: swirl(y, 0.0), x)
    r2 = np.sum(x * x, axis=-1)
    curl = 0.3 * np.exp(-r2 / 8) * (2 - r2 / 4)
    np.testing.assert_allclose(jacobian[:, 1, 0] - jacobian[:, 0, 1], curl, atol=1e-8)
    np.testing.assert_allclose(np.trace(jacobian, axis1=-2, axis2=-1), 0, atol=1e-8)


PROCESSES = {
    "VP": mfg.VariancePreserving(),
    "sub-VP": mfg.SubVariancePreserving(),
    "VE": mfg.VarianceExploding(),
    "OU": mfg.OrnsteinUhlenbeck(horizon=4.0),
    "linear": mfg.Linear(np.array([[-1.0, 2.0], [-1.5, -0.5]]), offset=np.array([0.3, -0.2])),
}


@pytest.mark.parametrize("name", PROCESSES)
def test_the_motion_of_the_laws_is_that_of_the_process(name):
    process = PROCESSES[name]
    for t in (0.0, 1e-3, 0.02, 0.4, 0.99 * process.horizon, process.horizon):
        A, c, D = motion(process, t, 2)
        origin = process.drift(np.zeros((1, 2)), t)[0]
        tight = {"rtol": 1e-9, "atol": 1e-9}
        np.testing.assert_allclose(A, (process.drift(np.eye(2), t) - origin).T, **tight)
        np.testing.assert_allclose(c, origin, **tight)
        np.testing.assert_allclose(D, process.diffusivity(t) * np.eye(2), **tight)


def test_laws_that_do_not_belong_to_the_drift_leave_a_residual(rng):
    class Quicker(mfg.OrnsteinUhlenbeck):
        def variance(self, t):
            return 1.05 * super().variance(t)

    x = rng.normal(size=(40, 2))
    for process, agrees in ((mfg.OrnsteinUhlenbeck(), True), (Quicker(), False)):
        residual = np.abs(mfg.score_residual(process, mfg.ExactScore(process, mfg.densities.bimodal(2)), x, 0.4)).max()
        assert (residual < 1e-9) == agrees
        assert agrees or residual > 1e-2


def test_the_empirical_score_points_at_the_nearest_point_at_once(rng):
    process, points = mfg.OrnsteinUhlenbeck(), rng.normal(size=(300, 3))
    score, t = mfg.empirical_score(process, points), 1e-6
    x = points + 1e-4 * rng.normal(size=points.shape)
    m, v = process.mean_coefficient(t), process.variance(t)
    np.testing.assert_allclose(score(x, t), (m * points - x) / v, rtol=1e-6)
    with pytest.raises(ValueError, match="shape"):
        mfg.empirical_score(process, points[0])
    with pytest.raises(ValueError, match="variance"):
        mfg.empirical_score(process, points, -1.0)


@pytest.mark.parametrize(
    ("k", "kind"),
    [
        (1, "isotropic"),
        (1, "low rank"),
        (3000, "full"),
        *(pytest.param(*one, marks=pytest.mark.slow) for one in ((3000, "isotropic"), (3000, "low rank"), (1, "full"))),
    ],
)
def test_the_same_mixture_in_jax(kind, k, rng):
    import jax

    d = 3
    diagonal, factors = rng.uniform(0.05, 0.3, (k, d)), 0.3 * rng.normal(size=(k, d, 1))
    structure = {
        "isotropic": diagonal[:, 0],
        "low rank": mfg.densities.LowRank.of(diagonal, factors),
        "full": mfg.densities.LowRank.of(diagonal, factors).dense(),
    }[kind]
    weights = rng.uniform(0, 1, k)
    weights[: k // 10] = 0
    law, x = (
        mfg.GaussianMixture(weights, rng.normal(size=(k, d)), structure),
        np.vstack((rng.normal(size=(20, d)), np.full(d, 80.0))),
    )
    with jax.enable_x64(True):
        function, parameters = mfg.scores.jax_log_density(law)
        values = jax.vmap(function, (None, 0))(parameters, x)
        slopes = jax.vmap(jax.grad(function, argnums=1), (None, 0))(parameters, x)
        np.testing.assert_allclose(values, law.log_density(x), rtol=1e-10)
        np.testing.assert_allclose(slopes, law.score(x), rtol=1e-8, atol=1e-9)
