"""Parts of meshes: spheres from icosahedra, cells cut and joined, edges that cross, points in simplices."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("dolfinx_solver")

from mfgpde.discretisations.finite_element.meshes import shapes, sound

SEEDS = st.integers(0, 10**6)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_an_icosahedron_is_regular_and_closed(n):
    """20n² equal triangles, 10n² + 2 vertices, every edge in two of them: Euler's number is that of a sphere."""
    x, cells = shapes._icosahedron(n)
    assert len(cells) == 20 * n**2
    assert len(x) == 10 * n**2 + 2
    corners = x[cells]
    lengths = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    assert lengths == pytest.approx(2 / n)
    edges = np.sort(np.concatenate([cells[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))]), axis=1)
    unique, count = np.unique(edges, axis=0, return_counts=True)
    assert (count == 2).all()
    assert len(x) - len(unique) + len(cells) == 2


@settings(max_examples=25)
@given(SEEDS, st.integers(1, 6), st.integers(2, 3), st.sampled_from([1e-6, 1.0, 1e6]))
def test_cut_triangles_cover_what_they_are_cut_from(seed, n, d, unit):
    """Two that share an edge: n² cells each of equal area, vertices on the common edge joined, whatever the unit."""
    first = unit * np.random.default_rng(seed).normal(size=(4, d))
    pair = first[[[0, 1, 2], [1, 2, 3]]]
    x, cells = shapes._subdivided(n, pair)
    assert len(cells) == 2 * n**2
    assert len(x) == (n + 1) * (n + 2) - (n + 1)

    def areas(corners):
        a, b = (corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        return 0.5 * np.sqrt(np.maximum((a**2).sum(1) * (b**2).sum(1) - (a * b).sum(1) ** 2, 0))

    told = areas(pair) / n**2
    assert areas(x[cells][: n**2]) == pytest.approx(told[0], rel=1e-6)
    assert areas(x[cells][n**2 :]) == pytest.approx(told[1], rel=1e-6)


def crosses(p, q, r, s):
    """Whether two segments cross, by solving for where their lines meet."""
    A = np.stack((q - p, r - s), axis=1)
    u, v = np.linalg.solve(A, r - p)
    return 0 < u < 1 and 0 < v < 1


@settings(max_examples=60)
@given(SEEDS, st.integers(2, 9), st.floats(0.02, 1.0), st.sampled_from([1e-6, 1.0, 1e6]))
def test_edges_that_cross_are_found_as_by_looking_at_all_pairs(seed, many, length, unit):
    rng = np.random.default_rng(seed)
    start = rng.uniform(-1, 1, (many, 2))
    # one edge may be much longer than the others: its middle is then far from where it is crossed
    ends = start + length * rng.normal(size=(many, 2)) * np.where(np.arange(many) == 0, 30.0, 1.0)[:, None]
    x, edges = unit * np.concatenate((start, ends)), np.stack((np.arange(many), many + np.arange(many)), axis=1)
    told = any(crosses(start[a], ends[a], start[b], ends[b]) for a, b in itertools.combinations(range(many), 2))
    found = sound._crossing(x, edges)
    assert (len(found) > 0) == told
    if told:
        assert np.abs(x[edges].mean(axis=1) - found).sum(axis=1).min() <= 1e-12 * unit


def test_edges_that_share_an_end_do_not_cross():
    x = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    assert len(sound._crossing(x, np.array([[0, 1], [0, 2], [0, 3]]))) == 0
    assert sound._crossing(x, np.array([[0, 3], [1, 2]])) == pytest.approx([0.5, 0.5])


@settings(max_examples=40)
@given(SEEDS, st.integers(1, 3), st.sampled_from([1e-6, 1.0, 1e6]))
def test_points_are_in_the_simplices_that_hold_them(seed, d, unit):
    """Points made inside by shares are found there; mirrored through a corner they are outside."""
    rng = np.random.default_rng(seed)
    simplices = unit * (np.concatenate((np.zeros((1, d)), np.eye(d))) + 0.05 * rng.normal(size=(5, d + 1, d)))
    simplices = simplices + unit * 10 * np.arange(5)[:, None, None]
    shares = 0.02 + rng.dirichlet(np.ones(d + 1), 5) * (1 - 0.02 * (d + 1))
    inside = np.einsum("ns,nsd->nd", shares, simplices)
    which, there = sound._holding(inside, simplices)
    assert np.array_equal(np.stack((which, there))[:, np.argsort(which)], np.stack((np.arange(5), np.arange(5))))
    outside = 2 * simplices[:, 0] - inside
    assert len(sound._holding(outside, simplices)[0]) == 0
