"""Stationary laws and currents: Gibbs behind any barrier, Stratonovich's washboard, units, refusals."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.equations import ForwardKolmogorov
from mfgpde.processes import Diffusion
from mfgpde.solvers import probability_current, stationary


def washboard(force, height, D):
    return mfg.FokkerPlanck(lambda x, t: force + height * np.cos(x), lambda t: D, time_dependent=False)


def stratonovich(force, height, D):
    """Return the current of dx = (F + A cos x)dt + √(2D)dW on a circle: D(1 − e^{−2πF/D})/∫∫e^{U(x+y) − U(x)}dy dx."""
    nodes, weights = np.polynomial.legendre.leggauss(16)
    edges = np.linspace(0, 2 * np.pi, 101)
    points = (0.5 * (edges[1:] + edges[:-1])[:, None] + np.pi / 100 * nodes).ravel()
    weights = np.tile(np.pi / 100 * weights, 100)

    def U(x):
        return (-force * x - height * np.sin(x)) / D

    total = weights @ np.exp(U(points[:, None] + points) - U(points)[:, None]) @ weights
    return float(D * -np.expm1(-2 * np.pi * force / D) / total)


@pytest.mark.parametrize(("force", "height", "D"), [(0.5, 1.0, 0.5), (0.2, 1.0, 0.05), (1.2, 1.0, 0.1)])
def test_the_tilted_washboard_has_stratonovichs_current(force, height, D):
    truth, errors = stratonovich(force, height, D), []
    for cells in (64, 128, 256):
        grid = mfg.CartesianGrid((0.0,), (2 * np.pi,), (cells,), (True,))
        equation = washboard(force, height, D)
        J = probability_current(equation, stationary(equation, mfg.FiniteVolume(grid)))
        assert np.ptp(J.values) <= 1e-9 * np.abs(J.values).max()
        errors.append(abs(float(J.values[0, 0]) / truth - 1))
    assert errors[-1] < 1e-3
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(orders > 1.8), orders  # Simpson's mean of the force makes it up to four


def test_a_current_behind_100_kT_is_right_to_a_per_cent():
    force, height, D = 0.05, 1.0, 0.02
    truth = stratonovich(force, height, D)
    assert truth < 1e-40
    grid = mfg.CartesianGrid((0.0,), (2 * np.pi,), (512,), (True,))
    for unit in (1.0, 1e-12):
        equation = mfg.FokkerPlanck(
            lambda x, t, u=unit: u * (force + height * np.cos(x)), lambda t, u=unit: u * D, time_dependent=False
        )
        J = probability_current(equation, stationary(equation, mfg.FiniteVolume(grid)))
        assert float(J.values[0, 0]) == pytest.approx(unit * truth, rel=1e-2)


@pytest.mark.parametrize("barrier", [20.0, 100.0])
def test_wells_share_their_mass_behind_any_barrier(barrier):
    """Tilted double well without its potential: shares by quadrature of e^{−V} on the same interval."""
    grid = mfg.CartesianGrid((-2.0,), (2.0,), (1600,))
    equation = mfg.FokkerPlanck(
        lambda x, t: 1e-9 * (-4 * barrier * x * (x**2 - 1) - 1), lambda t: 1e-9, time_dependent=False
    )
    law = stationary(equation, mfg.FiniteVolume(grid, walls="reflecting"))
    x = np.linspace(-2, 2, 400001)
    weight = np.exp(-barrier * (x**2 - 1) ** 2 - x + 0.5)
    right = weight[x > 0].sum() / weight.sum()
    assert float(grid.integrate(law.values * (grid.points[..., 0] > 0))) == pytest.approx(right, rel=2e-3)
    assert law.values.min() >= 0


def test_a_rotating_law_in_two_dimensions_has_its_covariance_and_its_current():
    """DX = (−1 + ωJ)X: the law N(0, D), the current ωJx p, which is divergence-free."""
    turn = np.array([[-1.0, 2.0], [-2.0, -1.0]])
    diffusion, errors = Diffusion(lambda x, t: x @ turn.T, lambda x, t: 0.5), []
    for cells in (40, 80):
        space = mfg.FiniteVolume(mfg.CartesianGrid.cube(4.0, cells, 2))
        law = stationary(ForwardKolmogorov(diffusion), space)
        truth = mfg.gaussian(np.zeros(2), 0.5 * np.eye(2)).density(space.grid.points)
        J = probability_current(ForwardKolmogorov(diffusion), law).values
        wanted = truth[..., None] * (space.grid.points @ (turn + np.eye(2)).T)
        errors.append([np.abs(law.values - truth).max(), np.abs(J - wanted).max()])
    orders = np.log2(np.array(errors[0]) / errors[1])
    assert np.all(np.abs(orders - 2) < 0.4), orders


def test_elimination_and_a_long_march_agree():
    diffusion = Diffusion(lambda x, t: np.sin(x) + 0.3, lambda x, t: 0.3 + 0.1 * np.cos(x))
    grid = mfg.CartesianGrid((0.0,), (2 * np.pi,), (48,), (True,))
    law = stationary(ForwardKolmogorov(diffusion), mfg.FiniteVolume(grid))
    late = mfg.solve(
        ForwardKolmogorov(diffusion), mfg.FiniteVolume(grid), lambda x: 1 / (2 * np.pi) + 0 * x[..., 0], (0.0, 80.0)
    ).fields[-1]
    assert law.values == pytest.approx(late.values, rel=1e-5)


def test_what_has_no_stationary_law_or_current_is_told():
    walk, grid = Diffusion(lambda x, t: 0 * x, lambda x, t: 1.0), mfg.CartesianGrid((0.0,), (1.0,), (16,))
    closed, open_ = mfg.FiniteVolume(grid, walls="reflecting"), mfg.FiniteVolume(grid, walls="absorbing")
    with pytest.raises(ValueError, match="all mass leaves"):
        stationary(ForwardKolmogorov(walk), open_)
    with pytest.raises(ValueError, match="mass grows"):
        stationary(ForwardKolmogorov(walk, source=lambda x, t: 1.0 + 0 * x[..., 0]), closed)
    with pytest.raises(ValueError, match="closed interval"):
        probability_current(ForwardKolmogorov(walk), stationary(ForwardKolmogorov(walk), closed))
    split = Diffusion(lambda x, t: 0 * x, lambda x, t: np.where(np.abs(x - 0.5) < 0.2, 0.0, 1.0))
    with pytest.raises(ValueError, match="several laws"):
        stationary(ForwardKolmogorov(split), closed)
    with pytest.raises(TypeError, match="FokkerPlanck or ForwardKolmogorov"):
        stationary(mfg.Continuity(lambda x, t: x), closed)
    with pytest.raises(ValueError, match="do not depend on time"):
        stationary(mfg.FokkerPlanck.of(mfg.VariancePreserving()), closed)
    fed = stationary(ForwardKolmogorov(walk, source=lambda x, t: 2.0 + 0 * x[..., 0]), open_)
    x = grid.points[..., 0]
    assert fed.values == pytest.approx(x * (1 - x), abs=2e-3)


@pytest.mark.parametrize("length", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("force", [0.2, 1.2])
def test_currents_know_no_unit_and_what_does_not_stay_has_none_that_is_constant(force, length):
    """A washboard's law in other units: one current, behind a barrier too; a law off by 1e-6 has one that varies."""
    height, D = 1.0, 0.05
    grid = mfg.CartesianGrid((0.0,), (2 * np.pi * length,), (128,), (True,))
    tilted = mfg.FokkerPlanck(
        lambda x, t: length * (force + height * np.cos(x / length)), lambda t: length**2 * D, time_dependent=False
    )
    law = stationary(tilted, mfg.FiniteVolume(grid))
    J = probability_current(tilted, law).values
    assert np.all(J[0] == J)
    assert J[0, 0] == pytest.approx(stratonovich(force, height, D), rel=1e-2)
    wave = 1 + 1e-6 * np.cos(3 * grid.points[..., 0] / length)
    found = probability_current(tilted, mfg.Field(law.discretisation, law.values * wave, means=True)).values
    slope = 3e-6 * length * D * law.values * np.sin(3 * grid.points[..., 0] / length)  # −D p ∂w/∂x
    off = found[..., 0] - J[0, 0] * wave - slope
    assert np.abs(off).max() < 0.06 * np.abs(slope).max()
    assert np.ptp(found) > 1e-7 * (length * D * law.values).max()
