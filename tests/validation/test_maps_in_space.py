"""Lattice sums for images of N(0, I) in space: their bars hold sums of integrals on the line, and know where they end."""

from pathlib import Path

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.verify import load_module

maps = load_module(Path(mfg.__file__).parents[1] / "validation" / "inequalities" / "_maps.py")


def along_the_axes(rng):
    """Return a map that acts on each axis alone, and its three maps on the line."""
    factors, shift, places = rng.uniform(0.7, 1.3, 3), rng.uniform(-0.8, 0.8, 3), rng.uniform(-0.6, 0.6, 3)
    steps = np.array([0.5, 0.4, -0.3]) * rng.uniform(0.5, 1.0, 3)
    one = np.ones((1, 1))
    return maps.Map(np.diag(factors), shift, np.eye(3), steps, places), [
        maps.Map(one * factors[i], shift[i : i + 1], one, steps[i : i + 1], places[i : i + 1]) for i in range(3)
    ]


@pytest.mark.parametrize(
    ("count", "seed"),
    [
        pytest.param(count, seed, marks=[pytest.mark.slow] * (k != seed))
        for k, count in enumerate((24, 40, 60))
        for seed in range(3)
    ],
)
def test_bars_hold_sums_of_integrals_on_the_line(seed, count):
    whole, parts = along_the_axes(np.random.default_rng(seed))
    truths = np.sum([[e.value for e in maps.bounded(part, 1, 8)] for part in parts], axis=0)  # certified to 1e-5
    for found, truth in zip(maps.on_a_lattice(whole, 3, count), truths, strict=True):
        assert abs(found.value - truth) <= found.half_width + 3e-5
    if count == 60:
        assert max(e.half_width for e in maps.on_a_lattice(whole, 3, count)) < 0.05


def test_a_strip_may_be_too_wide_and_what_is_far_out_falls():
    whole, _ = along_the_axes(np.random.default_rng(0))
    assert np.isinf(maps.around(whole, 3, 0.8)).all()  # tanh has a pole at iπ/2, sech² turns negative at iπ/4
    near, far = (maps.around(whole, 3, 0.0, r) for r in (3.0, 5.0))
    assert np.all(far < 1e-2 * near)


def test_strips_bound_what_the_integrands_are_on_them():
    whole, _ = along_the_axes(np.random.default_rng(1))
    axis = np.linspace(-6, 6, 41)
    x = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    z = x + 0.3j * np.array([1.0, -1.0, 1.0])
    u = np.tanh(z + whole.places)
    slope = np.diag(whole.matrix) + whole.steps * (1 - u**2)
    T = z * np.diag(whole.matrix) + whole.shift + whole.steps * u
    score = (-z + 2 * whole.steps * u * (1 - u**2) / slope) / slope
    weight = np.abs(np.exp(-0.5 * np.sum(z**2, axis=1))) * (2 * np.pi) ** -1.5 * 0.3**3
    q = [np.sum((T - z) ** 2, axis=1), 0.5 * np.sum(T**2 - z**2, axis=1) - np.log(slope).sum(axis=1)]
    q.append(np.sum((score + T) ** 2, axis=1))
    allowed = maps.around(whole, 3, 0.3)
    assert all(weight @ np.abs(one) <= most for one, most in zip(q, allowed, strict=True))
