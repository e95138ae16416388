"""The folder is the register: a file that is put there is found under its name, nothing else is touched."""

import sys

import pytest

import mfgpde as mfg
from mfgpde.core.register import Register, files, spoken
from mfgpde.densities import DENSITIES
from mfgpde.discretisations import DISCRETISATIONS
from mfgpde.games import COSTS, GAMES, LANDSCAPES
from mfgpde.integrators import INTEGRATORS
from mfgpde.processes import PROCESSES

ALL = (PROCESSES, DENSITIES, INTEGRATORS, DISCRETISATIONS, GAMES, COSTS, LANDSCAPES)
MINE = '''"""A process of one's own."""
from __future__ import annotations
from mfgpde.processes.ornstein_uhlenbeck import OrnsteinUhlenbeck


class SlowMean(OrnsteinUhlenbeck):
    """Slow."""


def sleepy(rate: float = 0.1) -> SlowMean:
    """Slower."""
    return SlowMean(rate=rate)


def about(process: SlowMean) -> str:
    """No member: it returns none."""
    return "slow"
'''


@pytest.fixture
def room(tmp_path, monkeypatch):
    """Return a copy of a room's shape elsewhere, with one file in it."""
    (tmp_path / "homely").mkdir()
    (tmp_path / "homely" / "__init__.py").write_text('"""A room."""\n')
    (tmp_path / "homely" / "slow_mean.py").write_text(MINE)
    (tmp_path / "homely" / "heavy.py").write_text("import not_installed_anywhere\n\n\nclass Heavy:\n    pass\n")
    (tmp_path / "homely" / "laws.py").write_text("class SlowLaw:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield Register("homely", mfg.processes.ForwardProcess, "process")
    for name in [name for name in sys.modules if name.startswith("homely")]:
        del sys.modules[name]


def test_a_file_is_all_it_takes(room):
    assert sorted(room) == ["sleepy", "slow-mean"]
    assert room.named("sleepy")(0.2).rate == 0.2
    assert "homely.heavy" not in sys.modules or room  # a file is imported when a member of it is asked for


def test_what_is_missing_or_mistyped_is_said(room):
    with pytest.raises(ValueError, match="did you mean 'slow-mean'"):
        room.named("slow-man")
    with pytest.raises(ValueError, match="not_installed_anywhere"):
        room.named("heavy")
    with pytest.raises(KeyError):
        room["about"]


def test_a_file_of_ones_own_that_is_missing_is_no_missing_library(room, tmp_path):
    """A family whose file had moved was left out of trials in silence."""
    (tmp_path / "homely" / "moved.py").write_text("import mfgpde.nowhere\n\n\nclass Moved:\n    pass\n")
    for look in (list, lambda register: register.absent()):
        with pytest.raises(ModuleNotFoundError, match="nowhere"):
            look(room)


@pytest.mark.parametrize("register", ALL, ids=lambda r: r.what)
def test_every_member_is_reached_by_name_and_by_room(register):
    assert len(register) > 1
    for name, make in register.items():
        assert spoken(make.__name__) == name
        assert register.named(name) is make
        assert make.__doc__, f"{name} says what it is"


def test_moved_names_say_where_they_are():
    with pytest.raises(AttributeError, match=r"in its room: mfg\.densities\.four_blobs"):
        mfg.four_blobs  # noqa: B018
    with pytest.raises(AttributeError, match=r"mfg\.finite_element\.stationary"):
        mfg.stationary  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute 'nonsense'$"):
        mfg.nonsense  # noqa: B018


def test_private_files_are_no_part_of_a_room():
    assert not any(part[0] == "_" for module, _ in files("mfgpde") for part in module.split("."))


@pytest.mark.parametrize("first", ["import namesake", "import namesake.half", "from namesake.half import double"])
def test_a_file_may_be_called_like_what_it_defines(first, tmp_path, monkeypatch):
    folder = tmp_path / "namesake"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from mfgpde.core.register import opened\n\n__getattr__ = opened(__name__)\n", encoding="utf-8"
    )
    (folder / "half.py").write_text("def half(x): return x / 2\n\n\ndef double(x): return 2 * x\n", encoding="utf-8")
    (folder / "plain.py").write_text("def other(x): return x\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        exec(first, {})
        room = sys.modules["namesake"]
        assert room.half(3.0) == 1.5
        assert room.double(3.0) == 6.0
        assert room.plain.other(3.0) == 3.0  # a file with no such name is the file
    finally:
        for name in [name for name in sys.modules if name.startswith("namesake")]:
            del sys.modules[name]
