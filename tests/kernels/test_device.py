"""The device's kernels without a device: the same source on the host against Numba's.

Arrays lie between guards of NaN: what is read beside them shows in the result, what is written beside them in the guards.
"""

import numpy as np
import pytest

from mfgpde.kernels import cpu, jumps, transport
from mfgpde.kernels.launch import source
from mfgpde.kernels.regions import read

GUARD = 1024
SHAPES = [(4, 4), (67, 93), (1, 40), (40, 1), (33, 257), (5, 4, 6), (1, 17, 4), (9, 1, 130), (18, 3, 1)]


def guarded(values, dtype=np.float64):
    """Return a copy of values between guards, and the guards."""
    values = np.asarray(values)
    room = np.full(values.size + 2 * GUARD, np.nan, dtype)
    inner = room[GUARD : GUARD + values.size].reshape(values.shape)
    inner[...] = values
    return inner


def unharmed(array):
    room = array.base
    return np.isnan(room[:GUARD]).all() and np.isnan(room[-GUARD:]).all()


def peclet(shape, periodic, rng):
    """Return face Péclet numbers |w| ≤ 1 of each axis."""
    found = []
    for axis, n in enumerate(shape):
        w = rng.uniform(-1, 1, tuple(k + (i == axis) for i, k in enumerate(shape)))
        ends = np.moveaxis(w, axis, 0)
        ends[n] = ends[0] = ends[0] if periodic[axis] else 0.0
        found.append(w)
    return found


def in_stages(device, stencil, y0, change, rng):
    """Four of Chebyshev's stages against the recurrence, written out; y_2 and on take the place of y_0 and on."""
    weights, f0, f = rng.normal(size=(4, 5)), np.empty_like(y0), np.empty_like(y0)
    change(y0, f0)
    y = [y0, weights[0, :3].sum() * y0 + weights[0, 3:].sum() * f0]
    for c in weights[1:]:
        change(y[-1], f)
        y.append(c[0] * y0 + c[1] * y[-1] + c[2] * y[-2] + c[3] * f + c[4] * f0)
    held = [guarded(y0), guarded(y[1]), guarded(f0), guarded(np.full_like(y0, np.nan))]
    rows = [guarded(c) for c in weights]
    size = np.abs(y[-1]).max()
    last = stencil.stages(tuple(held), rows[1:])
    np.testing.assert_allclose(last, y[-1], rtol=1e-11, atol=1e-12 * size)
    assert all(map(unharmed, held))
    np.testing.assert_array_equal(held[0], y0)
    np.testing.assert_allclose(device.chebyshev(stencil, y0, f0, rows), y[-1], rtol=1e-11, atol=1e-12 * size)


def forward(p, coefficients, out):
    {1: cpu.forward_1d, 2: cpu.forward_2d, 3: cpu.forward_3d}[p.ndim](p, *coefficients, out)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("shape", [(1,), (67,), (300,), *SHAPES], ids=str)
def test_rates_of_change_and_stages(shape, periodic, rng, on_host, rates):
    p, coefficients = rng.random(shape), rates(shape, periodic, rng)
    want = np.empty(shape)
    forward(p, coefficients, want)
    ours = guarded(np.full(shape, np.nan))
    stencil = on_host().stencil("stage", shape, *(guarded(a) for a in coefficients))
    stencil.rate(guarded(p), ours)
    np.testing.assert_allclose(ours, want, rtol=1e-13, atol=1e-14)
    assert unharmed(ours)
    in_stages(on_host(), stencil, p, lambda u, out: forward(u, coefficients, out), rng)


@pytest.mark.parametrize("periodic", [(False, False, False), (True, True, True), (True, False, True)])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_coefficients_on_the_fly(shape, periodic, rng, on_host):
    periodic, p = periodic[: len(shape)], rng.random(shape)
    w, rate = peclet(shape, periodic, rng), rng.uniform(0.5, 2, len(shape))
    stored = []
    for axis, a in enumerate(w):
        pair = [np.empty(a.size), np.empty(a.size)]
        cpu.jump_rates(a.ravel(), rate[axis], *pair)
        for b in (b.reshape(a.shape) for b in pair):
            if not periodic[axis]:
                np.moveaxis(b, axis, 0)[[0, -1]] = 0.0
            stored.append(b)
    want = np.empty(shape)
    forward(p, stored, want)
    device, ours = on_host(), guarded(np.full(shape, np.nan))
    stencil = device.stencil("fitted_stage", shape, *(guarded(a) for a in w), guarded(rate), *periodic)
    stencil.rate(guarded(p), ours)
    np.testing.assert_allclose(ours, want, rtol=1e-12, atol=1e-12)
    assert unharmed(ours)
    in_stages(device, stencil, p, lambda u, out: forward(u, stored, out), rng)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("shape", [(2,), (67,), (300,), *(s for s in SHAPES if min(s) > 1)], ids=str)
def test_fourth_order_in_one_pass(shape, periodic, rng, on_host, rates):
    p, coefficients, of_axes, w = rng.random(shape), rates(shape, periodic, rng), [], []
    for axis, n in enumerate(shape):
        w.append(3 * rng.normal(size=tuple(k + (i == axis) for i, k in enumerate(shape))))
        if periodic:
            np.moveaxis(w[axis], axis, 0)[n] = np.moveaxis(w[axis], axis, 0)[0]
        of_axes += [*coefficients[2 * axis : 2 * axis + 2], w[axis]]

    def change(u, out):
        out[...] = 0.0
        for axis, n in enumerate(shape):
            lines = (-1, n, int(np.prod(shape[axis + 1 :])))
            up, down, peclet = (a.reshape(-1, n + 1, lines[2]) for a in of_axes[3 * axis : 3 * axis + 3])
            flux, better = np.empty_like(up), np.empty_like(up)
            cpu.face_flux(u.reshape(lines), up, down, flux)
            cpu.corrected_flux(flux, peclet, periodic, better)
            cpu.add_inflow(better, out.reshape(lines))

    want, ours = np.empty(shape), guarded(np.full(shape, np.nan))
    change(p, want)
    stencil = on_host().stencil("corrected_stage", shape, *map(guarded, of_axes), *[periodic] * len(shape))
    stencil.rate(guarded(p), ours)
    np.testing.assert_allclose(ours, want, rtol=1e-12, atol=1e-12)
    assert unharmed(ours)
    in_stages(on_host(), stencil, p, change, rng)


@pytest.mark.parametrize("periodic", [(False, False, False), (True, True, True), (True, False, True)])
@pytest.mark.parametrize("shape", [s for s in SHAPES if len(s) > 1 and min(s) > 1], ids=str)
def test_fourth_order_on_the_fly(shape, periodic, rng, on_host):
    """The same from Péclet numbers alone, those on walls included, as from stored rates."""
    periodic, p = periodic[: len(shape)], rng.random(shape)
    w, rate = peclet(shape, periodic, rng), rng.uniform(0.5, 2, len(shape))
    for axis, a in enumerate(w):
        if not periodic[axis]:
            np.moveaxis(a, axis, 0)[[0, -1]] = rng.uniform(-1, 1, np.moveaxis(a, axis, 0)[[0, -1]].shape)
    stored = []
    for axis, a in enumerate(w):
        up, down = np.empty(a.size), np.empty(a.size)
        cpu.jump_rates(a.ravel(), rate[axis], up, down)
        for b in (up.reshape(a.shape), down.reshape(a.shape)):
            if not periodic[axis]:
                np.moveaxis(b, axis, 0)[[0, -1]] = 0.0
            stored.append(b)
        stored.append(a)
    device, want, ours = on_host(), np.empty(shape), guarded(np.full(shape, np.nan))
    known = device.stencil("corrected_stage", shape, *map(guarded, stored), *periodic)
    known.rate(guarded(p), want)
    stencil = device.stencil("corrected_fitted_stage", shape, *map(guarded, w), guarded(rate), *periodic)
    stencil.rate(guarded(p), ours)
    np.testing.assert_allclose(ours, want, rtol=1e-12, atol=1e-12)
    assert unharmed(ours)
    in_stages(device, stencil, p, lambda u, out: known.rate(np.ascontiguousarray(u), out), rng)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("shape", [(1, 5, 1), (3, 67, 1), (1, 4, 130), (7, 9, 33), (2, 1, 3), (4, 2, 5)], ids=str)
def test_fluxes_along_an_axis(shape, periodic, rng, on_host):
    outer, n, inner = shape
    faces = (outer, n + 1, inner)
    p, w = rng.random(shape), rng.normal(size=faces)
    up, down = rng.random(faces), rng.random(faces)
    for a in (up, down, w):
        a[:, n] = a[:, 0] = a[:, 0] if periodic else 0.0
    device = on_host()
    for name, given, start in (
        ("backward_axis", (p, up, down), rng.random(shape)),
        ("limited_flux", (p, w, periodic), rng.random(shape)),
    ):
        want, ours = start.copy(), guarded(start)
        getattr(cpu, name)(*given, want)
        held = [guarded(a) if isinstance(a, np.ndarray) else a for a in given]
        getattr(device, name)(*held, ours)
        np.testing.assert_allclose(ours, want, rtol=1e-12, atol=1e-13, err_msg=name)
        assert unharmed(ours), name


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("shape", [(1, 1, 67), (1, 9, 33), (1, 40, 5), (5, 4, 6), (7, 3, 130)], ids=str)
def test_jumps_along_lattice_vectors(shape, periodic, rng, on_host):
    """Rates by Numba's own kernel, walls among them; forward, and its transpose; offsets reach up to two cells."""
    moves = [(0, 0, 1), (0, 1, 0), (0, 1, -1), (0, 2, 1), (1, 0, 0), (1, -1, 2)]
    fits = [m for m in moves if all(2 * abs(step) < n for step, n in zip(m, shape, strict=True))]
    offsets, count = np.array(fits, dtype=np.int64), len(fits)
    weight, slope = rng.random((count, *shape)), rng.normal(size=(*shape, 3))
    up, down = np.empty((2, count, *shape))
    closed = np.array([periodic] * 3)
    nothing = np.zeros((0, 0, 0))
    jumps.edge_rates(weight, slope, rng.normal(size=weight.shape), *read(nothing), offsets, closed, up, down)
    p, leave, want = rng.random(shape), rng.random(shape), np.empty(shape)
    jumps.departures(up, down, offsets, leave)
    device = on_host()
    for pair in ((up, down), (down, up)):
        ours = guarded(np.full(shape, np.nan))
        jumps.jump(p, offsets, *pair, leave, want)
        device.jump(guarded(p), offsets.astype(np.int32), *map(guarded, pair), guarded(leave), ours)
        np.testing.assert_allclose(ours, want, rtol=1e-12, atol=1e-13)
        assert unharmed(ours)
    with pytest.raises(TypeError, match="keeps places as int32"):
        device.jump(p, offsets, up, down, leave, want)


@pytest.mark.parametrize("walls", ["periodic", "mirror", "far"])
@pytest.mark.parametrize("shape", [(1, 4, 1), (3, 67, 1), (1, 4, 130), (7, 9, 33)], ids=str)
def test_the_score_equation_along_an_axis(shape, walls, rng, on_host):
    outer, n, inner = shape
    s, f, start, u = rng.random((outer, n + 1, inner)), rng.random(shape), rng.random(shape), rng.random(shape)
    low, high = s[:, :-1], s[:, 1:]
    mean = 0.5 * (low + high)
    want = start + 3.0 * (high - low) + 0.7 * mean**2 - f * mean
    before, after = {
        "periodic": (u[:, -1:], u[:, :1]),
        "mirror": (u[:, :1], u[:, -1:]),
        "far": (3 * (u[:, :1] - u[:, 1:2]) + u[:, 2:3], 3 * (u[:, -1:] - u[:, -2:-1]) + u[:, -3:-2]),
    }[walls]
    slopes = np.diff(np.concatenate((before, u, after), axis=1), axis=1) * 9.0
    for kernels, hold in ((cpu, np.array), (on_host(), guarded)):
        out, faces = hold(start), hold(np.full_like(s, np.nan))
        kernels.score_axis(hold(s), hold(f), 3.0, 0.7, out)
        kernels.face_slopes(hold(u), 9.0, walls == "periodic", walls == "far", faces)
        np.testing.assert_allclose(out, want, rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(faces, slopes, rtol=1e-12, atol=1e-13)
        if hold is guarded:
            assert unharmed(out)
            assert unharmed(faces)


@pytest.mark.parametrize("shape", [(1, 5, 1), (3, 67, 1), (1, 4, 130), (7, 9, 33)], ids=str)
def test_slopes_that_do_not_oscillate(shape, rng, on_host):
    _, n, _ = shape
    u = np.cumsum(rng.normal(size=shape), axis=1) + np.abs(np.linspace(-1, 1, n))[:, None]
    for walls in (0, 1, 2):
        want = [np.full((u.size, 2), np.nan), np.full((u.size, 2), np.nan), np.full(u.size, np.nan)]
        ours = [guarded(a) for a in want]
        for axis in (0, 1):  # one beside the other, and Δu summed
            cpu.weno_slopes(u, 7.0, walls, axis, *want)
            on_host().weno_slopes(guarded(u), 7.0, walls, axis, *ours)
        for a, b in zip(ours, want, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-10)
            assert unharmed(a)


@pytest.mark.parametrize("refine", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (5, 67), (2, 128), (3, 129), (2, 400)], ids=str)
def test_envelopes_and_their_adjoint(shape, refine, rng, on_host):
    f, h = rng.normal(size=shape) * 0.3, 0.05
    f[:, rng.random(shape[1]) < 0.1] = np.inf
    f[:, 0] = 0.0
    want = [np.empty(shape), np.empty(shape, np.int32), np.empty(shape)]
    cpu.envelope(f, h, refine, *want)
    out, offset, device = guarded(np.full(shape, np.nan)), guarded(np.full(shape, np.nan)), on_host()
    place = np.full(shape, -1, np.int32)
    device.envelope(guarded(f), h, refine, out, place, offset)
    np.testing.assert_allclose(out, want[0], rtol=1e-13, atol=1e-14)
    np.testing.assert_array_equal(place, want[1])
    np.testing.assert_allclose(offset, want[2], atol=1e-11)
    brute = np.min(
        0.5 * h**2 * np.subtract.outer(np.arange(shape[1]), np.arange(shape[1])) ** 2 + f[:, None, :], axis=2
    )
    np.testing.assert_array_less(want[0] - 1e-14, brute)
    mass, back, ours = rng.random(shape), np.empty(shape), guarded(np.full(shape, np.nan))
    cpu.scatter(mass, place, want[2], back)
    device.scatter(guarded(mass), place, guarded(want[2]), ours)
    np.testing.assert_allclose(ours, back, rtol=1e-13, atol=1e-14)
    assert unharmed(ours)
    assert unharmed(out)
    assert unharmed(offset)


@pytest.mark.slow
@pytest.mark.parametrize("real", ["float64", "float32"])
def test_the_proximal_map_of_kinetic_energy(real, rng, on_host):
    m, mu, s = rng.normal(size=(7, 333)), rng.normal(size=(7, 333)), 10.0 ** rng.uniform(-4, 2, 7)
    mu[0], m[1], mu[2, :5] = -5.0, 0.0, [0.0, 1e-12, 1e5, -1e-12, 1.0]
    for guess in (np.zeros_like(m), rng.random(m.shape), np.full_like(m, 1e6)):
        given = [guarded(a, real) for a in (m, mu, s, 0 * m, guess)]
        on_host().kinetic_proximal(*given)
        want = np.empty_like(m), guess.copy()
        cpu.kinetic_proximal(m, mu, s, *want)
        bar = 1e-11 if real == "float64" else 2e-4
        for ours, theirs in zip(given[3:], want, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=bar, atol=bar)
            assert unharmed(ours)
        flow, root = want  # the root solves its cubic, and is no less than zero
        positive = root > 0
        scale = (np.abs(root) + np.abs(mu) + s[:, None]) ** 3 + s[:, None] * m**2
        defect = (root - mu) * (root + s[:, None]) ** 2 - 0.5 * s[:, None] * m**2
        assert np.abs(defect / scale)[positive].max() < 1e-13
        assert root.min() >= 0
        assert np.all(flow[~positive] == 0)


def test_rates_from_peclet_numbers(rng, on_host):
    w = np.concatenate(([0.0, 1.0, -1.0, 700.0, -700.0], rng.normal(size=500) * 10 ** rng.uniform(-9, 2, 500)))
    for name, factor in (("jump_rates", 1.7), ("upwind_rates", 3.0)):
        want, ours = [np.empty_like(w) for _ in range(2)], [guarded(0 * w) for _ in range(2)]
        getattr(cpu, name)(w, factor, *want)
        getattr(on_host(), name)(guarded(w), guarded([factor]) if name == "jump_rates" else factor, *ours)
        for a, b in zip(ours, want, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-12)


@pytest.mark.parametrize("backwards", [False, True], ids=["in order", "backwards"])
@pytest.mark.parametrize("shape", [(1, 1), (37, 61), (300, 3), (5, 9, 17)], ids=str)
def test_departures(shape, backwards, rng, on_host):
    """The largest |w|, walls included, and the fastest departure, from nothing but a pass and a look at its blocks."""
    periodic = (True, False, True)[: len(shape)]
    w = [a * 30 ** rng.random(a.shape) for a in peclet(shape, periodic, rng)]
    held, device = tuple(map(guarded, w)), on_host(backwards)
    found = device.departures(held, periodic)
    for axis, (a, row) in enumerate(zip(w, found, strict=True)):
        lines = a.reshape(-1, a.shape[axis], int(np.prod(a.shape[axis + 1 :])))
        np.testing.assert_allclose(row, [np.abs(a).max(), cpu.largest_departure(lines, periodic[axis])], rtol=1e-13)
    held[-1].flat[held[-1].size // 2] = np.nan
    assert device.departures(held, periodic)[-1, 0] == np.inf


@pytest.mark.parametrize("backwards", [False, True], ids=["in order", "backwards"])
@pytest.mark.parametrize("size", [1, 255, 256, 257, 5000])
def test_measures_in_one_pass(size, backwards, rng, on_host):
    p, q = rng.random(size), rng.random(size) + 0.1
    p[0] = 0.0
    shares = on_host(backwards).measures(guarded(p), guarded(q), lambda shape, dtype: guarded(np.zeros(shape), dtype))
    assert unharmed(shares)
    found = np.r_[shares[:, :3].sum(axis=0), shares[:, 3].max(), shares[:, 4].sum()]
    away = np.abs(p - q)
    kl = np.sum(p[1:] * np.log(p[1:] / q[1:]))
    np.testing.assert_allclose(found, [p.sum(), away.sum(), (away**2).sum(), away.max(), kl], rtol=1e-12, atol=1e-13)
    q[-1] = 0.0
    if size > 1:
        shares = on_host(backwards).measures(guarded(p), guarded(q), lambda shape, dtype: np.zeros(shape, dtype))
        assert np.isinf(shares[:, 4].sum())


@pytest.mark.parametrize("backwards", [False, True], ids=["in order", "backwards"])
@pytest.mark.parametrize("size", [1, 256, 257, 300_000])
def test_sums_of_squares(size, backwards, rng, on_host):
    u, e = rng.normal(size=size), 1e-9 * rng.normal(size=size)
    found = on_host(backwards).sums_of_squares(guarded(u), guarded(e))
    np.testing.assert_allclose(found[0], [np.sum(u**2), np.sum(e**2)], rtol=1e-12)


@pytest.mark.slow
def test_a_missing_barrier_would_be_seen(rng, on_host):
    """The check of the check: without its barriers the reduction comes out wrong in one order or the other."""
    without = source().replace("        BARRIER();\n", "").replace("    BARRIER();\n", "")
    assert without != source()
    p = rng.random(500)

    def wrong(backwards):
        shares = on_host(backwards, without).measures(p, p + 1, lambda shape, dtype: np.zeros(shape, dtype))
        return not np.isclose(shares[:, 0].sum(), p.sum())

    assert wrong(False) or wrong(True)


@pytest.mark.parametrize("n", [2, 3, 17])
def test_systems_in_time(n, rng, on_host):
    """From dense systems, eliminated here."""
    systems = 137
    beside, diagonal = rng.normal(size=(n - 1, systems)), 3 + rng.random((n, systems))
    x, right = rng.normal(size=(n, systems)), diagonal.copy()
    right *= x
    right[1:] += beside * x[:-1]
    right[:-1] += beside * x[1:]
    factors = np.empty_like(beside)
    for k in range(1, n):
        factors[k - 1] = beside[k - 1] / diagonal[k - 1]
        diagonal[k] -= factors[k - 1] * beside[k - 1]
    for kernels, hold in ((cpu, np.array), (on_host(), guarded)):
        ours = hold(right)
        kernels.substitute(ours, *map(hold, (factors, 1 / diagonal, beside)))
        np.testing.assert_allclose(ours, x, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(19, 23), (2, 40), (9, 11, 7)], ids=str)
@pytest.mark.parametrize("least", [1, 3])
def test_mass_carried_by_a_map(shape, least, rng, on_host):
    """Folded, stretched, and out of the box at places; cells without mass stay without."""
    mass = np.where(rng.random(shape) < 0.2, 0.0, rng.random(shape))
    places = np.meshgrid(*(np.arange(n, dtype=float) for n in shape), indexing="ij")
    target = [x + 2.5 * np.sin(0.7 * x + k) + rng.normal(size=shape) for k, x in enumerate(places)]
    want, cost = np.empty((1, *shape)), np.empty(1)
    (transport.carry_2d if mass.ndim == 2 else transport.carry_3d)(mass, *read(*target), least, want, cost)
    ours, costs = guarded(np.full(shape, np.nan)), guarded(np.full(shape, np.nan))
    on_host().carry(guarded(mass), tuple(map(guarded, target)), least, ours, costs)
    np.testing.assert_allclose(ours, want[0], rtol=1e-12, atol=1e-14)
    assert costs.sum() == pytest.approx(cost[0], rel=1e-12)
    assert ours.sum() == pytest.approx(mass.sum(), rel=1e-13)
    assert unharmed(ours)
    assert unharmed(costs)


@pytest.mark.parametrize("shape", [(1, 5, 1), (3, 67, 1), (130, 64, 1), (2, 70, 65), (1, 16, 200), (4, 33, 7)], ids=str)
@pytest.mark.parametrize("m", [1, 64, 67])
def test_products_with_a_table(shape, m, rng, on_host):
    table, u = rng.normal(size=(m, shape[1])), rng.normal(size=shape)
    ours = guarded(np.full((shape[0], m, shape[2]), np.nan))
    on_host().table_product(guarded(table), guarded(u), ours)
    np.testing.assert_allclose(ours, np.einsum("ij,bja->bia", table, u), rtol=1e-12, atol=1e-12)
    assert unharmed(ours)


@pytest.mark.slow  # reals of both lengths in test_pairs.py
def test_single_precision(rng, on_host, rates):
    shape = (33, 70)
    p, coefficients = rng.random(shape), rates(shape, False, rng)
    want = np.empty(shape)
    cpu.forward_2d(p, *coefficients, want)
    ours = guarded(np.zeros(shape), np.float32)
    stencil = on_host().stencil("stage", shape, *(guarded(a, np.float32) for a in coefficients))
    stencil.rate(guarded(p, np.float32), ours)
    np.testing.assert_allclose(ours, want, atol=1e-5)


def test_bad_arrays(rng, on_host):
    p = np.zeros((4, 4))
    device = on_host()
    with pytest.raises(TypeError, match="one type, float64 or float32, got float32, float64"):
        device.recurrence(p, p, p, p.astype(np.float32), p, np.ones(5), p)
    with pytest.raises(TypeError, match="got int64"):
        device.upwind_rates(np.zeros(3, int), 1.0, np.zeros(3, int), np.zeros(3, int))
    with pytest.raises(ValueError, match="C-contiguous"):
        device.upwind_rates(np.zeros((4, 6))[:, ::2], 1.0, np.zeros(12), np.zeros(12))


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (1, 7, 8), (6, 1, 1)], ids=str)
def test_mass_is_carried_on_lines_of_one_cell(shape, rng, on_host):
    """Where a cell has no neighbour along an axis, none is written."""
    mass = rng.random(shape)
    target = [rng.random(shape) * (n - 1) for n in shape]
    ours, cost, device = guarded(np.zeros(shape)), guarded(np.zeros(shape)), on_host()
    device.carry(guarded(mass), tuple(map(guarded, target)), 1, ours, cost)
    np.testing.assert_allclose(ours.sum(), mass.sum(), rtol=1e-13)
    assert unharmed(ours)


def test_sums_of_one_march_are_not_those_of_another(rng, on_host):
    """Two marches may run side by side: what one has asked for stays its own."""
    u, e = rng.random((2, 500))
    device = on_host()
    first, second = device.sums_of_squares(u, e), device.sums_of_squares(e, u)
    np.testing.assert_allclose(first[0], second[0, ::-1], rtol=1e-14)
    assert abs(first[0, 0] - first[0, 1]) > 1e-6
