"""Processes with drawn parameters, in drawn units, by routes of their own: quadrature, matrix exponentials, Bayes' rule."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.linalg import expm, solve_continuous_lyapunov

import mfgpde as mfg
from mfgpde.core.laws import examine
from mfgpde.processes import laws

UNIT = st.sampled_from((1e-9, 1e-3, 1.0, 1e3, 1e9))
SHARE = st.floats(0.01, 1.0)


@st.composite
def rates(draw):
    """Two noise rates and a horizon, in one unit of time."""
    unit = draw(UNIT)
    return draw(st.floats(0.01, 5.0)) / unit, draw(st.floats(0.01, 25.0)) / unit, draw(st.floats(0.3, 3.0)) * unit


@st.composite
def isotropic(draw):
    """A process whose noise and drift are the same along all axes, with no parameter at its default."""
    time, length = draw(UNIT), draw(UNIT)
    horizon, first, ratio = draw(st.floats(0.3, 3.0)) * time, draw(st.floats(0.01, 1.0)), draw(st.floats(2.0, 50.0))
    made = (
        lambda: mfg.VariancePreserving(first / time, ratio / time, horizon),
        lambda: mfg.SubVariancePreserving(first / time, ratio / time, horizon),
        lambda: mfg.VarianceExploding(first * length, first * ratio * length, horizon),
        lambda: mfg.Brownian(first * length / time**0.5, horizon),
        lambda: mfg.OrnsteinUhlenbeck(first / time, horizon=horizon),
        lambda: mfg.processes.Trigonometric(first * length, horizon),
        lambda: mfg.processes.Straight(0.0, first * length, horizon),
        lambda: mfg.processes.Cosine(0.1 * first, horizon),
        lambda: mfg.processes.EDM(horizon),
    )
    return draw(st.sampled_from(made))()


LOOKED = (
    laws.isotropic_coefficients_belong_together,
    laws.transitions_compose,
    laws.transition_covariances_are_covariances,
    laws.diffusivity_is_half_the_square_of_the_diffusion,
    laws.comes_back_from_a_pickle,
)


@settings(max_examples=40)
@given(isotropic())
def test_laws_hold_for_parameters_that_nobody_chose(process):
    for outcome in examine(process, LOOKED):
        assert outcome.kept, f"{process!r} breaks {outcome.law}: {outcome.trouble or outcome.worst}"


@given(rates(), SHARE)
def test_the_noise_of_linear_rates_is_their_integral(known, share):
    """B = ∫β by quadrature, which is exact for a line; m² = e^{−B}, v = 1 − e^{−B}, and v² of the sub-preserving one."""
    low, high, horizon = known
    t = share * horizon
    B, _ = quad(lambda s: low + (high - low) * s / horizon, 0.0, t)
    plain, sub = (make(low, high, horizon) for make in (mfg.VariancePreserving, mfg.SubVariancePreserving))
    assert plain.mean_coefficient(t) ** 2 == pytest.approx(np.exp(-B), rel=1e-12)
    assert plain.variance(t) == pytest.approx(-np.expm1(-B), rel=1e-12)
    assert sub.mean_coefficient(t) == pytest.approx(float(plain.mean_coefficient(t)), rel=1e-12)
    assert sub.variance(t) == pytest.approx(np.expm1(-B) ** 2, rel=1e-12)


@settings(max_examples=40)
@given(isotropic(), SHARE)
def test_the_variance_is_itos_isometry(process, share):
    """v(t) = ∫₀ᵗ (m(t)/m(s))² g(s)² ds, by quadrature in s: what noise of time s is left at t."""
    t = 0.95 * share * process.horizon
    m = float(process.mean_coefficient(t))

    def left(s):
        return (m / float(process.mean_coefficient(s))) ** 2 * float(process.diffusion(s)) ** 2

    found, error = quad(lambda u: left(u * t) * t / float(process.variance(t)), 0.0, 1.0, epsabs=1e-9, limit=200)
    assert found == pytest.approx(1.0, abs=1e-8 + 2 * error)


@given(rates(), st.floats(1e-3, 1e3), SHARE)
def test_time_may_run_faster(known, speed, share):
    """Rates c times as large over a horizon c times as short: the same law at the same share of the way."""
    low, high, horizon = known
    slow, fast = (
        mfg.VariancePreserving(low, high, horizon),
        mfg.VariancePreserving(speed * low, speed * high, horizon / speed),
    )
    t = share * horizon
    assert fast.variance(t / speed) == pytest.approx(float(slow.variance(t)), rel=1e-12)
    assert fast.diffusion(t / speed) == pytest.approx(float(slow.diffusion(t)) * speed**0.5, rel=1e-12)


@given(st.floats(0.01, 1.0), st.floats(2.0, 1e4), UNIT, SHARE, SHARE)
def test_exploding_noise_grows_by_equal_factors(first, ratio, unit, a, b):
    """σ at the mean of two times is the geometric mean of its two values: log σ is a line in time, from σ₀ to σ₁."""
    process = mfg.VarianceExploding(first * unit, first * ratio * unit, 2.7 * unit)
    s, t = a * process.horizon, b * process.horizon
    middle = float(process.sigma(0.5 * (s + t)))
    assert middle**2 == pytest.approx(float(process.sigma(s) * process.sigma(t)), rel=1e-12)
    assert process.sigma(0.0) == pytest.approx(first * unit, rel=1e-12)
    assert process.sigma(process.horizon) == pytest.approx(first * ratio * unit, rel=1e-12)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.floats(0.1, 3.0), UNIT)
def test_still_coefficients_by_one_exponential_of_a_larger_matrix(seed, d, time, unit):
    """Van Loan: blocks of exp(t [[A, gᵀg, c], [0, −Aᵀ, 0], [0, 0, 0]]) are F, QF⁻ᵀ and b; at once, without doubling."""
    rng = np.random.default_rng(seed)
    A, B, c = rng.normal(size=(d, d)), rng.normal(size=(d, d)), rng.normal(size=d)
    A = A - (1 + np.abs(np.linalg.eigvals(A)).max()) * np.eye(d)  # decays
    whole = np.zeros((2 * d + 1, 2 * d + 1))
    whole[:d, :d], whole[:d, d : 2 * d], whole[d : 2 * d, d : 2 * d], whole[:d, -1] = A, B @ B.T, -A.T, c
    whole = expm(0.1 * time * whole)
    F, Q, b = whole[:d, :d], whole[:d, d : 2 * d] @ whole[:d, :d].T, whole[:d, -1]
    process = mfg.Linear(A / unit, B / unit**0.5, c / unit, horizon=time * unit)
    factor, offset, covariance = process.transition(0.0, 0.1 * time * unit).in_dimension(d)
    np.testing.assert_allclose(factor, F, atol=1e-10 * np.abs(F).max())
    np.testing.assert_allclose(offset, b, atol=1e-10 * np.abs(b).max())
    np.testing.assert_allclose(covariance, Q, atol=1e-10 * np.abs(Q).max())


@settings(max_examples=40)
@given(st.floats(0.2, 3.0), st.floats(0.2, 3.0), st.floats(0.2, 3.0))
def test_motion_with_momentum_forgets_into_lyapunovs_law(stiffness, friction, temperature):
    """AΣ + ΣAᵀ + ggᵀ = 0: places have the variance T/k, velocities T, and nothing in common."""
    process = mfg.processes.underdamped(stiffness, friction, temperature, horizon=200.0)
    A = np.array([[0.0, 1.0], [-stiffness, -friction]])
    still = solve_continuous_lyapunov(A, -np.diag([0.0, 2 * friction * temperature]))
    np.testing.assert_allclose(still, np.diag([temperature / stiffness, temperature]), atol=1e-12)
    slowest = float(np.max(np.linalg.eigvals(A).real))
    left = np.exp(2 * slowest * 200.0) * 1e4  # of the start, e^{−2λt} and the angle of two eigenvectors
    np.testing.assert_allclose(process.transition(0.0, 200.0).in_dimension(2)[2], still, atol=1e-9 + left)


@settings(max_examples=40)
@given(isotropic(), st.floats(0.05, 0.9), st.floats(0.1, 0.9))
def test_bayes_rule_brings_the_start_back(process, late, early):
    """X_s given X_t = y, from the joint Gaussian law, has the mean of the denoiser: m_s x̂₀ and noise by their shares.

    With X₀ ~ N(0, c): E[X_s|y] = (m_s m_t c + (m_t/m_s) v_s) y/(m_t² c + v_t), which the score at t says as well:
    E[X₀|y] = (y + v_t s(y))/m_t, here with s = −y/(m_t² c + v_t).
    """
    t = late * process.horizon
    s = early * t
    m, v = float(process.mean_coefficient(t)), float(process.variance(t))
    c = v / m**2  # as much data as noise
    score = mfg.ExactScore(process, mfg.gaussian(0.0, c))
    y = np.array([[0.7 * v**0.5]])
    slope = float(score(y, t)[0, 0])
    assert slope == pytest.approx(-y[0, 0] / (m**2 * c + v), rel=1e-9)
    start = (y[0, 0] + v * slope) / m
    assert start == pytest.approx(m * c / (m**2 * c + v) * y[0, 0], rel=1e-9)
    factor, _, covariance = process.transition(s, t).in_dimension(1)
    earlier = float(process.mean_coefficient(s)) ** 2 * c + float(process.variance(s))
    assert factor[0, 0] ** 2 * earlier + covariance[0, 0] == pytest.approx(m**2 * c + v, rel=1e-9)


@given(rates(), st.sampled_from((-0.1, 1.1, np.nan)))
def test_no_transition_leaves_the_horizon(known, outside):
    process = mfg.VariancePreserving(*known)
    with pytest.raises(ValueError, match="the horizon"):
        process.transition(0.0, outside * process.horizon)


@pytest.mark.parametrize("name", ["beta_min", "beta_max", "horizon"])
@given(bad=st.one_of(st.floats(max_value=0.0), st.sampled_from((np.nan, np.inf))))
def test_rates_and_horizons_are_positive_numbers(name, bad):
    for make in (mfg.VariancePreserving, mfg.SubVariancePreserving):
        with pytest.raises(ValueError, match=name):
            make(**{name: bad})
