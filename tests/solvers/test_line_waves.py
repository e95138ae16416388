"""What goes through at once on a line is what goes through one by one: waves, kernels, rates, powers of waves."""

from importlib import import_module
from math import factorial

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core.taylor import Jet
from mfgpde.discretisations.spectral.mehler import along_line
from mfgpde.solvers import bounded_residual
from mfgpde.solvers.bounded_residual import LEAST, MOST, Sizes, points_of
from mfgpde.solvers.enclosed import Boxes, _derivative, _time
from mfgpde.solvers.error_bound import _foreseen
from mfgpde.solvers.hermite import Span
from mfgpde.solvers.reconstruction import Reconstruction, _tables
from mfgpde.solvers.residual import Residual
from mfgpde.solvers.second_solve import PIECES

PROCESSES = (mfg.OrnsteinUhlenbeck(), mfg.VariancePreserving(), mfg.VarianceExploding(0.05, 2.0))
DRIFTS = {"linear": None, "curved": lambda x, t: np.sin(x) * np.exp(-(x**2) / 8) - t * x}


@pytest.mark.parametrize("fall", [False, True])
@pytest.mark.parametrize("cells", [16, 27, 60])
def test_waves_are_the_tables_of_an_expansion(cells, fall):
    rng = np.random.default_rng(cells)
    space = mfg.Spectral(mfg.CartesianGrid((-1.3,), (2.9,), (cells,)))
    at = Reconstruction.of(space, 5)
    at = Reconstruction(space, 2, fall, at.places, at.weights, at.starts)
    fields = rng.normal(size=(3, cells))
    found = at.all(fields)
    tables = _tables(space, 0, at.places[0], 2, fall)
    for one, table in zip((found[0], found[1][0], found[2]), tables, strict=True):
        expected = fields @ table.T
        assert one == pytest.approx(expected, abs=1e-12 * np.abs(table).max() * cells)  # sums of so many in two orders
    assert at.value(fields[0]) == pytest.approx(found[0][0], abs=1e-12 * cells)


@pytest.mark.parametrize("cells", [17, 40, 90])
@pytest.mark.parametrize("process", PROCESSES, ids=lambda p: type(p).__name__)
def test_kernels_at_many_times_are_those_at_each(process, cells):
    grid = mfg.CartesianGrid((-7.0,), (6.0,), (cells,))
    start = np.exp(mfg.GaussianMixture([0.4, 0.6], [[-1.0], [1.5]], 0.6).log_density(grid.points))
    times = np.array([0.1, 0.100001, 0.3, process.horizon])
    one_by_one = [mfg.discretisations.propagate(process, grid, start, 0.1, float(t)) for t in times]
    assert along_line(process, grid, start, 0.1, times) == pytest.approx(np.array(one_by_one), abs=1e-13)


@pytest.mark.parametrize("walls", ["far", "periodic"])
@pytest.mark.parametrize("dimension", [1, 2])
@pytest.mark.parametrize("drift", DRIFTS, ids=str)
def test_rates_of_many_fields_are_those_of_each(drift, dimension, walls):
    process, given, rng = mfg.VariancePreserving(), DRIFTS[drift], np.random.default_rng(dimension)
    equation = mfg.FokkerPlanck.of(process) if given is None else mfg.FokkerPlanck(given, lambda t: 0.5 + 0.2 * t)
    grid = mfg.CartesianGrid.cube(4.0, 18, dimension, periodic=walls == "periodic")
    system = mfg.Spectral(grid).semidiscretise(equation)
    fields, times = rng.normal(size=(5, *grid.cells)), np.linspace(0.0, 1.0, 5)
    found = system.rates(fields, times)
    for u, t, rate in zip(fields, times, found, strict=True):
        one = system.values(system.rate(system.start(lambda x, u=u: u), float(t)))
        assert rate == pytest.approx(one, abs=1e-12 * np.abs(one).max())


def test_points_of_a_panel_are_the_fewest_whose_sum_is_below_the_aim():
    for seed in range(40):
        rng = np.random.default_rng(seed)
        sizes = Sizes(10.0 ** -np.linspace(0, rng.uniform(2, 15), 40), [np.pi / 12 * np.arange(40.0)], 12.0)
        half, aim = float(rng.uniform(0.1, 3.0)), 10.0 ** rng.uniform(-11, -4)
        wave = sizes.waves[0] * half

        def left(n, wave=wave, sizes=sizes):
            return float(np.sum(12.0 * sizes.sizes * wave**n)) / factorial(n) / 2.0 ** (n - 1)

        few = points_of(sizes, 0, half, aim)
        assert LEAST <= few <= MOST
        assert few == MOST or left(few) < aim
        assert few == LEAST or left(few - 1) >= aim


def test_derivatives_of_a_mixture_on_a_line_are_those_of_the_general_form():
    """The same law in the plane, of a second coordinate that is alone: there it is its own density's largest value."""
    law = mfg.GaussianMixture([0.3, 0.7], [[-1.0], [0.8]], [0.2, 0.5])
    edges = np.linspace(-3.0, 3.0, 25)
    line = Boxes((edges[:-1],), (edges[1:],))
    plane = mfg.GaussianMixture([0.3, 0.7], [[-1.0, 0.0], [0.8, 0.0]], [[0.2, 1.0], [0.5, 1.0]])
    point = Boxes((edges[:-1], np.zeros(1)), (edges[1:], np.zeros(1)))
    for order in (4, 9, 16):
        expected = _derivative(plane, point, 0, order)[:, 0] * np.sqrt(2 * np.pi)
        assert _derivative(law, line, 0, order) == pytest.approx(expected, rel=1e-12)


def test_time_as_a_square_is_that_of_intervals():
    for power in (1, 2):
        span, s = Span(0.3, 1.7, 4, power), Jet.variable(np.array([0.0, 0.4]), np.array([0.4, 1.0]), 3)
        found, expected = _time(span, s), span.begin + span.length * (s if power == 1 else s * s)
        assert found.lower == pytest.approx(expected.lower, abs=1e-15)
        assert found.upper == pytest.approx(expected.upper, abs=1e-15)


@pytest.mark.parametrize("space", [mfg.FiniteVolume, mfg.Spectral])
def test_panels_of_many_lengths_owe_what_the_longest_of_each_number_of_points_does(space):
    """Each panel by itself leaves no more than all of them are said to leave."""
    where = space(mfg.CartesianGrid.cube(3.0, 40, 1))
    fields = np.exp(mfg.gaussian(0.2, 0.3).log_density(where.grid.points))[None]
    sizes = Sizes.of(where, fields)
    edges = np.array([-3.0, -2.0, -0.5, -0.4, 1.0, 3.0])
    nodes = np.array([14, 14, 9, 14, 20])
    whole = bounded_residual.trigonometric(where, sizes, [bounded_residual.Panels(edges, nodes)], 1)
    for k in range(5):
        part = bounded_residual.trigonometric(
            where, sizes, [bounded_residual.Panels(edges[k : k + 2], nodes[k : k + 1])], 1
        )
        assert part[0] <= whole[0]
        assert part[1][0] <= whole[1][0]
        assert part[2] <= whole[2]


def test_what_is_foreseen_is_a_geometric_fall_s_own_and_above_what_falls_faster():
    came = [(6, 0.3 * 0.2**6), (8, 0.3 * 0.2**8)]
    assert _foreseen(came, 16) == pytest.approx(0.3 * 0.2**16)
    assert _foreseen([(6, 1 / factorial(6)), (8, 1 / factorial(8))], 12) > 1 / factorial(12)
    assert _foreseen(came[:1], 16) == 0.0  # nothing is known to fall
    assert _foreseen([(6, 1e-3), (8, 2e-3)], 16) == 0.0


@pytest.mark.parametrize("cells", [96, 384])
def test_degrees_that_are_foreseen_to_miss_much_are_not_tried(monkeypatch, cells):
    """Those that were passed over would have missed more than is small, and nothing is lost of the bound."""
    process, data = mfg.VariancePreserving(), mfg.densities.bimodal(1)
    start, end = (mfg.marginal(process, data, t) for t in (0.02, 1.0))
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, cells, 1))
    solution = mfg.solve(mfg.FokkerPlanck.of(process), space, start, (0.02, 1.0), rtol=2e-3, largest_wall_mass=1e-2)
    tried, missed_by = {}, Residual.missed

    def missed(self, parts):
        return tried.setdefault(parts[0].span.pieces, missed_by(self, parts))

    monkeypatch.setattr(Residual, "missed", missed)
    bound = solution.error_bound()
    passed = [n for n in PIECES if n not in tried and n < max(tried)]
    assert passed
    assert list(tried)[:2] == [6, 8]
    full, passed_over = dict(tried), max(passed)
    monkeypatch.setattr(import_module("mfgpde.solvers.error_bound"), "FAR", np.inf)
    tried.clear()
    slow = solution.error_bound()
    assert tried[passed_over] > 0.1 * 0.6 * slow.parts["second solve"]  # of what a second solve may owe, a tenth
    assert set(full) - set(tried) <= {32}
    assert bound.value <= 1.02 * slow.value
    true = mfg.l1_distance(solution.at(1.0), end)
    assert true <= bound.value <= 1.5 * true
