"""Rules for noise levels: what is at equal distances is, on every path, to every stop; lists are the libraries'."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mfgpde as mfg
from mfgpde.samplers import Leading, Linspace, LogSNR, Model, Rho, Trailing, Uniform

PROCESSES = (
    mfg.VariancePreserving(0.2, 7.0, 2.7),
    mfg.VarianceExploding(0.02, 3.0, 0.6),
    mfg.OrnsteinUhlenbeck(0.7, 1.3, 1.9),
    mfg.Brownian(0.4, 3.1),
    mfg.processes.Trigonometric(horizon=1.3),
)
ASKED = st.tuples(st.sampled_from(PROCESSES), st.integers(2, 40), st.floats(1e-4, 0.5))


def equidistant(values):
    steps = np.diff(values)
    return steps == pytest.approx(steps.mean(), rel=1e-6)


@settings(max_examples=40)
@given(ASKED)
def test_logarithms_of_the_ratio_go_in_equal_steps(asked):
    process, n, share = asked
    model, stop = Model(process, lambda x, t: x), share * process.horizon
    times = LogSNR().times(process, n, stop)
    assert equidistant([model.log_snr(t) for t in times])
    assert (times[0], times[-1]) == (model.seen(process.horizon), stop)


@settings(max_examples=40)
@given(ASKED, st.floats(0.5, 9.0))
def test_roots_of_the_noise_scale_go_in_equal_steps(asked, power):
    process, n, share = asked
    model, stop = Model(process, lambda x, t: x), share * process.horizon
    times = Rho(power).times(process, n, stop)
    assert equidistant([np.sqrt(model.spread(t)) ** (1 / power) for t in times])


@settings(max_examples=40)
@given(ASKED, st.floats(0.3, 5.0))
def test_roots_of_time_go_in_equal_steps(asked, power):
    process, n, share = asked
    times = Uniform(power).times(process, n, share * process.horizon)
    assert equidistant(times ** (1 / power))
    assert len(times) == n + 1


@settings(max_examples=30)
@given(st.sampled_from(PROCESSES), st.integers(2, 30), st.floats(1e-6, 0.1))
def test_without_a_stop_the_last_level_before_none_is_the_least(process, n, least):
    """σ/α of the last but one is `least` of the largest, of σ(T) where no data are left; between them equal steps."""
    model = Model(process, lambda x, t: x)
    lost = float(process.mean_coefficient(process.horizon)) == 0
    top = np.sqrt(model.spread(model.seen(process.horizon)))
    for rule, scale in ((LogSNR(least), np.log), (Rho(7.0, least), lambda w: w ** (1 / 7))):
        times = rule.times(process, n)
        widths = np.array([np.sqrt(model.spread(t)) for t in times[:-1]])
        assert times[-1] == 0.0
        assert widths[0] == pytest.approx(top, rel=1e-9)
        assert equidistant(scale(widths))
        assert widths[-1] == pytest.approx(least * (model.sigma(process.horizon) if lost else top), rel=1e-6)


def test_a_path_that_loses_the_data_is_sampled_from_all_rules():
    """Levels begin where a millionth of the data is left, and DDIM has its order one from there."""
    process, data = mfg.processes.Straight(), mfg.densities.bimodal()
    model = Model(process, mfg.ExactScore(process, data))
    for rule in (LogSNR(), Rho()):
        wrong = []
        for n in (60, 120):
            times = rule.times(process, n, 1e-3)
            assert float(process.mean_coefficient(times[0])) == pytest.approx(1e-6, rel=1e-6)
            law = mfg.samplers.generated_law(
                mfg.samplers.DDIM(), model, times, model.score.at(float(times[0])), cells=513
            )
            wrong.append(law.against(model.score.at(1e-3)).w2.value)
        assert wrong[0] / wrong[1] == pytest.approx(2.0, abs=0.4)


@settings(max_examples=60)
@given(st.integers(2, 1000), st.integers(1, 60), st.floats(0.3, 4.0))
def test_lists_are_parts_of_the_training_times(trained, n, horizon):
    """All three rules take entries between 1 and N, each once; where they begin and end is what tells them apart."""
    process = mfg.Brownian(horizon=horizon)
    n = min(n, trained)
    for rule in (Leading(trained), Trailing(trained), Linspace(trained)):
        times = rule.times(process, n)
        entries = times[:-1] * trained / horizon
        assert len(times) == n + 1
        assert np.abs(entries - np.rint(entries)).max() < 1e-9
        assert entries.min() >= 1 - 1e-9
        assert entries.max() <= trained + 1e-9
        assert np.all(np.diff(entries) < 0)
    leading, trailing, spread = (
        (rule(trained).times(process, n)[:-1] * trained / horizon).round() for rule in (Leading, Trailing, Linspace)
    )
    assert leading[-1] == 1
    assert set(np.diff(leading)) <= {-(trained // n)}
    assert trailing[0] == trained
    assert np.abs(trailing - (trained - np.arange(n) * trained / n)).max() <= 0.5
    assert spread[0] == trained
    assert n == 1 or spread[-1] == 1


def test_one_list_by_hand():
    """Of 10 times four: (Lin et al., table 2) 1, 3, 5, 7; 10, 7.5, 5, 2.5 rounded to even; 1, 4, 7, 10."""
    process = mfg.Brownian(horizon=10.0)
    assert Leading(10).times(process, 4).tolist() == [7, 5, 3, 1, 0]
    assert Trailing(10).times(process, 4).tolist() == [10, 8, 5, 2, 0]
    assert Linspace(10).times(process, 4).tolist() == [10, 7, 4, 1, 0]


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda p: Leading(10).times(p, 11), "as many training times"),
        (lambda p: Leading(10).times(p, 5, 0.1), "below the last"),
        (lambda p: Leading(1), "two times or more"),
        (lambda p: LogSNR(0.0), "least"),
        (lambda p: Rho(-1.0), "power"),
        (lambda p: Uniform(np.nan), "power"),
        (lambda p: Uniform().times(p, 2.5), "whole number"),
        (lambda p: Rho().times(p, 3, 1.0), "stop must lie"),
    ],
)
def test_rules_that_cannot_be_followed_are_refused(ask, words):
    with pytest.raises(ValueError, match=words):
        ask(mfg.Brownian())
