"""Errors that a solve estimates of itself: of laws that cells resolve, and of those that they do not yet."""

from typing import Any

import numpy as np
import pytest

import mfgpde as mfg

OU = mfg.OrnsteinUhlenbeck()


def true_error(found, law, t):
    grid = found.solution.discretisation.grid
    right = mfg.densities.cell_means(law.after(OU.transition(0.0, t)), grid)
    return float(grid.integrate(np.abs(found.solution.at(t).values - right)))


@pytest.mark.parametrize(
    ("cells", "order"),
    [  # each grid in one order in turn; the others are slow
        pytest.param(cells, order, marks=[pytest.mark.slow] * ((i + k) % 2))
        for i, cells in enumerate((32, 33, 64))
        for k, order in enumerate((2, 4))
    ],
)
def test_bars_hold_the_error_of_a_box_before_and_after_cells_resolve_it(order, cells):
    """After a thousandth of the relaxation time changes from grid to grid grow: half the estimate held no error."""
    law = mfg.densities.UniformBoxes(np.ones(1), np.array([[-0.31]]), np.array([[0.27]]))
    space, times = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, cells, 1), order=order), (0.0, 1e-3, 0.01, 0.2, 1.0)
    found = mfg.solve_with_error(mfg.FokkerPlanck.of(OU), space, law, times)
    for t in times[1:]:
        assert true_error(found, law, t) in found.l1(t)
    assert "not resolved" in found.l1(1e-3).method
    assert found.l1(1.0).half_width < found.l1(1.0).value


def in_a_box(half, order: Any = 2, start: Any = None, drift=None, dimension=1):
    law = start or mfg.gaussian(0.3 * np.ones(dimension), 0.6)
    equation = mfg.FokkerPlanck(drift or (lambda x, t: -x), lambda t: 0.5, time_dependent=False)
    grid = mfg.CartesianGrid((-half,) * dimension, (half,) + (6.0,) * (dimension - 1), (48,) * dimension)
    space = mfg.FiniteVolume(grid, order=order)
    times = (0.0, 0.3, 1.0)
    return law, mfg.solve_with_error(equation, space, law, times, largest_wall_mass=1.0, mass=None)


@pytest.mark.parametrize("half", [0.8, 1.5, 2.2, 3.0, 4.5])
@pytest.mark.parametrize(("order", "dimension"), [(2, 1), (4, 1), (2, 2)])
def test_bars_hold_the_error_on_the_whole_space_of_laws_that_stand_at_far_walls(half, order, dimension):
    """What is outside of the box counts: finer grids of the same box saw 5e-5 of 0.13."""
    law, found = in_a_box(half, order, dimension=dimension)
    grid = found.solution.discretisation.grid
    for t in (0.3, 1.0):
        end = law.after(OU.transition(0.0, t))
        outside = 1 - float(grid.integrate(mfg.densities.cell_means(end, grid)))
        assert true_error(found, law, t) + outside in found.l1(t)
        assert found.l1(t).half_width < found.l1(t).value


def test_nothing_is_owed_to_walls_at_which_nothing_stands():
    _, found = in_a_box(6.0)
    assert found.walls == (0.0, 0.0, 0.0)
    assert "walls" not in found.l1(1.0).method


def beyond_nothing(x, t):
    if np.abs(x).max() > 2.3:
        raise KeyError("no value there")
    return -x


@pytest.mark.parametrize("name", ["a drift that raises", "a start that is a field", "a start of more mass outside"])
def test_bars_are_infinite_where_nothing_is_known_beyond_walls_at_which_mass_stands(name):
    if name == "a drift that raises":
        _, found = in_a_box(2.2, drift=beyond_nothing)
    elif name == "a start that is a field":
        _, found = in_a_box(2.2, start=in_a_box(2.2)[1].solution.fields[-1])
    else:
        _, found = in_a_box(2.2, start=lambda x: (1 + 0.5 * np.cos(np.pi * x[..., 0] / 2.2)) / 4.4)
    assert found.l1(1.0).half_width == np.inf
    assert "mass stands at far walls" in found.l1(1.0).method


def test_an_odd_number_of_cells_between_walls_counts_as_of_order_one():
    """Nothing coarser is made of pairs of its cells."""
    law, odd = mfg.gaussian(0.2, 0.3), mfg.CartesianGrid((-6.0,), (6.0,), (65,))
    found = mfg.solve_with_error(mfg.FokkerPlanck.of(OU), mfg.FiniteVolume(odd, walls="reflecting"), law, (0.0, 0.5))
    assert found.fall[-1] == 2.0
    assert true_error(found, law, 0.5) in found.l1(0.5)


@pytest.mark.parametrize(
    "options", [{"rtol": -1.0}, {"rtol": np.nan}, {"rtol": 10.0}, {"max_step": 0.0}, {"max_steps": 0}]
)
def test_steps_that_no_march_can_keep_to_are_refused(options):
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 32, 1))
    with pytest.raises(ValueError, match="must"):
        mfg.solve(mfg.FokkerPlanck.of(OU), space, mfg.gaussian(0.0, 0.5), (0.0, 1.0), **options)


@pytest.mark.slow
@pytest.mark.parametrize("rtol", [3e-2, 1e-2, pytest.param(1e-3, marks=pytest.mark.slow)])
def test_bars_hold_the_error_of_steps_beside_a_wall_whose_value_swings(rtol):
    """A value 2 + cos ωt at x = 0, nothing through x = 2: u = 2 + Re e^{iωt} cosh k(2 − x)/cosh 2k, k² = iω/D.

    A step sees a wall's value at its middle, so that beside it errors are of first order in the step.
    """
    D, w, L = 0.3, 6.0, 2.0
    k, grid = np.sqrt(1j * w / D), mfg.CartesianGrid((0.0,), (L,), (64,))
    swing = mfg.discretisations.Held(lambda x, t: np.full(x.shape[:-1], 2 + np.cos(w * t)))
    still = mfg.processes.Diffusion(lambda x, t: 0 * x, lambda x, t: D + 0 * x[..., 0])
    space, equation = mfg.FiniteVolume(grid, walls=((swing, "reflecting"),)), mfg.equations.ForwardKolmogorov(still)
    start = lambda x: 2 + np.real(np.cosh(k * (L - x[..., 0])) / np.cosh(k * L))  # noqa: E731
    found = mfg.solve_with_error(equation, space, start, (0.0, 1.0), rtol=rtol, mass=None)
    edges = np.linspace(0.0, L, 65)
    means = 2 + np.real(np.exp(1j * w) * np.diff(-np.sinh(k * (L - edges)) / (k * np.cosh(k * L)))) / grid.spacing[0]
    off = float(np.abs(found.solution.fields[-1].values - means).sum()) * grid.spacing[0]
    assert off in found.l1(1.0)
    assert off < 0.1 * rtol + 7e-4  # of cells 6e-4


@pytest.mark.parametrize("seed", range(6))
def test_bars_hold_the_error_of_loose_steps(seed):
    """Of a law on the line by volumes at tolerances up to 2e-2, where steps owe as much as cells, and more."""
    rng = np.random.default_rng(seed)
    for _ in range(4):
        process = [OU, mfg.VariancePreserving(0.2, 8.0), mfg.VarianceExploding(0.05, 0.7),
                   mfg.SubVariancePreserving(0.2, 8.0)][int(rng.integers(4))]  # fmt: skip
        law = mfg.GaussianMixture(np.ones(2) / 2, rng.normal(size=(2, 1)), float(rng.uniform(0.1, 0.5)))
        grid = mfg.CartesianGrid.cube(8.0, int(rng.choice([64, 128, 256])), 1)
        t, rtol = float(rng.uniform(0.2, 1.0)), float(10 ** rng.uniform(-5, -1.7))
        loose = {"rtol": rtol, "largest_wall_mass": np.inf}
        found = mfg.solve_with_error(mfg.FokkerPlanck.of(process), mfg.FiniteVolume(grid), law, (0.0, t), **loose)
        right = mfg.densities.cell_means(mfg.marginal(process, law, t), grid)
        assert float(grid.integrate(np.abs(found.solution.at(t).values - right))) in found.l1(t)
