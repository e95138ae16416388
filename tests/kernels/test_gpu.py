"""On a GPU: every kernel and whole solves against the host, outputs poisoned first. `pytest -m gpu` runs these alone."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde import arrays
from mfgpde.kernels import cpu, stencils

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def cupy():
    try:
        return arrays.device_namespace()
    except RuntimeError as problem:
        pytest.skip(str(problem))


@pytest.mark.parametrize("glued", [False, True])
@pytest.mark.parametrize("shape", [(1000,), (513, 1031), (1, 40), (40, 1), (65, 33, 129)], ids=str)
def test_rates_of_change(shape, glued, rng, cupy, rates):
    p, coefficients = rng.random(shape), rates(shape, glued, rng)
    want, ours = np.empty(shape), cupy.full(shape, cupy.nan)
    getattr(cpu, f"forward_{len(shape)}d")(p, *coefficients, want)
    device, held, given = stencils.on_device(), cupy.asarray(p), [cupy.asarray(a) for a in coefficients]
    getattr(device, f"forward_{len(shape)}d")(held, *given, ours)
    np.testing.assert_allclose(ours.get(), want, rtol=1e-13, atol=1e-13)
    if len(shape) > 1:
        levels, c = [rng.random(shape) for _ in range(3)], rng.normal(size=5)
        stage = c[0] * levels[0] + c[1] * p + c[2] * levels[1] + c[3] * want + c[4] * levels[2]
        last = cupy.asarray(levels[1])  # the output takes the place of y₂, as in the integrator
        device.stage(held, tuple(given), cupy.asarray(levels[0]), last, cupy.asarray(levels[2]), c, last)
        np.testing.assert_allclose(last.get(), stage, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("shape", [(3, 67, 1), (7, 9, 33), (129, 64, 65)], ids=str)
def test_fluxes_along_an_axis(shape, periodic, rng, cupy):
    outer, n, inner = shape
    faces, device = (outer, n + 1, inner), stencils.on_device()
    p, w, up, down = rng.random(shape), rng.normal(size=faces), rng.random(faces), rng.random(faces)
    for a in (up, down, w):
        a[:, n] = a[:, 0] = a[:, 0] if periodic else 0.0
    for name, given, start in (
        ("face_flux", (p, up, down), np.full(faces, np.nan)),
        ("corrected_flux", (up, w, periodic), np.full(faces, np.nan)),
        ("add_inflow", (up,), rng.random(shape)),
        ("backward_axis", (p, up, down), rng.random(shape)),
        ("limited_flux", (p, w, periodic), rng.random(shape)),
    ):
        want, ours = start.copy(), cupy.asarray(start)
        getattr(cpu, name)(*given, want)
        getattr(device, name)(*(cupy.asarray(a) if isinstance(a, np.ndarray) else a for a in given), ours)
        np.testing.assert_allclose(ours.get(), want, rtol=1e-12, atol=1e-12, err_msg=name)


def test_measures(rng, cupy):
    p, q = rng.random(1_000_003), rng.random(1_000_003) + 0.1
    shares = stencils.on_device().measures(cupy.asarray(p), cupy.asarray(q), cupy.empty).get()
    found = np.r_[shares[:, :3].sum(axis=0), shares[:, 3].max(), shares[:, 4].sum()]
    away = np.abs(p - q)
    want = [p.sum(), away.sum(), (away**2).sum(), away.max(), np.sum(p * np.log(p / q))]
    np.testing.assert_allclose(found, want, rtol=1e-11)


@pytest.mark.parametrize(("d", "cells", "order"), [(1, 300, 2), (2, 48, 2), (2, 200, 2), (2, 96, 4), (3, 64, 2)])
def test_whole_solves(d, cells, order, cupy):
    start = mfg.GaussianMixture([0.5, 0.5], [[0.6] * d, [-0.5] * d], [0.2, 0.3])
    grid = mfg.CartesianGrid.cube(4.0, cells, d)
    for process in (mfg.OrnsteinUhlenbeck(), mfg.VariancePreserving()):
        host, device = (
            mfg.solve(
                mfg.FokkerPlanck.of(process),
                mfg.FiniteVolume(grid, order=order, backend=backend),
                start,
                (0.05, 0.4),
                rtol=1e-5,
                largest_wall_mass=1e-3,
            )
            for backend in ("numpy", "cupy")
        )
        np.testing.assert_allclose(device.at(0.4).values, host.at(0.4).values, rtol=1e-8, atol=1e-11)
        assert device.cost["steps"] == host.cost["steps"]


def test_continuity(cupy):
    grid, start = mfg.CartesianGrid.cube(4.0, 96, 2), mfg.gaussian([0.6, -0.4], 0.3 * np.eye(2))
    equation = mfg.Continuity(lambda x, t: -x, time_dependent=False)
    host, device = (
        mfg.solve(equation, mfg.FiniteVolume(grid, backend=backend), start, (0.0, 0.4), rtol=1e-5).at(0.4).values
        for backend in ("numpy", "cupy")
    )
    np.testing.assert_allclose(device, host, rtol=1e-8, atol=1e-11)
