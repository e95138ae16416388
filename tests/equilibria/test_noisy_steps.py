"""Steps of equal variance, whatever the viscosity does, and rates in time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mfgpde as mfg
from mfgpde.equilibria import driftless
from mfgpde.equilibria.noisy_steps import NoisySteps, most_steps, resolves, sampled_off

SEEDS = st.integers(0, 10**6)


HOME = mfg.games.Potential(lambda x, t: 0.5 * (x**2).sum(axis=-1))


@settings(max_examples=30)
@given(st.floats(0.05, 1.0), st.floats(0.0, 0.9), st.floats(0.5, 3.0), st.integers(1, 12))
def test_noisy_steps_have_equal_variance_whatever_the_viscosity(kappa, swing, horizon, steps):
    """∫2κ dt is the same between all times; weights are those of the trapezoidal rule."""
    game = mfg.MeanFieldGame(
        mfg.gaussian(0.0, 0.3), HOME, horizon, viscosity=lambda t: kappa * (1 + swing * np.cos(3 * t / horizon)),
        gain=lambda t: np.sqrt(1 + swing * np.cos(3 * t / horizon)),
    )  # fmt: skip
    grid = mfg.CartesianGrid.cube(4.0, 96, 1)
    if steps > most_steps(game, grid):
        assert "narrower than a cell" in resolves(game, grid, steps)
        return
    found = NoisySteps.of(game, grid, steps, np)

    def integral(t):
        return 2 * kappa * (t + swing * horizon / 3 * np.sin(3 * t / horizon))

    assert np.diff(integral(found.times)) == pytest.approx(found.variance, rel=1e-5)
    assert found.weights.sum() == pytest.approx(horizon)
    assert found.weights[0] == pytest.approx(0.5 * (found.times[1] - found.times[0]))
    assert found.gamma == pytest.approx(2 * kappa)
    width = found.variance / grid.spacing[0] ** 2
    assert sampled_off(game, grid, steps) == pytest.approx(
        2 * kappa * steps * 2 * np.exp(-2 * np.pi**2 * width), rel=1e-3, abs=1e-300
    )


@settings(max_examples=20)
@given(SEEDS, st.floats(0.0, 1.0), st.sampled_from([1e-3, 1.0, 1e3]))
def test_rates_in_time_are_exact_up_to_degree_four(seed, share, end):
    """Inside and at both ends, where differences lean to one side."""
    c = np.random.default_rng(seed).normal(size=5)
    for t in (share * end, 0.0, end, 1e-4 * end, (1 - 1e-4) * end):
        found = driftless._rate(lambda s: np.polyval(c, s / end), t, end)
        wanted = np.polyval(np.polyder(c), t / end) / end
        assert found == pytest.approx(wanted, abs=3e-10 * np.abs(c).sum() / end)


@pytest.mark.parametrize(("cells", "kappa"), [(24, 0.1), (48, 0.1), (96, 0.1), (256, 0.5)])
def test_without_a_wish_steps_are_half_of_what_the_grid_bears(cells, kappa):
    """At least one, at most 64: finer grids would not be seen at once."""
    game = mfg.MeanFieldGame(mfg.gaussian(0.0, 0.3), HOME, 1.0, viscosity=kappa)
    grid = mfg.CartesianGrid.cube(4.0, cells, 1)
    borne = most_steps(game, grid)
    assert len(NoisySteps.of(game, grid, None, np).times) - 1 == (1 if borne < 4 else 64 if borne > 128 else borne // 2)
