"""A trial that was killed goes on from the draws that it had, to the same numbers; another trial does not touch them."""

import json
import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest

from mfgpde.calibration import FAMILIES, Case, calibrate, draws, trial
from mfgpde.calibration.draws import Draw, outcome
from mfgpde.core.errors import Busy
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.core.lock import locked


class Killed(BaseException):
    pass


class Drawn:
    """Cases of every kind; each third draw is refused after its first case, each fifth breaks."""

    covers, remembered = (), ((7, 3),)

    def cases(self, rng):
        draw = int(rng.integers(15))
        for kind in Kind:
            yield Case(kind.name, Estimate(rng.normal(), abs(rng.normal()), kind, "drawn"), np.float64(rng.normal()), 0)
            if draw % 3 == 0:
                raise ValueError("not posed")
        yield Case("nothing known", Estimate(0.1, np.inf, Kind.BOUND, "drawn"), 1 / 3)
        if draw % 5 == 0:
            raise KeyError("k")


@pytest.fixture
def work(monkeypatch):
    """Return how many draws of `Drawn` were made, and after how many the trial is killed."""
    count, generator = types.SimpleNamespace(made=0, last=np.inf), draws.generator

    def counted(family, *place):
        if family == "drawn":
            if count.made >= count.last:
                raise Killed
            count.made += 1
        return generator(family, *place)

    monkeypatch.setattr(draws, "generator", counted)
    return count


def all_of(found):
    return found.tried, found.refused, found.broken, found.missing


def test_an_interrupted_trial_goes_on(tmp_path, work):
    """Every draw but the broken ones is made once, however often the trial is killed."""
    place, families = tmp_path / "draws.jsonl", {"drawn": Drawn(), "means": FAMILIES["means"]()}
    whole = calibrate(families, 200)
    assert whole.refused
    assert whole.broken
    once, seen = work.made, []
    work.made = 0
    for last in (1, 4, 9):
        work.last = last
        with pytest.raises(Killed):
            calibrate(families, 200, checkpoint=place, on_result=seen.append)
        assert len(place.read_text().splitlines()) > last / 2
    work.last = np.inf
    again = calibrate(families, 200, checkpoint=place, on_result=seen.append)
    assert all_of(again) == all_of(whole)
    assert seen == [again]
    assert work.made <= once + 3 * len(whole.broken)
    assert again.resumed > 10
    assert not place.exists()


def test_more_and_fewer_cases_go_on_from_the_same_draws(tmp_path, work):
    place, families = tmp_path / "draws.jsonl", {"drawn": Drawn()}
    whole, few = calibrate(families, 200), calibrate(families, 20)
    work.made, work.last = 0, 30
    with pytest.raises(Killed):
        calibrate(families, 200, checkpoint=place)
    work.last = np.inf
    assert all_of(calibrate(families, 20, checkpoint=place)) == all_of(few)
    assert place.exists(), "what a longer trial would count is not thrown away"
    assert all_of(calibrate(families, 200, checkpoint=place)) == all_of(whole)
    assert not place.exists()


def test_what_a_kill_cut_off_is_made_again_and_what_was_changed_is_refused(tmp_path, work):
    place, families = tmp_path / "draws.jsonl", {"drawn": Drawn()}
    whole, work.made, work.last = calibrate(families, 100), 0, 12
    with pytest.raises(Killed):
        calibrate(families, 100, checkpoint=place)
    kept, work.last = place.read_bytes(), np.inf
    for size in (len(kept) - 1, len(kept) - 40, kept.index(b"\n") + 1):
        place.write_bytes(kept[:size])
        assert all_of(calibrate(families, 100, checkpoint=place)) == all_of(whole)
    lines = kept.decode().splitlines(keepends=True)
    digit = lines[1].rindex(".") + 1
    other = str((int(lines[1][digit]) + 1) % 10)
    for spoilt in (lines[1][:digit] + other + lines[1][digit + 1 :], "[]\n", "not JSON\n"):
        place.write_text("".join([lines[0], spoilt, *lines[2:]]))
        with pytest.raises(ValueError, match="a line was changed after it was written; remove it"):
            calibrate(families, 100, checkpoint=place)
    place.write_bytes(b"")
    with pytest.raises(ValueError, match="an interrupted trial that was another"):
        calibrate(families, 100, checkpoint=place)


def test_draws_of_another_trial_or_version_are_refused(tmp_path, work, monkeypatch):
    place, means, quadratures = tmp_path / "draws.jsonl", FAMILIES["means"](), FAMILIES["quadratures"]()
    work.last = 3
    monkeypatch.setenv("NUMBA_NUM_THREADS", "7")
    with pytest.raises(Killed):
        calibrate({"drawn": Drawn(), "means": means}, 50, checkpoint=place)
    kept, families = place.read_bytes(), {"drawn": Drawn(), "means": means}
    others = [
        ("seed", families, {"seed": 1}),
        ("kind", families, {"kind": Kind.BOUND}),
        ("draws", families, {"draws": (1,)}),
        ("threads", families, {"jobs": 3}),
        (r"family.quadratures \(missing there\)", families | {"quadratures": quadratures}, {}),
        (r"family.means \(missing here\)", {"drawn": Drawn()}, {}),
    ]
    for words, chosen, options in others:
        with pytest.raises(ValueError, match=f"another, by its .*{words}.*name another place"):
            calibrate(chosen, 50, checkpoint=place, **options)
    monkeypatch.setattr(trial.record, "sources", lambda package: "others")
    with pytest.raises(ValueError, match="another, by its code;"):
        calibrate(families, 50, checkpoint=place)
    assert place.read_bytes() == kept
    with locked(place, "the draws in"), pytest.raises(Busy):
        calibrate(families, 50, checkpoint=place)


def test_cases_come_back_to_the_last_bit(tmp_path):
    """From the file as from the family, with infinite bars and thirds."""
    place, family = tmp_path / "draws.jsonl", Drawn()
    kept = trial.KeptDraws(place, {})
    found = [outcome(family, ("drawn", 0, k)) for k in range(30)]
    with kept.working():
        for draw in found:
            kept.add(draw)
    again = trial.KeptDraws(place, {})
    with again.working():
        assert list(again.found.values()) == [draw for draw in found if not draw.broken]
    assert any(draw.refused and draw.cases for draw in found), "cases before a refusal count"
    assert not again.get(("drawn", 0, 30))
    assert Draw(("a", 0, 1), missing="library").cases == ()


def test_a_disk_that_fills_is_named(tmp_path, monkeypatch):
    place = tmp_path / "draws.jsonl"
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left on device") as problem:
        calibrate({"drawn": Drawn()}, 50, checkpoint=place)
    assert problem.value.filename == str(place)


def test_processes_are_a_number():
    with pytest.raises(ValueError, match="number of processes, got 1, 5 and -1"):
        calibrate({"means": FAMILIES["means"]()}, 5, jobs=-1)


def started(out, cases):
    words = ["calibrate", "means", "quadratures", "residuals", "--cases", cases, "-j", "2", "--out", out]
    return subprocess.Popen(
        [sys.executable, "-m", "mfgpde.app.cli", *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def children(parent):
    """Return the processes below one, by Linux's list of all."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            found[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    below = {parent}
    while more := {child for child, above in found.items() if above in below} - below:
        below |= more
    return below - {parent}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processes end with their parent on Linux")
def test_a_killed_command_leaves_no_process_and_goes_on_to_the_same_record(tmp_path):
    """Killed at work, by two processes; the record is that of one process never interrupted, bit for bit."""
    out, cases = tmp_path / "out", 220
    run, place = started(out, cases), out / "draws.jsonl"
    end = time.monotonic() + 200
    while not (place.exists() and place.read_bytes().count(b"\n") > 3):
        assert run.poll() is None, run.stderr.read().decode()
        assert time.monotonic() < end
        time.sleep(0.02)
    below = children(run.pid)
    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stderr.close()
    assert len(below) >= 2
    assert place.exists()
    while any(Path(f"/proc/{one}").exists() for one in below):  # the tracker of resources ends by itself
        assert time.monotonic() < end
        time.sleep(0.05)
    again = started(out, cases)
    assert again.wait(200) == 0, again.stderr.read().decode()
    again.stderr.close()
    assert not place.exists()
    found = json.loads((out / "calibration.json").read_text())
    families = {name: FAMILIES[name]() for name in ("means", "quadratures", "residuals")}
    alone = calibrate(families, cases)
    assert [row["ratios"] for row in found["rows"]] == [[float(f"{r:.3g}") for r in row.ratios] for row in alone.rows]
    assert found["cases"] == len(alone.tried)
