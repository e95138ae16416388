"""Ledgers of samplers that can only be called: those of ours, written out as steps, and a scheduler of diffusers."""

import json
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
from typer.testing import CliRunner

import mfgpde as mfg
from mfgpde.app.cli import app
from mfgpde.samplers import Euler, EulerMaruyama, Model, Uniform, box_ledgers, ledger
from mfgpde.samplers.adapters.perfect import Exact, Learned
from mfgpde.samplers.adapters.step_function import StepRun

PROCESS, V, STOP = mfg.Brownian(horizon=2.0), 0.5, 0.05
DATA = mfg.gaussian(0.3, V)
EXACT = mfg.ExactScore(PROCESS, DATA)
RULE = Uniform(power=2.0)
PARTS = ("stop", "score", "prior", "discretisation", "prior_in_turn", "discretisation_in_turn", "whole")


@dataclass(frozen=True)
class Scaled:
    """(1 + by) times the exact score −(x − 0.3)/(V + t)."""

    by: float

    def __call__(self, x, t):
        return -(1 + self.by) * (x - 0.3) / (V + t)


def euler(x, t, s, score):
    return x - (s - t) * float(PROCESS.diffusivity(t)) * score(x, t)


def maruyama(x, t, s, score, rng):
    D = float(PROCESS.diffusivity(t))
    return x + (t - s) * 2 * D * score(x, t) + np.sqrt(2 * D * (t - s)) * rng.standard_normal(x.shape)


def of_box(step, model, n, **asked):
    begins = [lambda n, one=one: StepRun(step, one, RULE, n, STOP, EXACT) for one in (Model(PROCESS, EXACT), model)]
    return box_ledgers(*begins, model, [n], DATA, **asked)[0]


@pytest.mark.slow
@pytest.mark.parametrize(("step", "ours", "loose"), [(euler, Euler(), 1e-6), (maruyama, EulerMaruyama(), 1e-3)])
def test_a_scheme_written_as_steps_has_the_ledger_of_the_scheme(step, ours, loose):
    """Two ways: our schemes by their lists refined, and boxes that are called; each part lies in both bars."""
    model = Model(PROCESS, Scaled(0.2))
    box = of_box(step, model, 9, most=600)
    own = ledger(ours, model, RULE.times(PROCESS, 9, STOP), DATA)
    for name in PARTS:
        a, b = getattr(box, name), getattr(own, name)
        assert abs(a.value - b.value) <= a.half_width + b.half_width, (name, a, b)
        assert a.half_width < 0.1 * own.whole.value + loose
    assert box.holds


def test_what_the_model_adds_is_in_closed_form():
    """Deviations ((V + δ)/(V + T))^{(1 + c)/2} √(V + T) of the flow, against √(V + δ)."""
    found = of_box(euler, Model(PROCESS, Scaled(-0.3)), 6)
    flow = (V + 2.0) ** 0.5 * ((V + STOP) / (V + 2.0)) ** (0.5 * 0.7)
    assert abs(flow - np.sqrt(V + STOP)) in found.score
    assert found.score.half_width < 1e-5
    assert np.sqrt(V + STOP) - np.sqrt(V) in found.stop


def test_levels_of_one_signal_to_noise_have_one_score():
    """A model of variance-preserving noise asked at a level of x₀ + σ ε: the score of that law."""
    process, data = mfg.VariancePreserving(), mfg.densities.bimodal()
    x, sigma = np.linspace(-3, 3, 7), 0.8
    found = Learned(Model(process, mfg.ExactScore(process, data)))(x, 1.0, sigma)
    np.testing.assert_allclose(found, Exact(data)(x, 1.0, sigma), rtol=1e-10)


def test_what_can_only_be_sampled_has_no_ledger():
    def squaring(x, t, s, score, rng):
        return x + 0.1 * rng.standard_normal(x.shape) ** 2

    with pytest.raises(ValueError, match="can only be sampled"):
        of_box(squaring, Model(PROCESS, EXACT), 6)


def test_a_scheduler_of_diffusers_has_a_ledger_with_pytorch(torch, tmp_path):
    """A score 5 % too steep on the scheduler's own list: the flow's share is the same by our scheme and at 200 steps."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("diffusers", reason="pip install diffusers")
    (tmp_path / "model.py").write_text(
        "import mfgpde as mfg\n"
        "exact = mfg.ExactScore(mfg.processes.linear_betas(), mfg.densities.bimodal())\n"
        "def steep(x, t):\n    return 1.05 * exact(x, t)\n",
        encoding="utf-8",
    )
    words = ["sampler", "diffusers:DDIMScheduler", "--ledger", "--option", "clip_sample=False"]
    words += ["--option", "timestep_spacing=trailing", "--process", "linear-betas", "--steps", "10,50,200"]
    asked = [*words, "--score", f"{tmp_path / 'model.py'}:steep", "--out", str(tmp_path)]
    found = CliRunner().invoke(app, asked)
    assert found.exit_code == 0, found.output
    rows = json.loads((tmp_path / "ledger.json").read_text(encoding="utf-8"))["rows"]
    assert rows[0]["discretisation_in_turn"]["value"] > 10 * rows[2]["discretisation_in_turn"]["value"]
    few = rows[2]  # with 200 steps the whole is the score's share, to what is left of steps and prior
    left = few["discretisation_in_turn"]["value"] + few["prior_in_turn"]["value"]
    assert abs(few["whole"]["value"] - few["score"]["value"]) <= left + few["score"]["error"] + few["whole"]["error"]
    assert few["score"]["value"] > 5 * few["discretisation_in_turn"]["value"]
    wrong = CliRunner().invoke(app, ["variance-preserving" if word == "linear-betas" else word for word in asked])
    assert "--process linear-betas" in " ".join(wrong.output.split())
