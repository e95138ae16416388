"""Fields that jump are told from fields that are steep, on drawn grids, whatever rises beside."""

import numpy as np
import pytest

from mfgpde.solvers.jumps import jump


def lattice(rng, dimension):
    """Return points of a drawn box, an odd or even number a side, and its width of cells along each axis."""
    n, half = rng.integers(15, 60, dimension), rng.uniform(0.5, 8.0, dimension) * 10.0 ** rng.integers(-9, 10)
    axes = [np.linspace(-h, h, k) for h, k in zip(half, n, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1), half, 2 * half / (n - 1)


def smooth(rng, half):
    """Return a drawn vector field of cubics, waves, fronts a cell wide and kinks, in units of its own."""
    d, size = len(half), 10.0 ** rng.integers(-6, 7)
    a, b, c, k = rng.normal(size=(4, d))
    place, width = half * rng.uniform(-0.5, 0.5, d), half * rng.uniform(0.05, 0.5, d)

    def field(x):
        y = x / half
        front, kink = np.tanh((x - place) / width), np.abs(y - 0.3)
        return size * (a * y**3 + b * np.sin(3 * y + 1) + c * front + k * kink + 0.1 * y[..., ::-1])

    return field, size


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("seed", range(12))
def test_steep_and_bent_fields_do_not_jump(dimension, seed):
    rng = np.random.default_rng(seed)
    points, half, _ = lattice(rng, dimension)
    assert jump(smooth(rng, half)[0], points) is None


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("at_a_point", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_a_jump_along_its_axis_is_found_where_it_is(dimension, at_a_point, seed):
    """Between points and at one of them, where the sign is zero and half of the jump is on either side."""
    rng = np.random.default_rng(seed)
    points, half, spacing = lattice(rng, dimension)
    field, size = smooth(rng, half)
    axis = int(rng.integers(dimension))
    ticks = np.unique(points[..., axis])
    k = int(rng.integers(3, len(ticks) - 3))
    where = ticks[k] if at_a_point else ticks[k] + spacing[axis] * rng.uniform(0.1, 0.9)
    height = size * rng.uniform(1.0, 3.0)

    def broken(x):
        found = field(x)
        found[..., axis] += 0.5 * height * np.sign(x[..., axis] - where)
        return found

    place, found = jump(broken, points)
    assert abs(place[axis] - where) < 1e-5 * spacing[axis]
    assert found == pytest.approx(height * (0.5 if at_a_point else 1.0), rel=0.01)


def test_what_jumps_across_another_axis_is_no_surface_of_the_divergence():
    """b_1 jumps with x_2: ∇·(bp) has no part on that line."""
    points, _, _ = lattice(np.random.default_rng(3), 2)
    assert jump(lambda x: np.stack((np.sign(x[..., 1]), 0 * x[..., 0]), axis=-1), points) is None
