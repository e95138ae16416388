"""A game in other units is the same game: lengths by L, times by T, costs by L²/T leave every pure number as it is."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.games import MeanFieldGame, Potential, Power, PowerCost, RelativeEntropy

UNITS = [(1e-6, 1.0), (1e6, 1.0), (1.0, 1e-6), (1.0, 1e6), (1e-3, 1e3)]


def posed(L, T, **options):
    """Return a game with a drift, given in units of L and T; its potentials are in L²/T."""
    E = L * L / T
    return MeanFieldGame(
        mfg.gaussian([0.3 * L], [[0.2 * L * L]]),
        Potential(lambda x, t: E * (x[..., 0] / L) ** 2),
        T,
        viscosity=0.15 * E,
        drift_potential=lambda x, t: E * (1 + 0.3 * t / T) * np.cos(2 * x[..., 0] / L),
        running=lambda x, t: E / T * np.sin(x[..., 0] / L) ** 2,
        **options,
    )


def solved(L, T, method, **options):
    grid = mfg.CartesianGrid((-3 * L,), (3 * L,), (32,))
    upwind = {"order": 1} if method == "newton" else {}
    found = mfg.equilibrium(posed(L, T, **options), grid, method=method, steps=8, **upwind)
    assert found.converged
    return found


@pytest.mark.parametrize("method", ["entropic", pytest.param("primal-dual", marks=pytest.mark.slow), "newton"])
def test_costs_and_densities_scale(method):
    whole = solved(1.0, 1.0, method)
    for L, T in UNITS[::2] if method == "primal-dual" else UNITS:
        found = solved(L, T, method)
        assert found.cost["iterations"] == whole.cost["iterations"]
        assert found.discrete_primal * T / L**2 == pytest.approx(whole.discrete_primal, rel=1e-8)
        np.testing.assert_allclose(found.densities * L, whole.densities, atol=1e-6)
        np.testing.assert_allclose(found.mass, 1.0, rtol=1e-12)
        points = L * np.linspace(-1, 1, 5)[:, None]
        ends = found.trajectories(points, rng=np.random.default_rng(0))[-1]
        np.testing.assert_allclose(
            ends / L, whole.trajectories(points / L, rng=np.random.default_rng(0))[-1], atol=1e-6
        )


@pytest.mark.parametrize("method", ["entropic", pytest.param("primal-dual", marks=pytest.mark.slow), "newton"])
def test_costs_of_the_density_scale(method):
    """A price of ρ²/2 is in L³/T² in one dimension, one of entropy in L²/T²; the gap of the iterations is relative."""
    whole = solved(1.0, 1.0, method, interaction=Power(0.5))
    for L, T in ((1e-3, 1.0), (1.0, 1e3)):
        found = solved(L, T, method, interaction=Power(0.5 * L**3 / T**2))
        assert found.discrete_primal * T / L**2 == pytest.approx(whole.discrete_primal, rel=2e-4)
    assert solved(1.0, 1.0, method, interaction=RelativeEntropy(None, 0.2)).converged


def test_power_costs_scale():
    """|v|^{3/2}/(3/2) with all other costs in (L/T)^{3/2}·T."""
    found = []
    for L, T in ((1.0, 1.0), (1e-6, 1.0), (1.0, 1e5)):
        E = (L / T) ** 1.5 * T
        game = MeanFieldGame(
            mfg.gaussian([0.3 * L], [[0.2 * L * L]]),
            Potential(lambda x, t, E=E, L=L: E * (x[..., 0] / L) ** 2),
            T,
            viscosity=0.15 * L * L / T,
            cost=PowerCost(1.5),
        )
        grid = mfg.CartesianGrid((-3 * L,), (3 * L,), (48,))
        found.append(mfg.equilibrium(game, grid, steps=24, order=1).discrete_primal / E)
    np.testing.assert_allclose(found, found[0], rtol=1e-7)
