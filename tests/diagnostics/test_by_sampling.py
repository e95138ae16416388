"""Certificates by sampling of linear scores, whose laws are Gaussian: what samples and steps leave is in the bars."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.calibration.trajectories import Scaled, laws, squares
from mfgpde.diagnostics import by_sampling
from mfgpde.diagnostics.by_sampling import certify_by_sampling
from mfgpde.diagnostics.data import Sampled

STOP, D = 0.02, 5
LAW = mfg.gaussian(np.linspace(-1, 1, D), np.diag(np.linspace(0.1, 0.3, D)))


def score_of(process, factor=0.9):
    return Scaled(mfg.ExactScore(process, LAW), factor)


def numbers(found, process, score):
    """Yield every mean of a certificate with its truth."""
    for row in found.rows:
        truth = squares(process, score, laws(process, score, D, row["t"])[1], row["t"])
        yield from ((row[name], truth[name]) for name in truth)
    ode, sde = laws(process, score, D, STOP)
    v, w = (np.diagonal(one.covariances[0]) for one in (ode, sde))
    gap = np.sum((ode.means - sde.means) ** 2) + np.sum((np.sqrt(v) - np.sqrt(w)) ** 2)
    yield found.measured["moments"]["sde–ode"]["W2², at least"], float(gap)


@pytest.mark.slow
@pytest.mark.parametrize("process", [mfg.VarianceExploding(), mfg.VariancePreserving(horizon=2.7)], ids=repr)
def test_what_few_steps_leave_is_in_the_bars(process, monkeypatch):
    """With two steps a stage for 32 their error is larger than that of 6 000 trajectories, and the bar holds it."""
    monkeypatch.setattr(by_sampling, "STEPS", 2)
    monkeypatch.setattr(by_sampling, "FLOW_STEPS", 2)
    score = score_of(process)
    tried = list(numbers(certify_by_sampling(process, score, D, stop=STOP, trajectories=6144), process, score))
    ratios = np.array([abs(one.value - truth) / one.half_width for one, truth in tried])
    assert np.mean(ratios > 1) <= 0.02
    alone = np.array([abs(one.value - truth) / one.parts["samples"] for one, truth in tried])
    assert np.mean(alone > 1) > 0.2  # what would be said without the part of the steps
    for one, _ in tried:
        assert one.half_width == pytest.approx(sum(one.parts.values()))


@pytest.mark.slow
def test_usual_steps_leave_less_than_samples_do():
    process = mfg.OrnsteinUhlenbeck()
    score = score_of(process)
    found = certify_by_sampling(process, score, D, stop=STOP, trajectories=4096)
    late = [row["score"].parts for row in found.rows[1:]]
    assert np.median([parts["time steps"] / parts["samples"] for parts in late]) < 1


@pytest.mark.slow
def test_samples_are_counted_once():
    """Of 300 samples means are over 300, however many trajectories there are."""
    process = mfg.OrnsteinUhlenbeck()
    data = Sampled.stopped(process, LAW.sample(300, np.random.default_rng(3)), STOP)
    found = certify_by_sampling(process, score_of(process, 1.0), D, data=data, stop=STOP, trajectories=2048)
    assert "mean of 300" in found.measured["likelihood"]["data"]["−log q^ODE, nats"].method


@pytest.mark.slow
def test_schedules_that_lose_the_data_begin_at_the_horizon():
    """On straight paths the SDE of ¾ of a score has left the prior before a thousandth of the data is back.

    There the first row looks; the law that it must know is that of a start at the horizon.
    """
    process = mfg.processes.Straight()
    law = mfg.gaussian(np.zeros(D), np.eye(D))
    score = Scaled(mfg.ExactScore(process, law), 0.75)
    found = certify_by_sampling(process, score, D, stop=0.1, trajectories=2048)
    t = found.rows[0]["t"]
    truth = squares(process, score, laws(process, score, D, t)[1], t)["score"]
    one = found.rows[0]["score"]
    assert abs(one.value - truth) <= one.half_width
    prior = squares(process, score, mfg.gaussian(np.zeros(D), np.eye(D)), t)["score"]
    assert abs(one.value - prior) > one.half_width
