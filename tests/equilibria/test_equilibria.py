"""Solvers of games: closed forms, gaps that hold the truth, exact adjoints, resumption, and what they say to bad input."""

from dataclasses import replace

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.equilibria.best_response import Sweeps
from mfgpde.equilibria.heat import transition
from mfgpde.equilibria.space_time import SpaceTime
from mfgpde.kernels.games import kinetic_proximal

GRID = mfg.CartesianGrid.cube(4.0, 48, 1)
PLANE = mfg.CartesianGrid.cube(3.0, 20, 2)


def law(mean, variance):
    mean = np.atleast_1d(np.array(mean, float))
    return mfg.gaussian(mean, np.eye(len(mean)) * variance)


def crowd(dimension=1, **options):
    mean = np.zeros(dimension)
    mean[0] = -0.5
    return mfg.games.crowd_motion(
        law(mean, 0.25), lambda x: np.sum((x - 0.4) ** 2, axis=-1), **{"viscosity": 0.3} | options
    )


@pytest.mark.parametrize("guess", [0.0, 1e300, 1e110, 0.3, -1.0, np.inf, np.nan])
def test_kinetic_proximal_minimises(rng, guess):
    """Whatever the guess: what memory held before may be large enough for its cube to leave the numbers."""
    m, mu = rng.normal(size=(3, 50)), rng.normal(size=(3, 50))
    weight = np.array([0.01, 0.5, 20.0])
    out = [np.empty_like(m), np.full_like(m, guess)]
    kinetic_proximal(m, mu, weight, *out)

    def cost(a, b):
        with np.errstate(divide="ignore", invalid="ignore"):
            energy = np.where(b > 0, weight[:, None] * a**2 / (2 * b), np.where(a == 0, 0, np.inf))
        return energy + 0.5 * ((a - m) ** 2 + (b - mu) ** 2)

    best = cost(*out)
    assert out[1].min() >= 0
    for _ in range(200):
        near = out[1] + 1e-3 * rng.normal(size=m.shape)
        assert np.all(cost(out[0] + 1e-3 * rng.normal(size=m.shape), np.maximum(near, 0)) >= best - 1e-12)


def test_one_step_of_noise_is_symmetric_positive_and_has_its_variance():
    for h in (0.1, 0.3):
        K = transition(60, h, 0.09)
        np.testing.assert_allclose(K, K.T, atol=1e-17)
        np.testing.assert_allclose(K.sum(axis=1), 1.0, rtol=1e-14)
        assert K.min() >= 0
        x = h * (np.arange(60) - 30)
        np.testing.assert_allclose(K[30] @ x**2, 0.09, rtol=1e-10)


@pytest.mark.parametrize("grid", [GRID, PLANE], ids=["1D", "2D"])
def test_transport_operator_and_its_transpose_are_adjoint(grid, rng):
    problem = SpaceTime.of(crowd(grid.dimension), grid, 6)
    rho = rng.normal(size=(7, *grid.cells))
    rho[0] = 0.0
    momenta = [rng.normal(size=m.shape) for m in problem.smooth_flow()[1]]
    phi = rng.normal(size=(6, *grid.cells))
    on_rho, on_m = problem.adjoint(phi)
    left = np.sum(phi * problem.transport(rho, momenta))
    right = np.sum(on_rho * rho[1:]) + sum(np.sum(a * b) for a, b in zip(on_m, momenta, strict=True))
    np.testing.assert_allclose(left, right, rtol=1e-12)
    faces = [rng.normal(size=m.shape) for m in momenta]
    left = sum(np.sum(a * b) for a, b in zip(problem.means(rho), faces, strict=True))
    np.testing.assert_allclose(left, np.sum(problem.spread(faces) * rho[1:]), rtol=1e-12)


@pytest.mark.parametrize("hard", [False, True])
def test_the_projection_solves_its_system(hard, rng):
    game = mfg.games.benamou_brenier(law([-0.5], 0.3), law([0.5], 0.2)) if hard else crowd()
    problem = SpaceTime.of(replace(game, viscosity=0.2), GRID, 6)
    phi = rng.normal(size=(6, 48))
    if hard:
        phi -= phi.mean()
    on_rho, on_m = problem.adjoint(phi)
    on_rho = on_rho / 3.0
    if hard:
        on_rho[-1] = 0.0
    defect = problem.transport(np.concatenate((np.zeros((1, 48)), on_rho)), on_m)
    found = problem.multiplier(defect, 3.0)
    np.testing.assert_allclose(found - found.mean() * hard, phi, atol=1e-9)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("grid", [GRID, PLANE], ids=["1D", "2D"])
def test_both_equations_of_best_responses_are_adjoint(order, grid, rng):
    sweeps = Sweeps(crowd(grid.dimension), grid, 8, order)
    answer = sweeps.best_response(sweeps.first_guess())
    u, p = rng.normal(size=grid.cells), rng.uniform(0.5, 1, grid.cells)
    for k, A in enumerate(sweeps.operators):  # ⟨δ⁻, ρ⁻⟩ = ⟨δ⁺, ρ⁺⟩ for the linearised value and the density
        later = sweeps.solved(A, p.ravel() - 0.5 * sweeps.dt * (A.T @ p.ravel()), k, 0.0, transposed=True)
        earlier = sweeps.solved(A, u.ravel() - 0.5 * sweeps.dt * (A @ u.ravel()), k, 0.0)
        np.testing.assert_allclose(later @ u.ravel(), earlier @ p.ravel(), rtol=1e-9)
    np.testing.assert_allclose(grid.volume * answer.reshape(9, -1).sum(axis=1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("cost", [mfg.games.PowerCost(2.0), mfg.games.PowerCost(1.6)], ids=["quadratic", "power"])
@pytest.mark.parametrize("discount", [0.0, 1.7])
def test_the_derivative_of_the_best_response_is_exact(cost, discount, rng):
    sweeps = Sweeps(replace(crowd(), cost=cost, discount=discount), GRID, 12, 2)
    rho = sweeps.first_guess()
    bump = np.exp(-(GRID.axes[0] ** 2)) * np.linspace(0, 1, 13)[:, None]
    eps = 1e-5
    ahead, back = (sweeps.best_response(rho + s * eps * bump).copy() for s in (1, -1))
    answer = sweeps.best_response(rho)
    exact = (ahead - back) / (2 * eps)
    np.testing.assert_allclose(sweeps.derivative(rho, answer, bump), exact, atol=2e-5 * np.abs(exact).max())


def test_all_gaps_hold_the_optimum_of_transport():
    source, target = law([-0.6], 0.2), law([0.7], 0.4)
    truth = (
        0.5
        * mfg.transport.wasserstein_gaussian(np.array([-0.6]), 0.2 * np.eye(1), np.array([0.7]), 0.4 * np.eye(1)) ** 2
    )
    found = mfg.equilibrium(mfg.games.benamou_brenier(source, target), GRID, steps=16, tolerance=5e-4)
    assert found.converged
    assert found.discrete_dual <= found.discrete_primal
    assert found.discrete_dual - 2e-3 <= truth <= found.discrete_primal + 2e-3  # 1e-3 is what 48 cells are off
    assert found.residuals["transport"] < 1e-12
    assert found.minimum >= 0
    np.testing.assert_allclose(found.mass, 1.0, rtol=1e-12)


def test_a_dual_value_never_exceeds_a_primal_one(rng):
    problem = SpaceTime.of(crowd(viscosity=0.2, aversion=2.0), GRID, 8)
    flow = problem.smooth_flow()
    primal = sum(problem.costs(*flow).values())
    for size in (0.01, 0.1, 1.0):
        phi = size * rng.normal(size=(8, 48)).cumsum(axis=1)
        assert problem.dual(phi, flow[0]) <= primal


def test_bridges_close_their_gap_and_meet_both_ends():
    found = mfg.equilibrium(
        mfg.games.schroedinger_bridge(law([-0.5, 0.1], 0.3), mfg.densities.four_blobs(), 0.3),
        mfg.CartesianGrid.cube(5.0, 48, 2),
    )
    assert found.converged
    assert 0 <= found.discrete_primal - found.discrete_dual <= 1e-8
    assert found.residuals["terminal law, L1"] < 1e-6
    with pytest.warns(UserWarning, match="1 sweeps: stopped at a gap of .* not converged"):
        early = mfg.equilibrium(found.game, found.grid, iterations=2, tolerance=0.0)
    assert early.discrete_dual <= found.discrete_dual  # two sweeps prove less, and nothing false
    assert early.discrete_primal >= found.discrete_primal
    paths = found.trajectories(np.full((400, 2), 0.1), rng=np.random.default_rng(0))
    assert paths.shape == (len(found.times), 400, 2)
    assert np.abs(paths[-1]).max() < 5


@pytest.mark.slow
def test_methods_agree_on_a_crowd_in_the_plane():
    game = crowd(2, aversion=2.0)
    entropic = mfg.equilibrium(game, PLANE, steps=8)
    with pytest.warns(UserWarning, match="densities are negative down to"):  # at walls, 20 cells a side
        newton = mfg.equilibrium(game, PLANE, method="newton", steps=16)
    assert newton.converged
    assert newton.residuals["gap"] < 1e-6
    assert entropic.discrete_primal == pytest.approx(
        newton.discrete_primal, abs=0.02
    )  # 20 cells a side: second order, 1 %
    dual = mfg.equilibrium(game, PLANE, method="primal-dual", steps=16, tolerance=5e-3)
    assert (
        dual.discrete_dual - 0.04 <= entropic.discrete_primal <= dual.discrete_primal + 0.04
    )  # its own h² of 0.3²: 0.02


@pytest.mark.slow
def test_methods_agree_in_three_dimensions():
    game, grid = crowd(3, aversion=1.0), mfg.CartesianGrid.cube(2.5, 14, 3)
    entropic = mfg.equilibrium(game, grid, steps=2)
    with pytest.warns(UserWarning, match="densities are negative down to"):
        newton = mfg.equilibrium(game, grid, method="newton", steps=7)
    dual = mfg.equilibrium(game, grid, method="primal-dual", steps=7, tolerance=5e-2)
    assert entropic.converged
    assert newton.converged
    assert newton.densities.shape == (8, 14, 14, 14)
    # on 20 cells a side both differ from the entropic cost, exact to 1e-4 here, by half as much: 1 % each
    assert entropic.discrete_primal == pytest.approx(newton.discrete_primal, rel=0.02)
    assert dual.discrete_dual - 0.03 <= entropic.discrete_primal <= dual.discrete_primal + 0.03
    assert entropic.trajectories(np.zeros((5, 3))).shape == (3, 5, 3)


def test_the_kernel_formula_is_the_game_and_refuses_bad_input():
    grid = mfg.CartesianGrid.cube(3.5, 64, 1)
    start = law([0.3], 0.3)
    found = mfg.wasserstein_proximal(start.density(grid.points), lambda x: x[..., 0] ** 4, grid, horizon=0.5, beta=0.3)
    game = mfg.equilibrium(mfg.games.proximal_operator(start, lambda x: x[..., 0] ** 4, 0.5, beta=0.3), grid, steps=8)
    assert found.cost == pytest.approx(game.discrete_primal, rel=1e-6)
    np.testing.assert_allclose(found.density.values, game.densities[-1], atol=1e-6)
    np.testing.assert_allclose(found.value.values, game.values[0], rtol=1e-5, atol=1e-5)
    values = np.ones(64)
    for arguments, message in (
        ({"beta": 0.0}, "must be positive"),
        ({"beta": 1e-5}, "narrower than 0.75 cells"),
        ({"beta": 0.1, "potential": lambda x: np.full(64, np.nan)}, "potential must be finite"),
        ({"beta": 0.1, "density": -values}, "a density needs"),
    ):
        known = {"density": values, "potential": lambda x: x[..., 0] ** 2, "grid": grid} | arguments
        with pytest.raises(ValueError, match=message):
            mfg.wasserstein_proximal(**known)


def test_crowds_keep_to_a_capacity():
    for viscosity in (0.0, 0.2):
        free = mfg.equilibrium(crowd(viscosity=viscosity, aversion=1e-3), GRID, steps=12, tolerance=2e-3)
        held = mfg.equilibrium(crowd(viscosity=viscosity, capacity=0.85), GRID, steps=12, tolerance=2e-3)
        assert held.densities[1:].max() <= 0.85 * (1 + 1e-6)
        assert free.densities.max() > 0.95
        assert held.discrete_primal >= free.discrete_dual - 2e-3


def test_what_was_found_is_saved_and_an_interrupted_solve_goes_on(tmp_path):
    game, kept = crowd(viscosity=0.0), tmp_path / "kept.npz"
    with pytest.warns(UserWarning, match="100 iterations: stopped at a gap"):
        part = mfg.equilibrium(game, GRID, steps=8, tolerance=1e-3, iterations=100, checkpoint=kept)
    assert not part.converged
    assert kept.is_file()
    rest = mfg.equilibrium(game, GRID, steps=8, tolerance=1e-3, checkpoint=kept)
    whole = mfg.equilibrium(game, GRID, steps=8, tolerance=1e-3)
    assert rest.converged
    assert not kept.is_file()
    assert rest.cost["iterations"] < whole.cost["iterations"]
    with pytest.warns(UserWarning, match="not converged"):
        mfg.equilibrium(game, GRID, steps=8, tolerance=1e-9, iterations=50, checkpoint=kept)
    with pytest.raises(ValueError, match=r"another problem, by its steps \(8.0 there, 9.0 here\)"):
        mfg.equilibrium(game, GRID, steps=9, checkpoint=kept)
    stored = mfg.equilibria.load_equilibrium(whole.save(tmp_path / "whole.nc"))
    np.testing.assert_allclose(stored.density.values, whole.densities)
    assert stored.attrs["primal"] == whole.discrete_primal


def test_bad_input_gets_a_sentence():
    with pytest.raises(
        ValueError, match="entropic does not apply: the viscosity vanishes; what does: primal-dual, newton"
    ):
        mfg.equilibrium(crowd(viscosity=0.0), GRID, method="entropic")
    with pytest.raises(ValueError, match="widen the box"):
        mfg.equilibrium(mfg.games.linear_quadratic(law([3.9], 1.0), viscosity=0.1), GRID)
    with pytest.raises(ValueError, match="no method applies"):
        mfg.equilibrium(
            replace(mfg.games.benamou_brenier(law([0.0], 0.3), law([0.1], 0.2)), cost=mfg.games.PowerCost(3.0)), GRID
        )
    with pytest.raises(ValueError, match=r"narrower than a cell; take at most \d+ steps"):
        mfg.equilibrium(crowd(viscosity=0.01), GRID, steps=200)
    with pytest.raises(ValueError, match="does not take order"):
        mfg.equilibrium(crowd(), GRID, order=1)
    with pytest.warns(UserWarning, match="falls towards the walls"):
        mfg.equilibrium(
            mfg.games.proximal_operator(law([0.0], 0.3), lambda x: -8 * x[..., 0] ** 2, 0.1, beta=0.3), GRID, steps=2
        )
    drawn = replace(crowd(), interaction=mfg.games.Nonlocal(lambda x: -0.1 * np.exp(-np.sum(x * x, axis=-1))))
    with pytest.warns(UserWarning, match="not monotone"):
        found = mfg.equilibrium(drawn, GRID, steps=16)
    assert found.converged
    assert found.discrete_dual == -np.inf  # where costs are not convex there is no bound
    with pytest.warns(UserWarning, match="stopped at a residual"):
        assert not mfg.equilibrium(crowd(), GRID, method="newton", steps=16, iterations=1, tolerance=1e-14).converged


@pytest.mark.parametrize("variance", [1e-6, 1e-3])
def test_a_start_narrower_than_a_cell_keeps_its_mass(variance):
    """The cost ½κ log 2·2 + ¼E|x|² of the linear-quadratic game; points would see no mass, or nine times too much."""
    game = mfg.games.linear_quadratic(mfg.gaussian(0.02, variance), viscosity=0.5)
    found = mfg.equilibrium(game, mfg.CartesianGrid.cube(4.0, 128, 1))
    assert found.grid.integrate(found.densities[0]) == pytest.approx(1.0, abs=1e-12)
    cell = 0.0625**2 / 12  # the variance that a cell adds
    truth = 0.25 * (variance + 0.02**2) + 0.5 * np.log(2)
    assert truth - 1e-6 <= found.discrete_primal <= truth + 0.25 * cell + 1e-4
