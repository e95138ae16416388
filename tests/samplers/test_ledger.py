"""The ledger of a sampler against closed forms: Gaussian data, a score too steep or too flat, Euler's steps."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from typer.testing import CliRunner

import mfgpde as mfg
from mfgpde.app.cli import app
from mfgpde.samplers import (
    DDIM,
    Euler,
    EulerMaruyama,
    Heun,
    LogSNR,
    Model,
    PredictorCorrector,
    Uniform,
    generated_law,
    ledger,
    ledgers,
)

PROCESS, V, STOP = mfg.Brownian(horizon=2.0), 0.5, 0.05
DATA = mfg.gaussian(0.3, V)


@dataclass(frozen=True)
class Scaled:
    """(1 + by) times the exact score −(x − 0.3)/(V + t)."""

    by: float

    def __call__(self, x, t):
        return -(1 + self.by) * (x - 0.3) / (V + t)


def gaussians(times, by, start):
    """Return mean and deviation of scheme and limit: Euler's factors on x − 0.3, or ((V + δ)/(V + T))^{(1+by)/2}."""
    t, s = times[:-1], times[1:]
    euler = np.prod(1 - 0.5 * (t - s) * (1 + by) / (V + t))
    flow = ((V + times[-1]) / (V + times[0])) ** (0.5 * (1 + by))
    return [(0.3 + k * (start[0] - 0.3), k * start[1]) for k in (euler, flow)]


def apart(a, b):
    return float(np.hypot(a[0] - b[0], a[1] - b[1]))


@pytest.mark.parametrize("by", [-0.3, 0.0, 0.4])
@pytest.mark.parametrize("prior", [(0.0, np.sqrt(2.0)), (0.3, 2.5)])
def test_all_parts_are_closed_forms(by, prior):
    times, right = Uniform(power=2.0).times(PROCESS, 9, STOP), (0.3, np.sqrt(V + 2.0))
    data, stopped = (0.3, np.sqrt(V)), (0.3, np.sqrt(V + STOP))
    _, learned = gaussians(times, by, right)
    whole, ours = gaussians(times, by, prior)
    truth = {
        "stop": apart(data, stopped),
        "score": apart(stopped, learned),
        "prior": apart(stopped, gaussians(times, 0.0, prior)[1]),
        "discretisation": apart(stopped, gaussians(times, 0.0, right)[0]),
        "prior_in_turn": apart(learned, ours),
        "discretisation_in_turn": apart(ours, whole),
        "whole": apart(data, whole),
    }
    start = mfg.gaussian(prior[0], prior[1] ** 2)
    found = ledger(Euler(), Model(PROCESS, Scaled(by)), times, DATA, start)
    for name, value in truth.items():
        part = getattr(found, name)
        assert value in part, f"{name}: {part}, {value:.8g} in closed form"
        assert part.half_width < 1e-4
    assert found.holds
    assert "in turn" in str(found)


def test_the_sum_of_parts_alone_is_no_bound_and_that_in_turn_is():
    """Flat score, wide prior, Euler and stop all widen: nothing cancels, and the score widens what the prior misses."""
    times, start = Uniform().times(PROCESS, 6, STOP), mfg.gaussian(0.3, 6.0)
    found = ledger(Euler(), Model(PROCESS, Scaled(-0.3)), times, DATA, start)
    assert found.whole.lower > found.sum_alone.upper
    assert found.whole.value == pytest.approx(found.sum_in_turn.value, abs=found.sum_in_turn.half_width)
    assert abs(found.cancelled) < 1e-4


def test_errors_of_two_signs_cancel_and_it_is_said():
    """A steep score narrows what Euler's steps widen."""
    times = Uniform().times(PROCESS, 6, STOP)
    found = ledger(Euler(), Model(PROCESS, Scaled(0.1)), times, DATA, mfg.ExactScore(PROCESS, DATA).at(2.0))
    assert found.cancelled > 0.5
    assert found.holds


@pytest.mark.slow
def test_what_is_switched_off_is_zero_within_its_bar():
    exact = mfg.ExactScore(PROCESS, DATA)
    off = ledger(Heun(), Model(PROCESS, exact), Uniform().times(PROCESS, 60, 0.0), DATA, exact.at(2.0))
    for part in (off.stop, off.score, off.prior, off.prior_in_turn):
        assert part.value <= part.half_width < 1e-5
    assert off.discretisation.lower > 0  # the control: what is not switched off is seen
    on = ledger(Heun(), Model(PROCESS, Scaled(0.01)), Uniform().times(PROCESS, 60, STOP), DATA)
    assert min(on.stop.lower, on.score.lower, on.prior.lower) > 0


def test_noise_has_a_limit_of_its_own():
    """Variance of the reverse diffusion, score scaled by 1 + c: P′(V) = 2(1 + c)P/V − 1, P = AV^{2(1+c)} + V/(1 + 2c)."""
    by, times = 0.2, Uniform(power=2.0).times(PROCESS, 10, STOP)
    high, low = V + 2.0, V + STOP
    rest = (high - high / (1 + 2 * by)) / high ** (2 * (1 + by))
    learned = np.sqrt(rest * low ** (2 * (1 + by)) + low / (1 + 2 * by))
    exact = mfg.ExactScore(PROCESS, DATA)
    found = ledger(EulerMaruyama(), Model(PROCESS, Scaled(by)), times, DATA, exact.at(2.0))
    assert abs(learned - np.sqrt(low)) in found.score
    assert found.score.half_width < 0.05 * found.score.value
    assert found.prior.value <= found.prior.half_width
    variance = high  # of Euler–Maruyama with the exact score
    for t, s in zip(times[:-1], times[1:], strict=True):
        variance = (1 - (t - s) / (V + t)) ** 2 * variance + t - s
    assert abs(np.sqrt(variance) - np.sqrt(low)) in found.discretisation


def test_w1_of_gaussians_of_one_mean_is_that_of_deviations():
    """W₁ = √(2/π)|σ − σ′|."""
    times = Uniform().times(PROCESS, 9, STOP)
    start = mfg.gaussian(0.3, 2.0)
    found = ledger(Euler(), Model(PROCESS, Scaled(0.2)), times, DATA, start, exponent=1)
    (_, s), _ = gaussians(times, 0.2, (0.3, np.sqrt(2.0)))
    assert np.sqrt(2 / np.pi) * abs(s - np.sqrt(V)) in found.whole


@pytest.mark.slow
def test_a_disturbed_mixture_away_from_defaults():
    """Two blobs, another process, two lists: one limit, the flow by Dormand–Prince; the scheme's part falls."""
    process, data = mfg.VarianceExploding(0.01, 5.0, 2.7), mfg.densities.bimodal()
    score = mfg.scores.Sum(mfg.ExactScore(process, data), mfg.scores.Bump(0.1, (0.2,), 0.7))
    lists = [LogSNR().times(process, n, 0.02) for n in (16, 64)]
    few, many = ledgers(DDIM(), Model(process, score), lists, data)
    assert all(one.holds for one in (few, many))
    assert few.score == many.score
    first, last = mfg.samplers.Line.of(mfg.marginal(process, data, 2.7)), mfg.marginal(process, data, 0.02)
    model = Model(process, score)
    flow = solve_ivp(
        lambda t, x: model.velocity(x[:, None], t)[:, 0], (2.7, 0.02), first.points, "DOP853", rtol=1e-9, atol=1e-9
    )
    assert first.moved(flow.y[:, -1]).wasserstein(mfg.samplers.Quantiles(last)) in few.score
    ratio = few.discretisation_in_turn.value / many.discretisation_in_turn.value
    assert ratio == pytest.approx(4.0, abs=0.8)  # order one; the next term is a sixteenth of the first a step


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": mfg.gaussian(0.0, 1.0, dimension=2)}, "on the line"),
        ({"exponent": 3}, "1 or 2"),
        ({"sampler": PredictorCorrector()}, "dynamics"),
        ({"times": np.array([0.1, 0.5])}, "decrease"),
    ],
)
def test_what_has_no_ledger_is_one_sentence(change, words):
    given = {"sampler": Euler(), "data": DATA, "times": np.array([2.0, 0.5]), "exponent": 2} | change
    with pytest.raises(ValueError, match=words):
        ledger(given["sampler"], Model(PROCESS, Scaled(0.0)), given["times"], given["data"], exponent=given["exponent"])


def test_lists_of_one_ledger_end_together():
    lists = [Uniform().times(PROCESS, 5, stop) for stop in (0.0, 0.1)]
    with pytest.raises(ValueError, match="same times"):
        ledgers(Euler(), Model(PROCESS, Scaled(0.0)), lists, DATA)


MODEL = """
import numpy as np
import mfgpde as mfg

process = mfg.OrnsteinUhlenbeck()
exact = mfg.ExactScore(process, mfg.densities.bimodal())

def steep(x, t):
    return 1.05 * exact(x, t)

def noise(x, t):
    return -np.sqrt(process.variance(t)) * steep(x, t)

def broken(x, t):
    return np.full(np.shape(x), np.nan)
"""


@pytest.fixture
def asked(tmp_path):
    """Return a function from words of the command line to its result and what was written."""
    (tmp_path / "model.py").write_text(MODEL, encoding="utf-8")

    def run(*words):
        words = [word.replace("model.py", str(tmp_path / "model.py")) for word in words]
        found = CliRunner().invoke(app, ["sampler", *words, "--steps", "5,10,20", "--out", str(tmp_path)])
        place = tmp_path / "ledger.json"
        return found, json.loads(place.read_text(encoding="utf-8")) if place.is_file() else None

    return run


@pytest.mark.slow
def test_the_command_line_reads_a_model_and_says_what_more_steps_buy(asked):
    """A score that predicts noise has the ledger of the score in Python; a horizon of 1 is short for this process."""
    options = ("heun", "--ledger", "--process", "ornstein-uhlenbeck", "--stop", "0.01")
    found, run = asked(*options, "--score", "model.py:noise", "--predicts", "noise")
    assert found.exit_code == 0, found.output
    assert "the prior owes more than the steps" in " ".join(found.output.split())
    process, data = mfg.OrnsteinUhlenbeck(), mfg.densities.bimodal()
    exact = mfg.ExactScore(process, data)
    times = Uniform().times(process, 5, 0.01)
    plain = ledger(Heun(), Model(process, lambda x, t: 1.05 * exact(x, t)), times, data)
    assert [row["steps"] for row in run["rows"]] == [5, 10, 20]
    assert run["rows"][0]["score"]["value"] == pytest.approx(plain.score.value, rel=1e-9)  # roundings of noise


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("heun", "--score", "model.py:steep"), "for --ledger"),
        (("diffusers:DDIMScheduler", "--ledger", "--stop", "0.1"), "their own end"),
        (("model.py:steep", "--ledger", "--option", "eta=1"), "takes no options"),
        (("heun", "--ledger", "--predicts", "noise"), "give --score"),
        (("heun", "--ledger", "--score", "model.py:broken"), "not all finite"),
        (("heun", "--ledger", "--score", "model.py:steeper"), "has no 'steeper'"),
        (("heun", "--ledger", "--stop", "2"), "stop must lie"),
        (("heun", "--ledger", "--all"), "for one sampler"),
    ],
)
def test_what_does_not_fit_together_is_one_sentence(asked, words, said):
    found, written = asked(*words)
    assert found.exit_code == 1
    assert said in " ".join(found.output.split())
    assert written is None


@pytest.mark.slow
def test_far_tails_of_an_extrapolated_law_move_nothing_else():
    """Quantiles that fail to increase where no mass is must not lift the others: the law of 160 steps is in the bar.

    The score is flat beyond two deviations of the prior, so that the first steps of a short list throw tails far out.
    """
    process, data = mfg.VariancePreserving(), mfg.gaussian(0.3, 0.5)
    exact, scheme = mfg.ExactScore(process, data), mfg.samplers.Ancestral()
    model = Model(process, lambda x, t: exact(np.clip(x, -2, 2), t))
    found = ledger(scheme, model, LogSNR().times(process, 10, 1e-3), data)
    fine = generated_law(scheme, model, LogSNR().times(process, 160, 1e-3), exact.at(1.0)).against(exact.at(1e-3)).w2
    assert fine.value in found.score
