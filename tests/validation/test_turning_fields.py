"""Turning fields: the distance to gradients over its bound lies between two numbers, close around integrals of |ω′|."""

from pathlib import Path

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.verify import load_module

claim = load_module(Path(mfg.__file__).parents[1] / "validation" / "lai2023" / "distance_to_gradients.py")


@pytest.mark.parametrize("name", ["dies away", "comes and goes"])
@pytest.mark.parametrize("pieces", [2, 16, 64])
def test_bars_hold_the_integral_of_the_slope(monkeypatch, name, pieces):
    monkeypatch.setattr(claim, "PIECES", pieces)
    omega, slope = claim.ROTATIONS[name]
    u = np.linspace(0.05, 1.0, 400_001)
    variation = np.abs(np.diff(omega(u))).sum()  # the total variation of ω, whose slope is the residual
    assert np.allclose(np.diff(omega(u)) / np.diff(u), slope(0.5 * (u[1:] + u[:-1])), atol=1e-6)
    found = claim.turning(name, 1.0)
    assert abs(omega(0.05)) / variation in found
    if pieces == 64:
        assert found.half_width < 1e-3


def test_half_of_the_residual_is_half_of_the_bound():
    whole, half = (claim.turning("dies away", epsilon) for epsilon in (1.0, 0.5))
    assert half.value == pytest.approx(2 * whole.value, rel=1e-12)
    assert 1.0 not in half
