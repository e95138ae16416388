"""`mfgpde laws` on somebody's own process: kept, refuted with numbers, and what bad input is told."""

import pytest
from typer.testing import CliRunner

from mfgpde.app.cli import app

COSINE = '''
"""A cosine schedule, written by somebody."""

from dataclasses import dataclass

import numpy as np

from mfgpde.processes import ForwardProcess, IsotropicProcess


@dataclass(frozen=True)
class Cosine(IsotropicProcess):
    """m = cos(πt/2.02T), v = 1 − m²."""

    horizon: float = 1.0

    def __post_init__(self):
        if not (np.isfinite(self.horizon) and self.horizon > 0):
            raise ValueError(f"horizon must be positive, got {self.horizon}")

    def _angle(self, t):
        return 0.5 * np.pi / 1.02 * np.asarray(t) / self.horizon

    def relaxation(self, t):
        return 0.5 * np.pi / 1.02 / self.horizon * np.tan(self._angle(t))

    def diffusion(self, t):
        return np.sqrt(2 * self.relaxation(t))

    def mean_coefficient(self, t):
        return np.cos(self._angle(t))

    def variance(self, t):
        return np.sin(self._angle(t)) ** 2

    @property
    def prior_variance(self):
        return 1.0


class Doubled(Cosine):
    def variance(self, t):
        return 2 * super().variance(t)


class Flipped(Cosine):
    def divergence(self, x, t):
        return -super().divergence(x, t)


class Stretched(Cosine):
    def _angle(self, t):
        return 0.5 * np.pi / 1.02 * np.asarray(t) / self.horizon**2


class Incomplete:
    horizon = 1.0

    def drift(self, x, t):
        return -x

    def divergence(self, x, t):
        return -x.shape[-1] + 0 * x[..., 0]


class NeedsMore(Cosine):
    def __init__(self, schedule):
        self.schedule = schedule


class Raises(Cosine):
    def __post_init__(self):
        raise KeyError("no schedule")


GOOD = Cosine(horizon=3.0)
NUMBER = 3
'''


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(COSINE)
    return path


def invoke(*words):
    return CliRunner().invoke(app, ["laws", *map(str, words)])


@pytest.mark.parametrize("name", ["Cosine", "GOOD"])
def test_a_good_process_keeps_all_laws(mine, name):
    result = invoke(f"{mine}:{name}")
    assert result.exit_code == 0, result.output
    assert "keeps" in result.output
    assert "broken" not in result.output


@pytest.mark.parametrize(
    ("name", "law"),
    [("Doubled", "ṁ"), ("Flipped", "trace of"), ("Stretched", "one by one|together|v̇")],
)
def test_a_bad_one_is_told_where_and_by_how_much(mine, name, law):
    import re

    result = invoke(f"{mine}:{name}", "--kind", "process")
    assert result.exit_code == 1, result.output
    rows = [line for line in result.output.splitlines() if "✗ broken" in line]
    assert any(re.search(r"\d", row) for row in rows)
    assert re.search(law, result.output)


SCORES = """
import numpy as np


def plain(x, t):
    return -x / (1 + t)


class Wrong:
    def __call__(self, x, t):
        return -x / (1 + t)

    def divergence(self, x, t):
        return x.shape[-1] / (1 + t) + 0 * x[..., 0]


WRONG = Wrong()
"""


def test_scores_are_functions_or_instances(tmp_path):
    path = tmp_path / "scores.py"
    path.write_text(SCORES)
    result = invoke(f"{path}:plain")
    assert result.exit_code == 0, result.output
    assert "score" in result.output
    result = invoke(f"{path}:WRONG")
    assert result.exit_code == 1, result.output
    assert "1 of" in result.output


@pytest.mark.parametrize(
    ("source", "words", "message"),
    [
        ("{}:Cosin", (), "did you mean 'Cosine'"),
        ("{}", (), "give file.py:name|has no"),
        ("nowhere.py:Mine", (), "there is no file nowhere.py"),
        ("no_such_module:Mine", (), "cannot import no_such_module"),
        ("{}:Cosine", ("--kind", "proces"), "did you mean 'process'"),
        ("{}:Incomplete", (), "Nearest is process: it has no .*diffusion"),
        ("{}:NeedsMore", (), "needs schedule: give its file a function examples"),
        ("{}:Raises", (), "cannot be made: KeyError"),
        ("{}:NUMBER", (), "keeps no contract"),
    ],
)
def test_bad_input_gets_a_sentence(mine, source, words, message):
    import re

    result = invoke(source.format(mine), *words)
    assert result.exit_code == 1
    assert re.search(message, " ".join(result.output.split())), result.output
