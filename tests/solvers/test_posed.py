"""What is no problem is refused before the first step, whatever the scheme and the units, with the right cure."""

from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mfgpde as mfg

LINE = mfg.CartesianGrid.cube(8.0, 64, 1)
START = mfg.gaussian(0.0, 0.5, 1)
QUICK = settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.too_slow])


def schemes(grid):
    return [mfg.FiniteVolume(grid), mfg.FiniteVolume(grid, order=4), mfg.Spectral(grid)]


@QUICK
@given(length=st.sampled_from([1e-9, 1e-6, 1.0, 1e9]), time=st.sampled_from([1e-9, 1.0, 1e9]))
def test_a_drift_torn_at_the_seam_is_refused_in_any_unit(length, time):
    L, v = length, length / time
    grid = mfg.CartesianGrid((0.0,), (L,), (32,), (True,))
    torn = mfg.FokkerPlanck(lambda x, t: v * x / L, lambda t: 1e-3 * v * L, time_dependent=False)
    whole = mfg.FokkerPlanck(lambda x, t: v * np.sin(2 * np.pi * x / L), torn.diffusivity, time_dependent=False)
    flow = mfg.Continuity(torn.drift, time_dependent=False)

    def start(x):
        return (1 + 0.5 * np.cos(2 * np.pi * x[..., 0] / L)) / L

    for space in schemes(grid):
        with pytest.raises(ValueError, match=r"drift at t = 0 jumps by .* across the periodic walls of axis 0"):
            mfg.solve(torn, space, start, (0.0, 0.1 * time))
    with pytest.raises(ValueError, match="jumps by"):
        mfg.solve(flow, mfg.FiniteVolume(grid), start, (0.0, 0.1 * time))
    solution = mfg.solve(whole, mfg.FiniteVolume(grid), start, (0.0, 0.1 * time), rtol=1e-3)
    np.testing.assert_allclose(solution.conserved["mass"], 1, rtol=1e-12)
    assert solution.at(0.1 * time) is solution.fields[1]
    tilted = mfg.FokkerPlanck(lambda x, t: v + 0 * x, torn.diffusivity, False, lambda x, t: -1e3 * x[..., 0] / L)
    with pytest.raises(ValueError, match="the potential at t = 0 jumps"):
        mfg.solve(tilted, mfg.FiniteVolume(grid), start, (0.0, 0.1 * time))


@pytest.mark.parametrize("D", [0.1, 0.9, 3.0])
def test_a_potential_that_contradicts_the_drift_is_refused_by_every_scheme(D):
    forgotten = mfg.FokkerPlanck(lambda x, t: -x, lambda t: D, False, lambda x, t: 0.5 * (x**2).sum(-1))
    right = mfg.FokkerPlanck(lambda x, t: -x, lambda t: D, False, lambda x, t: 0.5 * (x**2).sum(-1) / D)
    wide = mfg.CartesianGrid.cube(16.0, 64, 1)
    for space in schemes(wide):
        with pytest.raises(ValueError, match="drift and potential contradict each other"):
            mfg.solve(forgotten, space, START, (0.0, 0.1))
        mfg.solve(right, space, START, (0.0, 0.01), rtol=1e-2)


def test_scores_with_potentials_do_not_contradict_them():
    data = mfg.densities.four_blobs()
    for process in (mfg.VariancePreserving(), mfg.OrnsteinUhlenbeck(), mfg.VarianceExploding(0.01, 2.0)):
        equation = mfg.FokkerPlanck.reverse(process, mfg.ExactScore(process, data))
        assert equation.potential is not None
        space = mfg.FiniteVolume(mfg.CartesianGrid.cube(14.0, 32, 2))
        mfg.solve(equation, space, mfg.gaussian(0.0, 1.0, 2), (0.0, 0.95), rtol=1e-1, largest_wall_mass=1.0)


@pytest.mark.parametrize(
    ("diffusivity", "message"),
    [
        (0.5, "must be a function of time, got 0.5"),
        (lambda x: 0.5 * (1 + x**2), "its argument is called 'x'"),
        (lambda x, t: 0.5 * (1 + x**2), r"of time alone, got one of \(x, t\)"),
        (lambda t: np.eye(2), "must be a positive number"),
    ],
)
def test_diffusivities_written_by_habit(diffusivity, message):
    with pytest.raises((TypeError, ValueError), match=message):
        mfg.solve(mfg.FokkerPlanck(lambda x, t: -x, diffusivity), mfg.FiniteVolume(LINE), START, (0.0, 1.0))


def test_generators_and_vectors_of_noise_are_named():
    generator = mfg.processes.MarkovGenerator(tensor=lambda x: np.broadcast_to(np.eye(2), (len(x), 2, 2)))
    with pytest.raises(TypeError, match=r"takes a process.*got MarkovGenerator.*OverdampedLangevin"):
        mfg.FokkerPlanck.of(generator)
    for scale in (np.array([0.0, 1.0, 2.0]), np.ones((3, 1)), lambda t: np.zeros(3)):
        with pytest.raises(ValueError, match="scale must be a number"):
            mfg.Linear(np.zeros((2, 2)), scale=scale)


def test_a_drift_singular_at_a_wall_is_not_asked_there():
    """The radius of a planar Ornstein–Uhlenbeck process: mean √(πD/2)."""
    D = 0.5
    radius = mfg.FokkerPlanck(lambda r, t: -r + D / r, lambda t: D, time_dependent=False)
    line = mfg.CartesianGrid((0.0,), (5.0,), (128,))
    start = mfg.gaussian(2.0, 0.01, 1)
    for order, allowed in ((2, 6e-4), (4, 3e-4)):
        end = mfg.solve(radius, mfg.FiniteVolume(line, walls="reflecting", order=order), start, (0.0, 10.0)).at(10.0)
        assert end.expectation(lambda r: r[..., 0]) == pytest.approx(np.sqrt(np.pi * D / 2), abs=allowed)


def test_a_large_peclet_number_is_said():
    steep = mfg.FokkerPlanck(lambda x, t: -x, lambda t: 1e-3, time_dependent=False)
    start = mfg.gaussian(1.0, 0.02, 1)
    solution = mfg.solve(steep, mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 64, 1)), start, (0.0, 0.5))
    h, mean = 6 / 64, np.exp(-0.5)
    assert solution.peclet == pytest.approx(mean * h / 1e-3, rel=0.05)
    assert "of order one until cells are as much finer" in str(solution)
    gentle = mfg.solve(mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), mfg.FiniteVolume(LINE), START, (0.0, 0.5))
    assert gentle.peclet < 1
    assert "of order one" not in str(gentle)


@QUICK
@given(length=st.sampled_from([1e-9, 1.0, 1e9]), shift=st.sampled_from([0.0, 1e8]))
def test_clouds_of_points_know_no_unit_and_no_origin(length, shift):
    a, b = np.array([[0.0], [1.0]]), np.array([[0.5], [1.5]])
    W2 = mfg.transport.wasserstein_points
    assert W2(a * length + shift * length, b * length + shift * length) == pytest.approx(0.5 * length, rel=1e-7)
    cloud = np.random.default_rng(0).normal(size=(100, 2)) * length
    assert W2(cloud, cloud) == 0
    assert W2(cloud, cloud + 3 * length) == pytest.approx(3 * np.sqrt(2) * length, rel=1e-12)
    assert W2(np.array([[5e4]]) * length, np.array([[50000.001]]) * length) == pytest.approx(1e-3 * length, rel=1e-7)


def test_many_points_are_transported_without_a_matrix(monkeypatch, rng):
    from mfgpde.transport import point_clouds

    x, y = rng.normal(size=(150, 2)), rng.normal(size=(170, 2)) + 0.5
    stored = mfg.transport.wasserstein_points(x, y)
    monkeypatch.setattr(point_clouds, "MOST_STORED", 10)
    assert mfg.transport.wasserstein_points(x, y) == pytest.approx(stored, rel=1e-12)


@pytest.mark.parametrize(
    "equation",
    [
        mfg.FokkerPlanck(lambda x, t: 0 * x + 10 * t, lambda t: 0.5, time_dependent=False),
        mfg.FokkerPlanck(lambda x, t: -x, lambda t: 0.5 + t, time_dependent=False),
        mfg.Continuity(lambda x, t: 0 * x + 10 * t, time_dependent=False),
    ],
)
def test_coefficients_that_are_said_to_be_still_and_are_not_are_refused(equation):
    """Read once, the mean of the first would stay where its drift begins: 0 for 5."""
    space = mfg.FiniteVolume(mfg.CartesianGrid((-6.0,), (16.0,), (64,)))
    with pytest.raises(ValueError, match=r"changes between t = 0 and .* time_dependent=False: leave it out"):
        mfg.solve(equation, space, mfg.gaussian(0.0, 0.5), (0.0, 1.0))


def test_a_drift_that_writes_into_its_argument_is_stopped():
    """Points are shared by all who ask: after one such call they would lie elsewhere."""

    def drift(x, t):
        x *= -1
        return x

    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 64, 1))
    with pytest.raises(ValueError, match="writes into the points"):
        mfg.solve(mfg.FokkerPlanck(drift, lambda t: 0.5), space, mfg.gaussian(0.0, 0.5), (0.0, 1.0))


def test_every_discretisation_says_how_steep_a_drift_its_cells_see():
    """Volumes, spectral nodes and elements have one number, E|f| h/D; Galerkin's says that it may oscillate."""
    mean, D, cells, half = 1.0, 0.02, 64, 4.0
    equation = mfg.FokkerPlanck(lambda x, t: 0 * x - 1.0, lambda t: D, time_dependent=False)
    law, h = mfg.gaussian(np.zeros(1), np.array([[0.3]])), 2 * half / cells
    grid = mfg.CartesianGrid.cube(half, cells, 1)
    spaces = [mfg.FiniteVolume(grid), mfg.Spectral(grid)]
    if find_spec("dolfinx"):
        line = mfg.meshes.interval(-half, half, cells)
        spaces += [mfg.FiniteElement(line), mfg.FiniteElement(line, scheme="fitted"), mfg.FiniteElement(line, degree=2)]
    for space in spaces:
        run = mfg.solve(equation, space, law, (0.0, 0.5))
        degree = getattr(space, "degree", 1)
        assert run.peclet == pytest.approx(mean * h / (D * degree), rel=1e-6)
        words = run.depth()["cell Péclet number"]
        galerkin = isinstance(space, mfg.FiniteElement) and space.scheme == "galerkin"
        assert ("may oscillate" in words) == galerkin
        assert ("of order one" in words) == (not galerkin and not isinstance(space, mfg.Spectral))
