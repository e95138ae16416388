"""Every stencil against a plain NumPy formula, on odd sizes, walls and periodic axes."""

import numpy as np
import pytest

from mfgpde.kernels import cpu


def bernoulli(w):
    """w/(e^w − 1) in extended precision."""
    w = np.asarray(w, dtype=np.longdouble)
    return np.where(w == 0, 1, w / np.expm1(np.where(w == 0, 1, w))).astype(float)


def rates(shape, periodic, rng):
    up, down = [], []
    for axis in range(len(shape)):
        faces = tuple(n + (i == axis) for i, n in enumerate(shape))
        pair = [rng.random(faces), rng.random(faces)]
        for a in pair:
            ends = (slice(None),) * axis
            a[(*ends, -1)] = a[(*ends, 0)] = a[(*ends, 0)] if periodic else 0.0
        up.append(pair[0])
        down.append(pair[1])
    return up, down


def numpy_forward(p, up, down):
    out = np.zeros_like(p)
    for axis in range(p.ndim):
        low, high = np.roll(p, 1, axis), p
        first = range(p.shape[axis])
        flux = np.take(up[axis], first, axis) * low - np.take(down[axis], first, axis) * high
        last = np.take(up[axis], [-1], axis) * np.take(p, [-1], axis) - np.take(down[axis], [-1], axis) * np.take(
            p, [0], axis
        )
        out -= np.diff(np.concatenate((flux, last), axis), axis=axis)
    return out


SHAPES = [(4,), (67,), (4, 4), (67, 93), (5, 40), (40, 5), (4, 5, 6), (9, 17, 4)]


def test_exponential_fitting_weights_to_rounding():
    w = np.concatenate(([0.0], np.geomspace(1e-12, 600, 4001)))
    w = np.concatenate((w, -w))
    up, down = np.empty_like(w), np.empty_like(w)
    cpu.jump_rates(w, 1.0, up, down)
    np.testing.assert_allclose(down, bernoulli(w), rtol=1e-14, atol=1e-13)  # for large w: 1e-13 of a rate of size w
    np.testing.assert_allclose(up, bernoulli(-w), rtol=1e-14, atol=1e-13)
    assert min(up.min(), down.min()) >= 0


def test_upwind_is_the_limit_of_vanishing_diffusion():
    v, h, D = np.array([-2.0, 3.0]), 0.1, 1e-6
    up, down, up0, down0 = (np.empty(2) for _ in range(4))
    cpu.jump_rates(v * h / D, D / h**2, up, down)
    cpu.upwind_rates(v, 1 / h, up0, down0)
    np.testing.assert_allclose(up, up0, atol=2 * D / h**2)
    np.testing.assert_allclose(down, down0, atol=2 * D / h**2)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_forward_stencils(shape, periodic, rng):
    p, (up, down) = rng.random(shape), rates(shape, periodic, rng)
    out = np.full_like(p, np.nan)
    stencil = (cpu.forward_1d, cpu.forward_2d, cpu.forward_3d)[p.ndim - 1]
    stencil(p, *(a for pair in zip(up, down, strict=True) for a in pair), out)
    np.testing.assert_allclose(out, numpy_forward(p, up, down), rtol=0, atol=20 * 2.0**-52)  # ≤ 19 operations of size 1
    assert abs(out.sum()) < 1e-12


@pytest.mark.parametrize("periodic", [(False, False, False), (True, True, True), (False, True, False)])
@pytest.mark.parametrize("shape", [(4, 5, 6), (9, 17, 4), (1, 2, 3)], ids=str)
def test_rates_on_the_fly_are_the_stored_ones(shape, periodic, rng):
    w, up, down, rate = [], [], [], np.array([0.7, 1.3, 2.1])
    for axis in range(3):
        peclet = rng.uniform(-1, 1, tuple(n + (i == axis) for i, n in enumerate(shape)))
        ends = (slice(None),) * axis
        peclet[(*ends, -1)] = peclet[(*ends, 0)] = peclet[(*ends, 0)] if periodic[axis] else 0.0
        pair = np.empty_like(peclet), np.empty_like(peclet)
        cpu.jump_rates(peclet.ravel(), rate[axis], pair[0].ravel(), pair[1].ravel())
        for a in pair if not periodic[axis] else ():
            a[(*ends, [0, -1])] = 0.0
        w.append(peclet)
        up.append(pair[0])
        down.append(pair[1])
    p = rng.random(shape)
    for blocks in (1, 2, shape[0]):
        out = np.full(shape, np.nan)
        cpu.fitted_3d(p, *w, rate, np.array(periodic), blocks, out)
        np.testing.assert_allclose(out, numpy_forward(p, up, down), rtol=0, atol=1e-13)
        assert abs(out.sum()) < 1e-12
    for axis, a in enumerate(w):
        leaving = np.take(up[axis], range(1, shape[axis] + 1), axis) + np.take(down[axis], range(shape[axis]), axis)
        flat = a.reshape(-1, a.shape[axis], int(np.prod(a.shape[axis + 1 :])))
        largest = rate[axis] * cpu.largest_departure(flat, periodic[axis])
        assert largest == pytest.approx(leaving.max(), rel=1e-13)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_backward_is_the_transpose(shape, periodic, rng):
    p, u, (up, down) = rng.random(shape), rng.normal(size=shape), rates(shape, periodic, rng)
    out = np.zeros_like(u)
    for axis, n in enumerate(shape):
        inner = int(np.prod(shape[axis + 1 :]))
        faces = [a[axis].reshape(-1, n + 1, inner) for a in (up, down)]
        cpu.backward_axis(u.reshape(-1, n, inner), *faces, out.reshape(-1, n, inner))
    assert np.vdot(p, out) == pytest.approx(np.vdot(numpy_forward(p, up, down), u), abs=1e-13 * p.size)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize(("outer", "n", "inner"), [(1, 9, 5), (7, 5, 1), (3, 67, 1), (4, 6, 7)])
def test_corrected_fluxes(outer, n, inner, periodic, rng):
    """The three-pass and the fused row kernel against the formula, mass exactly kept."""
    p, up, down = rng.random((outer, n, inner)), *(rng.random((outer, n + 1, inner)) for _ in range(2))
    w = 3 * rng.normal(size=(outer, n + 1, inner))
    for a in (up, down, w):
        a[:, -1] = a[:, 0] = a[:, 0] if periodic else 0.0
    wide = np.concatenate((p[:, -1:], p, p[:, :1]), axis=1)
    F = up * wide[:, :-1] - down * wide[:, 1:]
    before, after = np.concatenate((F[:, -2:-1], F[:, :-1]), 1), np.concatenate((F[:, 1:], F[:, 1:2]), 1)
    w0, w1 = np.concatenate((w[:, -2:-1], w[:, :-1]), 1), np.concatenate((w[:, 1:], w[:, 1:2]), 1)
    error = before - 2 * F + after - 0.5 * w * (after - before) + 0.5 * (w1 - w0) * F
    G = F - error / (12 * (1 + (w / 4) ** 4))
    if not periodic:
        G[:, [0, -1]] = 0.0
    flux, better, out = np.empty_like(F), np.full_like(F, np.nan), np.zeros_like(p)
    cpu.face_flux(p, up, down, flux)
    cpu.corrected_flux(flux, w, periodic, better)
    cpu.add_inflow(better, out)
    np.testing.assert_allclose(out, -np.diff(G, axis=1), atol=1e-14)
    assert abs(out.sum()) < 1e-13
    if inner == 1:
        rows = np.zeros((outer, n))
        cpu.add_corrected_rows(
            p[..., 0], up[..., 0], down[..., 0], w[..., 0], periodic, *np.empty((2, outer, n + 1)), rows
        )
        np.testing.assert_allclose(rows, out[..., 0], atol=1e-14)


def test_chebyshev_recurrence(rng):
    arrays, c, out = [rng.normal(size=101) for _ in range(5)], rng.normal(size=5), np.empty(101)
    cpu.recurrence(*arrays, c, out)
    np.testing.assert_allclose(out, sum(a * b for a, b in zip(c, arrays, strict=True)), atol=1e-14)


@pytest.mark.parametrize("periodic", [False, True])
def test_limited_fluxes_keep_mass_and_sign(periodic, rng):
    p, v = rng.random((3, 20, 4)), rng.normal(size=(3, 21, 4))
    v[:, -1] = v[:, 0] = v[:, 0] if periodic else 0.0
    out = np.zeros_like(p)
    cpu.limited_flux(p, v, periodic, out)
    assert abs(out.sum()) < 1e-13
    dt = 0.25 / np.abs(v).max()  # forward Euler keeps the sign while dt·(outflow) ≤ ½
    assert (p + dt * out).min() >= 0
