"""A recorded step is the step: bit for bit, from any state."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core import arrays
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


@pytest.mark.parametrize(("equation", "space", "options", "periodic"), SPACES.values(), ids=SPACES)
def test_a_recorded_step_is_the_step(equation, space, options, periodic, rng, device):
    where = space(mfg.CartesianGrid.cube(3.0, 24, 2, periodic=periodic), backend="cupy", **options)
    system = where.semidiscretise(equation)
    integrator, replayed = system.default_integrator, replay.Replayed()
    assert system.still
    u = system.start(initial_function(equation, mfg.gaussian([0.3, -0.2], 0.25, 2), where.grid))
    for dt in (1e-3, 4e-3, 1e-3):
        for _ in range(3):
            new, error = replayed(
                dt,
                lambda given, dt=dt: integrator.step(system, given, 0.0, dt),
                u,
                kept=lambda dt=dt, u=u: integrator.constants(system, u, 0.0, dt),
            )
            new = new.copy()
            want, expected = integrator.step(system, u, 0.0, dt)
            np.testing.assert_array_equal(arrays.to_host(new), arrays.to_host(want))
            np.testing.assert_array_equal(arrays.to_host(error), arrays.to_host(expected))
            u = new


def test_what_changes_in_time_is_not_recorded(device, monkeypatch):
    """Each of these steps would be another: nothing may be replayed."""
    monkeypatch.setattr(replay, "record", None)
    start = mfg.gaussian(0.3, 0.25, 2)
    for space in (mfg.FiniteVolume, mfg.Spectral):
        where = space(mfg.CartesianGrid.cube(3.0, 24, 2), backend="cupy")
        driven = mfg.FokkerPlanck.of(mfg.VariancePreserving())
        assert mfg.solve(driven, where, start, (0.1, 0.2), rtol=1e-3, largest_wall_mass=1.0).cost["steps"] > 3


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
