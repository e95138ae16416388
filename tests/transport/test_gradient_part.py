"""The gradient part of a field in L²(p): closed forms, order two, orthogonality, supports in parts."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.transport import gradient_part

TURN = np.array([[0.0, -1.0], [1.0, 0.0]])


def errors(cells):
    """Return by how much φ and both energies are off for ∇φ + J∇log p + J∇χ-like fields, p of two blobs."""
    grid = mfg.CartesianGrid.cube(5.0, cells, 2)
    x = grid.points
    law = mfg.GaussianMixture([0.4, 0.6], [[-0.8, 0.2], [0.9, -0.1]], 0.5)
    p = law.density(x)
    gradient = np.stack((np.cos(x[..., 0] + 0.5 * x[..., 1]), 0.5 * np.cos(x[..., 0] + 0.5 * x[..., 1])), axis=-1)
    chi, slope = np.exp(-0.3 * np.sum(x**2, axis=-1)), -0.6 * x * np.exp(-0.3 * np.sum(x**2, axis=-1))[..., None]
    free = (slope + chi[..., None] * law.score(x)) @ TURN.T  # p·free = J∇(pχ) has no divergence
    found = gradient_part(p, gradient + free, grid)
    phi = np.sin(x[..., 0] + 0.5 * x[..., 1])
    off = found.potential - phi
    off -= grid.integrate(p * off)
    sizes = [grid.integrate(p * np.sum(part**2, axis=-1)) for part in (gradient, free)]
    return np.array([np.sqrt(grid.integrate(p * off**2)), found.gradient - sizes[0], found.remainder - sizes[1]])


def test_order_two_in_the_plane():
    coarse, fine = np.abs(errors(40)), np.abs(errors(80))
    assert np.log2(coarse / fine) == pytest.approx(2.0, abs=0.15)
    assert fine.max() < 1e-2  # cells of an eighth of a blob's width


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_gradients_are_kept_and_energies_add_up(dimension):
    grid = mfg.CartesianGrid.cube(3.0, 12, dimension)
    p = mfg.gaussian(0.0, 1.0, dimension).density(grid.points)
    field = np.broadcast_to(np.arange(1.0, dimension + 1), (*grid.cells, dimension))
    found = gradient_part(p, field, grid)
    assert found.remainder < 1e-20 * found.gradient  # linear φ is exact by faces: rounding squared
    mixed = field + np.random.default_rng(1).normal(size=field.shape)
    once = gradient_part(p, mixed, grid)
    along = [once.potential, gradient_part(p, mixed - field, grid).potential + found.potential]
    assert along[0] == pytest.approx(along[1], abs=1e-10)  # linear


def test_parts_of_a_support_do_not_know_of_each_other():
    grid = mfg.CartesianGrid((-2.0, -1.0), (2.0, 1.0), (32, 16))
    x = grid.points
    left, right = (np.sum((x - np.array([c, 0.0])) ** 2, axis=-1) < 0.3 for c in (-1.0, 1.0))
    velocity = np.where(left[..., None], [1.0, 0.5], [-1.0, 2.0])
    found = gradient_part((left | right).astype(float), velocity, grid)
    assert found.remainder < 1e-24
    for part in (left, right):
        assert found.potential[part].mean() == pytest.approx(0.0, abs=1e-12)


def test_what_is_no_density_is_refused():
    grid = mfg.CartesianGrid.cube(1.0, 8, 2)
    field = np.zeros((8, 8, 2))
    for density, words in ((-np.ones((8, 8)), "≥ 0"), (np.zeros((8, 8)), "somewhere"), (np.ones(8), "expected")):
        with pytest.raises(ValueError, match=words):
            gradient_part(density, field, grid)
    with pytest.raises(ValueError, match="periodic"):
        gradient_part(np.ones((8, 8)), field, mfg.CartesianGrid.cube(1.0, 8, 2, periodic=True))
