"""`mfgpde laws` on somebody's own members: kept, refuted with numbers, and what bad input is told."""

import re

import pytest
from typer.testing import CliRunner

from mfgpde.app import laws as court
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
    result = invoke(source.format(mine), *words)
    assert result.exit_code == 1
    assert re.search(message, " ".join(result.output.split())), result.output


HEAD = """
from dataclasses import dataclass, replace

import numpy as np

import mfgpde as mfg
"""
WRONG = {
    "process": """
class Uphill(mfg.processes.Linear):
    def divergence(self, x, t):
        return super().divergence(x, t) + 0.01 / self.horizon

WRONG = Uphill(np.array([[-1.0, 0.3], [0.0, -2.0]]), np.diag([1.0, 0.5]), horizon=2.7)
""",
    "score": """
class Steeper(mfg.scores.ExactScore):
    def time_derivative(self, x, t):
        return 1.01 * super().time_derivative(x, t)

WRONG = Steeper(mfg.VariancePreserving(horizon=2.7), mfg.gaussian([0.5, -0.2], [[0.5, 0.1], [0.1, 0.3]]))
""",
    "density": """
class Slower(mfg.GaussianMixture):
    def score(self, x):
        return 1.01 * super().score(x)

WRONG = Slower([0.4, 0.6], [[-0.5, 0.2], [0.7, 0.1]], [0.3, 0.5])
""",
    "cost": """
class Late(mfg.games.Power):
    def proximal(self, y, s, c):
        return super().proximal(y, 1.1 * s, c)
""",
    "running-cost": """
class Quick(mfg.games.PowerCost):
    def hamiltonian(self, size):
        return 1.01 * super().hamiltonian(size)

WRONG = Quick(1.5)
""",
    "game": """
class Uphill(mfg.MeanFieldGame):
    def velocity_of_drift(self, x, t, lengths):
        return -super().velocity_of_drift(x, t, lengths)

WRONG = Uphill(
    mfg.gaussian(0.3, 0.5), mfg.games.Target(mfg.gaussian(0.0, 0.5)), drift_potential=lambda x, t: np.cos(x[..., 0])
)
""",
    "integrator": """
class Leaking(mfg.integrators.TRBDF2):
    def step(self, system, u, t, dt):
        new, error = super().step(system, u, t, dt)
        return new * (1 - 1e-9), error
""",
    "discretisation": """
@dataclass(frozen=True)
class Sloping(mfg.FiniteVolume):
    def gradient(self, values):
        return 1.05 * super().gradient(values)

WRONG = Sloping(mfg.CartesianGrid.cube(7.0, 32, 1))
""",
    "sampler": """
class Mixing(mfg.samplers.Euler):
    def run(self, model, times):
        for (move,) in super().run(model, times):
            yield [lambda x, move=move: (move(x)[0] + 1e-3 * x.sum(axis=1, keepdims=True), 0.0)]
""",
    "noise levels": """
class Short(mfg.samplers.Uniform):
    def times(self, process, steps, stop=0.0):
        return super().times(process, steps, stop)[:-1]
""",
}


def test_there_is_a_wrong_member_of_every_kind():
    assert WRONG.keys() == court.kinds().keys()


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] * (kind in ("discretisation", "sampler"))) for kind in WRONG]
)
def test_a_wrong_member_of_every_kind_is_refuted_by_numbers(kind, tmp_path, monkeypatch):
    """Each breaks some laws and keeps others; a broken one shows a violation above its bound, and the exit code is 1."""
    monkeypatch.setenv("COLUMNS", "200")
    path = tmp_path / "mine.py"
    path.write_text(HEAD + WRONG[kind], encoding="utf-8")
    name = "WRONG" if "WRONG =" in WRONG[kind] else re.search(r"class (\w+)", WRONG[kind])[1]
    result = invoke(f"{path}:{name}", "--kind", kind)
    assert result.exit_code == 1, result.output
    assert f"{kind} " in result.output
    broken = [line.split("│") for line in result.output.splitlines() if "✗ broken" in line]
    kept = [line for line in result.output.splitlines() if "✓ kept" in line]
    assert broken
    assert kept
    for row in broken:
        violation, bound = (float(cell) for cell in row[-3:-1])
        assert violation > 2 * bound >= 0
