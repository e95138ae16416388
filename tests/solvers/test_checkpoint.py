"""A solve that is killed goes on from its checkpoint to the same solution, bit for bit; that of another is refused."""

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core import checkpoint
from mfgpde.core.errors import NotConverged

TIMES = (0.0, 0.3, 0.7, 1.0)
SOLVES = {
    "volumes": lambda: mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 48, 1)),
    "order 4": lambda: mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 48, 1), order=4),
    "spectral": lambda: mfg.Spectral(mfg.CartesianGrid.cube(6.0, 48, 1)),
    "elements": lambda: mfg.FiniteElement(mfg.meshes.interval(-6.0, 6.0, 40), degree=2),
}


def solved(space, **options):
    """A drift that changes in time and jumps at 0.5, so that steps are chosen anew all the time."""
    equation = mfg.FokkerPlanck(lambda x, t: -x * (1 + (t > 0.5)) + np.sin(5 * t), lambda t: 0.5 + 0.2 * t)
    return mfg.solve(equation, space, mfg.gaussian(0.5, 0.3), TIMES, breaks=(0.5,), rtol=1e-5, **options)


class Killed(BaseException):
    pass


@pytest.mark.parametrize(
    ("name", "after"),
    [  # each after one number of steps in turn; the others are slow
        pytest.param(name, after, marks=[pytest.mark.slow] * ((i + k) % 3 > 0))
        for i, name in enumerate(SOLVES)
        for k, after in enumerate((1, 7, 20))
    ],
)
def test_an_interrupted_solve_is_the_same(name, after, tmp_path, monkeypatch):
    if name == "elements" and find_spec("dolfinx_solver") is None:
        pytest.skip("elements need DOLFINx")
    monkeypatch.setattr(checkpoint, "PAUSE", 0.0)
    monkeypatch.setattr(checkpoint, "SHARE", np.inf)
    whole, place = solved(SOLVES[name]()), tmp_path / "state.npz"
    written, save = [], checkpoint.Checkpoint.save

    def dies(self, **given):
        save(self, **given)
        written.append(float(given["t"]))
        if len(written) == after:
            raise Killed

    with monkeypatch.context() as context:
        context.setattr(checkpoint.Checkpoint, "save", dies)
        with pytest.raises(Killed):
            solved(SOLVES[name](), checkpoint=place)
    assert place.exists()
    assert 0 < written[-1] <= 1
    again = solved(SOLVES[name](), checkpoint=place)
    assert not place.exists()
    for one, other in zip(whole.fields, again.fields, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
    for column in whole.conserved:
        np.testing.assert_array_equal(whole.conserved[column], again.conserved[column])
    assert [whole.cost[key] for key in ("steps", "rejected")] == [again.cost[key] for key in ("steps", "rejected")]


def test_the_checkpoint_of_another_solve_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "PAUSE", 0.0)
    place, space = tmp_path / "state.npz", SOLVES["volumes"]()
    with pytest.raises(NotConverged):
        solved(space, max_steps=5)
    save = checkpoint.Checkpoint.save

    def dies(self, **given):
        save(self, **given)
        raise Killed

    with monkeypatch.context() as context:
        context.setattr(checkpoint.Checkpoint, "save", dies)
        with pytest.raises(Killed):
            solved(space, checkpoint=place)
    with pytest.raises(ValueError, match="belongs to another problem, by its atol"):
        solved(space, checkpoint=place, atol=1e-9)
    equation = mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck())
    with pytest.raises(ValueError, match=r"belongs to another problem, by its .*equation"):
        mfg.solve(equation, space, mfg.gaussian(0.5, 0.3), TIMES, rtol=1e-5, checkpoint=place)


PROBLEM = """
times = [0.0, 0.5, 1.0]
rtol = 1e-7
[process]
name = "ornstein-uhlenbeck"
[data]
name = "four-blobs"
[discretisation]
name = "finite-volume"
lower = [-6.0, -6.0]
upper = [6.0, 6.0]
cells = [192, 192]
order = 4
"""


@pytest.mark.slow
def test_a_killed_command_goes_on(tmp_path):
    """`kill -9` in the midst of a solve; the same command again."""
    (tmp_path / "p.toml").write_text(PROBLEM)
    early = "import mfgpde.core.checkpoint as c; c.PAUSE = 0.0; from mfgpde.app.cli import app; app()"
    known = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}

    def command(out):
        words = [sys.executable, "-c", early, "solve", "p.toml", "--out", out]
        return subprocess.Popen(words, cwd=tmp_path, env=known, stdout=subprocess.DEVNULL)

    assert command("whole.nc").wait(300) == 0
    first, place = command("a.nc"), tmp_path / "a.checkpoint.npz"
    while not place.exists():
        assert first.poll() is None
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    assert not (tmp_path / "a.nc").exists()
    assert command("a.nc").wait(300) == 0
    assert not place.exists()
    whole, again = (mfg.solvers.load(tmp_path / name) for name in ("whole.nc", "a.nc"))
    np.testing.assert_array_equal(whole.values, again.values)
