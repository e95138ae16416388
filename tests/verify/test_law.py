"""The stored run is the law: whatever is loosened is said in a sentence, and stops the run."""

import json

import pytest
from typer.testing import CliRunner

from mfgpde.app.cli import app
from mfgpde.verify import law, record

CLAIM = '''"""A toy."""
from mfgpde.core.estimate import Estimate, Kind, exact
from mfgpde.verify import Claim, Evidence, at_most, equal
claim = Claim(statement="x = 0", source="mfgpde", standing="theorem", coefficients=("factor",))
@claim.measure
def measure(level, factor=1.0, off=0.0):
    left = Estimate(off + 2 * (factor - 1), 0.001, Kind.EXTRAPOLATED, "toy")
    return Evidence([equal("x", left, exact(0.0, "zero"), resolution=0.01)])
@claim.control("x = 1")
def one(level):
    return measure(level, off=1.0)
@claim.control("x = 2")
def two(level):
    return measure(level, off=2.0)
'''


def validate(folder, out, *words):
    return CliRunner().invoke(app, ["validate", str(folder), "--out", str(out), *map(str, words)])


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("law")
    (folder / "suite").mkdir()
    for name in ("claim", "other"):
        (folder / "suite" / f"{name}.py").write_text(CLAIM)
    assert validate(folder / "suite", folder / "out").exit_code == 0
    return folder / "out/quick/run.json"


LOOSENED = [
    ("resolution=0.01", "resolution=0.4", "δ was 0.01, now 40 × that, 0.4"),
    ("0.001, Kind", "0.005, Kind", "the bar was 0.001, now 0.005"),
    ('"toy")', '"toy", at="64 cells")', "it spoke of the limit, now of 64 cells"),
    ('@claim.control("x = 2")\n', "", "control “x = 2” is gone"),
    ('standing="theorem"', 'standing="experiment"', "its standing was 'theorem', now 'experiment'"),
    ("equal(", "at_most(", "the relation was =, now ≤"),
    ("2 * (factor - 1)", "0.1 * (factor - 1)", "would notice factor off by 0.0056, now only by 0.11"),
    ('coefficients=("factor",)', "coefficients=()", "what it would notice of factor is no longer found"),
    ("Kind.EXTRAPOLATED", "Kind.CONFIDENCE", "its bar was extrapolated, now a confidence interval"),
    ("level, off=2.0", "level, off=7.0", "control “x = 2” is falser: x was off by 2, now by 7"),
]


@pytest.mark.parametrize(("old", "new", "sentence"), LOOSENED, ids=[words for _, _, words in LOOSENED])
def test_what_was_loosened_is_said(stored, tmp_path, old, new, sentence):
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite/claim.py").write_text(CLAIM.replace(old, new))
    (tmp_path / "suite/other.py").write_text(CLAIM)
    result = validate(tmp_path / "suite", tmp_path / "out", "--against", stored)
    assert result.exit_code == 3, result.output
    assert sentence in " ".join(result.output.split())
    assert "[loosened]" in result.output


@pytest.mark.parametrize(
    ("was", "now", "moved"),
    [
        ((True, 3), (True, 4), True),
        ((False, 0), (False, 0), True),
        ((False, 3), (False, 2), False),
        ((True, 3), (False, 2), False),
        ((True, 3), (False, 0), False),
        ((False, 0), (True, 3), False),
    ],
    ids=lambda one: str(one).replace("True", "measured").replace("False", "estimated"),
)
def test_what_is_noticed_later_has_moved_where_both_numbers_were_found_alike(stored, was, now, moved):
    """Estimates of a search that time ended are those of one machine's speed."""
    before, after = (record.read(stored) for _ in range(2))
    for run, change, (measured, tried) in ((before, 1e-3, was), (after, 1e-1, now)):
        for one in (run["claims"][0], run["claims"][0]["findings"][0]):
            one["detects"] = {"factor": change}
            one["reach"] = {"factor": {"sign": 1, "measured": measured, "tried": tried}}
    found = law.compare(before, after)
    assert [one.loosened for one in found] == [True] * (2 if moved else 0)
    assert all("off by 0.001, now only by 0.1" in one.what for one in found)


@pytest.mark.parametrize(("before", "moved"), [(1e-3, True), (4.9, True), (9e10, False), (None, False)])
@pytest.mark.parametrize("measured", [True, False])
def test_what_is_no_longer_noticed_has_moved_however_it_was_found(stored, before, moved, measured):
    """Of changes of ten times and more nothing was noticed before."""
    former, after = (record.read(stored) for _ in range(2))
    for run, change, seen in ((former, before, measured), (after, None, False)):
        run["claims"][0]["findings"][0].update(
            detects={"factor": change}, reach={"factor": {"sign": 1, "measured": seen, "tried": 0}}
        )
    assert [one.loosened for one in law.compare(former, after)] == [True] * moved


WIDE = 'resolution=0.01, because="two digits are printed")'
REASONS = [
    (
        WIDE.replace("two", "three"),
        False,
        "δ was so wide because 'two digits are printed', now because 'three digits are",
    ),
    ("resolution=0.01)", True, "δ was so wide because 'two digits are printed', now unsaid"),
    ("resolution=0.005)", False, "δ was 0.01, now 0.5 × that, 0.005"),  # five bars: nothing is to be said
]


@pytest.mark.parametrize(("now", "loosened", "sentence"), REASONS, ids=["another", "none", "not needed"])
def test_a_reason_of_a_wide_resolution_that_goes_is_a_loosening(tmp_path, now, loosened, sentence):
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite/claim.py").write_text(CLAIM.replace("resolution=0.01)", WIDE))
    assert validate(tmp_path / "suite", tmp_path / "out").exit_code == 0
    stored = tmp_path / "out/quick/run.json"
    assert record.read(stored)["claims"][0]["findings"][0]["because"] == "two digits are printed"
    (tmp_path / "suite/claim.py").write_text(CLAIM.replace("resolution=0.01)", now))
    result = validate(tmp_path / "suite", tmp_path / "new", "--against", stored)
    said = " ".join(result.output.split())
    assert result.exit_code == 3, "whatever moved is for a reader to see"
    assert sentence in said
    assert ("so wide" in said) is ("so wide" in sentence)
    assert ("[loosened]" in said) is loosened


def test_a_record_made_before_findings_said_where_they_stand_is_read(stored, tmp_path):
    """Of what it does not know nothing is called loosened."""
    former = record.read(stored)
    for claim in former["claims"]:
        for finding in claim["findings"]:
            del finding["because"]
            for part in (finding, finding["left"], finding["right"]):
                del part["at"]
    former.pop("digest")
    record.write(tmp_path / "former.json", record.sealed(former))
    (tmp_path / "suite").mkdir()
    for name in ("claim", "other"):
        (tmp_path / "suite" / f"{name}.py").write_text(CLAIM.replace('"toy")', '"toy", at="64 cells")'))
    result = validate(tmp_path / "suite", tmp_path / "out", "--against", tmp_path / "former.json")
    assert result.exit_code == 0, result.output
    assert "on a grid" in " ".join(result.output.split())


def test_statements_and_claims_that_come_and_go_are_said(stored, tmp_path):
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite/claim.py").write_text(CLAIM.replace("x = 0", "x = 0 nearly"))
    (tmp_path / "suite/new.py").write_text(CLAIM)
    result = validate(tmp_path / "suite", tmp_path / "out", "--against", stored)
    said = " ".join(result.output.split())
    assert result.exit_code == 3
    for words in ("its statement was 'x = 0', now 'x = 0 nearly'", "other claim is gone [loosened]", "new new claim"):
        assert words in said


def test_a_part_misses_nothing(stored, tmp_path):
    """A single file of the folder is asked for: the others are not missing."""
    (tmp_path / "claim.py").write_text(CLAIM)
    result = validate(tmp_path / "claim.py", tmp_path / "out", "--against", stored)
    assert result.exit_code == 0, result.output
    assert "nothing moved" in result.output


def _edited(data):
    data["claims"][0]["findings"][0]["resolution"] = 1e9
    return json.dumps(data)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_edited, "its digest does not fit"),
        (lambda data: json.dumps({**data, "format": 99}), "it has format 99, and format 2"),
        (lambda data: json.dumps({**data, "seed": float("nan")}), "NaN, which is no number of JSON"),
        (lambda data: json.dumps(record.sealed({**data, "level": "full"})), "is of level full, this one of quick"),
        (lambda data: json.dumps(record.sealed({**data, "claims": 2 * data["claims"]})), "two claims of one id"),
        (lambda data: json.dumps(record.sealed({**data, "claims": [3]})), "its claim 0 has no 'id'"),
    ],
)
def test_a_law_that_cannot_be_read_is_refused_before_any_work(stored, tmp_path, change, words):
    path = tmp_path / "law.json"
    path.write_text(change(json.loads(stored.read_text())))
    result = validate(stored.parents[2] / "suite", tmp_path / "out", "--against", path)
    assert result.exit_code == 1
    assert words in " ".join(result.output.split())
    assert not (tmp_path / "out/quick/claims").exists()


def test_a_run_is_its_own_law(stored):
    run = record.read(stored)
    assert law.compare(run, run) == []


def test_verdicts_are_cited_until_they_are_stale(stored, tmp_path):
    def verdict(*words):
        return CliRunner().invoke(app, ["verdict", "claim", "--run", str(stored), *map(str, words)])

    badge = tmp_path / "claim.svg"
    found = verdict("--latex", "--badge", badge)
    assert found.exit_code == 0, found.output
    assert r"The statement $\displaystyle x = 0$ (mfgpde; theorem) \emph{holds}" in found.output
    assert "2 of 2 false variant(s) refuted" in found.output
    assert "holds" in badge.read_text()
    source = stored.parents[2] / "suite/claim.py"
    source.write_text(CLAIM + "# another\n")
    try:
        found = verdict("--latex", "--badge", badge)
    finally:
        source.write_text(CLAIM)
    assert found.exit_code == 4
    assert "the run is stale" in found.output
    assert "stale" in badge.read_text()
    unknown = CliRunner().invoke(app, ["verdict", "nothing", "--run", str(stored)])
    assert unknown.exit_code == 1
    assert "holds 0 claims called 'nothing'" in " ".join(unknown.output.split())


def test_terms_that_ask_for_less_are_said(stored, tmp_path):
    suite = stored.parents[2] / "suite"
    asked = tmp_path / "asked"
    assert validate(suite, asked, "--seeds", 2, "--twice").exit_code == 0
    law_ = asked / "quick/run.json"
    assert validate(suite, tmp_path / "same", "--against", law_, "--seeds", 2, "--twice").exit_code == 0
    result = validate(suite, tmp_path / "less", "--against", law_)
    assert result.exit_code == 3
    said = " ".join(result.output.split())
    assert "the worst of 2 seeds was judged, now of 1 [loosened]" in said
    assert "the same result twice was asked for, now once [loosened]" in said
    assert validate(suite, tmp_path / "more", "--against", stored, "--seeds", 2, "--twice").exit_code == 0


def test_an_interrupted_run_is_no_law(stored, tmp_path):
    """It holds some claims or none: what it lacks would be new, not gone."""
    data = {**json.loads(stored.read_text()), "state": "running"}
    record.write(tmp_path / "run.json", record.sealed(data))
    result = validate(stored.parents[2] / "suite", tmp_path / "out", "--against", tmp_path / "run.json")
    assert result.exit_code == 1
    assert "was interrupted" in " ".join(result.output.split())
    assert not list((tmp_path / "out").rglob("run.json"))
