"""Bars of claims on flows hold closed forms, and numbers found otherwise."""

from pathlib import Path

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.verify import load_module

ROOT = Path(mfg.__file__).parents[1] / "validation"
concavity = load_module(ROOT / "inequalities" / "weak_log_concavity.py")
rectification = load_module(ROOT / "flows" / "rectification.py")
parts = load_module(ROOT / "flows" / "gradient_part.py")
touching = load_module(ROOT / "open" / "gradient_fixed_points.py")
matching = load_module(ROOT / "flows" / "flow_matching.py")
loose = load_module(ROOT / "open" / "lipschitz_bounds.py")
symmetry = load_module(ROOT / "geometry" / "symmetry_breaking.py")


@pytest.mark.parametrize("late", [0.5, 2.0])
def test_the_stationary_law_is_forgotten_at_its_rate(late):
    law = mfg.GaussianMixture([0.5, 0.5], [[-1e-9], [1e-9]], 1.0)  # dX = −X dt + √2 dW goes back as it goes forth
    distribution, rest = concavity.sent(law, 0.4, late, 0.1)
    a = np.exp(0.1 - late)
    x = np.linspace(-3, 3, 13)
    truth = concavity.ndtr((x - 0.4 * a) / np.sqrt(1 - 0.5 * a * a))
    assert np.abs(distribution(x) - truth).max() <= rest + 1e-9 < 2e-9
    found = concavity.carried(law, 0.4, late, 0.1, 2000)
    assert a in found
    assert found.half_width < 0.03


@pytest.mark.parametrize(("m", "v"), [(1.0, 0.5), (1.5, 0.9)])
def test_slopes_of_two_blobs_bend_as_their_secant_does(m, v):
    law = mfg.GaussianMixture([0.5, 0.5], [[-m], [m]], v)
    truth = 0.02**2 / 8 * 2 * (m / v) ** 4  # (log p)'' is k² / cosh² kx but for a constant, k = m/v
    assert truth <= concavity.between_middles(law) <= 2 * truth  # shares are intervals in their products


@pytest.mark.parametrize(("shift", "u", "v"), [(0.0, 0.3, 1.2), (0.8, 0.5, 0.5)])
def test_costs_of_two_gaussians_after_and_before(shift, u, v):
    ends = mfg.gaussian(0.0, u), mfg.gaussian(shift, v)
    apart = (np.sqrt(u) - np.sqrt(v)) ** 2
    found = rectification.on_the_line(*ends, rectification.COSTS, 1001)["|v|²"]
    assert (shift**2 + apart) / (shift**2 + u + v) in found
    assert found.half_width < 0.03
    fourth = [shift**4 + 6 * shift**2 * s + 3 * s**2 for s in (apart, u + v)]
    assert fourth[0] / fourth[1] in rectification.on_the_line(*ends, rectification.COSTS, 1001)["|v|⁴"]


def test_what_pushes_is_a_gaussian_mean():
    law = mfg.GaussianMixture([0.7, 0.3], [[0.4, -0.5], [-0.8, 0.2]], [0.3, 0.5])
    z, w = np.polynomial.hermite_e.hermegauss(40)
    u, weights = np.polynomial.legendre.leggauss(12)
    truth, nodes = 0.0, np.stack(np.meshgrid(z, z), axis=-1)
    for t, weight in zip(0.5 * (u + 1), 0.5 * weights, strict=True):
        at = parts.PROCESS.mean_coefficient(t)
        for share, mean, C in zip(law.weights, law.means, law.covariances, strict=True):
            s = np.sqrt(at**2 * C[0, 0] + parts.PROCESS.variance(t))
            y = np.sum((at * mean + s * nodes - np.array(parts.CENTRE)) ** 2, axis=-1)
            truth += weight * share * 0.5 * float((w / w.sum()) @ (y * np.exp(-y)) @ (w / w.sum()))
    found = parts.pushed(law, 1.2)
    assert found.value == pytest.approx(1.44 * truth, rel=1e-8)
    assert found.kind is mfg.Kind.BOUND


def test_what_a_round_removes_is_what_grids_tend_to():
    straight, gradients = touching.bounded(0.8)
    coarse, fine = (touching.removed(0.8, n) for n in (54, 108))
    assert fine[0] == pytest.approx(straight.value, rel=0.02)  # but for the times that these nodes leave out
    assert (4 * fine[1] - coarse[1]) / 3 == pytest.approx(gradients.value, rel=0.04)
    assert gradients.half_width < 0.1 * gradients.value


def test_clones_meet_as_often_as_one_squared_mean_says():
    """With ½E tanh² = ½E tanh under one blob: both are P(same) − ½ of Bayes' rule."""
    for t in (0.2, 1.0):
        a, V = np.exp(-t), -np.expm1(-2 * t)
        z, w = np.polynomial.hermite_e.hermegauss(160)
        truth = 0.5 * float(w @ np.tanh(a * (a + np.sqrt(V) * z) / V)) / float(w.sum())
        assert symmetry.by_bayes(1.0, t).value == pytest.approx(truth, abs=1e-9)


@pytest.mark.parametrize("v", [0.1, 1.0, 3.0])
def test_one_blob_is_carried_back_by_its_affine_map(v):
    times, grown = loose.in_time(v, 400)
    u, w = np.polynomial.legendre.leggauss(60)
    t = 0.5 * (u + 1)
    shift = 0.3 * float(0.5 * w @ np.sqrt(v / (v * t**2 + (1 - t) ** 2)))
    places = np.linspace(-8.0, 8.0, 161) * np.sqrt(v)
    z, off = loose.backward.begins(loose.velocity(0.0, v, 0.3), places, times, grown)
    error = np.abs(z - (places - shift) / np.sqrt(v))
    assert np.all(error <= off + 1e-13)
    assert off.max() < 2e-3
    levels = np.stack([loose.ndtr(z + sign * off) for sign in (-1, 1)])
    found = loose.backward.apart(places, levels, places, loose.ndtr(places / np.sqrt(v)))
    assert shift in found
    assert found.half_width < 0.3 * np.sqrt(v)  # two pieces of places


@pytest.mark.parametrize("m", [1.0, 1.75])
def test_a_slope_s_bound_over_the_distance(m):
    logs, w2 = loose.factors(m, 0.1, 0.02)
    path = loose.flows.Path(mfg.GaussianMixture([0.5, 0.5], [[-m], [m]], 0.1))

    def learned(x, t):
        return path(x, t) + 0.02

    assert loose.distance(path, learned, 1201) in w2
    t = np.linspace(0.0, 1.0, 20001)
    V = 0.1 * t**2 + (1 - t) ** 2
    steep = (0.1 * t - (1 - t)) / V + m**2 * t * (1 - t) / V**2  # in the middle, where it is largest
    left = np.append(np.cumsum((0.5 * (steep[1:] + steep[:-1]) * np.diff(t))[::-1])[::-1], 0.0)
    assert np.log(0.02 * np.trapezoid(np.exp(left), t) / w2.upper) == pytest.approx(logs.lower, abs=1e-3)


def test_a_ripple_s_size_and_three_blobs_in_one_place():
    rows = ((0.2, 0.5, 0.3), (0.3, 0.5, 0.3), (0.5, 0.5, 0.3))
    field = matching.Blobs(rows, 0.3, 1.7, -0.4)
    z, w = np.polynomial.hermite_e.hermegauss(80)
    for t in (0.0, 0.4, 1.0):
        x = 0.5 * t + np.sqrt(0.3 * t**2 + (1 - t) ** 2) * z
        truth = float(w @ (field(x, t) - field.exact(x, t)) ** 2) / float(w.sum())
        assert field.disturbance(t) == pytest.approx(truth, rel=1e-10)
    still = matching.Blobs(rows, 0.0, 1.0, 0.0)
    places = 0.5 + np.sqrt(0.3) * np.linspace(-3, 3, 13)
    z, off = matching.backward.begins(still, places, np.linspace(0, 1, 201), room=0.05)
    assert np.all(np.abs(z - np.linspace(-3, 3, 13)) <= off + 1e-13)
    assert off.max() < 0.01
    low, high = matching.right_side(matching.Blobs(rows, 0.3, 1.7, -0.4), 1.0, 0.0, False)
    assert low < high < 1.02 * low
    with pytest.raises(RuntimeError, match="more steps"):
        matching.backward.begins(still, places, np.linspace(0, 1, 41), room=1e-6)
