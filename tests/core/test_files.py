"""Files appear whole or not at all."""

import errno
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core.errors import Elsewhere
from mfgpde.core.files import HEADERS, kept, room, write_text, written


def test_a_failure_leaves_the_old_file_and_no_rest(tmp_path):
    target = write_text(tmp_path / "deep" / "run.json", "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(target, "half \ud800")  # fails in the middle of writing
    with pytest.raises(ZeroDivisionError), written(target) as part:
        part.write_text(f"half {1 / 0}")
    assert target.read_text() == "old"
    assert [path.name for path in target.parent.iterdir()] == ["run.json"]


def test_the_suffix_stays_so_that_libraries_know_the_format(tmp_path):
    with written(tmp_path / "kept.npz") as part:
        np.savez(part, a=np.arange(3))
        assert not (tmp_path / "kept.npz").exists()
    assert np.load(tmp_path / "kept.npz")["a"].tolist() == [0, 1, 2]


def test_others_may_read_what_is_written(tmp_path):
    """A temporary file is private; what takes its place must be as readable as any other file."""
    plain = tmp_path / "plain"
    plain.write_text("")
    assert write_text(tmp_path / "whole", "").stat().st_mode == plain.stat().st_mode


def test_a_full_disk_is_named_with_the_file_and_leaves_the_old_one(tmp_path):
    target = write_text(tmp_path / "run.json", "old")
    with pytest.raises(OSError, match="No space left on device") as caught, written(target):
        raise OSError(errno.ENOSPC, "Can't close file (time = …, fd = 3, a page of a library's words)")
    assert caught.value.filename == str(target)
    assert caught.value.strerror == "No space left on device"
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_what_cannot_be_written_where_it_was_wanted_is_kept_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def write(path):
        if path.parent == tmp_path / "full":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write_text(path, "hours of work")

    with pytest.raises(Elsewhere, match="No space left on device; what was computed is in ") as caught:
        kept(write, tmp_path / "full" / "x.nc")
    refuge = Path(str(caught.value).rpartition(" is in ")[2])
    assert refuge.read_text() == "hours of work"
    assert kept(write, tmp_path / "x.nc") == tmp_path / "x.nc"


def test_there_must_be_room_before_hdf5_writes(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=HEADERS + 1000))
    room(tmp_path / "x.nc", 1000)
    with pytest.raises(OSError, match="No space left on device"):
        room(tmp_path / "x.nc", 1001)
    solution = mfg.solve(
        mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()),
        mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 256, 1)),
        mfg.gaussian(0.0, 1.0),
        (0.0, 0.1),
    )
    with pytest.raises(OSError, match="No space left on device"):
        solution.save(tmp_path / "x.nc")
    assert list(tmp_path.iterdir()) == []
