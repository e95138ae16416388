"""Entropy, information and what is lost between, bounded: a Gaussian by hand, sums over grids, a law not stationary."""

from pathlib import Path

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.verify import load_module

noised = load_module(Path(mfg.__file__).parents[1] / "validation" / "inequalities" / "_dissipation.py")
OU = mfg.OrnsteinUhlenbeck(horizon=2.0)
TWO = mfg.GaussianMixture([0.3, 0.7], [[-0.9, 0.4], [0.5, 1.0]], [0.3, 0.3])
THREE = mfg.GaussianMixture([0.3, 0.3, 0.4], [[-0.9], [0.5], [1.2]], [0.3, 0.3, 0.3])


@pytest.mark.parametrize("d", [1, 2])
def test_one_blob_is_a_gaussian(d):
    """N(m, v) to N(0, ½): KL is m² + d(2v − 1 − log 2v)/2, I is 4m² + dv(1/v − 2)², and KL falls by ∫D I."""
    law = mfg.gaussian(np.array([0.7, -0.4][:d]), 0.2 * np.eye(d))
    moving, square = noised.Noised(OU, law, 0.5), float(law.means[0] @ law.means[0])

    def kl(m2, v):
        return m2 + 0.5 * d * (2 * v - 1 - np.log(2 * v))

    def at(t):  # dx = −x dt + dW
        return np.exp(-2 * t) * square, np.exp(-2 * t) * 0.2 + 0.5 * (1 - np.exp(-2 * t))

    for t in (0.0, 0.7):
        m2, v = at(t)
        assert abs(moving.entropy(t).value - kl(m2, v)) <= moving.entropy(t).half_width + 1e-14
        information = 4 * m2 + d * v * (1 / v - 2) ** 2
        assert abs(moving.information(t).value - information) <= moving.information(t).half_width + 1e-14
    lost = moving.lost(0.7)
    assert lost.kind == mfg.Kind.BOUND
    assert abs(lost.value - (kl(*at(0.0)) - kl(*at(0.7)))) <= lost.half_width + 1e-14
    assert lost.half_width < 1e-10


@pytest.mark.parametrize(("law", "cells"), [(THREE, 400), (TWO, 160)])
def test_sums_over_a_grid_agree(law, cells):
    grid = mfg.CartesianGrid.cube(8.0, cells, law.dimension)
    x, p = grid.points, law.density(grid.points)
    moving = noised.Noised(OU, law, 0.5)
    rest = mfg.gaussian(0.0, 0.5, law.dimension)
    kl = float(grid.integrate(p * (law.log_density(x) - rest.log_density(x))))
    information = float(grid.integrate(p * np.sum((law.score(x) + 2 * x) ** 2, axis=-1)))
    assert moving.entropy(0.0).value == pytest.approx(kl, rel=1e-11)
    assert moving.information(0.0).value == pytest.approx(information, rel=1e-11)


@pytest.mark.parametrize("law", [THREE, TWO])
def test_what_is_lost_is_the_information_of_the_same_process_alone(law):
    moving = noised.Noised(OU, law, 0.5)
    gone = moving.entropy(0.0) - moving.entropy(0.7)
    assert abs((gone - moving.lost(0.7)).value) <= (gone - moving.lost(0.7)).half_width
    wrong = noised.Noised(OU, law, 0.51)  # no stationary law of this process
    gone = wrong.entropy(0.0) - wrong.entropy(0.7)
    assert abs((gone - wrong.lost(0.7)).value) > 1e6 * (gone - wrong.lost(0.7)).half_width
