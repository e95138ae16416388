"""Suites of toy claims: discovery, exit codes, resuming, comparing, broken claims."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import mfgpde
from mfgpde.app.cli import app
from mfgpde.core.lock import locked
from mfgpde.verify import discover, isolated, law, record, run
from mfgpde.verify.claim import Claim, Level

PACKAGE = Path(mfgpde.__file__).parent
TEMPLATE = '''"""A toy: {name}."""
from pathlib import Path
from mfgpde.core.estimate import Estimate, Kind, exact
from mfgpde.verify import Claim, Evidence, equal
claim = Claim(statement="x = 0", source="mfgpde", standing="experiment", coefficients=("factor",))
@claim.measure
def measure(level, factor=1.0, off={off}):
    with Path({log!r}).open("a") as log:
        log.write("{name} ")
    left = Estimate(off + 2 * (factor - 1), {bar}, Kind.EXTRAPOLATED, "toy")
    return Evidence([equal("x", left, exact(0.0, "zero"), resolution=0.1)])
@claim.control("x = 1")
def control(level):
    return measure(level, off={control})
'''


@pytest.fixture
def suite(tmp_path):
    def write(name, off=0.0, bar=0.01, control=1.0):
        path = tmp_path / "suite" / f"{name}.py"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(TEMPLATE.format(name=name, off=off, bar=bar, control=control, log=str(tmp_path / "log")))
        return path.parent

    return write


def invoke(*words):
    return CliRunner().invoke(app, ["validate", "--jobs", "1", *map(str, words)])


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [({}, 0, "holds"), ({"off": 0.1}, 2, "undecided"), ({"off": 3.0}, 1, "refuted"), ({"control": 0.0}, 1, "broken")],
)
def test_exit_codes(suite, tmp_path, arguments, code, word):
    result = invoke(suite("toy", **arguments), "--out", tmp_path / "out")
    assert result.exit_code == code, result.output
    assert word in result.output
    stored = json.loads((tmp_path / "out/quick/claims/toy.json").read_text())
    assert stored["outcome"] == word
    page = (tmp_path / "out/quick/report.html").read_text()
    assert word in page
    assert "http" not in page.replace("http://www.w3.org", "").replace("https://www.w3.org", "")


def test_what_needs_a_library_that_is_not_here_is_skipped(suite, tmp_path):
    """The other claim is judged, and nothing is called broken."""
    path = suite("good") / "needs.py"
    path.write_text(TEMPLATE.format(name="needs", off=0.0, bar=0.01, control=1.0, log=str(tmp_path / "log")))
    missing = "raise ModuleNotFoundError('No module named jax', name='jax.numpy')\n"
    path.write_text(path.read_text().replace("claim = ", missing + "claim = "))
    result = invoke(path.parent, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    found = {claim["id"]: claim for claim in record.read(tmp_path / "out/quick/run.json")["claims"]}
    assert (found["good"]["outcome"], found["needs"]["outcome"]) == ("holds", "skipped")
    assert "skipped, because" in found["needs"]["reason"]
    assert "jax, which is not installed: pip install" in found["needs"]["reason"]


def test_the_power_is_reported(suite, tmp_path):
    invoke(suite("toy"), "--out", tmp_path / "out")
    stored = record.read(tmp_path / "out/quick/run.json")
    (claim,) = stored["claims"]
    assert 0 <= claim["detects"]["factor"] - (0.1 + 0.01) / 2 <= 0.002
    assert (
        claim["reach"]["factor"] == claim["findings"][0]["reach"]["factor"] == {"sign": 1, "measured": True, "tried": 1}
    )


def test_bisection_at_level_full_agrees_with_the_first_order(suite, tmp_path):
    invoke(suite("toy"), "--level", "full", "--out", tmp_path / "out")
    stored = record.read(tmp_path / "out/full/run.json")
    assert stored["claims"][0]["detects"]["factor"] == pytest.approx(0.055, rel=0.21)


def test_what_is_refuted_at_level_full_is_refuted_and_not_broken(suite, tmp_path):
    """There is nothing to bisect: no change at all is needed."""
    result = invoke(suite("toy", off=3.0, control=4.0), "--level", "full", "--out", tmp_path / "out")
    assert result.exit_code == 1
    (claim,) = record.read(tmp_path / "out/full/run.json")["claims"]
    assert claim["outcome"] == "refuted"
    assert claim["detects"] == {"factor": 0.0}


@pytest.mark.slow
def test_an_interrupted_run_goes_on_and_a_finished_one_starts_anew(suite, tmp_path, monkeypatch):
    folder, out, log = suite("a"), tmp_path / "out", tmp_path / "log"
    suite("b")
    whole = isolated.judged

    def interrupted(task):
        if task.entry.id == "b":
            raise KeyboardInterrupt
        return whole(task)

    monkeypatch.setattr(isolated, "judged", interrupted)
    result = invoke(folder, "--out", out)
    assert result.exit_code == 130
    assert "goes on from there" in result.output
    monkeypatch.setattr(isolated, "judged", whole)
    count = log.read_text().count("a ")
    result = invoke(folder, "--out", out)
    assert result.exit_code == 0
    assert "1 of these results" in result.output
    assert log.read_text().count("a ") == count, "the finished claim was measured again"
    invoke(folder, "--out", out)
    assert log.read_text().count("a ") == 2 * count, "a finished run must not be reused"


def test_the_longest_of_a_recorded_run_go_first(suite, tmp_path):
    folder, out, log = suite("a"), tmp_path / "out", tmp_path / "log"
    suite("b")
    invoke(folder, "--out", out)
    assert log.read_text().startswith("a ")
    for name, seconds in (("a", 1.0), ("b", 100.0)):
        path = out / f"quick/claims/{name}.json"
        record.write(path, record.sealed({**json.loads(path.read_text()), "seconds": seconds}))
    log.unlink()
    invoke(folder, "--out", out)
    assert log.read_text().startswith("b ")
    again = json.loads((out / "quick/run.json").read_text())
    assert [claim["id"] for claim in again["claims"]] == ["a", "b"], "the report keeps their order"


@pytest.mark.parametrize("own", [True, False])
def test_the_packages_record_is_read_for_claims_of_its_suite_alone(suite, tmp_path, own):
    claims = discover.entries_in(PACKAGE.parent / "validation" if own else suite("a"))
    stored = record.read(PACKAGE.parent / "validation" / "baseline.json")["claims"]
    assert run._seconds(claims, PACKAGE, tmp_path) == {one["id"]: one["seconds"] for one in stored if own}


def test_changed_claims_are_not_resumed(suite, tmp_path):
    folder, out = suite("a"), tmp_path / "out"
    invoke(folder, "--out", out)
    manifest = record.read(out / "quick/run.json")
    record.write(out / "quick/run.json", record.sealed({**manifest, "state": "running"}))
    suite("a", off=0.02)
    assert "of these results" not in invoke(folder, "--out", out).output


@pytest.fixture
def stopped(suite, tmp_path, monkeypatch):
    """A run of claims a and b under seed 0 that was stopped before b; returns what goes on, with other words."""
    folder, whole = suite("a"), isolated.judged
    suite("b")
    with monkeypatch.context() as patched:

        def interrupted(task):
            if task.entry.id == "b":
                raise KeyboardInterrupt
            return whole(task)

        patched.setattr(isolated, "judged", interrupted)
        patched.setattr(isolated, "cool", lambda: None)  # that nothing stays at work is tried in test_attacks.py
        assert invoke(folder, "--out", tmp_path / "out").exit_code == 130
    return lambda *words: invoke(folder, "--out", tmp_path / "out", *words)


def test_a_run_of_one_seed_holds_no_results_of_another(stopped, tmp_path):
    """Not even where the manifest already says the new seed and the records are the old ones."""
    manifest = tmp_path / "out/quick/run.json"
    record.write(manifest, record.sealed({**json.loads(manifest.read_text()), "seed": 1}))
    result = stopped("--seed", 1)
    assert "of these results" not in result.output
    assert [claim["seed"] for claim in record.read(manifest)["claims"]] == [1, 1]


def _edited(text):
    return json.dumps({**json.loads(text), "margin": 1e9})


def _half(text):
    return text[:40]


def _alien(text):
    return '{"some": "json"}'


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_edited, "its digest does not fit"),
        (lambda text: text[:40], "is not a stored run"),
        (_alien, "no record of a claim"),
    ],
)
def test_records_that_do_not_fit_are_named_and_measured_again(stopped, tmp_path, change, words):
    path = tmp_path / "out/quick/claims/a.json"
    path.write_text(change(path.read_text()))
    result = stopped()
    assert result.exit_code == 0, result.output
    assert "of these results" not in result.output
    said = " ".join(result.output.split())
    assert words in said
    assert "claims/a.json" in said
    assert abs(record.read(tmp_path / "out/quick/run.json")["claims"][0]["margin"]) < 1e8


def test_a_manifest_that_is_none_is_named_and_stops_nothing(stopped, tmp_path):
    (tmp_path / "out/quick/run.json").write_text("{")
    result = stopped()
    assert result.exit_code == 0, result.output
    assert "measured anew" in result.output


def test_two_runs_do_not_share_a_folder(suite, tmp_path):
    with locked(tmp_path / "out/quick", "the results in"):
        result = invoke(suite("a"), "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "another run is at work" in result.output
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize("missing", ["id", "outcome", "margin", "findings", "seconds", "label", "left", "value"])
def test_a_stored_run_that_lacks_something_is_refused_before_any_work(suite, tmp_path, missing):
    folder = suite("a")
    invoke(folder, "--out", tmp_path / "one")
    stored = tmp_path / "one/quick/run.json"
    data = json.loads(stored.read_text())
    claim = data["claims"][0]
    del {"label": claim["findings"][0], "left": claim["findings"][0], "value": claim["findings"][0]["left"]}.get(
        missing, claim
    )[missing]
    record.write(stored, record.sealed(data))
    (tmp_path / "log").unlink()
    result = invoke(folder, "--out", tmp_path / "two", "--against", stored)
    assert result.exit_code == 1
    assert "is not a stored run: its claim 0" in " ".join(result.output.split())
    assert not (tmp_path / "log").exists()


def test_numbers_that_json_lacks_are_compared():
    one = {"id": "a", "outcome": "holds", "findings": [{"label": "x", "left": {"value": None, "error": None}}]}
    two = {"id": "a", "outcome": "holds", "findings": [{"label": "x", "left": {"value": 1.0, "error": 0.1}}]}
    for claim in (one, two):
        claim["findings"][0].update(right={"value": 0.0, "error": None}, relation="=", resolution=0.1)
        claim.update(controls=[], detects={})
    old, new = ({"level": "quick", "claims": [claim]} for claim in (one, two))
    (moved,) = law.compare(old, new)
    assert moved.what == "left side moved from no number to 1 ± 1.0e-01"
    assert law.compare(old, old) == []


def test_against_a_stored_run(suite, tmp_path):
    folder = suite("a", off=0.0)
    invoke(folder, "--out", tmp_path / "one")
    stored = tmp_path / "one/quick/run.json"
    same = invoke(folder, "--out", tmp_path / "two", "--against", stored)
    assert same.exit_code == 0
    assert "nothing moved" in same.output
    suite("a", off=0.05)
    moved = invoke(folder, "--out", tmp_path / "three", "--against", stored)
    assert moved.exit_code == 3
    assert "moved from 0 ± 1.0e-02 to 0.05" in moved.output


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 99, "claims": []}', None])
def test_an_unreadable_baseline_is_refused_before_any_work(suite, tmp_path, content):
    path = tmp_path / "baseline.json"
    if content is not None:
        path.write_text(content)
    result = invoke(suite("a"), "--against", path, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert str(path.name) in result.output.replace("\n", "")
    assert not (tmp_path / "log").exists()


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(suite, tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = invoke(suite("a"), "--out", tmp_path / "file")
    assert result.exit_code == 1
    assert "is a file; --out names a folder" in result.output
    assert not (tmp_path / "log").exists()


def test_unknown_claims_suggest_the_nearest():
    result = invoke("score-fpee")
    assert result.exit_code == 1
    assert "did you mean 'lai2023/score-fpe'" in result.output


def test_exceptions_make_a_claim_broken_and_keep_the_others(suite, tmp_path):
    folder = suite("a")
    (folder / "b.py").write_text((folder / "a.py").read_text().replace("def measure(level", "def measure(none"))
    (folder / "c.py").write_text("claim = 3")
    (folder / "d.py").write_text(
        (folder / "a.py").read_text().replace("@claim.control", "#").replace("def control", "def _control")
    )
    result = invoke(folder, "--out", tmp_path / "out")
    assert result.exit_code == 1
    outcomes = {c["id"]: (c["outcome"], c["reason"]) for c in record.read(tmp_path / "out/quick/run.json")["claims"]}
    assert outcomes["a"][0] == "holds"
    assert outcomes["c"][0] == "broken"
    assert "no control" in outcomes["d"][1]


@pytest.mark.parametrize(
    "bad",
    [dict(statement=" "), dict(source=" "), dict(source="arXiv:12"), dict(standing="folklore"), dict(assumes="p > 0")],
)
def test_claims_are_checked_when_written(bad):
    with pytest.raises((ValueError, TypeError)):
        Claim(**{"statement": "x", "source": "arXiv:2210.04296", "standing": "theorem", **bad})


def test_every_shipped_claim_is_well_formed():
    entries = discover.entries_in(PACKAGE.parent / "validation")
    assert len(entries) >= 11
    for entry in entries:
        claim = discover.load(entry)
        assert claim.title.endswith(".")
        assert claim.controls


def test_parallel_and_serial_runs_agree(suite, tmp_path):
    folder = suite("a", off=0.03)
    suite("b", off=0.01)
    entries = discover.entries_in(folder)
    runs = [
        run.run_suite(
            entries, Level.QUICK, tmp_path / str(jobs), package=PACKAGE, terms=run.Terms(jobs=jobs), show=False
        )
        for jobs in (1, 2)
    ]
    values = [[f["left"]["value"] for c in r["claims"] for f in c["findings"]] for r in runs]
    assert values[0] == values[1]


def test_strips_of_bounds_with_room_end_inside():
    """A violation of −5 with a bar of 3 reaches −2, not +3: its line must not cross the edge."""
    from mfgpde.report.drawings import _decade as _place
    from mfgpde.report.drawings import strip

    drawn = str(strip({"excess": -5.0, "bar": 3.0, "resolution": 0.1, "outcome": "holds"}))
    assert f'x2="{_place(0.0):.1f}" y1="7"' in drawn
