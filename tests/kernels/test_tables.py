"""Cosine transforms by tables against fast ones, and slopes against sine transforms."""

import numpy as np
import pytest
import scipy.fft

from mfgpde.kernels.tables import Transforms, applied, cosine, slope


@pytest.mark.parametrize("norm", [None, "ortho"])
@pytest.mark.parametrize(("shape", "axes"), [((7,), None), ((5, 64), None), ((3, 8, 9), (1, 2)), ((4, 5, 6), None)])
def test_tables_are_the_fast_transforms(shape, axes, norm, rng):
    u, ours = rng.normal(size=shape), Transforms(scipy.fft, np.asarray)
    np.testing.assert_allclose(ours.dctn(u, axes=axes, norm=norm), scipy.fft.dctn(u, axes=axes, norm=norm), atol=1e-12)
    np.testing.assert_allclose(
        ours.idctn(u, axes=axes, norm=norm), scipy.fft.idctn(u, axes=axes, norm=norm), atol=1e-13
    )
    assert ours.rfftn is scipy.fft.rfftn


def test_long_axes_are_left_to_fast_transforms(rng):
    class Fast:
        def dctn(self, u, axes, norm):
            return "fast"

    assert Transforms(Fast(), np.asarray).dctn(rng.normal(size=(2, 1025))) == "fast"


@pytest.mark.parametrize("n", [1, 2, 33, 1024])
def test_tables_keep_their_digits(n):
    np.testing.assert_allclose(cosine(n) @ cosine(n).T, np.eye(n), atol=3e-15 * np.sqrt(n))
    x, k = (np.arange(n) + 0.5) * np.pi / n, min(3, n - 1)
    c = np.zeros(n)
    c[k] = 1.0
    scale = np.sqrt((1 if k == 0 else 2) / n)
    np.testing.assert_allclose(applied(slope(n), c, 0), -scale * k * np.sin(k * x), atol=1e-13)
