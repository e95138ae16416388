"""Bounds of what cells and nodes of time leave of the family's integrals, against the same integrals on finer ones."""

from pathlib import Path

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.verify import load_module

HERE = Path(__file__).parents[2] / "validation"
claim = load_module(HERE / "lai2023" / "network_density.py")
SCALES = np.array([1.0, -1.0, -1.0, -1.0, 1.0])


def members(seed=5):
    return list(claim.family.draw(np.random.default_rng(seed)))


def laws(case, spacing, count):
    n = 2 * int(np.ceil(case.box / spacing))
    grid = mfg.CartesianGrid.cube(case.box, n, 1)
    return claim.family.laws(case, mfg.FiniteVolume(grid), count, without_sde=True)


@pytest.mark.parametrize(
    ("count", "k"),
    [
        pytest.param(count, k, marks=[pytest.mark.slow] * ((j + k) % 3 > 0))  # each at one number of nodes
        for j, count in enumerate((5, 9, 17))
        for k in range(4)
    ],
)
def test_few_nodes_miss_less_than_the_ellipse_allows(k, count):
    case = members()[k]
    exact, rough = (claim.parts(laws(case, 0.06, n)) for n in (161, count))
    on = claim.analytic.ellipses(case)

    def size(here):  # of E_p[R] alone, by parts
        by, D = here.bumps, here.diffusivity
        return here.mass * (by.speed + D * (by.bend + by.slope**2) + here.relaxation * by.radial)

    allowed = claim.analytic.rest_in_time(case, count, size, on)
    assert abs(exact[3] - rough[3]) <= allowed + 1e-10
    assert allowed < np.inf


@pytest.mark.parametrize("k", range(4))
@pytest.mark.parametrize("spacing", [0.3, 0.5])
def test_wide_cells_miss_less_than_the_strip_allows(k, spacing):
    case = members()[k]
    fine, wide = laws(case, 0.05, 9), laws(case, spacing, 9)
    _, matching, mean, numerator, Z, up = claim.in_space(case, wide.grid, wide.times)
    pairs = [
        (one.diffusivity * one.mean(one.p * np.sum(one.error**2, axis=-1)), one.mean(one.p * one.residual),
         one.mean(one.own * one.residual)) for one in (fine, wide)
    ]  # fmt: skip
    own = (numerator + np.abs(pairs[1][2]) * Z) * up / np.maximum(1 - Z * up, 1e-9)
    for a, b, allowed in zip(*pairs, (matching, mean, own), strict=True):
        assert np.all(np.abs(a - b) <= allowed + 1e-9)


@pytest.mark.parametrize("k", range(4))
def test_complex_moments_are_within_the_ellipse(k, rng):
    """∫|p| at points of the ellipse by sums, and |Z| from below."""
    case = members()[k]
    x = np.linspace(-60, 60, 60_001)
    for rho, here in claim.analytic.ellipses(case)[::2]:
        edge = claim.mfg.core.rectangles.ellipse(case.stop, case.process.horizon, rho, claim.analytic.ARCS)
        for j in rng.integers(claim.analytic.ARCS, size=5):
            z = complex(edge.real.lower[0, j], edge.imaginary.lower[0, j])  # a corner of the piece
            m, v = (complex(np.asarray(f(z))) for f in (case.process.mean_coefficient, case.process.variance))
            p, B = np.zeros_like(x, dtype=complex), np.zeros_like(x, dtype=complex)
            for w, mean, C in zip(case.data.weights, case.data.means, case.data.covariances, strict=True):
                V = m * m * C[0, 0] + v
                p += w * np.exp(-0.5 * (x - m * mean[0]) ** 2 / V) / np.sqrt(2 * np.pi * V)
            for one in claim.analytic.bumps(case):
                B += one.amplitude * np.cos(one.frequency * z) * np.exp(-0.5 * ((x - one.centre[0]) / one.width) ** 2)
            step = x[1] - x[0]
            assert step * np.abs(p).sum() <= here.mass[j] * (1 + 1e-9)
            assert np.abs(B).max() <= here.bumps.value[j] * (1 + 1e-12)
            assert abs(step * (p * np.exp(B)).sum()) >= here.normaliser * (1 - 1e-9)
