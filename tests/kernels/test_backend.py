"""Whole solves on a device that is none: arrays that refuse to mix with NumPy's, and the device's kernels on the host.

`Remote` does what CuPy's arrays do: operators and NumPy functions among themselves and numbers, never with NumPy arrays,
and no silent way back. What marches with them marches on a device; how fast, only a device can say.
"""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.lib.mixins import NDArrayOperatorsMixin

import mfgpde as mfg
from mfgpde import arrays
from mfgpde.kernels import stencils
from mfgpde.kernels.device import DeviceStencils


class Remote(NDArrayOperatorsMixin):
    """An array out of NumPy's reach."""

    def __init__(self, inner):
        self.inner = inner

    def __array__(self, *_, **__):
        raise TypeError("implicit conversion to a NumPy array")

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        if out is not None:
            options["out"] = tuple(bare(a) for a in out)
        result = getattr(ufunc, method)(*(bare(a) for a in inputs), **options)
        return out[0] if out is not None else Remote(np.asarray(result))

    def __array_function__(self, function, types, given, options):
        result = function(*map(bare_in, given), **{k: bare_in(a) for k, a in options.items()})
        return Remote(np.asarray(result))

    def __float__(self):
        return float(self.inner)

    def __bool__(self):
        return bool(self.inner)

    def __len__(self):
        return len(self.inner)

    def __getitem__(self, key):
        return Remote(self.inner[key])

    def __setitem__(self, key, value):
        self.inner[key] = bare(value)

    def __getattr__(self, name):
        found = getattr(self.inner, name)
        if not callable(found):
            return found
        return lambda *given, **options: Remote(np.asarray(found(*given, **options)))

    def get(self):
        """Return a copy on the host."""
        return self.inner.copy()


def bare(a):
    if isinstance(a, np.ndarray) and a.ndim:
        raise TypeError("a NumPy array met one of a device")
    return a.inner if isinstance(a, Remote) else a


def bare_in(a):
    return type(a)(map(bare_in, a)) if isinstance(a, tuple | list) else bare(a)


@pytest.fixture
def device(monkeypatch, on_host):
    """Make the fake device the one that backends find; return the names of the kernels that ran."""
    host, ran = on_host(), []

    def runner(name, real):
        launch = host.runner(name, real)

        def local(grid, block, arguments):
            ran.append(name)
            assert not any(isinstance(a, np.ndarray) and a.ndim for a in arguments), "kernels take the device's arrays"
            launch(grid, block, tuple(a.inner if isinstance(a, Remote) else a for a in arguments))

        return local

    runtime = SimpleNamespace(memGetInfo=lambda: (2**28, 2**30))
    fake = SimpleNamespace(asarray=lambda a: Remote(np.array(a)), cuda=SimpleNamespace(runtime=runtime))
    monkeypatch.setattr(arrays, "device_namespace", lambda: fake)
    monkeypatch.setattr(stencils, "on_device", lambda: DeviceStencils(runner))
    return ran


TURNING = mfg.Linear(np.array([[-0.5, 1.0], [-1.0, -0.5]]), 0.8)
CASES = {
    "2D, on the fly": (mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), 2, 48, 2, "fitted_stage_2d"),
    "2D, stored": (mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), 2, 12, 2, "stage_2d"),
    "2D, turning": (mfg.FokkerPlanck.of(TURNING), 2, 40, 2, "stage_2d"),
    "2D, order four": (mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), 2, 24, 4, "corrected_flux"),
    "3D": (mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), 3, 40, 2, "fitted_stage_3d"),
    "3D, stored": (mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), 3, 12, 2, "stage_3d"),
    "1D": (mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), 1, 60, 2, "forward_1d"),
    "2D, driven in time": (mfg.FokkerPlanck.of(mfg.VariancePreserving()), 2, 24, 2, "fitted_stage_2d"),
    "continuity": (mfg.Continuity(lambda x, t: -x, time_dependent=False), 2, 24, 2, "limited_flux"),
}


@pytest.mark.parametrize(("equation", "d", "cells", "order", "kernel"), CASES.values(), ids=CASES)
def test_a_solve_on_the_device_is_that_on_the_host(equation, d, cells, order, kernel, device):
    start = mfg.GaussianMixture([0.5, 0.5], [[0.6] * d, [-0.5] * d], [0.2, 0.3])
    grid = mfg.CartesianGrid.cube(3.0, cells, d)
    found = {
        backend: mfg.solve(
            equation,
            mfg.FiniteVolume(grid, order=order, backend=backend),
            start,
            (0.05, 0.3),
            rtol=1e-4,
            largest_wall_mass=1e-2,
        )
        for backend in ("numpy", "cupy")
    }
    assert kernel in device
    host, remote = (found[backend].at(0.3).values for backend in ("numpy", "cupy"))
    assert isinstance(remote, np.ndarray)
    np.testing.assert_allclose(remote, host, rtol=1e-9, atol=1e-12)
    assert found["cupy"].cost["steps"] == found["numpy"].cost["steps"]


def test_backends_say_what_is_missing(device, monkeypatch):
    grid = mfg.CartesianGrid.cube(4.0, 1200, 2)
    equation = mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck())
    with pytest.raises(MemoryError, match=r"needs about \S+ GiB on the device, 0.25 of 1 GiB are free"):
        mfg.FiniteVolume(mfg.CartesianGrid.cube(4.0, 2000, 2), backend="cupy").semidiscretise(equation)
    mfg.FiniteVolume(grid, backend="auto").semidiscretise(equation)
    with pytest.raises(ValueError, match=r"'auto', 'numpy' or 'cupy', got 'gpu'"):
        mfg.FiniteVolume(grid, backend="gpu")
    small = mfg.FiniteVolume(mfg.CartesianGrid.cube(4.0, 16, 2), backend="cupy")
    with pytest.raises(TypeError, match="is solved on the host"):
        small.semidiscretise(mfg.ScoreFokkerPlanck.of(mfg.OrnsteinUhlenbeck()))
    with pytest.raises(TypeError, match="implicit integrators solve on the host"):
        mfg.solve(equation, small, mfg.gaussian([0, 0], 0.3 * np.eye(2)), (0, 0.1), integrator=mfg.TRBDF2())


def test_without_cupy_or_a_driver(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(RuntimeError, match="needs CuPy, which cannot be imported"):
        arrays.namespace("cupy")
    assert arrays.namespace("auto") is np

    class CUDARuntimeError(RuntimeError):
        pass

    def count():
        raise CUDARuntimeError("cudaErrorNoDevice")

    runtime = SimpleNamespace(CUDARuntimeError=CUDARuntimeError, getDeviceCount=count)
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(__version__="14", cuda=SimpleNamespace(runtime=runtime)))
    with pytest.raises(RuntimeError, match=r"found no usable driver \(cudaErrorNoDevice\)"):
        arrays.namespace("cupy")
    assert arrays.namespace("auto") is np
    runtime.getDeviceCount = lambda: 0
    with pytest.raises(RuntimeError, match="sees no device"):
        arrays.namespace("cupy")
