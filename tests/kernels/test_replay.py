"""A recorded step is the step: bit for bit, from any state."""

from functools import partial

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core import arrays
from mfgpde.integrators.contract import sizes
from mfgpde.kernels import replay
from mfgpde.solvers import march
from mfgpde.solvers.initial import initial_function

OU = mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck())
TURNED = mfg.Linear(np.array([[-0.5, 1.0], [-1.0, -0.5]]), 0.8)
TURNING = mfg.FokkerPlanck(TURNED.drift, lambda t: 0.32, time_dependent=False)
SPACES = {
    "order 2": (OU, mfg.FiniteVolume, {}, False),
    "order 2, stored": (TURNING, mfg.FiniteVolume, {}, False),
    "tensor": (
        mfg.equations.ForwardKolmogorov(
            mfg.processes.Diffusion(lambda x, t: -x, lambda x, t: np.array([[0.5, 0.2], [0.2, 0.4]]) + 0 * x[..., None])
        ),
        mfg.FiniteVolume,
        {},
        False,
    ),
    "order 4": (OU, mfg.FiniteVolume, {"order": 4}, False),
    "cosines": (OU, mfg.Spectral, {}, False),
    "Fourier": (
        mfg.FokkerPlanck(lambda x, t: np.sin(np.pi * x), lambda t: 0.3, time_dependent=False),
        mfg.Spectral,
        {},
        True,
    ),
}


def stepped(integrator, replayed, system, u, t, dt):
    """Return the state after a recorded step, which is the step bit for bit: state, error and both norms."""
    new, error, norms = integrator.recorded(replayed, system, u, t, dt)
    new = new.copy()
    want, expected = integrator.step(system, u, t, dt)
    np.testing.assert_array_equal(arrays.to_host(new), arrays.to_host(want))
    np.testing.assert_array_equal(arrays.to_host(error), arrays.to_host(expected))
    assert norms == sizes(u, expected)
    return new


@pytest.mark.parametrize(("equation", "space", "options", "periodic"), SPACES.values(), ids=SPACES)
def test_a_recorded_step_is_the_step(equation, space, options, periodic, rng, device):
    where = space(mfg.CartesianGrid.cube(3.0, 24, 2, periodic=periodic), backend="cupy", **options)
    system = where.semidiscretise(equation)
    integrator, replayed = system.default_integrator, replay.Replayed()
    assert system.still
    u = system.start(initial_function(equation, mfg.gaussian([0.3, -0.2], 0.25, 2), where.grid))
    for dt in (1e-3, 4e-3, 1e-3):
        for _ in range(3):
            u = stepped(integrator, replayed, system, u, 0.0, dt)


VP = mfg.FokkerPlanck.of(mfg.VariancePreserving())
BACK = mfg.equations.BackwardKolmogorov(lambda x, t: -(1 + t) * x, lambda t: 0.5 + t)
TOLD = mfg.FokkerPlanck(lambda x, t: -(1 + 3 * t) * x + 0.2 * np.sin(x), lambda t: 0.5 + 2 * t)
CIRCLING = mfg.FokkerPlanck(lambda x, t: (1 + t) * np.sin(np.pi * x / 3), lambda t: 0.5 + t)
SUB = mfg.FokkerPlanck.of(mfg.SubVariancePreserving())
ORDER4 = partial(mfg.FiniteVolume, order=4)
DRIVEN = {
    "numbers alone": (VP, mfg.FiniteVolume, 3.0, False),
    "numbers alone, order 4": (VP, ORDER4, 3.0, False),
    "numbers alone, stored rates": (SUB, mfg.FiniteVolume, 6.0, False),
    "any drift": (TOLD, mfg.FiniteVolume, 2.0, False),
    "any drift, stored rates": (TOLD, mfg.FiniteVolume, 3.0, False),
    "any drift, order 4": (TOLD, ORDER4, 2.0, False),
    "any drift on a circle": (CIRCLING, mfg.FiniteVolume, 3.0, True),
    "an expectation": (BACK, mfg.FiniteVolume, 3.0, False),
    "cosines, numbers alone": (SUB, mfg.Spectral, 3.0, False),
    "cosines, any drift": (TOLD, mfg.Spectral, 3.0, False),
    "Fourier, any drift": (CIRCLING, mfg.Spectral, 3.0, True),
}


@pytest.mark.parametrize(("equation", "space", "side", "periodic"), DRIVEN.values(), ids=DRIVEN)
def test_one_recording_serves_steps_driven_in_time(equation, space, side, periodic, monkeypatch, device):
    """Whatever their length and their time: what was recorded knows neither."""
    where = space(mfg.CartesianGrid.cube(side, 24, 2, periodic=periodic), backend="cupy")
    system, made, record = where.semidiscretise(equation), [], replay.record
    monkeypatch.setattr(replay, "record", lambda *given: made.append(1) or record(*given))
    integrator, replayed = system.default_integrator, replay.Replayed()
    law = mfg.gaussian([0.3, -0.2], 0.25, 2)
    start = law.density if equation is BACK else initial_function(equation, law, where.grid)
    u, t, stages = system.start(start), 0.3, set()
    for k in range(12):
        dt = (1 + 0.02 * k) * 2e-3
        new = stepped(integrator, replayed, system, u, t, dt)
        stages.add(integrator.stages(dt * system.spectral_radius(u, t)) if space is not mfg.Spectral else 0)
        u, t = new, t + dt
    assert replayed.recordable
    assert 1 <= len(made) <= len(stages) < 5


def eikonal(x, p, t):
    return (1 + t) * np.sqrt(1 + p[..., 0] ** 2 + p[..., 1] ** 2) + 0.1 * x[..., 0]


def alone(x, p, t):
    """As `eikonal`, of one slope a point."""
    assert p.shape == x.shape
    return eikonal(x, p, t)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("order", [2, 5])
def test_between_questions_a_step_of_hamilton_jacobi_is_recorded(order, periodic, monkeypatch, device):
    """Three recordings for steps by WENO, four for Chebyshev's, whatever the length, the time and the number of stages."""
    grid = mfg.CartesianGrid.cube(3.0, 24, 2, periodic=periodic)
    where, made, record = mfg.FiniteVolume(grid, order=order, backend="cupy"), [], replay.record
    monkeypatch.setattr(replay, "record", lambda *given: made.append(1) or record(*given))
    equation = mfg.HamiltonJacobiBellman(eikonal, lambda t: 0.05 + 0.1 * t)
    system = where.semidiscretise(equation)
    integrator, replayed = system.default_integrator, replay.Replayed()
    u, t = system.start(lambda x: np.sum(np.cos(np.pi * x / 3), axis=-1)), 0.3
    for k in range(8):
        dt = (1 + 0.4 * k) * 4e-3
        new = stepped(integrator, replayed, system, u, t, dt)
        u, t = new, t + dt
    assert replayed.recordable
    assert len(made) == {2: 4, 5: 3}[order]


@pytest.mark.parametrize("order", [2, 5])
def test_a_hamiltonian_of_one_slope_a_point_is_not_recorded(order, monkeypatch, device):
    monkeypatch.setattr(replay, "record", None)
    laws = []
    for backend in ("cupy", "numpy"):
        where = mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 24, 2), order=order, backend=backend)
        equation = mfg.HamiltonJacobiBellman(alone, lambda t: 0.1)
        laws.append(mfg.solve(equation, where, lambda x: np.sum(x**2, axis=-1), (0.0, 0.1), rtol=1e-4).at(0.1).values)
    np.testing.assert_allclose(*laws, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("space", [mfg.FiniteVolume, mfg.Spectral])
def test_a_drift_that_is_no_number_within_a_march_is_named(space, device):
    """It is looked at with the norms of the step that it would spoil, and said as without a recording."""

    def drift(x, t):
        return np.where((x > 0.5) & (t > 0.11), np.nan, -x)

    where, start = space(mfg.CartesianGrid.cube(3.0, 24, 2), backend="cupy"), mfg.gaussian(0.1, 0.25, 2)
    with pytest.raises(ValueError, match=r"the drift at t = 0.11\d* returned nan at array index"):
        mfg.solve(
            mfg.FokkerPlanck(drift, lambda t: 0.5),
            where,
            start,
            (0.1, 0.2),
            rtol=1e-6,
            largest_wall_mass=1.0,
            scan=False,
        )


def test_a_march_whose_rates_become_steep_goes_on(device):
    """Where |w| grows beyond one, rates are stored from then on; the law is that of the host."""
    equation, laws = mfg.FokkerPlanck(lambda x, t: -(1 + 20 * t) * np.sin(x), lambda t: 0.5), []
    for backend in ("cupy", "numpy"):
        where = mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 24, 2), backend=backend)
        start = mfg.gaussian(0.1, 0.25, 2)
        laws.append(mfg.solve(equation, where, start, (0.0, 0.3), rtol=1e-5, largest_wall_mass=1.0).at(0.3).values)
    assert {"fitted_stage_2d", "stage_2d"} <= set(device)
    np.testing.assert_allclose(
        *laws, rtol=0, atol=1e-5 * laws[1].max()
    )  # bounds of the spectrum, and so stages, differ


def growing(tensor, **options):
    """Return an equation with a tensor (1 + t)T, of other lattice vectors from t = 0.2 on where it `turns`."""
    return mfg.equations.ForwardKolmogorov(
        mfg.processes.Diffusion(lambda x, t: -x, tensor, time_dependent=True), **options
    )


def wide(x, t):
    return (1 + t) * np.array([[0.5, 0.2], [0.2, 0.4]]) + 0 * x[..., None]


def turns(x, t):
    return np.array([[0.5, np.sign(t - 0.2) * 0.2], [np.sign(t - 0.2) * 0.2, 0.4]]) + 0 * x[..., None]


RESETTING = mfg.equations.Resetting(lambda x, t: 0.5 + t + 0 * x[..., 0], mfg.gaussian([0.4, 0.2], 0.3, 2))
TENSORS = {
    "alone": growing(wide),
    "killed and fed": growing(
        wide, killing=lambda x, t: 0.2 + t + 0 * x[..., 0], source=lambda x, t: 0.01 + t + 0 * x[..., 0]
    ),
    "resetting": growing(wide, resetting=RESETTING),
}


@pytest.mark.parametrize("equation", TENSORS.values(), ids=TENSORS)
def test_steps_of_tensors_driven_in_time_are_recorded(equation, monkeypatch, device):
    """Rates of both ends are given to a recording, which makes their mean; one a number of stages."""
    where, made, record = mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 24, 2), backend="cupy"), [], replay.record
    monkeypatch.setattr(replay, "record", lambda *given: made.append(1) or record(*given))
    system = where.semidiscretise(equation)
    integrator, replayed = system.default_integrator, replay.Replayed()
    u, t, stages = system.start(initial_function(equation, mfg.gaussian([0.3, -0.2], 0.25, 2), where.grid)), 0.3, set()
    for k in range(8):
        dt = (1 + 0.02 * k) * 2e-3
        new = stepped(integrator, replayed, system, u, t, dt)
        stages.add(integrator.stages(dt * system.spectral_radius(u, t)))
        u, t = new, t + dt
    assert replayed.recordable
    assert 1 <= len(made) <= len(stages) < 4


def test_a_step_to_other_lattice_vectors_is_done_as_it_is(device):
    """Its mean jumps along those of both ends; before and after it steps are recorded, and the law is the host's."""
    equation, laws = growing(turns), []
    for backend in ("cupy", "numpy"):
        where = mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 24, 2), backend=backend)
        start = mfg.gaussian([0.3, -0.2], 0.25, 2)
        laws.append(mfg.solve(equation, where, start, (0.1, 0.3), rtol=1e-4, largest_wall_mass=1.0).at(0.3).values)
    np.testing.assert_allclose(*laws, rtol=1e-8, atol=1e-11)
    system = mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 24, 2), backend="cupy").semidiscretise(equation)
    assert system.over(0.1, 0.05) is not None
    assert system.over(0.15, 0.1) is None


STEEP = {
    "noise on velocities": mfg.equations.ForwardKolmogorov(mfg.processes.Diffusion.underdamped(lambda x: x)),
    "continuity": mfg.Continuity(lambda x, t: -x, time_dependent=False),
}


@pytest.mark.parametrize("equation", STEEP.values(), ids=STEEP)
def test_still_steps_that_keep_densities_positive_are_recorded(equation, monkeypatch, device):
    """One recording for steps of all lengths."""
    where, made, record = mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 24, 2), backend="cupy"), [], replay.record
    monkeypatch.setattr(replay, "record", lambda *given: made.append(1) or record(*given))
    system = where.semidiscretise(equation)
    integrator, replayed = system.default_integrator, replay.Replayed()
    assert isinstance(integrator, mfg.integrators.SSPRK43)
    u = system.start(initial_function(equation, mfg.gaussian([0.3, -0.2], 0.25, 2), where.grid))
    for k in range(4):
        dt = (1 + 0.2 * k) * 2e-3
        new = stepped(integrator, replayed, system, u, 0.3, dt)
        u = new
    assert len(made) == 1


def test_large_states_are_not_recorded(device, monkeypatch):
    monkeypatch.setattr(replay, "record", None)
    monkeypatch.setattr(march, "LARGEST", 24**2 - 1)
    where = mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 24, 2), backend="cupy")
    start = mfg.gaussian(0.3, 0.25, 2)
    assert mfg.solve(OU, where, start, (0.0, 0.2), rtol=1e-4, largest_wall_mass=1.0).cost["steps"] > 3


def test_what_asks_for_numbers_is_done_as_it_is(device):
    """And so is what finds no memory for a recording; nothing is lost."""
    xp = arrays.device_namespace()
    u, replayed = xp.asarray(np.arange(4.0)), replay.Replayed()

    def asks(v):
        return (v / float(np.sum(v)),)

    for _ in range(3):
        (found,) = replayed("halves", asks, u)
        np.testing.assert_allclose(arrays.to_host(found), np.arange(4.0) / 6)
    assert not replayed.recordable


def test_no_memory_for_a_recording(device, monkeypatch):
    xp = arrays.device_namespace()
    u, replayed = xp.asarray(np.arange(4.0)), replay.Replayed()

    def full(*_):
        raise MemoryError

    monkeypatch.setattr(replay, "record", full)
    for _ in range(2):
        (found,) = replayed("doubled", lambda v: (v + v,), u)
        np.testing.assert_array_equal(arrays.to_host(found), 2 * np.arange(4.0))
    assert not replayed.recordable


@pytest.mark.parametrize("space", [mfg.Spectral, mfg.FiniteVolume])
def test_steps_of_one_length_are_equal(space, monkeypatch):
    """Rounding does not make them others: weights are found, and steps recorded, once a length."""
    lengths, where = [], space(mfg.CartesianGrid.cube(4.0, 32, 1))
    integrator = type(where.semidiscretise(OU).default_integrator)
    step = integrator.step
    monkeypatch.setattr(integrator, "step", lambda self, s, u, t, dt: lengths.append(dt) or step(self, s, u, t, dt))
    mfg.solve(OU, where, mfg.gaussian(0.3, 0.25), (0.0, 1.0), rtol=1e-7)
    ordered = np.sort(np.array(lengths))
    assert len(lengths) > 20
    assert (np.diff(ordered) / ordered[1:] > 1e-9).sum() == len(set(lengths)) - 1
