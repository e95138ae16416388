"""Models against each other: the truth is told from its caricatures, rows are kept and resumed, other settings refused."""

import json

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.scores.files import network_score

PROCESS, LAW = mfg.OrnsteinUhlenbeck(horizon=4.0), mfg.densities.two_moons()


def test_the_truth_and_the_training_points_are_told_apart(rng):
    training = LAW.sample(60, rng)
    known = {"count": 400, "transport": 200}
    truth = mfg.diagnostics.judge_model(mfg.ExactScore(PROCESS, LAW), PROCESS, LAW, training, **known)
    assert truth.kl.value == 0.0
    assert 1.0 in truth.ratio
    assert truth.w2.value < 2 * truth.w2.half_width
    repeats = mfg.diagnostics.judge_model(mfg.empirical_score(PROCESS, training), PROCESS, LAW, training, **known)
    assert repeats.kl.lower > 3
    assert repeats.ratio.upper < 0.5
    with pytest.raises(ValueError, match="at least 400"):
        mfg.diagnostics.judge_model(mfg.ExactScore(PROCESS, LAW), PROCESS, LAW, training, count=100)


def test_a_score_that_is_no_mixture_is_judged_by_its_flow(rng):
    """The score of a Gaussian as a function of points: KL between two Gaussians, up to the prior's 1e-3."""
    law, other = mfg.gaussian(0.0, 0.5, 2), mfg.ExactScore(PROCESS, mfg.gaussian(0.3, 0.5, 2))

    class Plain:
        def __call__(self, x, t):
            return other(x, t)

        def divergence(self, x, t):
            return other.divergence(x, t)

    found = mfg.diagnostics.judge_model(Plain(), PROCESS, law, law.sample(50, rng), count=1000, transport=0)
    assert pytest.approx(found.kl.value, abs=found.kl.half_width + 0.01) == 0.5 * 2 * 0.09 / 0.5
    assert found.w2 is None


@pytest.mark.slow
def test_a_comparison_is_kept_and_resumed(tmp_path, monkeypatch):
    arrays = {"W0": np.zeros((4, 3)), "b0": np.zeros(4), "W1": np.zeros((1, 4)), "b1": np.zeros(1)}
    trained = []

    def train(process, samples, objective, *, widths, steps, seed=0):
        trained.append(steps)
        return type("Trained", (), {"score": network_score(arrays, mfg.scores.Network(output="potential"))})()

    monkeypatch.setattr("mfgpde.diagnostics.model_comparison.train", train)
    store = tmp_path / "rows.json"
    known = {"seeds": (0,), "count": 400, "widths": (4,), "store": store}
    rows = mfg.diagnostics.compare_models(PROCESS, LAW, (40,), **known)
    assert [row["model"] for row in rows] == ["empirical", "kernel", "network"]
    assert rows[1]["kl"] < rows[0]["kl"]
    assert rows[1]["ratio"] > 0.7 > rows[0]["ratio"]
    assert all(steps >= 250 for steps in trained)
    before = len(trained)
    again = mfg.diagnostics.compare_models(PROCESS, LAW, (40,), **known)
    assert again == json.loads(store.read_text())["rows"]
    assert len(trained) == before
    assert len(mfg.diagnostics.compare_models(PROCESS, LAW, (40,), **known | {"seeds": (0, 1)})) == 6
    with pytest.raises(ValueError, match="made with another stop"):
        mfg.diagnostics.compare_models(PROCESS, LAW, (40,), **known, stop=0.1)
    with pytest.raises(ValueError, match="made with another law"):
        mfg.diagnostics.compare_models(PROCESS, mfg.densities.two_moons(0.1 + 1e-9), (40,), **known)
