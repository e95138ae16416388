"""A drift as a cost of position."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mfgpde as mfg
from mfgpde.equilibria import driftless

HOME = mfg.games.Potential(lambda x, t: 0.5 * (x**2).sum(axis=-1))


@settings(max_examples=20)
@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.5, 2), st.floats(0, 1), st.floats(0, 1))
def test_a_drift_as_a_cost_of_position_by_hand(a, b, gain, kappa, share):
    """V = ½(a + bτ)|x|² in the plane: ℓ + |∇V|²/2g² − ∂_τV/g² − κΔV/g² = ((a + bτ)² r²/2 − b r²/2 − 2κ(a + bτ))/g²."""
    game = mfg.MeanFieldGame(
        mfg.gaussian(0.0, 0.3, 2), HOME, 2.0, viscosity=kappa, gain=gain,
        drift_potential=lambda x, t: 0.5 * (a + b * t) * (x**2).sum(axis=-1), running=lambda x, t: t + x[..., 0],
    )  # fmt: skip
    grid = mfg.CartesianGrid.cube(2.0, 6, 2)
    t, x = 2.0 * share, grid.points
    square, now = (x**2).sum(axis=-1), a + b * t
    wanted = t + x[..., 0] + (0.5 * now**2 * square - 0.5 * b * square - 2 * kappa * now) / gain**2
    assert driftless.running_cost(game, grid, t) == pytest.approx(wanted, abs=1e-6)
    assert driftless.potential_cost(game, grid, t) == pytest.approx(0.5 * now * square / gain**2)
