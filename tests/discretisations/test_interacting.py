"""Drifts that depend on the law: closed moments, Kuramoto's and Desai–Zwanzig's transitions, aggregation."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import i0, i1

import mfgpde as mfg
from mfgpde.equations import McKeanVlasov
from mfgpde.processes import Diffusion


def pulled(rate, coupling, D):
    return McKeanVlasov(Diffusion(lambda x, t: -rate * x, lambda x, t: D), lambda z: -coupling * z)


def test_a_linear_pull_to_all_others_keeps_laws_gaussian_at_order_two():
    """Mean m e^{−at}, variance relaxing at 2(a + b) to D/(a + b)."""
    a, b, D, t = 0.3, 1.2, 0.4, 0.6
    settled = D / (a + b)
    variance = settled + (0.5 - settled) * np.exp(-2 * (a + b) * t)
    truth, errors = mfg.gaussian(1.0 * np.exp(-a * t), variance), []
    for cells in (60, 120, 240):
        space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, cells, 1))
        run = mfg.solve(pulled(a, b, D), space, mfg.gaussian(1.0, 0.5), (0.0, t), rtol=1e-7)
        assert abs(run.conserved["mass"][-1] - run.conserved["mass"][0]) < 1e-12
        assert run.conserved["minimum"][-1] >= 0
        law = run.fields[-1].values
        errors.append(float(space.grid.integrate(np.abs(law - mfg.densities.cell_means(truth.density, space.grid)))))
    assert np.all(np.abs(np.log2(np.array(errors[:-1]) / errors[1:]) - 2) < 0.2), errors


def test_without_coupling_the_mean_moves_alike_and_the_variance_does_not():
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 120, 1))
    runs = [mfg.solve(pulled(0.3, b, 0.4), space, mfg.gaussian(1.0, 0.5), (0.0, 0.6)).fields[-1] for b in (0.0, 1.2)]
    means = [law.expectation(lambda x: x[..., 0]) for law in runs]
    assert means[0] == pytest.approx(means[1], abs=2e-3)
    squares = [law.expectation(lambda x: x[..., 0] ** 2) for law in runs]
    assert squares[0] > squares[1] + 0.2


@pytest.mark.parametrize(("coupling", "ordered"), [(0.8, False), (1.6, True)])
def test_kuramoto_orders_above_twice_the_noise(coupling, ordered):
    """dθ = −κ∫sin(θ − θ′)p + √(2D)dW, D = ½: r = I₁(κr/D)/I₀(κr/D), zero for κ < 2D = 1."""
    D, grid = 0.5, mfg.CartesianGrid((0.0,), (2 * np.pi,), (64,), (True,))
    equation = McKeanVlasov(Diffusion(lambda x, t: 0 * x, lambda x, t: D), lambda z: -coupling * np.sin(z))

    def start(x):
        return (1 + 0.5 * np.cos(x[..., 0])) / (2 * np.pi)

    law = mfg.solve(equation, mfg.FiniteVolume(grid), start, (0.0, 80.0), rtol=1e-5).fields[-1]
    r = abs(law.expectation(lambda x: np.cos(x[..., 0])) + 1j * law.expectation(lambda x: np.sin(x[..., 0])))
    truth = brentq(lambda r: i1(coupling * r / D) / i0(coupling * r / D) - r, 0.05, 1.0) if ordered else 0.0
    assert r == pytest.approx(truth, abs=2e-3)


def desai_zwanzig(coupling, D):
    """Return m > 0 with m = ∫x e^{−(V + ½θx² − θmx)/D}/∫…, V = x⁴/4 − x²/2, or zero."""

    def miss(m):
        def weight(x):
            return np.exp(-(x**4 / 4 - x**2 / 2 + coupling * (x**2 / 2 - m * x)) / D)

        return quad(lambda x: x * weight(x), -6, 6)[0] / quad(weight, -6, 6)[0] - m

    return brentq(miss, 1e-3, 3.0) if miss(1e-3) > 0 else 0.0


@pytest.mark.slow
@pytest.mark.parametrize("D", [0.25, 0.4, 0.9])
def test_desai_and_zwanzigs_crowd_loses_its_order_with_noise(D):
    """Coupling ½: the transition lies at D ≈ 0.264; started from one side, a mean remains below it."""
    truth = desai_zwanzig(0.5, D)
    assert (truth > 0) == (D < 0.3)
    equation = McKeanVlasov(Diffusion(lambda x, t: x - x**3, lambda x, t: D), lambda z: -0.5 * z)
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(4.0, 160, 1))
    law = mfg.solve(equation, space, mfg.gaussian(0.8, 0.2), (0.0, 80.0), rtol=1e-4).fields[-1]
    assert law.expectation(lambda x: x[..., 0]) == pytest.approx(truth, abs=0.01)


def test_aggregation_in_the_plane_has_its_variance():
    equation = McKeanVlasov(Diffusion(lambda x, t: 0 * x, lambda x, t: 0.3), lambda z: -2.0 * z)
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(4.0, 64, 2))
    law = mfg.solve(equation, space, mfg.gaussian(np.array([0.4, -0.3]), 0.4 * np.eye(2)), (0.0, 0.3)).fields[-1]
    variance = 0.15 + 0.25 * np.exp(-1.2)
    x = space.grid.points - np.array([0.4, -0.3])
    covariance = space.grid.integrate(law.values[..., None, None] * x[..., :, None] * x[..., None, :])
    assert covariance == pytest.approx(variance * np.eye(2), abs=4e-3)


def test_slips_are_told():
    walk = Diffusion(lambda x, t: 0 * x, lambda x, t: 0.5)
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 16, 1), walls="absorbing")
    with pytest.raises(TypeError, match="closed boxes"):
        space.semidiscretise(McKeanVlasov(walk, lambda z: -z))
    with pytest.raises(TypeError, match="function of differences"):
        McKeanVlasov(walk, 1.0)
    with pytest.raises(TypeError, match="takes a Diffusion"):
        McKeanVlasov(mfg.Brownian(), lambda z: -z)
    system = mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 16, 1)).semidiscretise(
        McKeanVlasov(walk, lambda z: np.where(z > 1, np.nan, z))
    )
    with pytest.raises(ValueError, match="not finite at the difference"):
        system.rate(np.ones(16), 0.0)


A, B, NOISE, END = 0.3, 1.2, 0.4, 0.6


def gaussian_at_the_end():
    settled = NOISE / (A + B)
    return mfg.gaussian(np.exp(-A * END), settled + (0.5 - settled) * np.exp(-2 * (A + B) * END))


@pytest.mark.slow
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_elements_keep_the_gaussian_at_their_order(degree):
    errors, truth = [], gaussian_at_the_end()
    for cells in (40, 80):
        space = mfg.FiniteElement(mfg.meshes.interval(-6.0, 6.0, cells), degree)
        run = mfg.solve(pulled(A, B, NOISE), space, mfg.gaussian(1.0, 0.5), (0.0, END), rtol=1e-8)
        assert abs(run.conserved["mass"][-1] - run.conserved["mass"][0]) < 1e-11
        errors.append(float(space.grid.integrate(np.abs(run.fields[-1].values - truth.density(space.grid.points)))))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(degree + 1, abs=0.2), errors


def test_spectra_know_both_to_ten_digits():
    space = mfg.Spectral(mfg.CartesianGrid.cube(6.0, 48, 1))
    run = mfg.solve(pulled(A, B, NOISE), space, mfg.gaussian(1.0, 0.5), (0.0, END), rtol=1e-10)
    assert np.abs(run.fields[-1].values - gaussian_at_the_end().density(space.grid.points)).max() < 1e-9
    assert abs(run.conserved["mass"][-1] - 1) < 1e-12
    grid = mfg.CartesianGrid((0.0,), (2 * np.pi,), (32,), (True,))
    equation = McKeanVlasov(Diffusion(lambda x, t: 0 * x, lambda x, t: 0.5), lambda z: -1.6 * np.sin(z))
    law = mfg.solve(
        equation, mfg.Spectral(grid), lambda x: (1 + 0.5 * np.cos(x[..., 0])) / (2 * np.pi), (0.0, 60.0), rtol=1e-8
    ).fields[-1]
    r = abs(grid.integrate(law.values * np.exp(1j * grid.points[..., 0])))
    assert r == pytest.approx(brentq(lambda r: i1(3.2 * r) / i0(3.2 * r) - r, 0.05, 1.0), abs=1e-8)


@pytest.mark.slow  # the same on the line in a second
def test_an_attracted_crowd_in_the_plane_is_one_by_three_methods():
    """Volumes, elements and waves agree on a drift that turns, and a pull that saturates; no closed form."""
    diffusion = Diffusion(lambda x, t: np.stack((-x[..., 1], x[..., 0]), axis=-1) - 0.5 * x, lambda x, t: 0.4)
    equation = McKeanVlasov(diffusion, lambda z: -z * np.exp(-0.5 * np.sum(z * z, axis=-1, keepdims=True)))
    start = mfg.GaussianMixture([0.5, 0.5], [[-0.8, 0.0], [0.9, 0.3]], np.stack([0.4 * np.eye(2)] * 2))
    wave = mfg.solve(equation, mfg.Spectral(mfg.CartesianGrid.cube(5.0, 40, 2)), start, (0.0, 0.4), rtol=1e-7).fields[
        -1
    ]
    x = np.random.default_rng(0).normal(size=(30, 2)) * 0.8
    spaces = [
        mfg.FiniteVolume(mfg.CartesianGrid.cube(5.0, 80, 2)),
        mfg.FiniteElement(mfg.meshes.box([-4, -4], [4, 4], 12), 2),
    ]
    for space, off in zip(spaces, (1e-3, 6e-3), strict=True):
        law = mfg.solve(equation, space, start, (0.0, 0.4), rtol=1e-5, largest_wall_mass=1e-3).fields[-1]
        assert np.abs(law(x) - wave(x)).max() < off


def test_it_is_a_games_limit():
    """Who pays ½v² + ½c E|x − y|² walks at v = −√c (x − m): the game's law is McKean's with K = −√c z, at order two."""
    c, kappa, errors = 1.44, 0.4, []
    pull = np.sqrt(c)
    alike = McKeanVlasov(Diffusion(lambda x, t: 0 * x, lambda x, t: kappa), lambda z: -pull * z)
    for cells in (64, 128):
        grid, start = mfg.CartesianGrid.cube(5.0, cells, 1), mfg.gaussian(0.5, 0.6)
        game = mfg.MeanFieldGame(
            start,
            mfg.games.Nonlocal(lambda z: 0.5 * pull * np.sum(z * z, axis=-1)),
            1.0,
            kappa,
            interaction=mfg.games.Nonlocal(lambda z: 0.5 * c * np.sum(z * z, axis=-1)),
        )
        with pytest.warns(UserWarning, match="not monotone"):  # shifts of all together cost nothing
            found = mfg.equilibrium(game, grid, steps=cells // 5, method="newton")
        law = mfg.solve(alike, mfg.FiniteVolume(grid), start, (0.0, 1.0), rtol=1e-7).fields[-1]
        inside = found.densities[0] > 0.01
        assert np.abs(found.control(0)[..., 0] + pull * (grid.axes[0] - 0.5))[inside].max() < 5e-3
        errors.append(float(grid.integrate(np.abs(found.densities[-1] - law.values))))
    assert errors[1] < 2e-3
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.3), errors


def test_what_interacting_elements_cannot_is_said():
    equation, wide = pulled(A, B, NOISE), mfg.meshes.interval(-6.0, 6.0, 4000)
    with pytest.raises(ValueError, match="quadrature points interacts"):
        mfg.FiniteElement(wide).semidiscretise(equation)
    small = mfg.meshes.interval(-6.0, 6.0, 20)
    with pytest.raises(TypeError, match="closed domains"):
        mfg.FiniteElement(small, walls="absorbing").semidiscretise(equation)
    with pytest.raises(TypeError, match="are Galerkin's"):
        mfg.FiniteElement(small, scheme="fitted").semidiscretise(equation)
    hard = pulled(A, 1e5, NOISE)
    system = mfg.FiniteElement(small).semidiscretise(hard)
    u = system.start(mfg.gaussian(1.0, 0.5).density)
    with pytest.raises(RuntimeError, match="give a shorter max_step"):
        system.solve(u, 0.0, 1.0)


def test_the_summary_says_how_steep_the_force_is_where_the_mass_is():
    """|f + K∗p|h/D by hand: (a|x| + b|x − m|)h/D where both pull the same way; deep is said."""
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 60, 1))
    run = mfg.solve(pulled(A, B, NOISE), space, mfg.gaussian(0.0, 0.5), (0.0, 0.1))
    law = run.fields[-1]
    by_hand = (A + B) * law.expectation(lambda x: np.abs(x[..., 0])) * 0.2 / NOISE
    assert run.peclet == pytest.approx(by_hand, rel=2e-2)
    assert "order one" not in repr(run)
    steep = mfg.solve(pulled(A, 40 * B, NOISE), space, mfg.gaussian(0.0, 0.5), (0.0, 1e-4))
    assert "of order one until cells are as much finer" in repr(steep)
