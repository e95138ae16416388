"""The backward equation of processes that change in time, against what transition laws say of expectations."""

import numpy as np
import pytest
from scipy.integrate import quad

import mfgpde as mfg

GRID = mfg.CartesianGrid((-8.0,), (8.0,), (256,))
REAL = mfg.FiniteVolume(GRID, walls="reflecting")


def pushed(t):
    return np.array([6.0 * t**2])


@pytest.mark.parametrize("horizon", [1.0, 2.7])
def test_a_drift_that_changes_is_met_at_its_own_time(horizon):
    """DX = (6t² − X) dt + dW: E[X_T | X_0 = 0] = 6∫e^{−(T−s)} s² ds; with time run the wrong way it is far from that."""
    end = min(horizon, 1.2)  # a mean within the box
    process = mfg.Linear(np.array([[-1.0]]), scale=1.0, offset=pushed, horizon=horizon)
    equation = mfg.BackwardKolmogorov.of(process, end)
    found = mfg.solve(equation, REAL, lambda x: x[..., 0], (0.0, end)).at(end)(np.zeros((1, 1)))[0]
    right = quad(lambda s: np.exp(-(end - s)) * 6 * s**2, 0, end)[0]
    wrong = quad(lambda s: np.exp(-(end - s)) * 6 * (end - s) ** 2, 0, end)[0]
    assert found == pytest.approx(right, rel=2e-3)
    assert abs(right - wrong) > 0.5


@pytest.mark.parametrize(
    "process",
    [
        pytest.param(mfg.VariancePreserving(), marks=pytest.mark.slow),  # sub-VP drifts alike
        mfg.VarianceExploding(),
        mfg.SubVariancePreserving(1.0, 9.0, 2.7),
    ],
)
def test_a_part_of_the_way_is_a_transition(process):
    """u(x, τ) = E[cos 1.3 X_T | X_{T−τ} = x] at a τ short of T."""
    T, tau = process.horizon, 0.3 * process.horizon
    x = np.linspace(-1.5, 1.5, 7)[:, None]
    step = process.transition(T - tau, T)
    exact = np.exp(-0.5 * 1.3**2 * float(step.covariance)) * np.cos(1.3 * float(step.factor) * x[..., 0])
    solution = mfg.solve(
        mfg.BackwardKolmogorov.of(process), REAL, lambda x: np.cos(1.3 * x[..., 0]), (0.0, tau), rtol=1e-7
    )
    np.testing.assert_allclose(solution.at(tau)(x), exact, atol=3e-3)  # cells of 1/16, second order


def test_the_end_lies_within_the_horizon():
    with pytest.raises(ValueError, match=r"the end must lie in \(0, 1\]"):
        mfg.BackwardKolmogorov.of(mfg.VariancePreserving(), 1.5)
