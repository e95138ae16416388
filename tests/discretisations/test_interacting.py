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
