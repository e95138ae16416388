"""Killing, sources and resetting term by term, means of two instants, and means over cells against centres."""

from dataclasses import replace

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.equations import FeynmanKac, ForwardKolmogorov
from mfgpde.equations.kolmogorov import Resetting
from mfgpde.processes import Diffusion


def everything(kind, t_weight=1.0):
    """Return an equation in which everything changes: drift, tensor, killing, source, the rate of resetting."""

    def tensor(x, t):
        turn, size = (
            0.4 + t_weight * t + 0.3 * x[..., 0],
            np.stack((1.0 + 0 * x[..., 0], 0.1 + 0.05 * np.cos(x[..., 1]))),
        )
        c, s = np.cos(turn), np.sin(turn)
        axes = np.stack((np.stack((c, -s), -1), np.stack((s, c), -1)), -2)
        return np.einsum("...ik,k...,...jk->...ij", axes, size, axes)

    diffusion = Diffusion(
        lambda x, t: np.stack((np.sin(x[..., 1]) + t_weight * t, -x[..., 1]), -1), tensor, time_dependent=True
    )
    return kind(
        diffusion,
        killing=lambda x, t: 0.2 + 0.1 * x[..., 0] ** 2 * (1 + t),
        source=lambda x, t: np.cos(x[..., 1]) * (1 + t),
        resetting=Resetting(
            lambda x, t: (0.5 + 0.2 * np.sin(x[..., 0])) * (1 + t), mfg.gaussian(np.zeros(2), 0.1 * np.eye(2))
        ),
    )


GRID = mfg.CartesianGrid((-3.0, -2.0), (3.0, 2.0), (18, 14), (True, False))


@pytest.mark.parametrize("t", [0.0, 0.7])
def test_what_is_killed_added_and_reset_is_accounted_for(t, rng):
    """∂_t∫p = −∫kp + ∫s whatever resets; an expectation of one changes by s − k alone: each term has its sign and size."""
    space, x = mfg.FiniteVolume(GRID, walls=(("periodic", "periodic"), ("reflecting", "reflecting"))), GRID.points
    forward, backward = everything(ForwardKolmogorov), everything(FeynmanKac)
    p, k, s = rng.uniform(size=GRID.cells), forward.killing(x, t), forward.source(x, t)
    rate = space.semidiscretise(forward).rate(p, t)
    assert float(GRID.integrate(rate)) == pytest.approx(float(GRID.integrate(s - k * p)), rel=1e-12)
    alone = space.semidiscretise(replace(forward, resetting=None)).rate(p, t)
    r = forward.resetting.rate(x, t)
    law = mfg.densities.cell_means(forward.resetting.law.density, GRID)
    law /= float(GRID.integrate(law))
    np.testing.assert_allclose(rate - alone, law * float(GRID.integrate(r * p)) - r * p, rtol=1e-9, atol=1e-10)
    system = space.semidiscretise(backward)
    np.testing.assert_allclose(system.rate(np.ones(GRID.cells), t), s - k, rtol=1e-11, atol=1e-11)
    u = rng.uniform(size=GRID.cells)
    gain = system.rate(u, t) - space.semidiscretise(replace(backward, resetting=None)).rate(u, t)
    np.testing.assert_allclose(gain, r * (float(GRID.integrate(law * u)) - u), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("kind", [ForwardKolmogorov, FeynmanKac])
def test_the_mean_of_two_instants_has_the_mean_of_their_rates(kind, rng):
    """Whatever each has: other lattice vectors where the tensor turns, transport, killing, sources, resetting."""
    system = mfg.FiniteVolume(GRID, walls=(("periodic", "periodic"), ("absorbing", "reflecting"))).semidiscretise(
        everything(kind)
    )
    one, other = system.at(0.0), system.at(1.1)
    assert not np.array_equal(one.jumps.offsets, other.jumps.offsets)
    u = rng.uniform(size=GRID.cells)
    wanted = 0.5 * (one.rate(u, 0.0) + other.rate(u, 0.0))
    for a, b in ((one, other), (other, one)):
        np.testing.assert_allclose(a.mean(b).rate(u, 0.0), wanted, rtol=1e-10, atol=1e-11)
    assert one.mean(one) is one


def test_means_over_cells_and_values_at_centres_give_each_other_back(rng):
    """To rounding on any box, with the same total where values are the start; and to order four of a smooth function."""
    for periodic in ((False,), (True,), (True, False), (False, False, True)):
        grid = mfg.CartesianGrid((-1.0,) * len(periodic), (1.5,) * len(periodic), (9, 7, 6)[: len(periodic)], periodic)
        for shape in (grid.cells, (*grid.cells, 2)):
            values = rng.normal(size=shape)
            means = mfg.discretisations.means_of(values, grid)
            np.testing.assert_allclose(mfg.discretisations.centres_of(means, grid), values, rtol=0, atol=1e-13)
            total = values.sum(axis=tuple(range(len(periodic))))
            np.testing.assert_allclose(means.sum(axis=tuple(range(len(periodic)))), total, rtol=0, atol=1e-12)
    for periodic in (False, True):
        off = []
        for n in (16, 32):
            grid = mfg.CartesianGrid((0.0,), (1.0,), (n,), (periodic,))
            k, x, h = (2 if periodic else 1) * np.pi, grid.points[..., 0], 1 / n
            exact = np.cos(k * x) * np.sin(0.5 * k * h) / (0.5 * k * h)  # both ends are flat
            off.append(np.abs(mfg.discretisations.means_of(np.cos(k * x), grid) - exact).max())
        assert 14 < off[0] / off[1] < 18
