"""Commands on a small disk that fills up and on one that cannot be written: one sentence, and nothing computed is lost.

Both are file systems in memory, mounted in a name space of the test's own.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mfgpde

BASELINE = Path(mfgpde.__file__).parents[1] / "validation" / "baseline.json"
CLAIM = '''"""One is one."""

from mfgpde.core.estimate import exact
from mfgpde.verify import equal, states


@states("1=1", "toy", wrong={"two": {"one": 2.0}})
def claim(level, one=1.0):
    yield equal("one", exact(one, "one"), exact(1.0, "one"), resolution=0.1)
'''
PROBLEM = """
times = [0.0, 0.1]
[process]
name = "ornstein-uhlenbeck"
[data]
name = "four-blobs"
[discretisation]
name = "finite-volume"
lower = [-6, -6]
upper = [6, 6]
cells = [96, 96]
"""
SCORE = "def score(x, t):\n    return -x\n"


@pytest.fixture
def on_disk(tmp_path):
    """Return a function that runs `mfgpde` in a folder with `disk/`, of so many kilobytes, or read-only with none."""
    place = tmp_path / "disk"
    place.mkdir()
    (tmp_path / "rest").mkdir()
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / "one.py").write_text(CLAIM)
    (tmp_path / "problem.toml").write_text(PROBLEM)
    (tmp_path / "score.py").write_text(SCORE)
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("no name spaces for users here")

    def run(kilobytes, *words):
        size = f"mount -t tmpfs -o size={kilobytes or 64}k tmpfs disk"
        lock = "" if kilobytes else " && mount -o remount,ro disk"
        command = f'{size}{lock} && "$0" "$@"; code=$?; ls -A disk > rest/left; exit $code'
        mfgpde = [sys.executable, "-m", "mfgpde.app.cli", *words]
        environment = os.environ | {"TMPDIR": str(tmp_path / "rest"), "COLUMNS": "200", "NO_COLOR": "1"}
        done = subprocess.run(
            ["unshare", "-rm", "sh", "-c", command, *mfgpde],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    return run


TRIAL = ("--process", "ornstein-uhlenbeck", "--dimension", "1", "--cells", "16")
COMMANDS = {
    "solve": ("solve", "problem.toml", "--out", "disk/x.nc"),
    "check": ("check", "score.py:score", *TRIAL, "--out", "disk"),
    "validate": ("validate", "claims", "--out", "disk"),
    "figures": ("figures", "game-rates", "--run", str(BASELINE), "--out", "disk"),
    "sampler": ("sampler", "heun", "--out", "disk"),
    "calibrate": ("calibrate", "--cases", "2", "--out", "disk"),
}
QUICK = ("solve", "check")


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [one if one in QUICK else pytest.param(one, marks=pytest.mark.slow) for one in COMMANDS]
)
def test_a_folder_that_cannot_be_written_is_said_before_the_work(on_disk, command):
    code, _, said = on_disk(0, *COMMANDS[command])
    assert code in (1, 2)
    assert len(said.strip().splitlines()) == 1, said
    assert "Read-only file system" in said
    assert "disk" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_disk_that_fills_up_loses_nothing(on_disk, tmp_path):
    """The solution is larger than the disk: it lies, whole, in the folder for temporary files, and it is said where."""
    code, _, said = on_disk(32, *COMMANDS["solve"])
    assert code == 1
    assert "No space left on device" in said
    assert "Traceback" not in said
    refuge = Path(re.search(r"what was computed is in (\S+)", said)[1])
    assert refuge.is_relative_to(tmp_path / "rest")
    assert refuge.stat().st_size > 32 * 1024
    left = (tmp_path / "rest" / "left").read_text().split()
    assert not [name for name in left if name.endswith((".nc", ".part"))]
