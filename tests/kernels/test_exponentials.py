"""The exponential inside mixtures: the shares of components to a few roundings over their whole range."""

import numpy as np

from mfgpde.kernels.mixtures import NEGLIGIBLE, _shares


def test_shares_are_exponentials_to_three_roundings():
    """Every coefficient of the series shows: the last but two, doubled, moves 7e-12, the last 2e-16, one rounding."""
    below = -np.linspace(0.0, NEGLIGIBLE - 1e-9, 20_001)
    powers, shares = np.empty_like(below), np.empty_like(below)
    _shares(below, len(below), shares, powers, powers.view(np.int64))
    np.testing.assert_allclose(shares, np.exp(below), rtol=3 * np.finfo(float).eps)
    _shares(np.array([-NEGLIGIBLE - 1.0, -1e300]), 2, shares, powers, powers.view(np.int64))
    assert shares[:2].tolist() == [0.0, 0.0]
