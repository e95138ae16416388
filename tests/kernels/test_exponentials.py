"""The exponential inside mixtures: the shares of components to a few roundings over their whole range."""

from decimal import Decimal, localcontext

import numpy as np

from mfgpde.kernels.mixtures import NEGLIGIBLE, _shares


def test_shares_are_exponentials_to_three_roundings():
    """Every coefficient of the series shows but the last, which moves less than a rounding: see below."""
    below = -np.linspace(0.0, NEGLIGIBLE - 1e-9, 20_001)
    powers, shares = np.empty_like(below), np.empty_like(below)
    _shares(below, len(below), shares, powers, powers.view(np.int64))
    np.testing.assert_allclose(shares, np.exp(below), rtol=3 * np.finfo(float).eps)
    _shares(np.array([-NEGLIGIBLE - 1.0, -1e300]), 2, shares, powers, powers.view(np.int64))
    assert shares[:2].tolist() == [0.0, 0.0]


def test_shares_have_no_bias():
    """Where the series is longest, |r| near ½ log 2, roundings cancel in the mean: its last term, 2e-16, must be there.

    The mean of 1000 errors of about ε/4 each has a deviation of ε/120, and the bound is eight of them. The last
    coefficient, doubled, moves it by −ε at one end and by ε/2 at the other; what the series leaves out is below ε/20.
    """
    for sign in (-1.0, 1.0):
        below = -np.log(2) * np.arange(1, 21)[:, None] + sign * np.linspace(0.3460, 0.3465, 50)
        y = np.ascontiguousarray(below.ravel())
        powers, shares = np.empty_like(y), np.empty_like(y)
        _shares(y, len(y), shares, powers, powers.view(np.int64))
        with localcontext(prec=40):
            off = [float(Decimal(a) / Decimal(b).exp() - 1) for a, b in zip(shares.tolist(), y.tolist(), strict=True)]
        assert abs(np.mean(off)) < np.finfo(float).eps / 15
