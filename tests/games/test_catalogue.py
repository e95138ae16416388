"""Games by name: what each says of its parts, costs of the control against searches, landscapes, differences, kernels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mfgpde as mfg
from mfgpde.games import (
    Capacity,
    Nonlocal,
    Power,
    PowerCost,
    QuadraticCost,
    RelativeEntropy,
    TabulatedCost,
    Target,
    catalogue,
)
from mfgpde.games.differences import laplacian, slopes
from mfgpde.games.landscapes import DoubleWell, QuadraticWell
from mfgpde.games.mean_field_game import _falls_outwards

SEEDS, UNITS = st.integers(0, 10**6), st.sampled_from([1e-6, 1.0, 1e6])
A, B = mfg.gaussian(-0.3, 0.4), mfg.gaussian(0.6, 0.3)
X = np.linspace(-2, 2, 9)[:, None]


@settings(max_examples=40)
@given(st.floats(1.2, 5.0), st.floats(0.0, 4.0))
def test_hamiltonians_are_the_largest_of_all_speeds(exponent, size):
    """H(p) = max p v − L(v), by a fine search; H′ is where it is reached; twice conjugate is the cost."""
    v = np.linspace(0.0, 40.0, 400_001)
    for cost in (PowerCost(exponent), QuadraticCost()):
        best = size * v - cost.lagrangian(v)
        k = int(np.argmax(best))
        if 0 < k < len(v) - 1:
            assert float(cost.hamiltonian(np.array(size))) == pytest.approx(best[k], rel=1e-6, abs=1e-6)
            assert float(cost.speed(np.array(size))) == pytest.approx(v[k], abs=2e-4)
        speed = cost.speed(np.array(size))
        assert float(size * speed - cost.hamiltonian(np.array(size))) == pytest.approx(
            float(cost.lagrangian(speed)), abs=1e-9
        )
    with pytest.raises(ValueError, match="convex"):
        PowerCost(1.0)


@settings(max_examples=20)
@given(st.floats(1.5, 4.0), st.floats(0.1, 3.0))
def test_tables_are_the_cost_that_they_hold(exponent, size):
    exact = PowerCost(exponent)
    table = TabulatedCost(exact.lagrangian, fastest=6.0)
    if float(exact.speed(size)) < 5.9:
        assert float(table.hamiltonian(np.array(size))) == pytest.approx(
            float(exact.hamiltonian(size)), rel=1e-3, abs=1e-4
        )
        assert float(table.speed(np.array(size))) == pytest.approx(float(exact.speed(size)), rel=1e-2, abs=1e-2)
    with pytest.raises(ValueError, match="more than the fastest speed"):
        table.speed(np.array([1e9]))
    with pytest.raises(ValueError, match="not convex"):
        TabulatedCost(lambda v: v * np.exp(-v), fastest=5.0)


@settings(max_examples=30)
@given(SEEDS, UNITS, st.integers(1, 3))
def test_slopes_and_bends_of_quartics_are_exact_in_every_unit(seed, unit, d):
    """Order four is exact up to degree four; what rounding leaves is 1e-12 of a slope and 1e-8 of a bend."""
    c = np.random.default_rng(seed).normal(size=(d, 5))
    x = unit * np.random.default_rng(seed + 1).uniform(-1, 1, (6, d))

    def V(y):
        return sum(np.polyval(c[k], y[..., k] / unit) for k in range(d))

    size = np.abs(c).sum()
    wanted = np.stack([np.polyval(np.polyder(c[k]), x[:, k] / unit) / unit for k in range(d)], -1)
    assert slopes(V, x, (2 * unit,) * d) == pytest.approx(wanted, abs=1e-10 * size / unit)
    bend = sum(np.polyval(np.polyder(c[k], 2), x[:, k] / unit) / unit**2 for k in range(d))
    assert laplacian(V, x, (2 * unit,) * d) == pytest.approx(bend, abs=1e-6 * size / unit**2)


@settings(max_examples=20)
@given(st.floats(0.1, 5), st.floats(-2, 2), st.floats(0.3, 3))
def test_landscapes_are_their_formulas(weight, centre, width):
    x = np.stack((X[:, 0], 0.5 * X[:, 0]), -1)
    assert QuadraticWell(weight, centre)(x) == pytest.approx(0.5 * weight * ((x - centre) ** 2).sum(-1))
    circle = width * np.stack((np.cos(X[:, 0]), np.sin(X[:, 0])), -1)
    assert DoubleWell(weight, width)(circle) == pytest.approx(0.0, abs=1e-12)
    assert float(DoubleWell(weight, width)(np.zeros((1, 2)))[0]) == pytest.approx(weight)


@settings(max_examples=20)
@given(SEEDS, st.integers(1, 2))
def test_nonlocal_costs_are_sums_over_all_pairs(seed, d):
    rng = np.random.default_rng(seed)
    grid = mfg.CartesianGrid.cube(1.5, 6, d)
    cost = Nonlocal(lambda z: np.cos(z.sum(axis=-1)) + (z**2).sum(axis=-1))
    known, r = cost.reference(grid.points, 0.0), rng.random(grid.cells)
    x, p = grid.points.reshape(-1, d), r.ravel() * grid.volume
    pairs = cost.kernel(x[:, None] - x[None])
    assert float(grid.integrate(cost.value(r, known))) == pytest.approx(0.5 * p @ pairs @ p, rel=1e-9)
    assert cost.first_variation(r, known).ravel() == pytest.approx(pairs @ p, rel=1e-9)
    least = np.linalg.eigvalsh((lambda P: P @ pairs @ P)(np.eye(len(x)) - 1 / len(x)))
    assert cost.monotone(grid.points, 0.0) == bool(least[0] >= -1e-9 * np.abs(least).max())


def test_every_game_says_what_it_is_made_of():
    """By its fields alone: costs, horizons, noise and names as the literature has them."""
    flow = catalogue.normalizing_flow(A, B, 2.0)
    assert (type(flow.terminal), flow.horizon, flow.first_order, flow.quadratic) == (RelativeEntropy, 2.0, True, True)
    assert type(catalogue.normalizing_flow(A, B, forward=False).terminal).__name__ == "ReverseRelativeEntropy"
    bridge = catalogue.schroedinger_bridge(A, B, 0.3)
    assert isinstance(bridge.terminal, Target)
    assert bridge.kappa(0.4) == 0.3
    assert catalogue.benamou_brenier(A, B).first_order
    moved = catalogue.gradient_flow(A, B, 0.25)
    assert (moved.discount, moved.interaction.weight, moved.terminal.weight) == (4.0, 4.0, 1.0)
    crowd = catalogue.crowd_motion(A, lambda x: x[..., 0] ** 2, aversion=1.5, obstacle=lambda x, t: x[..., 0] + t)
    assert isinstance(crowd.interaction, Power)
    assert crowd.interaction.weight == 1.5
    assert crowd.running(X, 0.5) == pytest.approx(X[:, 0] + 0.5)
    assert crowd.terminal.reference(X, 1.0) == pytest.approx(X[:, 0] ** 2)
    assert isinstance(catalogue.crowd_motion(A, lambda x: 0 * x[..., 0], capacity=2.0).interaction, Capacity)
    pulled = catalogue.linear_quadratic(A, 2.0, centre=0.5)
    assert pulled.terminal.reference(X, 1.0) == pytest.approx((X[:, 0] - 0.5) ** 2)
    step = catalogue.proximal_operator(A, lambda x: x[..., 0] ** 4, beta=0.2)
    assert step.kappa(0.0) == 0.2
    assert step.terminal.reference(X, 1.0) == pytest.approx(X[:, 0] ** 4)


@pytest.mark.parametrize("process", [mfg.OrnsteinUhlenbeck(0.7, 1.3, 2.7), mfg.VariancePreserving(0.2, 3.0, 1.4)])
def test_score_based_models_are_games_run_backwards(process):
    """B = −f by its potential, κ = D, g and ∇·f at T − τ; the terminal cost is −log p₀; other processes give the drift."""
    game, T = catalogue.score_based_model(process, A), process.horizon
    for tau in (0.0, 0.4 * T, T):
        assert game.kappa(tau) == pytest.approx(float(process.diffusivity(T - tau)))
        assert game.control_gain(tau) == pytest.approx(float(process.diffusion(T - tau)))
        assert game.running(X, tau) == pytest.approx(process.divergence(X, T - tau))
        assert game.velocity_of_drift(X, tau, (4.0,)) == pytest.approx(-process.drift(X, T - tau), abs=1e-9)
    assert game.terminal.reference(X, T) == pytest.approx(-A.log_density(X))
    assert game.initial.means == pytest.approx(A.after(process.transition(0.0, T)).means)
    line = mfg.Linear(np.array([[-0.8]]), 1.1, horizon=1.5)
    other = catalogue.score_based_model(line, A)
    assert other.drift_potential is None
    assert other.velocity_of_drift(X, 0.3, (4.0,)) == pytest.approx(0.8 * X)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: catalogue.gradient_flow(A, B, 0.0), "epsilon must be positive"),
        (lambda: catalogue.schroedinger_bridge(A, B, 0.0), "without noise it is benamou_brenier"),
        (lambda: catalogue.linear_quadratic(A, -1.0), "bounded below"),
        (lambda: mfg.MeanFieldGame(A, RelativeEntropy(B), horizon=-1.0), "horizon"),
        (lambda: mfg.MeanFieldGame(A, RelativeEntropy(B), discount=-1.0), "discount"),
        (
            lambda: mfg.MeanFieldGame(A, RelativeEntropy(B), drift=lambda x, t: x, drift_potential=lambda x, t: 0),
            "not both",
        ),
        (lambda: mfg.MeanFieldGame(A, "entropy"), "must be a cost of a density"),
        (lambda: mfg.MeanFieldGame(A, RelativeEntropy(B), interaction=Target(B)), "only be a terminal"),
        (lambda: mfg.MeanFieldGame(A, RelativeEntropy(B), viscosity=lambda t: 0.1 - t), "viscosity must be"),
        (lambda: mfg.MeanFieldGame(A, RelativeEntropy(B), gain=0.0), "gain must be positive"),
    ],
)
def test_games_that_are_none_are_refused(ask, words):
    with pytest.raises(ValueError, match=words):
        ask()


@settings(max_examples=20)
@given(st.floats(0.2, 5.0), UNITS, st.floats(0.5, 3.0))
def test_units_of_games_are_costs_of_crossing_an_eighth(gain, unit, horizon):
    game = mfg.MeanFieldGame(A, RelativeEntropy(B), horizon, gain=gain)
    assert game.unit((3 * unit, 8 * unit)) == pytest.approx(unit**2 / horizon / gain**2)
    x = np.linspace(-1, 1, 21)[:, None] * unit
    price = game.unit((2 * unit,)) * (8 / (2 * unit)) ** 2
    steep = 10 * 0.5 * price * unit**2
    assert _falls_outwards(-steep * (x[:, 0] / unit) ** 2, x, price)
    assert not _falls_outwards(steep * (x[:, 0] / unit) ** 2, x, price)
    assert not _falls_outwards(-1e-3 * steep * (x[:, 0] / unit) ** 2, x, price)
