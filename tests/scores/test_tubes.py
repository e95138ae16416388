"""Networks at complex points near the real ones: bounds hold there, and lattice sums keep what they promise."""

from pathlib import Path

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.scores import tubes
from mfgpde.scores.tubes import around, tube
from mfgpde.solvers.certified import lattice_rest


def silu(z):
    return z / (1 + np.exp(-z))


def network(layers, x, t):
    """Evaluate at complex points (n, d)."""
    h = np.concatenate((x, np.full((len(x), 1), t)), axis=1)
    for k, (W, b) in enumerate(layers):
        h = h @ W.T + b
        h = silu(h) if k < len(layers) - 1 else h
    return h


def drawn(rng, outputs=2, widths=(3, 8, 8)):
    shapes = zip(widths, (*widths[1:], outputs), strict=True)
    return [(rng.normal(size=(out, into)) / np.sqrt(into), rng.normal(size=out)) for into, out in shapes]


@pytest.mark.parametrize("seed", range(12))
def test_bounds_hold_on_the_tube(seed):
    rng = np.random.default_rng(seed)
    layers, t, e = drawn(rng, outputs=2), 0.4, 1e-5
    found = tube(layers, t)
    corner = found.width * rng.choice([-1.0, 1.0], size=(400, 2))
    x = rng.normal(0, 4, (400, 2)) + 1j * corner
    value = network(layers, x, t)
    assert np.all(np.abs(value).max(axis=1) <= found.level + found.steep * np.abs(x).max(axis=1))
    for j in range(2):
        step = e * np.eye(2)[j]
        ahead, behind = network(layers, x + step, t), network(layers, x - step, t)
        assert np.all(np.abs(ahead - behind) / (2 * e) <= found.slopes[:, j] + 1e-8)
        assert np.all(np.abs(ahead - 2 * value + behind) / e**2 <= found.bends[:, j] + 1e-3)


def test_constants_of_the_unit_hold_on_the_strip():
    z = np.linspace(-80, 80, 400_001) + 1j * tubes.STRIP  # the largest values are on the edge
    s = 1 / (1 + np.exp(-z))
    slope, bend = s * (1 + z * (1 - s)), s * (1 - s) * (2 + z * (1 - 2 * s))
    assert 0.97 * tubes.DISC < np.abs(slope - 0.5).max() < tubes.DISC
    assert 0.97 * tubes.BENT < np.abs(bend).max() < tubes.BENT
    assert np.abs(s).max() <= 1


def test_constants_of_the_unit_are_proved():
    """Balls along Im z = 1, 0 ≤ Re z ≤ 20: silu′(−z) = 1 − silu′(z), and conjugates go to conjugates; then both decay."""
    flint = pytest.importorskip("flint")
    disc, bent, half, wide = flint.arb(tubes.DISC), flint.arb(tubes.BENT), flint.arb(1) / 1000, 20
    for k in range(500 * wide):
        z = flint.acb(flint.arb(2 * k + 1, 1) * half, flint.arb(tubes.STRIP))
        s = 1 / (1 + (-z).exp())
        assert abs(s * (1 + z * (1 - s)) - flint.arb(0.5)) < disc
        assert abs(s * (1 - s) * (2 + z * (1 - 2 * s))) < bent
    small = flint.arb(-wide).exp() / (1 - flint.arb(-wide).exp())  # |1 − s| from there on, |s| ≤ 1, and |z| small falls
    assert flint.arb(0.5) + small * (2 + wide) < disc
    assert small * (2 + 3 * (1 + wide)) < bent


@pytest.mark.parametrize("predicts", ["noise", "edm", "potential"])
def test_scores_of_predictions_and_potentials_are_below_their_bounds(predicts, tmp_path):
    rng = np.random.default_rng(3)
    described = mfg.scores.Network("silu", output="potential" if predicts == "potential" else "vector")
    layers = drawn(rng, outputs=1 if predicts == "potential" else 2)
    path = mfg.scores.save_weights(tmp_path / "net.safetensors", layers, described)
    own = mfg.load_score(str(path), 2)
    score = own if predicts == "potential" else mfg.scores.Predicted(mfg.processes.Cosine(), own, predicts)
    found, x = around(score, 0.4), rng.normal(0, 3, (500, 2))
    assert np.all(np.linalg.norm(score(x, 0.4), axis=1) <= found.level + found.steep * np.linalg.norm(x, axis=1))
    assert np.all(np.abs(score.divergence(x, 0.4)) <= found.divergence)


def test_other_units_are_refused(tmp_path):
    layers = drawn(np.random.default_rng(0))
    path = mfg.scores.save_weights(tmp_path / "net.safetensors", layers, mfg.scores.Network("tanh"))
    with pytest.raises(TypeError, match="silu"):
        around(mfg.load_score(str(path), 2), 0.5)
    with pytest.raises(ValueError, match="two layers"):
        tube(layers[:1], 0.5)
    assert Path(path).exists()


def lorentz(h):
    """Return by how much the sum of 1/(1 + x²) over hℤ exceeds π, in closed form."""
    return np.pi / np.tanh(np.pi / h) - np.pi


@pytest.mark.parametrize("h", [0.3, 0.5, 1.0])
def test_lattice_sums_are_off_by_no_more_and_not_by_much_less(h):
    a = 0.9  # ∫|1/(1 + (x + iy)²)|dx is largest on the edge of the strip
    x = np.linspace(-400, 400, 800_001)
    size = np.trapezoid(np.abs(1 / (1 + (x + 1j * a) ** 2)), x) + 2 / 399
    bound = lattice_rest(size, a, h)
    assert abs(lorentz(h)) <= bound <= 60 * abs(lorentz(h))
    assert abs(lorentz(h)) > lattice_rest(size, 2 * a, h)  # a strip with a pole inside would promise too much


def test_in_the_plane_the_rest_of_a_product_is_that_of_its_factors():
    h, a = 1.1, 1.5
    size = np.pi * np.exp(2 * a * a)
    line = h * np.arange(-20, 21)
    missed = (h * np.exp(-(line**2)).sum()) ** 2 - np.pi
    assert abs(missed) <= lattice_rest(size, a, h, 2)
    with pytest.raises(ValueError, match="positive"):
        lattice_rest(1.0, 0.0, h)
