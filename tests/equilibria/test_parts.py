"""Parts of the methods that whole solves seldom reach, each against what it stands for."""

import numpy as np
import pytest
from scipy.special import logsumexp

import mfgpde as mfg
from mfgpde.equilibria import best_response, driftless, newton
from mfgpde.equilibria.heat import Heat
from mfgpde.equilibria.space_time import SpaceTime

PLANE = mfg.CartesianGrid.cube(3.0, 12, 2)
START = mfg.gaussian(np.array([-0.5, 0.2]), 0.3 * np.eye(2))
START_ON_A_LINE = mfg.gaussian(0.0, 0.3)
GAME = mfg.games.crowd_motion(START, lambda x: np.sum(x**2, axis=-1), viscosity=0.3)


@pytest.mark.parametrize("transposed", [False, True])
def test_a_step_is_solved_the_same_where_the_iteration_fails(transposed, monkeypatch, rng):
    sweeps = best_response.Sweeps(GAME, PLANE, 4, 2)
    turning = 3 * np.stack((-PLANE.points[..., 1], PLANE.points[..., 0]), axis=-1)
    A, right, extra = sweeps.fixed[0] + sweeps._drifting(turning), rng.normal(size=144), 0.7
    dense = np.eye(144) * (1 + 0.5 * sweeps.dt * extra) + 0.5 * sweeps.dt * (A.T if transposed else A).toarray()
    exact = np.linalg.solve(dense, right)
    np.testing.assert_allclose(sweeps.solved(A, right, 0, extra, transposed=transposed), exact, rtol=1e-8)
    monkeypatch.setattr(best_response, "bicgstab", lambda matrix, right, x0, **options: (0 * x0, 1))
    np.testing.assert_allclose(sweeps.solved(A, right, 0, extra, transposed=transposed), exact, rtol=1e-12)


class Stubborn:
    """Sweeps whose residual no step of Newton's lowers."""

    def best_response(self, rho):
        return rho

    def distance(self, a, b):
        return 1.0


def test_without_a_better_step_fictitious_play_goes_towards_the_answer(rng):
    rho, answer = rng.uniform(0.5, 1, (3, 8)), rng.uniform(0.5, 1, (3, 8))
    for played in (0, 3):
        new, _, after = newton._searched(Stubborn(), rho, answer, rng.normal(size=rho.shape), 0.5, played)
        assert after == played + 1
        np.testing.assert_allclose(new, rho + 2 / (played + 3) * (answer - rho))


@pytest.mark.filterwarnings("ignore:densities are negative:UserWarning")  # six steps on 24 cells, on purpose
@pytest.mark.parametrize("method", ["entropic", "newton"])
def test_a_charge_that_is_the_same_everywhere_is_paid_for_the_time_that_is_left(method):
    """U − U₀ = c (T − τ) at every node: half of a step's charge at its end, or the value between nodes is off."""
    grid, horizon, charge = mfg.CartesianGrid.cube(3.0, 24, 1), 1.7, 2.0
    start, end = mfg.gaussian(np.array([0.3]), np.array([[0.3]])), mfg.games.Potential(lambda x, t: x[..., 0] ** 2)

    def values(running):
        game = mfg.MeanFieldGame(start, end, horizon, viscosity=0.3, running=running)
        return mfg.equilibrium(game, grid, method=method, steps=6)

    free, taxed = values(None), values(lambda x, t: np.full(x.shape[:-1], charge))
    paid = (taxed.values - free.values)[:, 6:18]
    np.testing.assert_allclose(paid, (charge * (horizon - free.times))[:, None] + 0 * paid, atol=1e-8)


def test_noise_acts_on_logarithms_of_any_range(rng):
    """It is log Σ_j K_ij e^{l_j}, each axis in turn, whether all fits into double precision or none; a shift is a shift."""
    grid = mfg.CartesianGrid((-2.0, -1.0), (2.0, 1.0), (14, 9))
    heat = Heat.on(grid, 0.25)
    for spread in (1.0, 250.0, 3000.0):
        logs = spread * rng.normal(size=grid.cells)
        wanted = logs
        with np.errstate(divide="ignore"):
            for axis, K in enumerate(heat.matrices):
                lines = np.moveaxis(wanted, axis, -1)
                wanted = np.moveaxis(logsumexp(lines[..., None, :] + np.log(K), axis=-1), -1, axis)
        found = heat(logs)
        seen = wanted > wanted.max() - 600  # of what one range holds; below it is lifted to it
        np.testing.assert_allclose(found[seen], wanted[seen], rtol=1e-10, atol=1e-8)
        if spread > 600:
            np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-8)
        np.testing.assert_allclose(heat(logs + 1e4), found + 1e4, rtol=1e-9, atol=1e-8)


@pytest.mark.parametrize("discount", [0.0, 0.8])
@pytest.mark.parametrize("steps", [2, 5])
def test_costs_of_time_are_the_trapezoid_of_themselves(discount, steps, rng):
    """∫e^{−rτ}ℓ(τ)dτ and the terminal cost, by NumPy's trapezoid, for ℓ that is the same everywhere."""
    end = mfg.games.Potential(lambda x, t: 5.0 + 0 * x[..., 0])
    game = mfg.MeanFieldGame(
        START, end, 1.7, viscosity=0.3, discount=discount, running=lambda x, t: np.full(x.shape[:-1], np.exp(t))
    )
    charges = SpaceTime.of(game, PLANE, steps).charges
    r, times = rng.uniform(size=PLANE.cells), np.linspace(0, 1.7, steps + 1)
    r /= float(PLANE.integrate(r))
    for first in range(steps + 1):  # each node has its own weight: masses that differ by node tell them apart
        masses = np.ones(steps + 1)
        masses[first] = 3.0
        paid = sum(mass * float(PLANE.integrate(charges.linear[k] * r)) for k, mass in enumerate(masses))
        wanted = np.trapezoid(masses * np.exp((1 - discount) * times), times)
        last = paid - wanted
        assert last == pytest.approx(0.0, abs=1e-10) or last == pytest.approx(
            masses[-1] * 5.0 * np.exp(-discount * 1.7)
        )


@pytest.mark.parametrize("t", [0.0, 1e-5, 0.6, 1.2, 1.2 - 1e-5])
def test_a_drift_is_a_cost_of_position_with_the_rate_of_its_potential(t):
    """ℓ + |∇V|²/2g² − ∂_τ(V/g²) − κΔV/g² for V = cos ωτ·(½x₁² + sin x₂), by hand, inside and beside both ends."""
    omega = 3.0

    def V(x, time):
        return np.cos(omega * time) * (0.5 * x[..., 0] ** 2 + np.sin(x[..., 1]))

    game = mfg.MeanFieldGame(
        START, mfg.games.Potential(lambda x, t: 0 * x[..., 0]), 1.2, viscosity=0.3, drift_potential=V
    )
    x, y = np.moveaxis(PLANE.points, -1, 0)
    wave, g2, kappa = np.cos(omega * t), float(game.control_gain(t)) ** 2, float(game.kappa(t))
    square = wave**2 * (x**2 + np.cos(y) ** 2)
    rate, bend = -omega * np.sin(omega * t) * (0.5 * x**2 + np.sin(y)), wave * (1 - np.sin(y))
    wanted = 0.5 * square / g2 - rate / g2 - kappa * bend / g2
    np.testing.assert_allclose(driftless.running_cost(game, PLANE, t), wanted, rtol=1e-6, atol=1e-6)


COSTS = [mfg.games.RelativeEntropy(mfg.gaussian(0.2, 0.5), 0.7), mfg.games.Power(0.2), mfg.games.Power(3.0, 3.0)]


@pytest.mark.parametrize("cost", COSTS, ids=lambda cost: type(cost).__name__)
def test_conjugates_of_costs_of_the_density_are_their_maxima(cost, rng):
    """At u = ℓ + F′(r) + λ the largest ∫uρ − F(ρ) over densities is that of r, whatever the shift λ (Fenchel's equality).

    One by one, and all nodes at once by golden sections, are bounds from above, a millionth away at most.
    """
    grid, count = mfg.CartesianGrid.cube(2.0, 10, 1), 3
    game = mfg.MeanFieldGame(
        START_ON_A_LINE, mfg.games.Potential(lambda x, t: x[..., 0]), 2.0, viscosity=0.3, interaction=cost
    )
    charges = SpaceTime.of(game, grid, count + 1).charges
    r = rng.uniform(0.2, 1.8, (count, *grid.cells))
    r /= grid.volume * r.sum(axis=1, keepdims=True)
    for shift in (0.0, 0.4, -0.4):
        u, wanted = np.empty_like(r), []
        for k in range(count):
            ((f, w, c),) = charges.pieces[k + 1]
            slope = w * f.first_variation(r[k], c)
            slope += shift * np.sqrt(np.sum((slope - np.sum(slope * r[k]) / r[k].sum()) ** 2 * r[k]) / r[k].sum())
            u[k] = charges.linear[k + 1] + slope
            wanted.append(float(grid.integrate(slope * r[k])) - w * float(grid.integrate(f.value(r[k], c))))
            near = 1e-6 * np.ptp(slope)
            assert -1e-12 <= charges.node_conjugate(k + 1, u[k], r[k]) - wanted[k] <= near
        assert -1e-12 <= charges._conjugates(u, r) - sum(wanted) <= count * near


@pytest.mark.parametrize("discount", [0.0, 1.2])
def test_a_discounted_cost_is_the_mean_of_the_value(discount):
    """Where all costs are linear in the law, what is paid is E U(X₀, 0), each part discounted."""
    well = mfg.games.Potential(lambda x, t: 0.4 * (x**2).sum(axis=-1))
    game = mfg.MeanFieldGame(
        mfg.gaussian(0.7, 0.2), well, 1.0, viscosity=0.15, discount=discount, interaction=well,
        running=lambda x, t: 0.5 * (x**2).sum(axis=-1),
    )  # fmt: skip
    grid = mfg.CartesianGrid.cube(4.0, 160, 1)
    found = mfg.equilibrium(game, grid, method="newton", steps=64)
    value = float(grid.integrate(found.values[0] * found.densities[0]))
    assert found.discrete_primal == pytest.approx(value, rel=1e-3)  # of second order in 1/64
