"""Fourth order in three dimensions, sixteen bytes a thread: bit for bit the plain pass, wherever its arrays begin.

Arrays lie between guards of NaN: what is read beside them shows in the result, what is written beside them in the guards.
"""

import numpy as np
import pytest

from mfgpde.kernels.launch import Stencil

GUARD = 64


def placed(values, away, real):
    """Return a copy of values, so many numbers beyond a start at sixteen bytes, between guards."""
    room = np.full(values.size + 3 * GUARD, np.nan, real)
    start = GUARD - room.ctypes.data // room.itemsize % (16 // room.itemsize) + away
    inner = room[start : start + values.size].reshape(values.shape)
    inner[...] = values
    assert (inner.ctypes.data % 16 == 0) == (away == 0)
    return inner


def unharmed(array):
    first = (array.ctypes.data - array.base.ctypes.data) // array.itemsize
    return np.isnan(array.base[:first]).all() and np.isnan(array.base[first + array.size :]).all()


@pytest.mark.parametrize("real", ["float64", "float32"])
@pytest.mark.parametrize("periodic", [(False, False, False), (True, True, True), (True, False, True)])
@pytest.mark.parametrize("shape", [(2, 2, 4), (5, 4, 8), (18, 3, 12), (3, 2, 72), (40, 5, 4), (3, 9, 6)], ids=str)
def test_sixteen_bytes_a_thread_are_the_plain_pass(shape, periodic, real, rng, on_host):
    """Rates and stages, walls with Péclet numbers of their own: the same sums in the same order."""
    device, cells = on_host(), 16 // np.dtype(real).itemsize
    w = [placed(rng.uniform(-1, 1, tuple(n + (k == axis) for k, n in enumerate(shape))), 0, real) for axis in range(3)]
    for axis in range(3):
        ends = np.moveaxis(w[axis], axis, 0)
        ends[-1] = ends[0] if periodic[axis] else ends[-1]
    fixed = (*w, placed(rng.uniform(0.5, 2, 3), 0, real), *periodic)
    plain = Stencil(device.kernel("corrected_fitted_stage_3d", np.dtype(real)), shape, fixed)
    stencil = device.stencil("corrected_fitted_stage", shape, *fixed)
    assert stencil.kernel.name == f"corrected_fitted_{'stage' if shape[-1] % cells else 'pairs'}_3d"
    levels, weights = rng.random((4, *shape)), placed(rng.normal(size=(1, 5)), 0, real)
    found = []
    for one, away in ((plain, 0), (stencil, 0), (stencil, 1)):
        rate, *held = (placed(a, away, real) for a in (np.zeros(shape), *levels))
        one.rate(held[0], rate)
        last = one.stages(tuple(held), [weights[0]])
        assert all(map(unharmed, (rate, *held)))
        found.append((rate, last))
    for rate, last in found[1:]:
        np.testing.assert_array_equal(rate, found[0][0])
        np.testing.assert_array_equal(last, found[0][1])
    assert np.all(np.isfinite(found[0][1]))
