"""Energies of drifts from zero, bounded: against a Gaussian by hand, Gauss's rules in space, and a wrong smoothing."""

from pathlib import Path

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.verify import load_module

FOLDER = Path(mfg.__file__).parents[1] / "validation" / "inequalities"
bridge = load_module(FOLDER / "_bridge.py")
claim = load_module(FOLDER / "foellmer.py")


def blobs(d, gap, width=0.3):
    """Return two blobs of one width, `gap` apart in a direction of no axis."""
    way = np.array([0.6, 0.8, 0.0][:d]) if d > 1 else np.ones(1)
    middle = np.array([0.2, -0.4, 0.5][:d])
    return mfg.GaussianMixture([0.3, 0.7], np.stack((middle, middle + gap * way)), [width, width])


@pytest.mark.parametrize("d", [1, 2, 3])
def test_blobs_in_one_place_are_a_gaussian(d):
    law, v = blobs(d, 1e-9), 0.3
    square = float(law.means[0] @ law.means[0])
    known = 0.5 * (square + d * (v - 1 - np.log(v)))  # KL of N(m, v) to N(0, I), and the least energy
    for found in (bridge.divergence(law), bridge.energy(law)):
        assert found.kind == mfg.Kind.BOUND
        assert abs(found.value - known) <= found.half_width + 1e-9  # the gap moves both by less
        assert found.half_width < 1e-9


def test_a_bent_drift_of_a_gaussian_by_an_integral_of_a_fraction():
    v, b = 0.3, 1.5
    t = (np.arange(200_000) + 0.5) / 200_000
    k, r = v - 1 + b * (1 - t) * (1 - 2 * t), t * v + (1 - t) * (1 + b * t * (1 - t))
    law = blobs(1, 1e-9)
    # ζ is N(m t/r·, t/r), μ̄ the mean m: kζ + (1 + bt²(1−t)) m/r
    mean = (k * t + 1 + b * t**2 * (1 - t)) * law.means[0, 0] / r
    known = 0.5 * float(np.mean(k**2 * t / r + mean**2))
    assert bridge.energy(law, b).value == pytest.approx(known, abs=2e-9)


@pytest.mark.parametrize(("d", "bend", "count"), [(1, 0.0, 64), (1, -0.8, 64), (2, 1.5, 40)])
def test_gauss_rules_in_space_and_time_agree(d, bend, count):
    law = blobs(d, 1.1)
    found = bridge.energy(law, bend)
    assert claim.energies(law, count, 24, 1.0, (bend,))[0] == pytest.approx(found.value, rel=3e-8)
    assert claim.divergence(law, count) == pytest.approx(bridge.divergence(law).value, rel=3e-8)
    assert found.half_width < 1e-9
    wrong = claim.energies(law, count, 24, 0.9, (bend,))[0]  # another variance of what is smoothed
    assert abs(wrong - found.value) > 1e3 * found.half_width


@pytest.mark.parametrize("bend", [-0.8, 1.5])
def test_a_bend_costs_energy(bend):
    law = blobs(1, 1.1)
    assert bridge.energy(law, bend).lower > bridge.divergence(law).upper


def test_what_is_on_no_line_is_refused():
    three = mfg.GaussianMixture([0.3, 0.3, 0.4], [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [0.3, 0.3, 0.3])
    with pytest.raises(ValueError, match="one line"):
        bridge.energy(three)
    with pytest.raises(ValueError, match="one width"):
        bridge.divergence(mfg.GaussianMixture([0.5, 0.5], [[0.0], [1.0]], [0.3, 0.4]))
