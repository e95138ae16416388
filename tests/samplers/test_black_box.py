"""Step functions of one's own: what they are is found by trying, what they return is read, bad ones are one sentence."""

import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

import mfgpde as mfg
from mfgpde.app.cli import app
from mfgpde.app.sampler import numbers, settings
from mfgpde.samplers.adapters.step_function import StepRun
from mfgpde.samplers.black_box import OwnRun, nature, tried
from mfgpde.samplers.convergence import read

PROCESS, DATA = mfg.VariancePreserving(), mfg.densities.bimodal()
MODEL = mfg.samplers.Model(PROCESS, mfg.ExactScore(PROCESS, DATA))


def euler(x, t, s, score):
    return x + (s - t) * (PROCESS.drift(x, t) - float(PROCESS.diffusivity(t)) * score(x, t))


def maruyama(x, t, s, score, rng):
    D = float(PROCESS.diffusivity(t))
    mean = x + (t - s) * (2 * D * score(x, t) - PROCESS.drift(x, t))
    return (mean + np.sqrt(2 * D * (t - s)) * rng.standard_normal(x.shape), "told besides")


def squaring(x, t, s, score, rng):
    return x + 0.1 * rng.standard_normal(x.shape) ** 2


def begin(step):
    return lambda n: StepRun(step, MODEL, mfg.samplers.Uniform(), n)


@pytest.mark.parametrize(("step", "words"), [(euler, "deterministic"), (maruyama, "stochastic")])
def test_what_a_step_is_is_found_and_its_order(step, words):
    kind = nature(begin(step))
    assert kind.words == words
    steps = (20, 40, 80)
    found = read(steps, [tried(begin(step), n, DATA, kind).distances.w2 for n in steps], 0.5)
    assert found.verdict == "converges"
    assert found.order.value == pytest.approx(1.0, abs=0.25)


def test_the_computed_law_is_ours():
    """A step function written out is our member: the same numbers, to the roundings of 20 steps."""
    ours = mfg.samplers.generated_law(
        mfg.samplers.Euler(), MODEL, mfg.samplers.Uniform().times(PROCESS, 20), MODEL.score.at(1.0), cells=513
    )
    theirs = tried(begin(euler), 20, DATA, nature(begin(euler)))
    assert theirs.law.points == pytest.approx(ours.fine.points, abs=1e-12)


def test_noise_that_is_not_added_is_not_computed():
    kind = nature(begin(squaring))
    assert not kind.computed
    assert tried(begin(squaring), 5, DATA, kind).distances.w2.kind is mfg.Kind.CONFIDENCE


def test_a_wrong_step_is_the_first_wrong_one():
    def late(x, t, s, score):
        return euler(x, t, s if s > 0.5 else s + 0.5 * (t - s), score)

    found = tried(begin(late), 40, DATA, nature(begin(late)))
    assert found.first_wrong[0] == 20
    assert tried(begin(euler), 40, DATA, nature(begin(euler))).first_wrong is None


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (lambda x, sigma: x, "takes x and any of"),
        (lambda x, t: {"state": x}, "should be 'prev_sample' or 'sample'"),
        (lambda x, t: None, "NoneType"),
        (lambda x, t: x[:3], "to shape"),
        (lambda x, t, rng: x + rng.standard_normal(3)[0], "normal numbers were drawn"),
    ],
)
def test_bad_steps_are_one_sentence(step, words):
    with pytest.raises(ValueError, match=words):
        nature(begin(step))


def test_words_of_the_command_line():
    assert numbers("10:80") == (10, 20, 40, 80)
    assert settings(["clip_sample=false", "timestep_spacing=trailing", "eta=0.5"]) == {
        "clip_sample": False,
        "timestep_spacing": "trailing",
        "eta": 0.5,
    }
    for text in ("10", "10:20", "a,b,c", "40,20,10"):
        with pytest.raises(ValueError, match="steps"):
            numbers(text)


@pytest.mark.slow
def test_a_sampler_that_needs_a_stop_says_so_and_then_converges(tmp_path):
    """The advice of the error is taken word for word; the law is judged against that at the stop."""
    words = ["sampler", "dpmsolver2", "--levels", "logsnr", "--steps", "10,20,40,80", "--order", "2"]
    out = ["--out", str(tmp_path)]
    refused = CliRunner().invoke(app, [*words, *out])
    assert refused.exit_code == 1
    advised = re.search(r"as (--stop \S+)", " ".join(refused.output.split())).group(1).split()
    kept = CliRunner().invoke(app, [*words, *advised, *out])
    assert kept.exit_code == 0, kept.output
    row = json.loads((tmp_path / "sampler.json").read_text())["rows"][0]
    assert row["verdict"] == "converges"
    assert abs(row["order"] - 2) < 0.2
    page = (tmp_path / "sampler.html").read_text()
    assert "converges" in page
    assert "<svg" in page
    other = CliRunner().invoke(app, ["sampler", "diffusers:DDIMScheduler", "--stop", "0.1", *out])
    assert "their own end" in " ".join(other.output.split())


@pytest.mark.parametrize("levels", [mfg.samplers.Uniform(), mfg.samplers.Rho()])
def test_a_run_of_ours_starts_in_its_first_law_and_says_where_it_stands(levels):
    """The levels of a step are those of its time, the laws those of the data there; noise that is given is used."""
    run = OwnRun(mfg.samplers.Euler(), MODEL, levels, 6, 0.05)
    assert run.calls == 6
    assert len(run.times) == 7
    assert run.times[0] == pytest.approx(PROCESS.horizon)
    assert run.times[-1] == pytest.approx(0.05)
    first = MODEL.score.at(float(run.times[0]))
    x = np.linspace(-1.5, 1.5, 7)
    assert run.start.density(x[:, None]) == pytest.approx(first.density(x[:, None]))
    for now, t in enumerate(run.times[:-1]):
        place = run.standing()
        assert run.place == now
        assert place.alpha == pytest.approx(float(MODEL.alpha(float(t))))
        assert place.sigma == pytest.approx(float(MODEL.sigma(float(t))))
        assert place.law.density(x[:, None]) == pytest.approx(MODEL.score.at(float(t)).density(x[:, None]))
        moved = run.call(x, np.zeros(7))
        D, step = float(PROCESS.diffusivity(float(t))), float(t - run.times[now + 1])
        if levels == mfg.samplers.Uniform():
            told = x + step * (D * MODEL.score(x[:, None], float(t))[:, 0] - PROCESS.drift(x[:, None], float(t))[:, 0])
            assert moved == pytest.approx(told, abs=1e-10)


def test_only_exact_scores_and_single_moves_are_run():
    learned = mfg.samplers.Model(PROCESS, lambda x, t: -x)
    with pytest.raises(ValueError, match="exact score of a mixture"):
        OwnRun(mfg.samplers.Euler(), learned, mfg.samplers.Uniform(), 4)
