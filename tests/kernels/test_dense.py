"""Kernels against dense algebra on random input: elimination, deposits, jumps, Selling's weights, regions of threads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfgpde.kernels import dominant, jumps
from mfgpde.kernels.deposit import deposit
from mfgpde.kernels.selling import decompose

SEEDS = st.integers(0, 10**6)


@settings(max_examples=30)
@given(SEEDS, st.integers(3, 9), st.integers(1, 3), st.floats(-12, 0))
def test_elimination_without_subtraction_keeps_every_digit(seed, n, band, power):
    """Rows of M sum to what is lost, as small as 1e−12 of the rates: times by exact fractions."""
    from fractions import Fraction

    rng = np.random.default_rng(seed)
    band = min(band, n - 1)
    among = np.zeros((n, n))
    for i in range(n):
        for j in range(max(0, i - band), min(n, i + band + 1)):
            if i != j:
                among[i, j] = 2.0 ** rng.integers(-3, 4)
    lost = np.zeros(n)
    lost[0] = 2.0 ** round(power * 3)
    a = np.zeros((n, 2 * band + 1))
    rows, columns = np.nonzero(among)
    a[rows, columns - rows + band] = among[rows, columns]
    excess, pivots = lost.copy(), np.zeros(n)
    dominant.factorise(a, excess, pivots)
    x = np.ones(n)
    dominant.solve_rows(a, pivots, x)
    M = [[Fraction(float(-among[i, j])) for j in range(n)] for i in range(n)]
    for i in range(n):
        M[i][i] = Fraction(float(lost[i])) + sum(Fraction(float(v)) for v in among[i])
    right = [Fraction(1)] * n
    for k in range(n):  # Gauss, exactly
        for i in range(k + 1, n):
            share = M[i][k] / M[k][k]
            M[i] = [u - share * v for u, v in zip(M[i], M[k], strict=True)]
            right[i] -= share * right[k]
    exact = [Fraction(0)] * n
    for i in reversed(range(n)):
        exact[i] = (right[i] - sum(M[i][j] * exact[j] for j in range(i + 1, n))) / M[i][i]
    assert x == pytest.approx([float(v) for v in exact], rel=1e-13)


@settings(max_examples=30)
@given(SEEDS, st.integers(1, 3))
def test_deposits_keep_mass_and_three_moments(seed, d):
    """Lagrange's cubic shares: Σ w, Σ w x, Σ w x² and Σ w x³ of what lies inside are kept to rounding, axis by axis."""
    rng = np.random.default_rng(seed)
    cells, lower, h = (12, 11, 10)[:d], rng.normal(size=d), rng.uniform(0.2, 1.0, d)
    x = lower + h * rng.uniform(3.0, 7.0, (40, d))
    w = rng.random(40)
    found = deposit(x, w, lower, h, cells)
    assert found.shape == cells
    assert found.sum() == pytest.approx(w.sum())
    for axis in range(d):
        centres = lower[axis] + h[axis] * (np.arange(cells[axis]) + 0.5)
        line = found.sum(axis=tuple(k for k in range(d) if k != axis))
        for power in (1, 2, 3):
            assert line @ centres**power == pytest.approx(w @ x[:, axis] ** power, rel=1e-9, abs=1e-9)


@settings(max_examples=30)
@given(SEEDS, st.integers(2, 3))
def test_jumps_and_expectations_are_transposed_matrices(seed, d):
    """Along any lattice vectors, round the box: Ap by hand, Aᵀu with the rates exchanged, mass kept."""
    rng = np.random.default_rng(seed)
    shape = (5, 6, 7) if d == 3 else (1, 6, 7)
    offsets = np.array([[0, 0, 1], [0, 1, -1], [0, 2, 1], [int(d == 3), 1, -2]])
    up, down = rng.random((2, len(offsets), *shape))
    leave = np.zeros(shape)
    jumps.departures(up, down, offsets, leave)
    p, u = rng.random(shape), rng.normal(size=shape)
    wanted, hers = -leave * p, -leave * u
    axes = (0, 1, 2)
    for k, e in enumerate(offsets):
        back, ahead = tuple(e), tuple(-e)
        wanted += np.roll(up[k] * p, back, axes) + down[k] * np.roll(p, ahead, axes)
        hers += up[k] * np.roll(u, ahead, axes) + np.roll(down[k] * u, back, axes)
    out = np.empty(shape)
    jumps.jump(p, offsets, up, down, leave, out)
    assert out == pytest.approx(wanted, abs=1e-12)
    assert out.sum() == pytest.approx(0.0, abs=1e-10)
    expected = np.empty(shape)
    jumps.jump(u, offsets, down, up, leave, expected)
    assert expected == pytest.approx(hers, abs=1e-12)
    assert (u * out).sum() == pytest.approx((p * expected).sum(), rel=1e-10)
    ones = np.empty(shape)
    jumps.jump(np.ones(shape), offsets, down, up, leave, ones)
    assert ones == pytest.approx(0.0, abs=1e-12)


@settings(max_examples=60)
@given(SEEDS, st.integers(2, 3), st.floats(1.0, 30.0))
def test_lattice_weights_make_the_tensor_and_are_positive(seed, d, ratio):
    """D = Σ λ_k e_k e_kᵀ, few vectors, all λ ≥ 0 where no limit of the reach is met; scaled tensors have scaled weights."""
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.normal(size=(d, d)))[0]
    D = (Q * np.linspace(1.0, ratio, d)) @ Q.T
    D = 0.5 * (D + D.T)
    count = d * (d + 1) // 2
    both = np.stack((D, 7.0 * D))
    weights, vectors, monotone = np.zeros((2, count)), np.zeros((2, count, d), np.int64), np.ones(2, bool)
    decompose(both, 40, weights, vectors, monotone)
    assert monotone.all()
    assert weights.min() >= -1e-9 * ratio
    made = np.einsum("nk,nki,nkj->nij", weights, vectors, vectors)
    assert made == pytest.approx(both, abs=1e-9 * 7 * ratio)
    assert weights[1].sum() == pytest.approx(7 * weights[0].sum())
    low = np.zeros((1, count)), np.zeros((1, count, d), np.int64), np.ones(1, bool)
    decompose(np.eye(d)[None], 5, *low)
    assert np.einsum("nk,nki,nkj->nij", low[0], low[1], low[1])[0] == pytest.approx(np.eye(d))
