"""What solvers of games are made of: waves, differences, noise, costs at nodes and laws on circles, on random input."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mfgpde as mfg
from mfgpde.equilibria import driftless, waves
from mfgpde.equilibria.asked import check_capacity, check_numbers, checked_start
from mfgpde.equilibria.best_response import Sweeps, _first, _second
from mfgpde.equilibria.circles import WrappedLaw, on_torus
from mfgpde.equilibria.equilibrium import initial_on, start_resolved
from mfgpde.equilibria.heat import RESOLVED, Heat, transition
from mfgpde.equilibria.node_costs import NodeCosts
from mfgpde.equilibria.noisy_steps import NoisySteps, most_steps, resolves, sampled_off
from mfgpde.equilibria.paths import reflected
from mfgpde.equilibria.space_time import SpaceTime
from mfgpde.games import Power, RelativeEntropy, Target

SEEDS = st.integers(0, 10**6)
HOME = mfg.games.Potential(lambda x, t: 0.5 * (x**2).sum(axis=-1))


@st.composite
def grids(draw, dimension=None):
    """Draw a grid, some axes circles, in a random unit of length."""
    d = dimension or draw(st.integers(1, 3))
    unit = draw(st.sampled_from([1e-3, 1.0, 1e3]))
    lower = tuple(unit * draw(st.floats(-2, 2)) for _ in range(d))
    upper = tuple(a + unit * draw(st.floats(0.5, 3)) for a in lower)
    cells = tuple(draw(st.integers(4, 7)) for _ in range(d))
    return mfg.CartesianGrid(lower, upper, cells, tuple(draw(st.booleans()) for _ in range(d)))


@settings(max_examples=40)
@given(grids(), SEEDS)
def test_waves_turn_the_laplacian_into_numbers(grid, seed):
    """Analysed, −Δ_h is multiplication by its spectrum; what is analysed is found again; no wave has less than zero."""
    u = np.random.default_rng(seed).normal(size=grid.cells)
    assert waves.synthesised(grid, waves.analysed(grid, u)) == pytest.approx(u, abs=1e-12)
    lam = waves.spectrum(grid)
    minus_laplacian = np.zeros(grid.cells)
    for axis, (h, periodic) in enumerate(zip(grid.spacing, grid.periodic, strict=True)):
        slopes = waves.ahead(u, axis, periodic) / h
        minus_laplacian -= waves.divergence(slopes, axis, h, periodic)
    found = waves.synthesised(grid, lam * waves.analysed(grid, u))
    assert found == pytest.approx(minus_laplacian, abs=1e-10 * float(lam.max()))
    assert lam.min() == 0.0
    assert (lam == 0).sum() == 1


@settings(max_examples=40)
@given(grids(), SEEDS)
def test_what_flows_between_cells_is_lost_nowhere(grid, seed):
    """∫ φ ∇·m = −∫ m ∇φ, nothing through walls, and sums at faces are the transpose of those at cells."""
    rng = np.random.default_rng(seed)
    phi = rng.normal(size=grid.cells)
    for axis, (h, periodic) in enumerate(zip(grid.spacing, grid.periodic, strict=True)):
        shape = tuple(n - (i == axis and not periodic) for i, n in enumerate(grid.cells))
        flux = rng.normal(size=shape)
        div = waves.divergence(flux, axis, h, periodic)
        assert div.sum() == pytest.approx(0.0, abs=1e-9 / h)
        assert (phi * div).sum() == pytest.approx(-(flux * waves.ahead(phi, axis, periodic)).sum() / h, abs=1e-9 / h)
        sums = (waves.beside(phi, axis, periodic) * flux).sum()
        assert sums == pytest.approx((phi * waves.to_cells(flux, axis, periodic)).sum(), abs=1e-10)
        ones = np.ones(grid.cells)
        assert waves.beside(ones, axis, periodic) == pytest.approx(2 * np.ones(shape))


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("side", [-1, 0, 1])
def test_differences_of_sweeps_are_exact_for_lines_inside_and_flat_at_walls(side, periodic):
    n, h = 9, 0.3
    D = _first(n, h, side, periodic).toarray()
    x = h * np.arange(n)
    assert np.ones(n) @ D.T == pytest.approx(0.0, abs=1e-12)
    assert (D @ x)[1:-1] == pytest.approx(1.0)
    assert (D @ x**2)[1:-1] == pytest.approx((2 * x + side * h)[1:-1])
    if not periodic:
        ends = (D @ x)[[0, -1]]
        assert ends == pytest.approx({-1: [0.0, 1.0], 0: [0.5, 0.5], 1: [1.0, 0.0]}[side])


@pytest.mark.parametrize("periodic", [False, True])
def test_bends_of_sweeps_are_exact_for_parabolas_and_have_the_waves_spectrum(periodic):
    n, h = 11, 0.2
    A = _second(n, h, periodic).toarray()
    x = h * np.arange(n)
    assert (A @ x**2)[1:-1] == pytest.approx(-2.0)
    assert pytest.approx(A.T) == A
    grid = mfg.CartesianGrid((0.0,), (n * h,), (n,), (periodic,))
    assert np.sort(np.linalg.eigvalsh(A)) == pytest.approx(np.sort(waves.spectrum(grid)), abs=1e-10)


@settings(max_examples=30)
@given(st.integers(5, 40), st.floats(1e-3, 1e3), st.floats(0.8, 6.0), st.booleans())
def test_noise_keeps_mass_has_its_variance_and_knows_no_unit(n, h, width, periodic):
    """Rows sum to one; E (x_j − x_i)² is the variance, folded at walls; twice the noise has twice the variance."""
    v = (width * h) ** 2
    K = transition(n, h, v, periodic)
    assert K.sum(axis=1) == pytest.approx(1.0)
    assert K.min() >= 0
    assert pytest.approx(transition(n, 1.0, width**2, periodic), abs=1e-12) == K
    first = np.cos(np.pi * (np.arange(n) + 0.5) * (2 if periodic else 1) / n)
    q = (2 if periodic else 1) * np.pi / n
    assert K @ first == pytest.approx(np.exp(-0.5 * (q * width) ** 2) * first, abs=2e-3)
    assert pytest.approx(transition(n, h, 2 * v, periodic), abs=2e-3) == K @ K


@settings(max_examples=20)
@given(SEEDS, st.integers(1, 3), st.sampled_from([30.0, 1500.0, 1e5]), st.floats(-900, 900), st.booleans())
def test_noised_logarithms_are_sums_over_all_cells_at_any_range(seed, d, spread, shift, hole):
    """Against the dense sum in logarithms; what is added to a logarithm comes out, and what is nowhere may be so."""
    rng = np.random.default_rng(seed)
    grid = mfg.CartesianGrid((0.0,) * d, (1.0,) * d, (9, 6, 4)[:d], (False, True, False)[:d])
    heat, logs = Heat.on(grid, (RESOLVED * max(grid.spacing)) ** 2 * 1.5), rng.uniform(-spread, 0, (9, 6, 4)[:d])
    if hole:
        logs.flat[rng.integers(logs.size)] = -np.inf
    K = np.ones((1, 1))
    for matrix in heat.matrices:
        K = np.kron(K, matrix)
    with np.errstate(divide="ignore"):
        terms = np.log(K) + logs.ravel()
    top = terms.max(axis=1, keepdims=True)
    told = (top[:, 0] + np.log(np.exp(terms - top).sum(axis=1))).reshape(logs.shape)
    seen = told > told.max() - 500  # below, where the range fits into double precision, is as good as nothing
    assert heat(logs)[seen] == pytest.approx(told[seen], abs=1e-9 * (1 + spread))
    if spread > 600:
        assert heat(logs) == pytest.approx(told, abs=1e-9 * (1 + spread))
    assert heat(logs + shift)[seen] == pytest.approx(heat(logs)[seen] + shift, abs=1e-9 * (1 + spread))


def test_noise_narrower_than_cells_bear_says_how_many_cells_would_do():
    grid = mfg.CartesianGrid.cube(3.0, 20, 1)
    least = (RESOLVED * 0.3) ** 2
    Heat.on(grid, least)
    with pytest.raises(ValueError, match=r"take at least (\d+) cells") as problem:
        Heat.on(grid, 0.25 * least)
    assert int(str(problem.value).split("at least ")[1].split()[0]) in (40, 41)


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


def node_costs(rng, steps=5, cells=12, equal=True, end=None):
    grid = mfg.CartesianGrid.cube(2.0, cells, 1)
    law = mfg.gaussian(0.2, 0.5)
    entropy, crowd = RelativeEntropy(law, 0.7), Power(1.3, 3.0)
    weights = np.full(steps + 1, 0.4) if equal else rng.uniform(0.2, 1.0, steps + 1)
    pieces = [[(crowd, float(w), None)] for w in weights]
    pieces[-1] = [*pieces[-1], (entropy, 1.0, entropy.reference(grid.points, 0.0))]
    linear = [rng.normal(size=grid.cells) for _ in weights]
    return grid, NodeCosts(grid, linear, pieces, end is not None)


@settings(max_examples=15)
@given(SEEDS, st.booleans())
def test_nodes_together_are_nodes_one_by_one(seed, equal):
    """Values, proximal maps and conjugates of all nodes, whether their weights are equal and they go as one, or not."""
    rng = np.random.default_rng(seed)
    grid, costs = node_costs(rng, equal=equal)
    rho = rng.uniform(0.1, 1.0, (6, *grid.cells))
    rho /= rho.sum(axis=1, keepdims=True) * grid.volume
    assert (costs._together is not None) == equal
    values = costs.values(rho)
    assert values["running and interaction"] == pytest.approx(sum(costs.at(k, rho[k]) for k in range(5)))
    assert values["terminal"] == pytest.approx(costs.at(5, rho[5]))
    y = rng.normal(0.3, 0.6, (5, *grid.cells))
    alone = np.stack([costs.node_proximal(k, y[k - 1], 0.3) for k in range(1, 6)])
    assert costs.proximal(y, 0.3) == pytest.approx(alone, abs=1e-12)
    u = rng.normal(size=(6, *grid.cells))
    one_by_one = sum(costs.node_conjugate(k, u[k], rho[k]) for k in range(1, 6))
    assert costs.conjugate(u, rho) == pytest.approx(one_by_one, rel=1e-4, abs=1e-4)


@settings(max_examples=15)
@given(SEEDS)
def test_conjugates_at_nodes_are_above_every_density_and_nearly_reached(seed):
    """Max of ∫ u r − cost over densities of mass one: the best of many is below, the best by its own condition near."""
    rng = np.random.default_rng(seed)
    grid, costs = node_costs(rng)
    rho = np.full((6, *grid.cells), 1 / 4.0)
    u = rng.normal(size=(6, *grid.cells))
    bound = costs.node_conjugate(2, u[2], rho[2])
    f, w, _ = costs.pieces[2][0]
    slope = u[2] - costs.linear[2]
    low, high = slope.min() - 50.0, slope.max()
    for _ in range(80):  # r = (f*)′((slope − shift)/w) has mass one for one shift
        middle = 0.5 * (low + high)
        r = (np.maximum(slope - middle, 0.0) / w / f.weight) ** (1 / (f.exponent - 1))
        low, high = (middle, high) if r.sum() * grid.volume > 1 else (low, middle)
    best = float(grid.integrate(u[2] * r)) - costs.at(2, r)
    assert best - 1e-9 <= bound <= best + 0.02 * (1 + abs(best))
    for _ in range(20):
        other = rng.dirichlet(np.ones(grid.cells[0])) / grid.volume
        assert float(grid.integrate(u[2] * other)) - costs.at(2, other) <= bound + 1e-9


@settings(max_examples=15)
@given(SEEDS)
def test_proximal_maps_of_two_costs_at_one_node_solve_their_equation(seed):
    rng = np.random.default_rng(seed)
    grid, costs = node_costs(rng)
    y, s = rng.normal(0.5, 0.5, grid.cells), 0.4
    r = costs.node_proximal(5, y, s)
    pull = sum(w * f.first_variation(r, c) for f, w, c in costs.pieces[5])
    assert r + s * (pull + costs.linear[5]) == pytest.approx(y, abs=1e-9)
    assert r.min() > 0


@settings(max_examples=20)
@given(st.floats(-3, 3), st.floats(0.05, 3.0), st.floats(-50, 50))
def test_laws_wrapped_round_a_circle(mean, variance, turns):
    """Mass one, the same a turn further, its score the slope of its logarithm; as cos-moments e^{−k²v/2} cos km."""
    grid = mfg.CartesianGrid((0.0,), (2 * np.pi,), (64,), (True,))
    law = WrappedLaw(mfg.gaussian(mean, variance), grid)
    x = grid.points
    p = np.exp(law.log_density(x))
    assert float(grid.integrate(p)) == pytest.approx(1.0, abs=1e-6)
    for k in (1, 2):
        wanted = np.exp(-0.5 * k * k * variance) * np.cos(k * mean)
        assert float(grid.integrate(p * np.cos(k * x[..., 0]))) == pytest.approx(wanted, abs=1e-6)
    h = 1e-5
    slope = (law.log_density(x + h) - law.log_density(x - h)) / (2 * h)
    assert law.score(x)[..., 0] == pytest.approx(slope, abs=1e-4 / variance)
    points = law.sample(500, np.random.default_rng(0))
    assert grid.contains(points).all()
    assert law.box(0.9)[0] == pytest.approx([0.0])


@settings(max_examples=20)
@given(st.integers(1, 2), st.floats(-1.9, 1.9), st.floats(1e-4, 0.3), st.booleans())
def test_starts_narrower_than_cells_are_wrapped_once(d, mean, variance, second):
    """Their means over cells are those of the law on the line, its images added: mass one on every torus."""
    grid = mfg.CartesianGrid((-2.0,) * d, (2.0,) * d, (9,) * d, (True, second)[:d])
    law = mfg.gaussian([mean, 0.1][:d], variance * np.eye(d))
    end = mfg.games.Potential(lambda x, t: np.cos(0.5 * np.pi * x).sum(axis=-1))
    game = on_torus(mfg.MeanFieldGame(law, end, 1.0, viscosity=0.3), grid)
    assert game.initial.cell_means(grid) == pytest.approx(law.cell_means(grid))
    start = initial_on(game, grid)
    assert float(grid.integrate(start)) == pytest.approx(1.0)
    if not start_resolved(game, grid):
        assert start == pytest.approx(law.cell_means(grid), rel=2e-3)


@settings(max_examples=40)
@given(grids(), SEEDS)
def test_points_folded_into_a_box_stay_and_see_its_images(grid, seed):
    """Inside nothing moves; a mirrored point goes where its image does; on circles whole turns change nothing."""
    rng = np.random.default_rng(seed)
    lower, lengths = np.array(grid.lower), np.array(grid.lengths)
    x = lower + lengths * rng.random((20, grid.dimension))
    assert reflected(grid, x) == pytest.approx(x, rel=1e-9, abs=1e-9 * lengths.max())
    turned = np.where(grid.periodic, x + 3 * lengths, x + 4 * lengths)
    assert reflected(grid, turned) == pytest.approx(x, abs=1e-9 * lengths.max())
    beyond = np.where(grid.periodic, x - lengths, 2 * lower - x)
    assert reflected(grid, beyond) == pytest.approx(x, abs=1e-9 * lengths.max())
    assert grid.contains(reflected(grid, lower + lengths * rng.normal(0, 5, (50, grid.dimension)))).all()


GAME = mfg.MeanFieldGame(
    mfg.gaussian(-0.4, 0.3), RelativeEntropy(mfg.gaussian(0.5, 0.4)), 1.3, viscosity=0.3, interaction=Power(0.5),
    running=lambda x, t: 0.2 * (1 + t) * x[..., 0] ** 2,
)  # fmt: skip
LINE = mfg.CartesianGrid.cube(4.0, 48, 1)


@pytest.fixture(scope="module", params=["newton", "entropic", "primal-dual"])
def solved(request):
    return mfg.equilibrium(GAME, LINE, method=request.param, steps=16)


def test_values_end_at_the_slope_of_the_terminal_cost(solved):
    """U(T) = δF/δρ(ρ_T) where mass is, in every method; the control is −∂U by differences of the value alone."""
    seen = solved.densities[-1] > 1e-3
    slope = GAME.terminal.first_variation(solved.densities[-1], GAME.terminal.reference(LINE.points, 1.3))
    off = solved.values[-1] - slope
    assert np.ptp(off[seen]) < 0.05
    assert abs(off[seen]).max() < (0.05 if "Newton" in solved.method else 0.2)


def test_costs_are_those_of_the_densities_that_were_found(solved):
    """Terminal cost, and running and interaction by the trapezoidal rule over the nodes, from the densities alone."""
    rho = np.maximum(solved.densities, 0.0)
    c = GAME.terminal.reference(LINE.points, 1.3)
    rows = {
        "running": [float(LINE.integrate(GAME.running(LINE.points, t) * p)) for t, p in zip(solved.times, rho)],
        "interaction": [float(LINE.integrate(GAME.interaction.value(p, None))) for p in rho],
    }
    known = {name: np.trapezoid(values, solved.times) for name, values in rows.items()}
    known["terminal"] = float(LINE.integrate(GAME.terminal.value(rho[-1], c)))
    if "running and interaction" in solved.costs:  # the last node's share of these stands with its terminal cost
        known = {"all": sum(known.values())}
        found = {"all": sum(value for name, value in solved.costs.items() if name != "kinetic")}
    else:
        found = {name: value for name, value in solved.costs.items() if "kinetic" not in name}
    assert set(found) <= set(known)
    for name, value in found.items():
        assert value == pytest.approx(known[name], rel=0.02)
    assert sum(solved.costs.values()) == pytest.approx(solved.discrete_primal)
    assert solved.gap.lower <= 0 <= solved.gap.upper + 1e-12


def test_an_equilibrium_says_what_it_found(solved):
    assert solved.mass == pytest.approx(1.0, abs=1e-9)
    assert solved.minimum == solved.densities.min()
    assert solved.density(3).values is not None
    assert np.array_equal(solved.density(3).values, solved.densities[3])
    assert np.array_equal(solved.value(2).values, solved.values[2])
    middle = 0.5 * (solved.discrete_primal + solved.discrete_dual)
    assert solved.discrete_optimum.value == pytest.approx(middle)
    bare = replace(solved, discrete_dual=-np.inf)
    assert bare.discrete_optimum.half_width == np.inf
    assert bare.discrete_optimum.value == solved.discrete_primal


def test_first_guesses_go_straight_to_the_law_that_is_wanted():
    sweeps = Sweeps(GAME, LINE, 8, 2)
    guess = sweeps.first_guess()
    end = np.exp(GAME.terminal.law.log_density(LINE.points))
    assert guess.shape == (9, 48)
    for k, share in enumerate(np.linspace(0, 1, 9)):
        assert guess[k] == pytest.approx((1 - share) * sweeps.initial + share * end / float(LINE.integrate(end)))
    still = Sweeps(replace(GAME, terminal=HOME), LINE, 8, 2).first_guess()
    assert np.array_equal(still, np.repeat(sweeps.initial[None], 9, axis=0))


@pytest.mark.parametrize("hard", [False, True])
def test_flows_of_least_norm_carry_any_densities(hard, rng):
    """The transport equation holds to rounding, the given densities stay, and no cost is negative."""
    game = replace(GAME, terminal=Target(mfg.gaussian(0.5, 0.4)), interaction=None) if hard else GAME
    problem = SpaceTime.of(game, LINE, 6)
    rho = rng.uniform(0.1, 1.0, (7, 48))
    rho /= rho.sum(axis=1, keepdims=True) * LINE.volume
    carried, momenta = problem.flow_through(rho)
    assert problem.transport(carried, momenta) == pytest.approx(0.0, abs=1e-10)
    assert carried[1:-1] == pytest.approx(rho[1:-1])
    assert carried[0] == pytest.approx(problem.initial)
    if hard:
        assert carried[-1] == pytest.approx(problem.end)
    smooth, _ = problem.smooth_flow()
    assert smooth[1:-1].min() > 0
    assert smooth.sum(axis=1) * LINE.volume == pytest.approx(1.0, abs=1e-6)
    assert problem.costs(carried, momenta)["kinetic"] > 0
    mixed, _ = problem.feasible(carried - 0.05, momenta)
    assert mixed.min() >= 0


@pytest.mark.parametrize("cells", [(12,), (12, 9)], ids=["line", "plane"])
@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("viscosity", [0.3, 1e-3])
def test_steps_of_sweeps_solve_their_system(cells, periodic, viscosity, rng):
    """(1 + ½dt(r + A))u = b, A transposed or not, with a rate of discount r, by a dense solve of numpy's."""
    d = len(cells)
    grid = mfg.CartesianGrid((-2.0,) * d, (2.0,) * d, cells, (periodic,) * d)
    start, end = mfg.gaussian(0.2, 0.1, d), mfg.games.Potential(lambda x, t: np.cos(0.5 * np.pi * x).sum(axis=-1))
    game = on_torus(mfg.MeanFieldGame(start, end, 1.3, viscosity=viscosity), grid)
    sweeps = Sweeps(game, grid, 4, 2)
    pull, _ = sweeps.pull(sweeps.slopes(rng.normal(size=cells)), 1)
    A, right = sweeps.operator(pull, 1), rng.normal(size=int(np.prod(cells)))
    for rate in (0.0, 2.5):
        for transposed in (False, True):
            dense = A.toarray().T if transposed else A.toarray()
            whole = np.eye(len(right)) * (1 + 0.5 * sweeps.dt * rate) + 0.5 * sweeps.dt * dense
            found = sweeps.solved(A, right, 1, rate, transposed=transposed)
            assert found == pytest.approx(np.linalg.solve(whole, right), abs=1e-8)


def test_a_solve_in_space_and_time_knows_both_tridiagonal_systems(rng):
    """K W⁻¹ Kᵀ φ = defect by applying both operators, for a viscosity that changes over time and any scale."""
    game = replace(GAME, viscosity=lambda t: 0.2 + 0.1 * t)
    for periodic in (False, True):
        grid = mfg.CartesianGrid((-3.0,), (3.0,), (16,), (periodic,))
        problem = SpaceTime.of(replace(game, initial=mfg.gaussian(-0.4, 0.2)), grid, 5)
        defect = rng.normal(size=(5, 16))
        for scale in (0.3, 2.0):
            phi = problem.multiplier(defect, scale)
            on_rho, momenta = problem.adjoint(phi)
            nodes = np.concatenate((np.zeros((1, 16)), on_rho / scale))
            assert problem.transport(nodes, momenta) == pytest.approx(defect, abs=1e-9)


def test_starts_that_are_asked_for_have_the_shape_of_the_solve():
    start = np.ones((5, 48))
    assert checked_start(start, LINE, 4) is not None
    assert checked_start(start, LINE, None).shape == (5, 48)
    for steps, bad in ((3, start), (None, start[:1]), (None, start[:, :9]), (4, -start), (4, np.nan * start)):
        with pytest.raises(ValueError, match="start must be finite densities"):
            checked_start(bad, LINE, steps)
    with pytest.raises(ValueError, match="for 3 steps"):
        checked_start(start, LINE, 3)


@pytest.mark.parametrize(
    "bad",
    [{"steps": 0}, {"steps": True}, {"steps": 2.0}, {"iterations": -1}, {"tolerance": -1.0}, {"tolerance": np.inf}],
)
def test_numbers_that_count_nothing_are_refused(bad):
    with pytest.raises(ValueError, match="must be"):
        check_numbers(**{"steps": 4, "tolerance": 1e-3, "iterations": None} | bad)


def test_capacities_are_held_against_all_laws():
    wide = mfg.gaussian(0.0, 0.5)
    top = float(np.exp(wide.log_density(np.zeros((1, 1))))[0])
    game = mfg.games.crowd_motion(wide, lambda x: 0 * x[..., 0], capacity=1.01 * top)
    check_capacity(game, LINE)
    narrow = replace(game, terminal=Target(mfg.gaussian(0.0, 0.3)))
    with pytest.raises(ValueError, match="below the target density"):
        check_capacity(narrow, LINE)
    with pytest.raises(ValueError, match="below the initial density"):
        check_capacity(replace(game, initial=mfg.gaussian(0.0, 0.3)), LINE)
    with pytest.raises(ValueError, match="uniform density"):
        check_capacity(replace(game, interaction=mfg.games.Capacity(0.12)), LINE)


def test_starts_are_taken_at_centres_where_cells_resolve_them_and_as_means_elsewhere():
    wide, narrow, cut = mfg.gaussian(0.1, 0.3), mfg.gaussian(0.013, 1e-3), mfg.gaussian(2.9, 0.3)
    games = [replace(GAME, initial=law) for law in (wide, narrow, cut)]
    assert [start_resolved(game, LINE) for game in games[:2]] == [True, False]
    values = np.exp(wide.log_density(LINE.points))
    assert initial_on(games[0], LINE) == pytest.approx(values / float(LINE.integrate(values)))
    means = mfg.densities.cell_means(narrow, LINE)
    assert initial_on(games[1], LINE) == pytest.approx(means / float(LINE.integrate(means)))
    with pytest.raises(ValueError, match="widen the box"):
        initial_on(games[2], LINE)


def test_games_on_a_torus_have_their_laws_wrapped_and_no_others():
    grid = mfg.CartesianGrid((0.0,), (2.0,), (32,), (True,))
    assert on_torus(GAME, LINE) is GAME
    found = on_torus(replace(GAME, running=None), grid)
    for law in (found.initial, found.terminal.law):
        assert isinstance(law, WrappedLaw)
        assert law.log_density(np.array([[0.3]])) == pytest.approx(law.log_density(np.array([[2.3]])))
    with pytest.raises(ValueError, match="jumps by"):
        on_torus(replace(GAME, drift=lambda x, t: x), grid)


def test_logarithms_wider_than_one_shift_holds_are_noised_line_by_line(monkeypatch):
    """A sweep that meets them is done again: the same game with every noise looked at by itself."""
    law = mfg.gaussian(0.0, 0.01)  # e^{−1800} at the wall
    game = mfg.games.schroedinger_bridge(law, mfg.gaussian(2.0, 0.02), viscosity=0.02)
    grid = mfg.CartesianGrid.cube(6.0, 256, 1)
    found = mfg.equilibrium(game, grid, method="entropic", steps=4, iterations=6)
    monkeypatch.setattr("mfgpde.equilibria.entropic._Sweeps._noise", lambda sweep, logs: sweep.paths.noise(logs))
    alone = mfg.equilibrium(game, grid, method="entropic", steps=4, iterations=6)
    np.testing.assert_array_equal(found.densities, alone.densities)
