"""Files appear whole or not at all."""

import numpy as np
import pytest

from mfgpde.core.files import write_text, written


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
