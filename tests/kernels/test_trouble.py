"""What may happen to a solve on a device: no memory left, the device gone, coefficients from the host or of float32."""

import re

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.integrators import RungeKuttaChebyshev
from mfgpde.kernels import replay

OU = mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck())
START = mfg.gaussian([0.3, -0.2], 0.25, 2)
HOST = mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 24, 2))


class OutOfMemoryError(MemoryError):
    """As CuPy's."""


class Failing(RungeKuttaChebyshev):
    """Fails in its tenth step."""

    def __init__(self, problem):
        super().__init__()
        object.__setattr__(self, "problem", problem)
        object.__setattr__(self, "steps", [])

    def step(self, system, u, t, dt):
        self.steps.append(t)
        if len(self.steps) == 10:
            raise self.problem
        return super().step(system, u, t, dt)


def failed(problem, times=(0.05, 0.06, 1.0), **options):
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 24, 2), backend="cupy")
    with pytest.raises(mfg.NotConverged) as caught:
        mfg.solve(OU, space, START, times, integrator=Failing(problem), rtol=1e-5, largest_wall_mass=1.0, **options)
    return caught.value


def test_out_of_memory_loses_nothing(fake):
    """What a step needed, what is free, and the last state that was accepted, at its own time."""
    found = failed(OutOfMemoryError("Out of memory allocating 512 bytes (allocated so far: 1024 bytes)"))
    assert found.partial.status is mfg.Status.OUT_OF_MEMORY
    for words in ("memory ran out at t =", "allocating 512 bytes", "0.25 of 1 GiB are free", "backend='numpy'"):
        assert words in str(found)
    assert found.partial.times[:2] == pytest.approx([0.05, 0.06])
    last = found.partial.times[-1]
    assert 0.06 < last < 1.0
    assert isinstance(found.partial.fields[-1].values, np.ndarray)
    again = mfg.solve(
        OU, mfg.FiniteVolume(found.partial.discretisation.grid), START, (0.05, last), rtol=1e-5, largest_wall_mass=1.0
    )
    np.testing.assert_allclose(found.partial.fields[-1].values, again.fields[-1].values, atol=1e-4)


def test_a_lost_device_keeps_the_fields_on_the_host(fake):
    found = failed(RuntimeError("cudaErrorIllegalAddress: an illegal memory access was encountered"))
    assert found.partial.status is mfg.Status.DEVICE_FAILED
    when = re.search(r"the device failed at t = ([\d.]+)", str(found))
    assert when
    assert 0.06 < float(when[1]) < 1.0  # where the step began; stored is what was before
    assert "cudaErrorIllegalAddress" in str(found)
    np.testing.assert_allclose(found.partial.times, [0.05, 0.06])
    assert found.partial.cost["rejected"] == 0, "it is not tried again with shorter and shorter steps"


@pytest.mark.parametrize("equation", [OU, mfg.FokkerPlanck.of(mfg.VariancePreserving())], ids=["still", "driven"])
@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (OutOfMemoryError("Out of memory allocating 512 bytes"), mfg.Status.OUT_OF_MEMORY),
        (RuntimeError("cudaErrorLaunchFailure: unspecified launch failure"), mfg.Status.DEVICE_FAILED),
    ],
    ids=["memory", "device"],
)
def test_trouble_in_a_recorded_step_is_that_of_a_step(equation, problem, status, fake, monkeypatch):
    """What was accepted before is kept; of a device that is gone, what the host has of it."""
    launched, launch = [], replay.Recording.__call__

    def fails(self, *given):
        launched.append(1)
        if len(launched) == 20:
            raise problem
        return launch(self, *given)

    monkeypatch.setattr(replay.Recording, "__call__", fails)
    where = mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 24, 2), backend="cupy")
    with pytest.raises(mfg.NotConverged, match=str(problem)[:20]) as caught:
        mfg.solve(equation, where, START, (0.05, 0.06, 1.0), rtol=1e-5, largest_wall_mass=1.0)
    found = caught.value.partial
    assert found.status is status
    assert len(launched) == 20, "it is not tried again"
    last = found.times[-1]
    assert (0.06 < last < 1.0) if status is mfg.Status.OUT_OF_MEMORY else last == pytest.approx(0.06)
    host = mfg.FiniteVolume(where.grid)
    again = mfg.solve(equation, host, START, (0.05, last), rtol=1e-5, largest_wall_mass=1.0)
    np.testing.assert_allclose(found.fields[-1].values, again.fields[-1].values, atol=1e-4)


def test_no_memory_for_recordings_of_a_march_is_no_trouble(fake, monkeypatch):
    """It goes on without them."""
    monkeypatch.setattr(replay, "record", lambda *_: (_ for _ in ()).throw(OutOfMemoryError("Out of memory")))
    where = mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 24, 2), backend="cupy")
    driven = mfg.FokkerPlanck.of(mfg.VariancePreserving())
    found = [mfg.solve(driven, space, START, (0.05, 0.3), rtol=1e-5, largest_wall_mass=1.0) for space in (where, HOST)]
    np.testing.assert_allclose(*(one.fields[-1].values for one in found), rtol=1e-9, atol=1e-12)


class Single:
    """The score of a Gaussian, in single precision, as networks have it."""

    def __call__(self, x, t):
        """Return −x/(t + ½)."""
        return (-x / (t + 0.5)).astype(np.float32)


@pytest.mark.slow
def test_a_score_in_single_precision_steers_a_solve_in_double(fake):
    """It is converted once it has come: states stay double, and the law is off by its roundings."""
    grid, process = mfg.CartesianGrid.cube(4.0, 24, 2), mfg.VariancePreserving()
    laws = []
    for score in (Single(), lambda x, t: -x / (t + 0.5)):
        space = mfg.FiniteVolume(grid, backend="cupy")
        equation = mfg.FokkerPlanck.reverse(process, score)
        law = mfg.solve(equation, space, mfg.gaussian(0.2, 0.6, 2), (0.0, 0.2), rtol=1e-5, largest_wall_mass=1.0)
        assert law.cost["coefficients on the device"] == 1.0
        laws.append(law.at(0.2).values)
        assert laws[-1].dtype == np.float64
    np.testing.assert_allclose(*laws, rtol=1e-5, atol=1e-7)
    assert np.abs(laws[0] - laws[1]).max() > 0


def test_coefficients_from_the_host_and_in_single_precision(fake):
    """A drift that returns arrays of the host is evaluated there, and said so; one in single precision is converted."""
    space, found = mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 24, 2), backend="cupy"), {}
    drifts = {
        "there": lambda x, t: -0.3 * x,
        "host": lambda x, t: -0.3 * (x.get() if hasattr(x, "get") else x),
        "single": lambda x, t: (-0.3 * x).astype(np.float32),
    }
    for name, drift in drifts.items():
        equation = mfg.FokkerPlanck(drift, lambda t: 0.5, time_dependent=False)
        solution = mfg.solve(equation, space, START, (0.05, 0.3), rtol=1e-5, largest_wall_mass=1.0)
        found[name] = solution.at(0.3).values
        assert found[name].dtype == np.float64
        assert solution.cost["coefficients on the device"] == float(name != "host")
    np.testing.assert_allclose(found["host"], found["there"], rtol=1e-12)
    np.testing.assert_allclose(found["single"], found["there"], rtol=1e-4, atol=1e-6)
    assert np.abs(found["single"] - found["there"]).max() > 0


def test_a_drift_that_is_no_number_on_the_device_is_named(fake):
    """Looked at with the largest Péclet number, not by a copy of its own; said as it is on the host."""

    def drift(x, t):
        return np.where(x > 0.5, np.nan, -x) if t > 0.1 else -x

    where = mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 24, 2), backend="cupy")
    system = where.semidiscretise(mfg.FokkerPlanck(drift, lambda t: 0.5))
    system.at(0.0)
    with pytest.raises(ValueError, match=r"the drift at t = 0.2 returned nan at array index"):
        system.at(0.2)
