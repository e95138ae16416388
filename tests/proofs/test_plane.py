"""Proved numbers in the plane: closed forms of Gaussians, another rule's means, and parts of the bar that are needed."""

import numpy as np
import pytest

import mfgpde as mfg

pytest.importorskip("flint")

from mfgpde.proofs import Instant, PlanarMixture, ball, estimate, plane
from mfgpde.proofs.plane import planar_entropy, planar_entropy_rate, planar_information

SHAPE = np.array([[0.3, 0.1], [0.1, 0.2]])
TWO = mfg.GaussianMixture([0.4, 0.6], [[-1.0, 0.2], [0.8, -0.3]], np.stack([SHAPE, SHAPE]))


def on_a_grid(law, other, cells=500, half_width=7.0):
    """Return KL and relative Fisher information by midpoints, spectral for these."""
    grid = mfg.CartesianGrid.cube(half_width, cells, 2)
    x = grid.points
    p = law.density(x)
    kl = grid.integrate(p * (law.log_density(x) - other.log_density(x)))
    return float(kl), float(grid.integrate(p * np.sum((law.score(x) - other.score(x)) ** 2, axis=-1)))


@pytest.mark.slow
@pytest.mark.parametrize("t", [0.4, 0.8])
def test_mixtures_agree_with_another_rule(t):
    process, unit = mfg.OrnsteinUhlenbeck(), mfg.gaussian(0.0, 0.5, 2)
    law, rest = PlanarMixture.noised(TWO, Instant.of(process, t)), PlanarMixture.of(unit)
    kl, information = on_a_grid(mfg.marginal(process, TWO, t), unit)
    for found, other in ((planar_entropy(law, rest), kl), (planar_information(law, rest), information)):
        proved = estimate(found, "balls")
        assert proved.kind is mfg.Kind.PROVED
        assert abs(proved.value - other) <= proved.half_width + 1e-11 * (1 + abs(other))
        assert proved.half_width < 1e-9 * (1 + abs(other))


@pytest.mark.slow
@pytest.mark.parametrize("process", [mfg.OrnsteinUhlenbeck(), mfg.VariancePreserving(), mfg.SubVariancePreserving()])
def test_speeds_are_differences_of_divergences(process, monkeypatch):
    """A difference of 2e-4 times the speed, seen to 1e-5 of itself, needs divergences to 1e-10: the lattice is as fine."""
    monkeypatch.setattr(plane, "LEFT", 1e-13)
    monkeypatch.setattr(plane, "DEVIATIONS", 8.0)
    rest, t, h = PlanarMixture.of(mfg.gaussian(0.3, 0.7, 2)), 0.4, 1e-4
    ahead, behind = (
        float(planar_entropy(PlanarMixture.noised(TWO, Instant.of(process, s)), rest)) for s in (t + h, t - h)
    )
    found = float(planar_entropy_rate(PlanarMixture.noised(TWO, Instant.of(process, t)), rest))
    assert found == pytest.approx((ahead - behind) / (2 * h), rel=1e-5)


def test_the_lattice_is_not_believed_beyond_its_bound(monkeypatch):
    law, unit = PlanarMixture.of(TWO), PlanarMixture.of(mfg.gaussian(0.0, 1.0, 2))
    truth = on_a_grid(TWO, mfg.gaussian(0.0, 1.0, 2))[0]
    monkeypatch.setattr(plane, "LEFT", 8e-2)  # a lattice so coarse that the sum is visibly off
    found = estimate(planar_entropy(law, unit), "balls")
    assert abs(found.value - truth) > 1e-10
    assert abs(found.value - truth) <= found.half_width


def test_the_outside_is_in_the_ball(monkeypatch):
    law, unit = (
        PlanarMixture.of(mfg.gaussian(np.array([1.0, 0.0]), np.eye(2))),
        PlanarMixture.of(mfg.gaussian(0.0, 1.0, 2)),
    )
    monkeypatch.setattr(plane, "DEVIATIONS", 2.0)
    assert 0.5 in estimate(planar_entropy(law, unit), "balls")
    monkeypatch.setattr(PlanarMixture, "outside", lambda *_: ball(0.0))
    assert 0.5 not in estimate(planar_entropy(law, unit), "balls")  # so the tail is what held it


def test_what_has_no_tube_is_refused():
    with pytest.raises(ValueError, match="one covariance"):
        PlanarMixture.of(mfg.GaussianMixture([0.5, 0.5], [[0.0, 0.0], [1.0, 0.0]], [0.2, 0.3]))
    with pytest.raises(ValueError, match="dimension 1"):
        PlanarMixture.of(mfg.gaussian(0.0, 1.0))
