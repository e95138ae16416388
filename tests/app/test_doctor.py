"""The environment's report: what is there works, what is missing says what it would enable."""

import sys

from typer.testing import CliRunner

from mfgpde.app import doctor
from mfgpde.app.cli import app


def test_this_machine_is_sound():
    parts = {part.name: part for part in doctor.examine()}
    assert doctor.sound(list(parts.values())), [part for part in parts.values() if part.state != "ok"]
    assert "a kernel ran" in parts["Numba's threads"].found
    assert all(part.enables for part in parts.values())
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0, result.output
    assert "DOLFINx" in result.output


def test_what_is_missing_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setattr(doctor.shutil, "which", lambda _: None)
    monkeypatch.setattr(doctor, "DISTRIBUTIONS", {"numba": "no-such-distribution"})
    parts = {part.name: part for part in doctor.examine()}
    assert parts["GPU by CuPy"].state == "missing"
    assert "pip install cupy" in parts["GPU by CuPy"].found
    assert parts["C compiler"].state == "missing"
    assert parts["no-such-distribution"] == doctor.Part(
        "no-such-distribution", "missing", "pip install no-such-distribution", "kernels on the CPU", True
    )
    assert not doctor.sound(list(parts.values()))


def test_what_is_broken_is_not_called_missing(monkeypatch):
    def fails():
        raise OSError("libcuda.so: wrong ELF class")

    monkeypatch.setattr(doctor, "_device", fails)
    monkeypatch.setattr(doctor, "_dolfinx", fails)
    parts = {part.name: part for part in doctor.examine()}
    assert parts["GPU by CuPy"].state == parts["DOLFINx"].state == "broken"
    assert "wrong ELF class" in parts["DOLFINx"].found
    assert doctor.sound(list(parts.values())), "finite elements are optional: other platforms have none"
