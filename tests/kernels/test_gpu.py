"""On a GPU: every kernel against the host, outputs poisoned first. `pytest -m gpu` runs these and whole solves there."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core import arrays
from mfgpde.kernels import cpu, stencils

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def cupy():
    try:
        return arrays.device_namespace()
    except RuntimeError as problem:
        pytest.skip(str(problem))


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("shape", [(1000,), (513, 1031), (1, 40), (40, 1), (65, 33, 129)], ids=str)
def test_rates_of_change(shape, periodic, rng, cupy, rates):
    p, coefficients = rng.random(shape), rates(shape, periodic, rng)
    want, ours = np.empty(shape), cupy.full(shape, cupy.nan)
    getattr(cpu, f"forward_{len(shape)}d")(p, *coefficients, want)
    device, held, given = stencils.on_device(), cupy.asarray(p), [cupy.asarray(a) for a in coefficients]
    stencil = device.stencil("stage", shape, *given)
    stencil.rate(held, ours)
    np.testing.assert_allclose(ours.get(), want, rtol=1e-13, atol=1e-13)
    weights, f = rng.normal(size=(4, 5)), np.empty(shape)
    y = [p, weights[0, :3].sum() * p + weights[0, 3:].sum() * want]
    for c in weights[1:]:
        getattr(cpu, f"forward_{len(shape)}d")(y[-1], *coefficients, f)
        y.append(c[0] * p + c[1] * y[-1] + c[2] * y[-2] + c[3] * f + c[4] * want)
    last = device.chebyshev(stencil, held, cupy.asarray(want), list(cupy.asarray(weights)))
    np.testing.assert_allclose(last.get(), y[-1], rtol=1e-11, atol=1e-12 * np.abs(y[-1]).max())


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("shape", [(3, 67, 1), (7, 9, 33), (129, 64, 65)], ids=str)
def test_fluxes_along_an_axis(shape, periodic, rng, cupy):
    outer, n, inner = shape
    faces, device = (outer, n + 1, inner), stencils.on_device()
    p, w, up, down = rng.random(shape), rng.normal(size=faces), rng.random(faces), rng.random(faces)
    for a in (up, down, w):
        a[:, n] = a[:, 0] = a[:, 0] if periodic else 0.0
    for name, given, start in (
        ("backward_axis", (p, up, down), rng.random(shape)),
        ("limited_flux", (p, w, periodic), rng.random(shape)),
        ("score_axis", (up, p, 3.0, 0.7), rng.random(shape)),
        ("face_slopes", (p, 9.0, periodic, True), np.full(faces, np.nan)),
    ):
        want, ours = start.copy(), cupy.asarray(start)
        getattr(cpu, name)(*given, want)
        getattr(device, name)(*(cupy.asarray(a) if isinstance(a, np.ndarray) else a for a in given), ours)
        np.testing.assert_allclose(ours.get(), want, rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("cells", [(1000,), (513, 1031), (65, 33, 129)], ids=str)
def test_fourth_order(cells, periodic, rng, cupy):
    d = len(cells)
    grid = mfg.CartesianGrid((-4.0,) * d, (4.0,) * d, cells, (periodic,) * d)

    def drift(x, t):
        return np.sin(np.pi / 2 * x)

    p, found = rng.random(cells), []
    for backend in ("numpy", "cupy"):
        space = mfg.FiniteVolume(grid, order=4, backend=backend)
        chain = space.semidiscretise(mfg.FokkerPlanck(drift, lambda t: 0.3, time_dependent=False)).at(0.0)
        found.append(arrays.to_host(chain.rate(p if backend == "numpy" else cupy.asarray(p), 0.0)))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-11, atol=1e-11 * np.abs(found[0]).max())


def test_sums_of_squares(rng, cupy):
    u, e = rng.normal(size=1_000_003), rng.normal(size=1_000_003)
    first, again = (stencils.on_device().sums_of_squares(cupy.asarray(u), cupy.asarray(e)).get() for _ in range(2))
    np.testing.assert_allclose(first[0], [np.sum(u**2), np.sum(e**2)], rtol=1e-12)
    np.testing.assert_array_equal(first, again)


def test_measures(rng, cupy):
    p, q = rng.random(1_000_003), rng.random(1_000_003) + 0.1
    shares = stencils.on_device().measures(cupy.asarray(p), cupy.asarray(q), cupy.empty).get()
    found = np.r_[shares[:, :3].sum(axis=0), shares[:, 3].max(), shares[:, 4].sum()]
    away = np.abs(p - q)
    want = [p.sum(), away.sum(), (away**2).sum(), away.max(), np.sum(p * np.log(p / q))]
    np.testing.assert_allclose(found, want, rtol=1e-11)


def test_slopes_and_envelopes(rng, cupy):
    device, u = stencils.on_device(), rng.random((5, 200, 33)).cumsum(axis=1)
    for walls in (0, 1, 2):
        want, ours = np.empty((3, u.size, 1)), cupy.full((3, u.size, 1), cupy.nan)
        cpu.weno_slopes(u, 7.0, walls, 0, want[0], want[1], want[2, :, 0])
        device.weno_slopes(cupy.asarray(u), 7.0, walls, 0, ours[0], ours[1], ours[2, :, 0])
        np.testing.assert_allclose(ours.get(), want, rtol=1e-10, atol=1e-10)
    f, h = rng.random((300, 517)), 0.05
    want = [np.empty_like(f), np.empty(f.shape, np.int32), np.empty_like(f)]
    cpu.envelope(f, h, True, *want)
    ours = [cupy.full(f.shape, cupy.nan), cupy.full(f.shape, -1, cupy.int32), cupy.full(f.shape, cupy.nan)]
    device.envelope(cupy.asarray(f), h, True, *ours)
    np.testing.assert_allclose(ours[0].get(), want[0], rtol=1e-13, atol=1e-15 * f.max())  # minima may be near zero
    np.testing.assert_array_equal(ours[1].get(), want[1])
    back, there = np.empty_like(f), cupy.full(f.shape, cupy.nan)
    cpu.scatter(f, want[1], want[2], back)
    device.scatter(cupy.asarray(f), ours[1], cupy.asarray(want[2]), there)
    np.testing.assert_allclose(there.get(), back, rtol=1e-12, atol=1e-12)


def test_the_proximal_map_of_kinetic_energy(rng, cupy):
    m, mu, s = rng.normal(size=(17, 3001)), rng.normal(size=(17, 3001)), 10.0 ** rng.uniform(-3, 2, 17)
    want, ours = (np.empty_like(m), np.zeros_like(m)), (cupy.full(m.shape, cupy.nan), cupy.zeros(m.shape))
    cpu.kinetic_proximal(m, mu, s, *want)
    stencils.on_device().kinetic_proximal(*map(cupy.asarray, (m, mu, s)), *ours)
    for a, b in zip(ours, want, strict=True):
        np.testing.assert_allclose(a.get(), b, rtol=1e-11, atol=1e-12)


def test_under_the_sanitizer(cupy):
    """Every kernel of this file once more, with each access to memory checked."""
    tool = shutil.which("compute-sanitizer")
    if tool is None:
        pytest.skip("compute-sanitizer is not installed")
    if os.environ.get("MFGPDE_SANITIZED"):
        pytest.skip("this is the run under the sanitizer")
    command = [tool, "--error-exitcode", "9", sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:xdist", __file__]
    done = subprocess.run(command, env=os.environ | {"MFGPDE_SANITIZED": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
