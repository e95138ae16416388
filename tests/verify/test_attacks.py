"""The court is attacked: whatever one claim does, the run ends with its table and its exit code, the others judged."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

import mfgpde
from mfgpde.app.cli import app
from mfgpde.verify import discover, isolated, record, states

PACKAGE = Path(mfgpde.__file__).parent

CLAIM = '''"""A toy."""
import os, sys, time
{top}
from mfgpde.core.estimate import exact
from mfgpde.verify import Claim, Evidence, at_least, equal
claim = Claim(statement="x = 0", source="mfgpde", standing="{standing}")
@claim.measure
def measure(level, off=0.0):
    {measure}
    return {evidence}
@claim.control("x = 1")
def control(level):
    {control}
    return measure(level, off=1.0)
'''
TRUE = 'Evidence([equal("x", exact(off, "toy"), exact(0.0, "zero"), resolution=0.1)])'
FALSE = 'Evidence([equal("x", exact(off + 5, "toy"), exact(0.0, "zero"), resolution=0.1)])'


def write(folder, name, top="", measure="", evidence=TRUE, control="", standing="experiment"):
    path = folder / f"{name}.py"
    path.parent.mkdir(exist_ok=True, parents=True)
    kept = {name: value or "pass" for name, value in (("top", top), ("measure", measure), ("control", control))}
    path.write_text(CLAIM.format(**kept, evidence=evidence, standing=standing))
    return path


@pytest.fixture
def judged(tmp_path):
    """Return a function that writes a claim beside a good and a false one, runs all, and returns its record."""

    def run(name="attack", *words, **claim):
        folder = tmp_path / "suite"
        write(folder, "good")
        write(folder, "false", evidence=FALSE)
        if claim:
            write(folder, name, **claim)
        result = CliRunner().invoke(app, ["validate", str(folder), "--out", str(tmp_path / "out"), *map(str, words)])
        assert result.exit_code == 1, result.output  # the false claim is refuted, whatever happens beside it
        found = {claim["id"]: claim for claim in record.read(tmp_path / "out/quick/run.json")["claims"]}
        assert found["good"]["outcome"] == "holds"
        assert found["false"]["outcome"] == "refuted"
        assert "✗ refuted" in result.output
        assert "Report:" in result.output
        return found.get(name), result.output

    return run


ENDS = ("sys.exit(0)", "raise GeneratorExit", "raise KeyboardInterrupt", "os._exit(0)")
PLACES = ("top", "measure", "control")


@pytest.mark.parametrize(
    ("act", "place"),
    [
        pytest.param(act, place, marks=[pytest.mark.slow] * (k % 3 != j))  # each at one place, and each place
        for k, act in enumerate(ENDS)
        for j, place in enumerate(PLACES)
    ],
)
def test_nothing_that_a_claim_ends_ends_the_run(judged, place, act):
    found, _ = judged(**{place: act})
    assert found["outcome"] == "broken"
    assert found["reason"]


def test_a_worker_that_is_killed_loses_its_claim_alone(judged):
    found, _ = judged(measure="os.kill(os.getpid(), 9)")
    assert found["outcome"] == "broken"
    assert "SIGKILL" in found["reason"]


@pytest.mark.slow
def test_a_claim_that_kills_who_watches_it_loses_itself_alone(judged):
    found, _ = judged(measure="os.kill(os.getppid(), 9)")
    assert found["outcome"] == "broken"
    assert "lost" in found["reason"]


def test_an_endless_claim_is_ended(judged):
    nap = f"sleep {2 * 10**6 + os.getpid()}"
    found, _ = judged("attack", "--limit", 3, measure=f"os.system('{nap} &'); time.sleep(1e5)")
    assert found["outcome"] == "broken"
    assert "not done after 3 s" in found["reason"]
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert nap not in running, "what it started ends with it"


def test_a_claim_works_in_a_folder_of_its_own_and_its_output_is_kept(judged, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found, output = judged(
        "attack", "--output", measure="print('h\\u00e9llo'); open('left-over', 'w').close(); os.chmod('.', 0o500)"
    )
    assert found["outcome"] == "holds"
    assert "héllo" in output
    assert "héllo" in (tmp_path / "out/quick/claims/attack.log").read_text()
    assert not (tmp_path / "left-over").exists()


def test_a_claim_that_changes_the_world_changes_its_own(judged, tmp_path):
    """A patched court in one claim does not make false claims beside it hold."""
    patch = "import mfgpde.verify.finding as f; f.Finding.outcome = property(lambda self: f.Outcome.HOLDS)"
    judged("a-first", top=patch)


def test_files_of_one_id_are_named_before_work_and_not_judged(judged, tmp_path):
    write(tmp_path / "suite", "x_y", evidence=FALSE)
    _, output = judged("x-y", evidence=TRUE)
    assert output.startswith("! 2 files have the id 'x-y'")
    assert output.index("x_y.py") < output.index("broken")


def test_one_id_under_two_targets_is_ambiguous(tmp_path):
    for name in ("one", "two"):
        write(tmp_path / name, "same", evidence=TRUE if name == "two" else FALSE)
    paths = [str(tmp_path / name) for name in ("one", "two")]
    result = CliRunner().invoke(app, ["validate", *paths, "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "2 files have the id 'same'" in result.output
    result = CliRunner().invoke(app, ["validate", paths[1], paths[1], "--out", str(tmp_path / "twice")])
    assert result.exit_code == 0, result.output


def test_infinite_evidence_does_not_hold(judged):
    infinite = (
        'Evidence([at_least("KL", exact(float("inf") if not off else 0.0, "toy"), exact(1.0, "one"), resolution=0.1)])'
    )
    found, _ = judged(evidence=infinite)
    assert found["outcome"] == "undecided"
    assert "the right side is inf (toy), which decides nothing" in found["reason"]


SOLVES = """import mfgpde as mfg
def law(equation):
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 32, 1))
    return mfg.solve(equation, space, mfg.gaussian(0.0, 1.0), (0.0, 0.1))"""
VACUOUS = TRUE.replace("[", '[equal("vacuous", exact(777.0, "x"), exact(0.0, "y"), resolution=1e9), ')


@pytest.mark.parametrize(
    ("standing", "strict", "outcome"),
    [("experiment", [], "holds"), ("theorem", [], "broken"), ("experiment", ["--strict"], "broken")],
)
def test_a_vacuous_finding_is_seen(judged, standing, strict, outcome):
    found, output = judged("attack", *strict, evidence=VACUOUS, standing=standing)
    assert found["outcome"] == outcome
    assert [bool(finding["refuted_by"]) for finding in found["findings"]] == [False, True]
    assert "1 were never seen to fail" in output


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("None", "returned nothing"),
        ("[1.0]", "an object of type list"),
        ('equal("x", exact(off, "t"), exact(0.0, "z"), resolution=0.1)', "an object of type Finding"),
        ('Evidence([equal("x", exact(float("nan"), "t"), exact(0.0, "z"), resolution=0.1)])', "got NaN"),
        ('Evidence([equal("x", off, exact(0.0, "z"), resolution=0.1)])', "x: 0 is a plain number"),
        ('Evidence([equal("x", off, 0.0, resolution=0.1)])', "x: 0 is a plain number"),
        ('Evidence(equal("x", exact(off, "t"), exact(0.0, "z"), resolution=0.1))', "a list of findings"),
        ("law(mfg.FokkerPlanck(lambda x, t: 0 * x, 0.5))", "the diffusivity must be a function of time, got 0.5"),
        ("law(mfg.FokkerPlanck(0.0, lambda t: 0.5))", "the drift must be a function of place and time, got 0.0"),
        ("1 / 0", "division by zero"),
    ],
)
def test_wrong_evidence_is_one_sentence(judged, wrong, words):
    found, _ = judged(evidence=wrong, top=SOLVES if "law(" in wrong else "")
    assert found["outcome"] == "broken"
    assert words in found["reason"]
    assert "\n" not in found["reason"]


def test_a_measure_without_a_level_is_told(judged, tmp_path):
    path = write(tmp_path / "suite", "without")
    path.write_text(path.read_text().replace("measure(level, off=0.0)", "measure(off=0.0)"))
    judged()
    found = {claim["id"]: claim for claim in record.read(tmp_path / "out/quick/run.json")["claims"]}
    assert found["without"]["reason"].endswith("the measure takes the level first: def measure(level, …)")


SHORT = '''"""A claim in a few lines."""
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.verify import equal, states
@states("x = 2", "mfgpde", wrong={"half of it": {"factor": 0.5}})
def claim(level, factor=1.0):
    yield equal("x", Estimate(2 * factor, 1e-6, Kind.BOUND, "toy"), 2.0, resolution=1e-3)
'''


def test_a_claim_may_be_one_function(judged, tmp_path):
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "short.py").write_text(SHORT)
    judged()
    found = {claim["id"]: claim for claim in record.read(tmp_path / "out/quick/run.json")["claims"]}["short"]
    assert found["outcome"] == "holds"
    assert found["title"] == "A claim in a few lines."
    assert [control["outcome"] for control in found["controls"]] == ["refuted"]
    assert found["detects"]["factor"] == pytest.approx((1e-3 + 1e-6) / 2, rel=0.021)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({}, "needs a control, a false variant that the same function must refute"),
        (None, "needs a control"),
        ({"x": 0.5}, "named with the arguments that make it false"),
        ({"x": {"faktor": 0.5}}, "is made by arguments of claim"),
        ({"x": {}}, "is made by"),
    ],
)
def test_the_short_form_needs_a_false_variant(wrong, words):
    with pytest.raises(ValueError, match=words):

        @states("x = 2", "mfgpde", wrong=wrong)
        def claim(level, factor=1.0):
            yield None


def test_the_short_form_without_its_words_is_one_sentence():
    with pytest.raises(ValueError, match=r"needs a control, .* wrong={'half of it'"):
        states("x = 2", "mfgpde")
    with pytest.raises(ValueError, match="says where it comes from"):
        states("x = 2", wrong={"x": {"factor": 0.5}})(lambda level, factor=1.0: None)
    with pytest.raises(ValueError, match="takes the statement in LaTeX, its source, and its controls"):

        @states
        def claim(level, factor=1.0):
            yield None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SHORT.replace("def claim", "def variance"), "the claim is called variance there; call it `claim`"),
        (SHORT.replace("@states", "# @states"), "its `claim` is a function and no claim; write @states("),
        ("x = 1", "it defines no claim; write @states(statement, source, wrong={…}) above `def claim(level)`"),
        (CLAIM.replace(', standing="{standing}"', ""), "standing is one of theorem, derived, conjecture, experiment"),
    ],
)
def test_a_file_without_its_claim_says_what_to_write(tmp_path, text, words):
    path = tmp_path / "slip.py"
    path.write_text(text.format(top="", measure="pass", evidence=TRUE, control="pass") if "{top}" in text else text)
    with pytest.raises(ValueError, match=re.escape(words)):
        discover.load(discover.Entry("slip", path))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("nowhere/", "there is no folder nowhere/"),
        ("./nowhere", "there is no folder ./nowhere"),
        ("here/nowhere", "there is no folder here/nowhere"),
        ("nowhere.py", "there is no file nowhere.py"),
        ("notes.txt", "notes.txt is no file of claims: their names end in .py"),
        ("lai2023/score-fp", "unknown claim 'lai2023/score-fp'; did you mean"),
    ],
)
def test_places_that_are_not_there_are_no_unknown_claims(tmp_path, monkeypatch, target, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ValueError, match=re.escape(words)):
        discover.select([target], discover.suite_root(PACKAGE))


def test_odd_files_are_claims_or_a_sentence(judged, tmp_path):
    folder = tmp_path / "suite"
    write(folder / "späce and ünicode", "mein Satz")
    (folder / "syntax.py").write_text("def (")
    (folder / "dangling.py").symlink_to(tmp_path / "nowhere.py")
    write(tmp_path / "elsewhere", "linked")
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    (folder / "loop").symlink_to(folder)
    judged()
    found = {claim["id"]: claim["outcome"] for claim in record.read(tmp_path / "out/quick/run.json")["claims"]}
    assert found == {
        "false": "refuted",
        "good": "holds",
        "syntax": "broken",
        "dangling": "broken",
        "link/linked": "holds",
        "späce and ünicode/mein Satz": "holds",
    }


RANDOM = '''"""A draw."""
import time
import numpy as np
from mfgpde.core.estimate import Estimate, Kind, exact
from mfgpde.verify import Claim, Evidence, equal
claim = Claim(statement="x = 0", source="mfgpde", standing="experiment")
@claim.measure
def measure(level, rng, off=0.0):
    x = {draw}
    return Evidence([equal("x", Estimate(off + x, 0.01, Kind.CONFIDENCE, "draw"), exact(0.0, "zero"), resolution=0.5)])
@claim.control("x = 9")
def control(level, rng):
    return measure(level, rng, off=9.0)
'''


def validate(folder, out, *words):
    result = CliRunner().invoke(app, ["validate", str(folder), "--out", str(out), *map(str, words)])
    stored = out / "quick/run.json"
    return result, record.read(stored)["claims"] if stored.is_file() else []


def test_the_court_gives_the_random_numbers(tmp_path):
    suite = tmp_path / "suite"
    suite.mkdir()
    (suite / "draw.py").write_text(RANDOM.format(draw="0.2 * rng.standard_normal()"))
    values = [
        validate(suite, tmp_path / f"out{k}", "--seed", seed)[1][0]["findings"][0]["left"]["value"]
        for k, seed in enumerate((0, 0, 1))
    ]
    assert values[0] == values[1] != values[2]
    result, (claim,) = validate(suite, tmp_path / "five", "--seeds", 5)
    assert [one["seed"] for one in claim["over_seeds"]] == [0, 1, 2, 3, 4]
    low, high = claim["findings"][0]["spread"]
    assert low < high
    assert claim["findings"][0]["excess"] == high, "the worst seed is shown"
    worst = min(claim["over_seeds"], key=lambda one: one["margin"])["seed"]
    assert worst != 0
    assert (claim["seed"], claim["worst_seed"]) == (0, worst)
    assert f"[seed {worst} of 5]" in " ".join(result.output.split())
    assert "seeds 0 to 4" in result.output


def test_twice_is_the_same_where_that_is_promised(tmp_path):
    suite = tmp_path / "suite"
    suite.mkdir()
    (suite / "draw.py").write_text(RANDOM.format(draw="0.2 * rng.standard_normal()"))
    assert validate(suite, tmp_path / "a", "--twice")[0].exit_code == 0
    (suite / "draw.py").write_text(RANDOM.format(draw="1e-9 * (time.time_ns() % 1_000_003)"))
    result, (claim,) = validate(suite, tmp_path / "b", "--twice")
    assert result.exit_code == 1
    assert "not the same result twice: x" in claim["reason"]
    promised = RANDOM.replace('standing="experiment"', 'standing="experiment", repeatable=False')
    (suite / "draw.py").write_text(promised.format(draw="1e-9 * (time.time_ns() % 1_000_003)"))
    assert validate(suite, tmp_path / "c", "--twice")[0].exit_code == 0


def test_a_part_does_not_take_the_place_of_the_whole(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / "suite", name)
    out = tmp_path / "out"
    validate(tmp_path / "suite", out)
    result, claims = validate(tmp_path / "suite/a.py", out)
    assert [claim["id"] for claim in claims] == ["a", "b"]
    said, kept = " ".join(result.output.split()), out / "quick"
    assert f"{kept} keeps its earlier run of 2 claims, as b of it was not asked for; this run of 1 claim is in" in said
    assert "replaces it" in said
    assert [claim["id"] for claim in record.read(out / "quick/part/run.json")["claims"]] == ["a"]


def test_a_run_of_another_claim_is_kept_by_name(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / "suite", name)
    validate(tmp_path / "suite/a.py", tmp_path / "out")
    result, claims = validate(tmp_path / "suite/b.py", tmp_path / "out")
    assert [claim["id"] for claim in claims] == ["a"]
    assert "keeps its earlier run of 1 claim, as a of it was not asked for" in " ".join(result.output.split())


@pytest.mark.slow
def test_an_interrupted_run_leaves_no_process(tmp_path):
    """The keyboard ends the run, and the claims with it."""
    nap = f"sleep {10**6 + os.getpid()}"
    write(tmp_path / "suite", "endless", measure=f"os.system('{nap}')")
    # what runs in a shell's background is born deaf to the keyboard
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    heard += "; from mfgpde.app.cli import main; main()"
    words = [sys.executable, "-c", heard, "validate", "suite/", "--out", "out"]
    run = subprocess.Popen(words, cwd=tmp_path, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})

    def sleeping():
        return nap in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout

    until = time.monotonic() + 60
    while not sleeping() and time.monotonic() < until:
        time.sleep(0.2)
    run.send_signal(signal.SIGINT)
    assert run.wait(30) == 130
    assert not sleeping()


def test_a_claim_costs_little_more_than_itself(tmp_path, monkeypatch):
    """Counted: no process but forks of one that is warm, one a claim, each with all that claims import at once."""
    asked, started = [], []
    run, start = isolated.Warm.run, isolated.Warm.__init__
    monkeypatch.setattr(isolated.Warm, "run", lambda one, task, folder: asked.append(task) or run(one, task, folder))
    monkeypatch.setattr(isolated.Warm, "__init__", lambda one: started.append(1) or start(one))
    shown = "loaded = set(sys.modules)"
    imports = "import mfgpde.solvers, mfgpde.equilibria, mfgpde.transport, mfgpde.diagnostics, scipy.stats, numba; "
    measure = imports + "print(sorted({name.partition('.')[0] for name in set(sys.modules) - loaded}))"
    for k in range(4):
        write(tmp_path / "suite", f"claim{k}", top=shown, measure=measure)
    _, claims = validate(tmp_path / "suite", tmp_path / "out", "--jobs", 1)
    assert {claim["outcome"] for claim in claims} == {"holds"}
    assert len(started) <= 1
    assert len(asked) == 4
    for k in range(4):
        shown = (tmp_path / f"out/quick/claims/claim{k}.log").read_text().splitlines()
        assert shown, k
        assert set(shown) == {"[]"}, shown


@pytest.mark.slow
def test_claims_find_the_sums_of_mixtures_compiled(tmp_path):
    """Counted: none of them makes Numba ready, which takes longer than most claims of a suite."""
    measure = (
        "from mfgpde.kernels.mixtures import _averages_with_few; ready = len(_averages_with_few.alone.signatures); "
        "mfg.densities.bimodal(1).score(np.zeros(1)); print(ready, len(_averages_with_few.alone.signatures))"
    )
    write(tmp_path / "suite", "claim", top="import numpy as np, mfgpde as mfg", measure=measure)
    _, claims = validate(tmp_path / "suite", tmp_path / "out", "--jobs", 1)
    assert [claim["outcome"] for claim in claims] == ["holds"]
    assert set((tmp_path / "out/quick/claims/claim.log").read_text().split()) == {"1"}


def test_the_stored_record_is_json_whatever_the_numbers(tmp_path):
    infinite = TRUE.replace('exact(off, "toy")', 'exact(float("inf") if not off else off, "toy")')
    write(tmp_path / "suite", "infinite", evidence=infinite)
    validate(tmp_path / "suite", tmp_path / "out")
    json.loads((tmp_path / "out/quick/run.json").read_text(), parse_constant=lambda word: pytest.fail(word))
