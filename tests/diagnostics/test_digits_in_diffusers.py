"""The small UNet of the digits, a folder of diffusers: in 64 dimensions what is drawn along directions is what is exact."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import mfgpde as mfg
from mfgpde.app import check
from mfgpde.app.asked import Asked
from mfgpde.app.cli import app
from mfgpde.diagnostics import by_sampling, score_residual
from mfgpde.diagnostics.data import noised
from mfgpde.diagnostics.intervals import mean_interval

FOLDER = Path(mfg.__file__).parents[1] / "docs" / "examples" / "digits"


@pytest.fixture
def trial(torch):
    pytest.importorskip("diffusers")
    return check.prepare(Asked(str(FOLDER), trajectories=64))


def digits():
    """Return what the script beside the weights trained on, and what it held out."""
    pytest.importorskip("sklearn")
    sys.path.insert(0, str(FOLDER))
    try:
        import train
    finally:
        sys.path.pop(0)
    return train.images()


def test_the_folder_is_small_and_says_all(trial):
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 300_000
    assert (trial.dimension, trial.asked.predicts, trial.asked.time) == (64, "v", "step")


def test_it_denoises_images_that_it_has_not_seen(trial):
    """At σ = α the mean square of x̂₀ − x₀ is far below that of the pixels' mean, on held-out images."""
    training, held_out = digits()
    process = trial.process
    t = float(process.instants[np.argmin(np.abs(process.mean_coefficient(process.instants) ** 2 - 0.5))])
    x = noised(process, held_out[:100], t, np.random.default_rng(0))
    now = process.schedule(t)
    found = (x + now.sigma**2 * trial.score(x, t)) / now.alpha
    error = np.mean((found - held_out[:100]) ** 2)
    assert error < 0.4 * np.mean((held_out[:100] - training.mean(axis=0)) ** 2)


def test_residuals_drawn_along_directions_have_the_exact_mean(trial):
    """|ε|² by two drawn directions, many times over at two points, against ε from all 64, point by point."""
    process, score, t = trial.process, trial.score, 0.3505  # between two instants of the list
    x = noised(process, np.sign(np.random.default_rng(1).normal(size=(2, 64))), t, np.random.default_rng(2))
    exact = np.sum(score_residual(process, score, x, t) ** 2, axis=-1)
    rng, draws = np.random.default_rng(3), 150
    for point, want in zip(x, exact, strict=True):
        many = np.repeat(point[None], draws, axis=0)
        directions = [np.sign(rng.standard_normal(many.shape)) for _ in range(2)]
        drawn = by_sampling._squares(process, score, many, t, directions)["score residual"]
        found = mean_interval(drawn)
        assert abs(found.value - want) <= found.half_width
        assert found.half_width < 2 * want


def test_the_divergence_drawn_along_the_flow_has_the_exact_mean(trial):
    process, score = trial.process, trial.score
    x = np.random.default_rng(0).normal(size=(1, 64))
    velocity, _ = score.velocity_with_form(x, 0.6, x)
    want = sum(float(score.velocity_with_form(x, 0.6, e[None])[1][0]) for e in np.eye(64))
    now = process.drift(x, 0.6) - float(process.diffusivity(0.6)) * score(x, 0.6)
    assert np.abs(velocity - now).max() < 1e-9 * np.abs(now).max()
    exact = process.divergence(x, 0.6)[0] - float(process.diffusivity(0.6)) * score.divergence(x, 0.6)[0]
    assert want == pytest.approx(exact, rel=1e-9)


@pytest.mark.slow
def test_one_command_puts_it_on_trial(trial, tmp_path, flaws):
    training, held_out = digits()
    np.savez(tmp_path / "digits.npz", training=training, held_out=held_out)
    words = ["check", str(FOLDER), "--data", f"{tmp_path / 'digits.npz'}:held_out", "--trajectories", "200"]
    words += ["--training", f"{tmp_path / 'digits.npz'}:training", "--out", str(tmp_path)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "certificate.json").read_text())
    assert not flaws(found)
    likelihood = found["likelihood"]["data"]
    bits = likelihood["bits a dimension of 17 levels, at most"]
    assert 0 < bits["value"] < np.log2(17)  # better than levels at random
    assert set(bits["parts"]) == {"samples", "trace estimator", "solver tolerance", "dequantisation"}
    share = next(one for name, one in found["memorisation"]["sde"].items() if name.startswith("share"))
    assert share["value"] < 0.5
    assert (
        found["moments"]["sde–data"]["W2², at most"]["value"] > found["moments"]["sde–data"]["W2², at least"]["value"]
    )
