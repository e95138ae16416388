"""Games on circles and tori by all methods: Cole–Hopf's closed form, shortest ways, turns, seams."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.games import MeanFieldGame, Nonlocal, Potential, Power, benamou_brenier, schroedinger_bridge

KAPPA, SIZE, T = 0.3, 0.6, 1.0


def circle(n, d=1, start=0.0):
    return mfg.CartesianGrid((start,) * d, (start + 2 * np.pi,) * d, (n,) * d, (True,) * d)


def cole_hopf(d):
    """U_T = −2κ log ∏(1 + a cos x_i): U(x, τ) = −2κ Σ log(1 + a e^{−κ(T − τ)} cos x_i)."""

    def goal(x, t):
        left = SIZE * np.exp(-KAPPA * (T - t))
        return -2 * KAPPA * np.log(1 + left * np.cos(x)).sum(axis=-1)

    law = mfg.gaussian(np.full(d, 0.4), 0.5 * np.eye(d))  # a good part of it lies beyond the seam
    return MeanFieldGame(law, Potential(goal), T, KAPPA), goal


@pytest.mark.parametrize(("method", "cells"), [("entropic", 48), ("primal-dual", 48), ("newton", 48)])
def test_the_value_on_a_circle_is_that_of_cole_and_hopf(method, cells):
    game, goal = cole_hopf(1)
    errors = []
    for n in (cells // 2, cells):
        options = (
            {"steps": n, "tolerance": 1e-7}
            if method == "primal-dual"
            else {"steps": n // 4 if method == "entropic" else n}
        )
        found = mfg.equilibrium(game, circle(n), method=method, **options)
        assert found.converged
        assert found.mass == pytest.approx(1.0, abs=1e-9)
        truth = float(found.grid.integrate(found.densities[0] * goal(found.grid.points, 0.0)))
        errors.append(abs(found.discrete_primal - truth))
        gap = (found.values[0] - goal(found.grid.points, 0.0))[
            found.densities[0] > 0.01
        ]  # of primal-dual, where mass is
        assert np.ptp(gap) < (2e-2 if n < cells else 5e-3)
    assert errors[1] < 2e-4
    assert errors[1] < 0.4 * errors[0] or errors[0] < 1e-7, errors


@pytest.mark.slow
def test_a_torus_by_three_methods():
    game, goal = cole_hopf(2)
    costs = {}
    for method, options in (
        ("entropic", {"steps": 4}),
        ("newton", {"steps": 12}),
        ("primal-dual", {"steps": 16, "tolerance": 1e-4}),
    ):
        found = mfg.equilibrium(game, circle(24, 2), method=method, **options)
        truth = float(found.grid.integrate(found.densities[0] * goal(found.grid.points, 0.0)))
        costs[method] = found.discrete_primal - truth
    assert max(map(abs, costs.values())) < 3e-3, costs


@pytest.mark.parametrize("cells", [5, 20, 25])
def test_transport_goes_the_shorter_way_round(cells):
    """A narrow law turned by a part of the circle: W₂ is the shorter of both ways, as by quantiles."""
    grid = circle(64)
    h = grid.spacing[0]
    source = mfg.gaussian(0.3, 0.01)
    target = mfg.gaussian(0.3 - cells * h, 0.01)
    found = mfg.equilibrium(benamou_brenier(source, target), grid, steps=16, tolerance=2e-3)
    p, q = found.densities[0], found.densities[-1]
    distance = mfg.wasserstein(p, q, grid, order=2)
    assert distance == pytest.approx(cells * h, rel=2e-5)  # tails beyond the other side
    assert np.sqrt(2 * found.discrete_primal) == pytest.approx(distance, rel=2e-2)


def test_transport_on_a_torus_crosses_the_corner():
    source, target = mfg.gaussian([0.4, 0.4], 0.15 * np.eye(2)), mfg.gaussian([-0.4, -0.4], 0.15 * np.eye(2))
    found = mfg.equilibrium(benamou_brenier(source, target), circle(24, 2), steps=12, tolerance=5e-3)
    assert np.sqrt(2 * found.discrete_primal) == pytest.approx(0.8 * np.sqrt(2), rel=3e-2)


@pytest.mark.parametrize("method", ["entropic", pytest.param("newton", marks=pytest.mark.slow)])
def test_a_turn_of_everything_turns_the_equilibrium(method):
    grid, turn = circle(48), 17
    shift = turn * grid.spacing[0]
    laws = []
    for s in (0.0, shift):
        game = MeanFieldGame(
            mfg.gaussian(0.5 + s, 0.4),
            Potential(lambda x, t, s=s: np.cos(x[..., 0] - s)),
            T,
            KAPPA,
            interaction=Power(0.4),
            running=lambda x, t, s=s: 0.2 * np.sin(2 * (x[..., 0] - s)),
        )
        laws.append(mfg.equilibrium(game, grid, method=method, steps=10, tolerance=1e-9))
    assert laws[1].densities == pytest.approx(np.roll(laws[0].densities, turn, axis=1), abs=2e-7)
    assert laws[1].discrete_primal == pytest.approx(laws[0].discrete_primal, abs=1e-7)


def test_a_bridge_on_a_circle_meets_both_ends():
    game = schroedinger_bridge(mfg.gaussian(0.2, 0.3), mfg.gaussian(-0.9, 0.2), KAPPA)
    found = mfg.equilibrium(game, circle(64))
    assert found.converged
    assert found.residuals["terminal law, L1"] < 1e-6
    far = mfg.equilibrium(game, mfg.CartesianGrid((-5.0,), (5.0,), (100,)))
    assert found.discrete_primal < far.discrete_primal  # there are more ways round a circle


def test_particles_that_see_each_other_by_a_periodic_kernel():
    """Kuramoto's kernel: uniform laws without noise in the costs stay uniform; one that does not repeat is refused."""

    class Flat:
        def log_density(self, x):
            return np.full(x.shape[:-1], -np.log(2 * np.pi))

        def score(self, x):
            return 0 * x

        def sample(self, n, rng):
            return rng.uniform(0, 2 * np.pi, (n, 1))

        def box(self, mass):
            return np.zeros(1), np.full(1, 2 * np.pi)

    kernel = Nonlocal(lambda z: np.cos(z[..., 0]))
    game = MeanFieldGame(Flat(), Potential(lambda x, t: 0 * x[..., 0]), T, KAPPA, interaction=kernel)
    found = mfg.equilibrium(game, circle(32), method="newton", steps=16)
    assert found.densities == pytest.approx(np.full((17, 32), 0.5 / np.pi), abs=1e-9)
    wrong = MeanFieldGame(Flat(), game.terminal, T, KAPPA, interaction=Nonlocal(lambda z: np.exp(-(z[..., 0] ** 2))))
    with pytest.raises(ValueError, match="does not repeat itself along the periodic axis 0"):
        mfg.equilibrium(wrong, circle(32), method="newton", steps=16)


def test_drifts_that_jump_at_the_seam_are_refused():
    game = MeanFieldGame(mfg.gaussian(1.0, 0.2), Potential(lambda x, t: 0 * x[..., 0]), T, KAPPA, drift=lambda x, t: -x)
    with pytest.raises(ValueError, match=r"drift jumps by 6\.3 across the seam"):
        mfg.equilibrium(game, circle(32), method="newton")


def test_paths_go_round_and_controls_know_the_seam(rng):
    found = mfg.equilibrium(
        benamou_brenier(mfg.gaussian(0.4, 0.05), mfg.gaussian(-0.4, 0.05)), circle(64), steps=16, tolerance=2e-3
    )
    ends = found.trajectories(0.4 + 0.1 * rng.standard_normal((50, 1)))[-1]
    mean = np.angle(np.exp(1j * ends[:, 0]).mean())
    assert mean == pytest.approx(-0.4, abs=0.08)
    assert np.all((ends >= 0) & (ends <= 2 * np.pi))


def test_wrapped_laws_are_densities_on_the_circle(rng):
    from mfgpde.equilibria.circles import WrappedLaw

    law = WrappedLaw(mfg.gaussian(0.4, 0.5), circle(64))
    grid = law.grid
    p = np.exp(law.log_density(grid.points))
    assert float(grid.integrate(p)) == pytest.approx(1.0, abs=1e-12)
    x = rng.uniform(0, 2 * np.pi, (5, 1))
    step = 1e-5
    slope = (law.log_density(x + step) - law.log_density(x - step)) / (2 * step)
    assert law.score(x)[:, 0] == pytest.approx(slope, abs=1e-7)
    assert np.all((law.sample(100, rng) >= 0) & (law.sample(100, rng) <= 2 * np.pi))
