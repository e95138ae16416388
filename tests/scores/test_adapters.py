"""What people bring becomes a score by the first adapter that takes it."""

import shutil
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core.register import Register
from mfgpde.scores import adapters
from mfgpde.scores.adapters import ADAPTERS, adapted
from mfgpde.scores.contract import DifferentiableScore


def test_every_adapter_has_a_rank_of_its_own():
    ranks = {name: make().rank for name, make in ADAPTERS.items()}
    assert len(set(ranks.values())) == len(ranks) >= 3
    assert max(ranks, key=ranks.get) == "numpy-function", "what takes everything is asked last"


def linear(x, t):  # operators alone: JAX traces it
    return -x / (1 + t)


def opaque(x, t):
    return np.asarray(-np.array(x, copy=True) / (1 + t))


@pytest.mark.parametrize(("function", "kind"), [(linear, mfg.JaxScore), (opaque, mfg.scores.Differenced)])
def test_functions_become_scores_with_derivatives(function, kind):
    score = adapted(function, "mine.py:s", 2)
    assert isinstance(score, kind)
    assert isinstance(score, DifferentiableScore)
    x = np.array([[0.3, -0.4], [1.0, 2.0]])
    np.testing.assert_allclose(score.divergence(x, 1.0), -1.0, rtol=1e-8)
    np.testing.assert_allclose(score.time_derivative(x, 1.0), x / 4, rtol=1e-8)


def test_what_is_a_score_already_stays(rng):
    score = mfg.ExactScore(mfg.OrnsteinUhlenbeck(), mfg.gaussian([0.0, 0.0], np.eye(2)))
    assert adapted(score, "mine.py:s", None) is score


SERVED = '''"""Scores that are asked by `query`."""
from mfgpde.scores.adapters.contract import Adapter
from mfgpde.scores.differences import Differenced


class Served(Adapter):
    """Takes what answers queries."""

    rank = 15

    def takes(self, found, dimension):
        return hasattr(found, "query")

    def adapt(self, found, dimension, source):
        return Differenced(lambda x, t: found.query(points=x, time=t), dimension)
'''
SERVER = """
class Server:
    def query(self, points, time):
        return -points / (1 + time)


server = Server()
"""


def test_an_adapter_of_one_file_takes_what_cannot_be_called(tmp_path, monkeypatch):
    mine = tmp_path / "server.py"
    mine.write_text(SERVER)
    with pytest.raises(
        ValueError, match=r"server.py:server is Server, which cannot be called as s\(x, t\), and none of"
    ):
        mfg.load_score(f"{mine}:server", 2)
    room = shutil.copytree(Path(adapters.__file__).parent, tmp_path / "room")
    (room / "served.py").write_text(SERVED)
    monkeypatch.setattr(adapters, "__path__", [str(room)])
    monkeypatch.setattr(adapters, "ADAPTERS", Register(adapters.__name__, adapters.Adapter, "adapter"))
    x = np.array([[0.3, -0.4], [1.0, 2.0]])
    score = mfg.load_score(f"{mine}:server", 2)
    np.testing.assert_allclose(score(x, 1.0), -x / 2, rtol=1e-14)
    np.testing.assert_allclose(score.divergence(x, 1.0), -1.0, rtol=1e-8)
    assert isinstance(adapted(linear, "mine.py:s", 2), mfg.JaxScore), "the others are asked as before"
    del sys.modules[f"{adapters.__name__}.served"]


WIDTHS = np.array([1.0, 2.0])


@pytest.mark.parametrize(
    "function",
    [
        lambda x, t: np.asarray(-np.array(x, copy=True) / WIDTHS),
        lambda x, t: -x / WIDTHS,
        lambda x, t: -x @ np.diag(WIDTHS),
        lambda x, t: -x[..., :2] / WIDTHS,
    ],
)
def test_a_score_of_other_data_says_its_dimension(function):
    said = r"mine.py:s.*takes points of dimension 2, but the data \(or --dimension\) are 3-dimensional"
    with pytest.raises(ValueError, match=said):
        adapted(function, "mine.py:s", 3)


def test_a_module_of_other_data_says_its_dimension():
    from mfgpde.scores.torch_calls import _why

    words = _why(["mat1 and mat2 shapes cannot be multiplied"], 3, "takes points of dimension 2")
    assert words == "takes points of dimension 2"
    equinox = pytest.importorskip("equinox")
    net = equinox.nn.MLP(2, 2, 4, 1, key=jax.random.key(0))

    class Mine(equinox.Module):
        net: equinox.nn.MLP

        def __call__(self, x, t):
            return self.net(x) * t

    with pytest.raises(ValueError, match="takes points of dimension 2, but the data"):
        adapted(Mine(net), "mine.py:s", 3)


@pytest.mark.parametrize(
    ("found", "dimension", "words"),
    [
        (3.0, 2, "cannot be called.*none of"),
        (3.0, None, "does not say its dimension"),
        (linear, None, "does not say its dimension"),
        (lambda x, t: np.array(x)[..., :1], 2, r"must return shape \(n, 2\)"),
        (lambda x, t: np.array(jnp.nan * np.array(x)), 2, "returned nan"),
    ],
)
def test_what_is_no_score_gets_a_sentence(found, dimension, words):
    with pytest.raises(ValueError, match=f"mine.py:s.*{words}"):
        adapted(found, "mine.py:s", dimension)
