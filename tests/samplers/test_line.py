"""Laws on the line and on grids against closed forms."""

import numpy as np
import pytest
from scipy.special import ndtr

import mfgpde as mfg
from mfgpde.calibration.sampled_laws import affine, between_gaussians
from mfgpde.samplers.generated import prior
from mfgpde.samplers.gridded import Gridded, start_grid
from mfgpde.samplers.line import Line, Quantiles

FAR = mfg.GaussianMixture([0.3, 0.7], [[-10.0], [10.0]], [0.01, 0.04])


@pytest.mark.parametrize("law", [mfg.densities.bimodal(), mfg.gaussian(2.0, 1e-6), FAR])
def test_quantiles_are_inverse_to_levels(law):
    """To 1e-9 in levels, where they are known to rounding over the density."""
    z = np.linspace(-8, 8, 801)
    assert np.abs(Quantiles(law).level(Quantiles(law)(z)) - z).max() < 1e-9


def test_distances_of_gaussians_are_closed_forms():
    p, q = mfg.gaussian(0.0, 1.0), Line.of(mfg.gaussian(0.3, 0.64))
    assert q.wasserstein(Quantiles(p)) == pytest.approx(np.hypot(0.3, 0.2), rel=1e-12)
    shifted = Line.of(mfg.gaussian(0.3, 1.0))
    assert shifted.wasserstein(Quantiles(p), 1) == pytest.approx(0.3, rel=1e-12)
    assert shifted.kolmogorov(Quantiles(p)) == pytest.approx(2 * ndtr(0.15) - 1, rel=1e-5)  # between two of 2049 points
    kl, beyond = q.divergence_from(p)
    assert beyond < 1e-7
    assert kl == pytest.approx(0.5 * (1.09 / 0.64 - 1 + np.log(0.64)), rel=1e-7)


def test_maps_that_do_not_increase_are_sorted():
    """|X| for X ~ N(0, 1): mean √(2/π), half the points twice, to the width of a level."""
    line = Line.of(mfg.gaussian(0.0, 1.0))
    folded = line.moved(np.abs(line.points))
    assert folded.mean == pytest.approx(np.sqrt(2 / np.pi), abs=1e-5)
    assert np.all(np.diff(folded.points) >= 0)
    assert np.abs(ndtr(folded.levels) - (2 * ndtr(folded.points) - 1)).max() < 2e-3


def test_clipping_makes_atoms_that_are_counted():
    """The law of min(X, 0): KS to N(0, 1) is ½, KL is infinite."""
    line = Line.of(mfg.gaussian(0.0, 1.0))
    clipped = line.moved(np.minimum(line.points, 0.0))
    assert clipped.kolmogorov(Quantiles(mfg.gaussian(0.0, 1.0))) == pytest.approx(0.5, abs=1e-9)
    assert clipped.divergence_from(mfg.gaussian(0.0, 1.0))[0] == np.inf


@pytest.mark.parametrize(("dimension", "cells"), [(1, 64), (2, 48), (3, 32)])
def test_moves_on_grids_carry_gaussians_to_gaussians(dimension, cells):
    """X ↦ ½x + 0.4 z of N(1, 0.5): N(½, 0.125 + 0.16), with order four: an error 16 times smaller on twice the cells."""
    start, wrong = mfg.gaussian(1.0, 0.5, dimension), []
    for n in (cells, 2 * cells):
        law = Gridded.of(start, start_grid(start, n)).moved(lambda x: (0.5 * x, 0.4))
        truth = mfg.gaussian(0.5, 0.285, dimension).density(law.grid.points)
        assert law.mass == pytest.approx(1.0, abs=1e-12)
        wrong.append(float(np.abs(law.density - truth).max()) / truth.max())
    assert np.log2(wrong[0] / wrong[1]) == pytest.approx(4.0, abs=0.7)


def test_a_move_to_what_is_not_a_number_is_refused():
    start = mfg.gaussian(0.0, 1.0)
    with pytest.raises(ValueError, match="finite"):
        Gridded.of(start, start_grid(start, 64)).moved(lambda x: (np.where(x > 0, np.nan, x), 0.1))


@pytest.mark.parametrize("cells", [512, 1024, 1536])
def test_noise_narrower_than_cells_leaves_errors_of_order_four(cells):
    """36 moves whose noise falls to half a cell, against the Gaussian that affine moves make: W₂ and KL in closed form."""
    process = mfg.VariancePreserving(0.1, 6.0, 2.786)
    law = mfg.gaussian(0.2, 0.7156)
    model = mfg.samplers.Model(process, mfg.ExactScore(process, law))
    times = mfg.samplers.LogSNR().times(process, 36, stop=1.26e-3)
    end, sampler, start = mfg.densities.marginal(process, law, 1.26e-3), mfg.samplers.DDIM(eta=0.62), prior(model)
    found = mfg.samplers.generated_law(sampler, model, times, start, cells=cells).against(end)
    right = between_gaussians(end, affine(sampler, model, times, start))
    assert abs(found.kl.value - right["kl"]) < 2e-8 * (512 / cells) ** 4 + 1e-12
    assert abs(found.w2.value - right["w2"]) < 2e-12 * (512 / cells) ** 4 + 1e-13
    for name in ("w1", "w2", "ks", "kl"):
        assert abs(getattr(found, name).value - right[name]) <= getattr(found, name).half_width
