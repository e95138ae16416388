"""Laws for every process: conformance of drift, divergence, diffusion, transitions; parameters checked."""

import numpy as np
import pytest

import mfgpde as mfg

SPIN = np.array([[-1.0, 2.0], [-1.5, -0.5]])
ISOTROPIC = [
    mfg.VariancePreserving(),
    mfg.SubVariancePreserving(),
    mfg.VarianceExploding(),
    mfg.OrnsteinUhlenbeck(rate=0.7, scale=1.3, horizon=2.0),
    mfg.Brownian(scale=0.8),
]
LINEAR = [
    *ISOTROPIC,
    mfg.Linear(SPIN, scale=0.7, offset=np.array([0.3, -0.2])),
    mfg.Linear(lambda t: SPIN * (1 + t), scale=lambda t: 1 + 0.5 * t),
]
ALL = [*LINEAR, mfg.double_well(depth=0.5)]


def name(process):
    return type(process).__name__


@pytest.mark.parametrize("process", ALL, ids=name)
def test_divergence_is_the_trace_of_the_jacobian(process, rng):
    x, h = rng.normal(size=(20, 2)), 1e-6
    for t in (0.1 * process.horizon, 0.9 * process.horizon):
        parts = [
            (process.drift(x + h * e, t) - process.drift(x - h * e, t))[:, i] / (2 * h) for i, e in enumerate(np.eye(2))
        ]
        assert process.divergence(x, t).shape == (20,)
        np.testing.assert_allclose(process.divergence(x, t), sum(parts), rtol=1e-7, atol=1e-7)  # h² and eps/h


@pytest.mark.parametrize("process", LINEAR, ids=name)
def test_transitions_compose(process):
    """Chapman–Kolmogorov: going from 0 to t at once is going over s."""
    s, t = 0.3 * process.horizon, 0.8 * process.horizon
    A, b, C = process.transition(0.0, s).in_dimension(2)
    A2, b2, C2 = process.transition(s, t).in_dimension(2)
    whole = process.transition(0.0, t).in_dimension(2)
    for got, expected in zip((A2 @ A, A2 @ b + b2, A2 @ C @ A2.T + C2), whole, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-11)  # the matrix process integrates to 1e-12


@pytest.mark.parametrize("process", LINEAR, ids=name)
def test_transitions_solve_the_moment_equations(process):
    """ṁ = f(m), Ċ = AC + CAᵀ + 2D, by central differences of the transition."""
    t, h = 0.5 * process.horizon, 1e-5 * process.horizon
    before, now, after = (process.transition(0.0, u).in_dimension(2) for u in (t - h, t, t + h))
    x = np.array([0.7, -1.1])
    slope = ((after[0] - before[0]) @ x + after[1] - before[1]) / (2 * h)
    np.testing.assert_allclose(slope, process.drift((now[0] @ x + now[1])[None], t)[0], rtol=1e-6, atol=1e-6)
    offset = process.drift(np.zeros((1, 2)), t)[0]
    A = (process.drift(np.eye(2), t) - offset).T
    expected = A @ now[2] + now[2] @ A.T + 2 * process.diffusivity(t) * np.eye(2)
    np.testing.assert_allclose((after[2] - before[2]) / (2 * h), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("process", ISOTROPIC, ids=name)
def test_times_may_be_arrays(process, rng):
    x, t = rng.normal(size=(5, 3)), np.linspace(0.1, 0.9, 5) * process.horizon
    one_by_one = np.stack([process.drift(x[i], t[i]) for i in range(5)])
    np.testing.assert_array_equal(process.drift(x, t), one_by_one)
    assert process.diffusion(t).shape == (5,)


def test_a_constant_matrix_agrees_with_the_isotropic_closed_form():
    ou = mfg.OrnsteinUhlenbeck(rate=0.7, scale=1.3)
    same = mfg.Linear(-0.7 * np.eye(2), scale=1.3)
    for a, b in zip(ou.transition(0.1, 0.9).in_dimension(2), same.transition(0.1, 0.9).in_dimension(2), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_langevin_drift_is_minus_d_times_the_gradient_of_the_potential(rng):
    well, x, h = mfg.double_well(depth=0.8, scale=1.2), rng.normal(size=(10, 2)), 1e-6
    slope = np.stack([(well.potential(x + h * e) - well.potential(x - h * e)) / (2 * h) for e in np.eye(2)], axis=-1)
    np.testing.assert_allclose(well.drift(x, 0.0), -well.diffusivity(0.0) * slope, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("cls", [mfg.OrnsteinUhlenbeck, mfg.Brownian])
@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_diffusion_must_be_positive(cls, scale):
    with pytest.raises(ValueError, match="scale must be a positive finite number"):
        cls(scale=scale)


def test_other_bad_parameters():
    with pytest.raises(ValueError, match="sigma_max must exceed"):
        mfg.VarianceExploding(sigma_min=2.0, sigma_max=1.0)
    with pytest.raises(ValueError, match="square"):
        mfg.Linear(np.ones((2, 3)))
    with pytest.raises(ValueError, match="horizon"):
        mfg.VariancePreserving().transition(0.5, 2.0)
    with pytest.raises(ValueError, match="0 ≤ s ≤ t"):
        mfg.VariancePreserving().transition(0.5, 0.2)
