"""How many threads a process takes, in control groups and under MPI."""

import os

import pytest

from mfgpde.core import threads


@pytest.mark.parametrize(("text", "most"), [("100000 100000", 1), ("150000 100000", 2), ("max 100000", None)])
def test_a_quota_counts(text, most, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    (tmp_path / "cpu.max").write_text(text)
    assert threads.available(tmp_path / "cpu.max") == (most or 8)
    assert threads.available(tmp_path / "absent") == 8


def test_ranks_share_the_cores(monkeypatch):
    monkeypatch.setattr(threads, "available", lambda: 16)
    monkeypatch.delenv(threads.THREADS[0], raising=False)
    assert threads.local_ranks({}) == 1
    assert threads.local_ranks({"OMPI_COMM_WORLD_LOCAL_SIZE": "4"}) == 4
    assert threads.shares(4)["OMP_NUM_THREADS"] == "4"
    assert threads.shares(40)["NUMBA_NUM_THREADS"] == "1"
    monkeypatch.setenv(threads.THREADS[0], "8")
    assert threads.shares(4)["OMP_NUM_THREADS"] == "2", "of what this process was given"


def test_a_process_is_granted_its_share(monkeypatch):
    monkeypatch.setattr(threads, "available", lambda: 4)
    assert [threads.granted({"NUMBA_NUM_THREADS": n}) for n in ("1", "2", "16", "0", "")] == [1, 2, 4, 1, 4]
    assert threads.granted({}) == 4


def test_what_the_user_has_set_stays(monkeypatch, tmp_path):
    for name in (*threads.THREADS, *threads.LOCAL_RANKS, "JAX_COMPILATION_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(threads, "available", lambda: 16)
    monkeypatch.setattr(threads, "local_ranks", lambda: 2)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    for name in threads.THREADS[:1] + threads.THREADS[2:]:
        monkeypatch.setenv(name, "unset")
        monkeypatch.delenv(name)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "unset")
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    threads.prepare()
    assert os.environ["OMP_NUM_THREADS"] == "3"
    assert os.environ["OPENBLAS_NUM_THREADS"] == "8"
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == str(tmp_path / "mfgpde" / "jax")
