"""The bound by comparison on a torus holds what closed forms are off, at few points and times, and sees other equations."""

from pathlib import Path

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.verify import load_module

torus = load_module(Path(mfg.__file__).parents[1] / "validation" / "zhang2024" / "_torus.py")
KAPPA, END = 0.4, 0.5


def closed(x, t):
    """Return −2κ log of 1 + ½e^{−κt} cos x_1 + ¼e^{−4κt} cos 2x_d: heat by three waves."""
    eta = 1 + 0.5 * np.exp(-KAPPA * t) * np.cos(x[..., 0]) + 0.25 * np.exp(-4 * KAPPA * t) * np.cos(2 * x[..., -1])
    return -2 * KAPPA * np.log(eta)


def values(n, count, d, wrong=0.0):
    """Return the closed form at the times, off by a wave that grows: `wrong` at the end."""
    x, times = mfg.CartesianGrid.cube(np.pi, n, d, periodic=True).points, torus.chebyshev(count, END)
    return np.stack([closed(x, t) + wrong * t / END * np.cos(3 * x[..., 0]) for t in times]), times


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize(("n", "count"), [(16, 5), (32, 9), (48, 13)])
@pytest.mark.parametrize("wrong", [0.0, 1e-4, 1e-2])
def test_the_bound_holds_what_the_last_values_are_off(d, n, count, wrong):
    start = 4 * KAPPA * 0.8**n  # of waves beyond n/2 of the closed form at time zero
    bound = torus.owed(*values(n, count, d, wrong), KAPPA, 1.0, start)
    assert bound >= wrong
    if n == 48:
        assert bound < 60 * wrong + 1e-3


def test_waves_between_points_are_those_of_a_sum_of_cosines():
    x = mfg.CartesianGrid.cube(np.pi, 8, 1, periodic=True).points[:, 0]
    found = np.fft.ifft(torus.refined(np.cos(2 * (x - x[0]))[None] + 0.5 * np.cos(4 * (x - x[0])), 48)[0]).real
    fine = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    assert np.allclose(found, np.cos(2 * fine) + 0.5 * np.cos(4 * fine), atol=1e-13)


def test_another_equation_is_seen():
    found, times = values(48, 13, 1)
    right, other = (torus.owed(found, times, KAPPA, kinetic, 0.0) for kinetic in (1.0, 1.05))
    assert other > 1e-2 > 10 * right
