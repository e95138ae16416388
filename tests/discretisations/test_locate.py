"""Points on meshes: every point of the true domain is found, at any scale and far from the origin, and none beyond."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mfgpde as mfg

pytest.importorskip("dolfinx_solver")
KEYS = np.random.default_rng(5)
ANGLE, SHARE = KEYS.uniform(0, 2 * np.pi, (2, 600)), KEYS.uniform(size=600)
ROUND = np.stack((np.cos(ANGLE[0]), np.sin(ANGLE[0])), axis=1)
BALL = KEYS.normal(size=(600, 3))
TUBE = 2 + 0.7 * np.cos(ANGLE[0])
SHAPES = {
    "disc": (lambda L, n: mfg.meshes.disc(L, n), np.concatenate((ROUND, np.sqrt(SHARE)[:, None] * ROUND))),
    "annulus": (
        lambda L, n: mfg.meshes.annulus(0.5 * L, L, max(n // 3, 1)),
        np.concatenate((ROUND, 0.5 * ROUND, 0.75 * ROUND)),
    ),
    "sphere": (lambda L, n: mfg.meshes.sphere(L, n), BALL / np.linalg.norm(BALL, axis=1)[:, None]),
    "torus": (
        lambda L, n: mfg.meshes.torus(2 * L, 0.7 * L, n),
        np.stack((TUBE * np.cos(ANGLE[1]), TUBE * np.sin(ANGLE[1]), 0.7 * np.sin(ANGLE[0])), axis=1),
    ),
}


@pytest.mark.parametrize(
    ("name", "degree"),
    [  # each in one degree in turn; the others are slow
        pytest.param(name, k + 1, marks=[pytest.mark.slow] * ((i + k) % 3 > 0))
        for i, name in enumerate(SHAPES)
        for k in range(3)
    ],
)
def test_points_of_the_true_domain_are_found_rims_included(name, degree):
    make, points = SHAPES[name]
    errors = []
    for n in (3, 6, 12):
        space = mfg.FiniteElement(make(1.0, n), degree)
        found = space.interpolate(space.grid.points[:, 0] * space.grid.points[:, 1], points)
        assert np.isfinite(found).all()
        errors.append(np.abs(found - points[:, 0] * points[:, 1]).max())
        outward = points / np.linalg.norm(points, axis=1)[:, None]
        if name == "disc":
            assert np.isnan(space.interpolate(space.grid.points[:, 0], (1 + 0.5 / n) * outward)).all()
    assert errors[-1] < 1e-12 or np.log2(errors[-2] / errors[-1]) > degree + 0.4


@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(st.floats(-9, 9), st.sampled_from(sorted(SHAPES)))
def test_places_know_no_units(power, name):
    unit, (make, points) = 10.0**power, SHAPES[name]
    one, other = (mfg.FiniteElement(make(L, 4), 2) for L in (1.0, unit))
    values = [
        space.interpolate(np.cos(space.grid.points[:, 0] / L), L * points) for space, L in ((one, 1), (other, unit))
    ]
    np.testing.assert_allclose(values[1], values[0], atol=1e-4)  # which of two cells a rim point is beside is chance
    inside = np.linalg.norm(points, axis=1) < 0.9
    np.testing.assert_allclose(values[1][inside], values[0][inside], atol=1e-9)


def test_far_from_the_origin_and_at_corners():
    far = 1e8
    line = mfg.FiniteElement(mfg.meshes.interval(far - 3, far + 3, 50), 2)
    x = np.linspace(far - 3, far + 3, 1001)[:, None]
    found = line.interpolate(np.sin(line.grid.points[:, 0] - far), x)
    np.testing.assert_allclose(found, np.sin(x[:, 0] - far), atol=1e-4)
    box = mfg.FiniteElement(mfg.meshes.box((0, 0, 0), (1e-9, 1e-9, 1e-9), 2), 1)
    corners = 1e-9 * np.array([(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)], dtype=float)
    np.testing.assert_allclose(box.interpolate(box.grid.points[:, 2], corners), corners[:, 2], atol=1e-20)
    assert np.isnan(box.interpolate(box.grid.points[:, 2], corners[-1:] * 1.001)).all()
    assert np.isnan(box.interpolate(box.grid.points[:, 2], np.array([[np.nan, 0, 0]]))).all()


def test_an_error_bar_on_a_disc_has_no_holes():
    heat = mfg.FokkerPlanck(lambda x, t: 0 * x, lambda t: 0.5, time_dependent=False)
    space = mfg.FiniteElement(mfg.meshes.disc(1.0, 4), 2, walls="reflecting")
    bar = mfg.solve_with_error(heat, space, lambda x: (1 + x[..., 0]) / np.pi, (0.0, 0.1))
    for part in (*bar.space, *bar.time):
        assert np.isfinite(part.values).all()


def test_micrometres_are_solved_on_one_rank():
    """Lengths of 1e-6 and 1e6: the same density, by LU whose pivots are judged relative to the matrix."""
    found = []
    for unit in (1e-6, 1.0, 1e6):
        equation = mfg.FokkerPlanck(lambda x, t: -x, lambda t, L=unit: 0.5 * L**2, time_dependent=False)
        space = mfg.FiniteElement(mfg.meshes.box((-5 * unit,) * 2, (5 * unit,) * 2, 20), 2)
        law = mfg.solve(equation, space, mfg.gaussian(0.0, 0.4 * unit**2, 2), (0.0, 0.2), rtol=1e-4).at(0.2)
        found.append(law.values * unit**2)
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)
    np.testing.assert_allclose(found[2], found[1], atol=1e-5)
