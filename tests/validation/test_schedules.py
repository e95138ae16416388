"""Losses of denoisers over schedules, with bounds: against closed forms, finer rules, and a pole."""

from pathlib import Path

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core.taylor import NotEnclosed
from mfgpde.verify import load_module

folder = Path(mfg.__file__).parents[1] / "validation" / "denoising"
in_time, claim = load_module(folder / "_schedules.py"), load_module(folder / "pointwise_likelihood.py")
PROCESSES = [mfg.VariancePreserving(), mfg.processes.Cosine(), mfg.processes.Straight()]


def edges_of(process):
    return np.array([claim.time_of(process, log) for log in np.linspace(4.0, -4.0, in_time.PANELS + 1)])


@pytest.mark.parametrize("process", PROCESSES, ids=lambda one: type(one).__name__)
def test_formulas_of_the_ratio_are_those_of_the_processes(process):
    for t in (0.2, 0.5, 0.7):
        gamma, rate = in_time.ratio_of(process, t)
        h = 1e-5
        assert gamma == pytest.approx(claim.snr(process, t), rel=1e-12)
        assert rate == pytest.approx((claim.snr(process, t - h) - claim.snr(process, t + h)) / (2 * h), rel=1e-7)


@pytest.mark.parametrize("process", PROCESSES, ids=lambda one: type(one).__name__)
def test_one_blob_has_the_logarithm_of_a_ratio(process):
    # x̂ is the mean of X given z: E|X − x̂|² = v/(1 + γv), whatever the noise; ½∫dγ is ½ log of (1 + γv) at both ends
    v, points = 0.4, claim.gauss(6, 1)
    law = mfg.gaussian(0.7, v)
    edges = edges_of(process)
    found = in_time.loss(process, edges, in_time.errors(process, edges, law, law, (points[0][:, 0], points[1])), 6)
    truth = 0.5 * np.log((1 + np.exp(4) * v) / (1 + np.exp(-4) * v))
    assert found.kind is mfg.Kind.BOUND
    assert found.half_width < 1e-10
    assert abs(found.value - truth) <= found.half_width


def test_two_rules_agree_for_mixtures_within_their_bars():
    rng, points = np.random.default_rng(7), claim.gauss(6, 1)
    points = points[0][:, 0], points[1]
    law, other = claim.drawn(rng, 1), claim.drawn(rng, 1)
    process = PROCESSES[0]
    edges, (u, w) = edges_of(process), np.polynomial.legendre.leggauss(60)
    t = (0.5 * (edges[1:] + edges[:-1])[:, None] + 0.5 * np.diff(edges)[:, None] * u).ravel()
    gamma, rate = in_time.ratio_of(process, t)
    values = (in_time.error(law, other, gamma, *points) * rate).reshape(-1, 60) @ w
    found = in_time.loss(process, edges, in_time.errors(process, edges, law, other, points), 6)
    assert abs(found.value - 0.25 * np.diff(edges) @ values) <= found.half_width < 1e-10


def test_panels_with_a_pole_near_them_are_refused():
    process, points = PROCESSES[2], claim.gauss(6, 1)
    law = claim.drawn(np.random.default_rng(7), 1)
    with pytest.raises(NotEnclosed):  # the ratio has a pole at zero
        in_time.errors(process, np.array([1e-3, 0.9]), law, law, (points[0][:, 0], points[1]))
