"""Bars of single claims hold closed forms, and numbers found otherwise."""

from pathlib import Path

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.verify import load_module

ROOT = Path(mfg.__file__).parents[1] / "validation"
stopping = load_module(ROOT / "samplers" / "early_stopping.py")
steps = load_module(ROOT / "samplers" / "euler_maruyama.py")
clipping = load_module(ROOT / "samplers" / "clipping.py")
concavity = load_module(ROOT / "inequalities" / "weak_log_concavity.py")
bridge = load_module(ROOT / "zhang2023" / "schroedinger_bridge.py")


@pytest.mark.parametrize("variance", [0.01, 0.4, 1.0])
@pytest.mark.parametrize("d", [1, 3])
def test_paths_of_a_gaussian_lie_between_two_estimators(variance, d):
    levels = np.geomspace(1e-3, 1e3, 101)
    low, high = stopping.between(mfg.gaussian(np.full(d, 0.7), variance * np.eye(d)), levels)
    sums = float(np.diff(levels) @ (variance / (1 + levels[:-1] * variance)))
    truth = 0.5 * d * (sums - np.log((1 + levels[-1] * variance) / (1 + levels[0] * variance)))
    assert low == pytest.approx(truth, rel=1e-9)  # the blob is known, and the linear estimator the best one
    assert truth <= high <= 2.2 * truth  # steps of 0.14 in log γ


@pytest.mark.parametrize("seed", range(4))
def test_paths_of_mixtures_lie_between_two_estimators(seed):
    law = stopping.drawn(np.random.default_rng(seed), 1)
    for levels in (np.geomspace(1e-4, 1e3, 101), np.array([1e-4, 1e-2, 1.0, 300.0])):
        low, high = stopping.between(law, levels)
        assert low <= stopping.lost(law, levels, 60, 12) <= high
    assert low > 0
    with pytest.raises(ValueError, match="grow"):
        stopping.between(law, np.array([0.0, 2.0, 3.0]))


@pytest.mark.parametrize("horizon", [1.0, 2.0])
def test_the_priors_mismatch_is_that_of_balls(horizon):
    pytest.importorskip("flint")
    process = mfg.OrnsteinUhlenbeck(horizon=horizon)
    law = mfg.ExactScore(process, steps.DATA).at(horizon)
    one, other = (mfg.proofs.MovingMixture.of(p) for p in (law, mfg.gaussian(0.0, process.prior_variance)))
    truth = mfg.proofs.estimate(mfg.proofs.relative_entropy(one, other), "balls")
    assert truth.value in steps.mismatch(horizon)


def test_the_nearest_law_on_an_interval():
    assert clipping.nearest(mfg.gaussian(0.3, 0.5), 0.0).value ** 2 == pytest.approx(0.59, rel=1e-14)  # E X²
    x = np.linspace(-9, 9, 2_000_001)
    p = clipping.WIDE.density(x[:, None])
    truth = float(np.trapezoid(p * np.maximum(np.abs(x) - 1, 0) ** 2, x))
    assert clipping.nearest(clipping.WIDE, 1.0).value ** 2 == pytest.approx(truth, rel=1e-9)


@pytest.mark.parametrize("kappa", [0.1, 0.05])
def test_the_bridges_variance_is_that_of_gaussians(kappa):
    truth = 0.5 * (np.sqrt(kappa**2 + bridge.A * bridge.B) - np.sqrt(bridge.A * bridge.B))
    found = bridge.excess(kappa, 160, 1.0)
    assert truth in found
    assert found.half_width < 0.01 * truth
    assert truth not in bridge.excess(1.02 * kappa, 160, 1.0)


@pytest.mark.parametrize("v", [0.3, 0.9, 2.0])
def test_two_laws_of_one_blob_part_as_their_means_do(v):
    late, early = 2.5, 0.3
    grown = 0.5 * np.log((np.exp(2 * late) + v - 1) / (np.exp(2 * early) + v - 1))  # ∫dt/V
    found = concavity.drawn_together(v, 1 / v, late, early, 1.0, True)
    assert np.exp(late - early - 2 * grown) in found
    assert 1.0 in concavity.drawn_together(v, 1 / v, late, early, 1.0, False)
    assert 1.0 not in concavity.drawn_together(v, 1.05 / v, late, early, 1.0, False)
