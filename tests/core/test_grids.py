"""Boxes of cells: volumes, points, faces and walls belong together, in any unit and number of axes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfgpde import grids
from mfgpde.grids import CartesianGrid


@st.composite
def boxes(draw):
    d = draw(st.integers(1, 3))
    unit = draw(st.sampled_from([1e-9, 1.0, 1e9]))
    lower = tuple(unit * draw(st.floats(-3, 3)) for _ in range(d))
    upper = tuple(a + unit * draw(st.floats(0.1, 4)) for a in lower)
    return CartesianGrid(
        lower, upper, tuple(draw(st.integers(4, 9)) for _ in range(d)), tuple(draw(st.booleans()) for _ in range(d))
    )


@settings(max_examples=60)
@given(boxes())
def test_cells_fill_the_box(grid):
    ones = np.ones(grid.cells)
    assert float(grid.integrate(ones)) == pytest.approx(np.prod(grid.lengths))
    assert grid.volume * np.prod(grid.cells) == pytest.approx(np.prod(grid.lengths))
    assert grid.contains(grid.points).all()
    assert not grid.contains(np.array(grid.upper) + 0.1 * np.array(grid.lengths))
    assert grid.contains(np.array(grid.upper))
    linear = grid.points @ np.arange(1.0, grid.dimension + 1)
    middle = 0.5 * (np.array(grid.lower) + np.array(grid.upper)) @ np.arange(1.0, grid.dimension + 1)
    assert float(grid.integrate(linear)) == pytest.approx(
        middle * np.prod(grid.lengths), rel=1e-9, abs=1e-9 * np.abs(linear).max() * np.prod(grid.lengths)
    )


@settings(max_examples=60)
@given(boxes(), st.data())
def test_faces_lie_half_a_cell_beside_the_centres(grid, data):
    axis = data.draw(st.integers(0, grid.dimension - 1))
    faces, h = grid.faces(axis), grid.spacing[axis]
    assert faces.shape == (*(n + (i == axis) for i, n in enumerate(grid.cells)), grid.dimension)
    low, high = (np.take(faces, range(k, k + grid.cells[axis]), axis=axis) for k in (0, 1))
    size = max(map(abs, (*grid.lower, *grid.upper)))
    assert 0.5 * (low + high) == pytest.approx(grid.points, rel=1e-9, abs=1e-12 * size)
    assert (high - low)[..., axis] == pytest.approx(h, rel=1e-6)
    assert np.take(faces, 0, axis=axis)[..., axis] == pytest.approx(grid.lower[axis], abs=1e-12 * size)
    assert np.take(faces, -1, axis=axis)[..., axis] == pytest.approx(grid.upper[axis], abs=1e-12 * size)
    corners = grid.corners
    assert corners.shape == (*(n + 1 for n in grid.cells), grid.dimension)
    assert (corners.reshape(-1, grid.dimension)[0], corners.reshape(-1, grid.dimension)[-1]) == (
        pytest.approx(grid.lower), pytest.approx(grid.upper),
    )  # fmt: skip


@settings(max_examples=30)
@given(boxes(), st.data())
def test_slabs_of_faces_are_the_faces(grid, data):
    axis = data.draw(st.integers(0, grid.dimension - 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grids, "SLAB", 17)
        parts = list(grid.face_slabs(axis))
    found = np.full(grid.faces(axis).shape, np.nan)
    for where, faces in parts:
        assert np.isnan(found[where]).all()
        assert faces.size <= 17 * grid.dimension or len(faces) == 1
        found[where] = faces
    expected = grid.faces(axis).copy()
    if not grid.periodic[axis]:
        np.moveaxis(expected, axis, 0)[[0, -1]] = np.nan
    assert np.array_equal(found, expected, equal_nan=True)


@settings(max_examples=60)
@given(boxes(), st.integers(0, 10**6))
def test_what_lies_at_walls_is_what_the_inside_leaves(grid, seed):
    values = np.random.default_rng(seed).normal(size=grid.cells)
    inside = values[tuple(slice(None) if p else slice(1, -1) for p in grid.periodic)]
    share = 1 - np.abs(inside).sum() / np.abs(values).sum()
    assert grid.outer_share(values) == pytest.approx(share, abs=1e-12)
    assert grid.outer_share(0 * values) == 0.0
    assert (grid.outer_share(values) == 0.0) == all(grid.periodic)
    fine = grid.refined(2)
    assert fine.cells == tuple(4 * n for n in grid.cells)
    assert (fine.lower, fine.upper, fine.periodic) == (grid.lower, grid.upper, grid.periodic)


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        (((0.0,), (1.0, 2.0), (4,)), "one entry per axis"),
        (((0.0,) * 4, (1.0,) * 4, (4,) * 4), "one to three axes"),
        (((1.0,), (1.0,), (4,)), "below its upper end"),
        (((0.0,), (np.inf,), (4,)), "finite"),
        (((0.0,), (1.0,), (3,)), "at least 4 cells"),
    ],
)
def test_boxes_that_are_none(given_, words):
    with pytest.raises(ValueError, match=words):
        CartesianGrid(*given_)
