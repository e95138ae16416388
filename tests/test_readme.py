"""The README and the guides tell the truth: their code runs, their tables name what exists."""

import json
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import mfgpde
from mfgpde.app.cli import app
from mfgpde.app.requirements import Requirement
from mfgpde.verify import Level, Outcome, discover, record, trial
from mfgpde.verify.finding import far

PACKAGE = Path(mfgpde.__file__).parent
ROOT = PACKAGE.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MADE = ROOT / "docs" / "generated"
PAGES = [path for path in sorted((ROOT / "docs").rglob("*.md")) if MADE not in path.parents]
GUIDES = [ROOT / "README.md", *PAGES, *sorted((ROOT / "validation").rglob("*.md"))]


def blocks(path):
    return re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


def judged(code, folder, name):
    path = folder / f"{name}.py"
    path.write_text(code, encoding="utf-8")
    result = trial.run_claim(discover.Entry(name, path), Level.QUICK, 0)
    assert result["outcome"] == Outcome.HOLDS.value, result["reason"]
    assert [control["outcome"] for control in result["controls"]] == ["refuted"]
    assert unsaid(result) == []
    return result


def unsaid(claim):
    """Return the findings of a claim whose δ is far above what was reached, and that give no reason."""
    wide = [one for one in claim["findings"] if far(one["resolution"], one["excess"], one["bar"])]
    return [one["label"] for one in wide if not one.get("because")]


def test_the_claim_of_the_readme_holds(tmp_path):
    """Its bar is at work: above rounding, above what it is off by, below what matters, and the README says how large."""
    (code,) = blocks(ROOT / "README.md")
    result = judged(code, tmp_path, "waves")
    assert result["detects"]["factor"] < 0.01
    (finding,) = result["findings"]
    off, bar = re.search(r"off by ([\d.]+) × 10⁻⁶, .* known to ([\d.]+) × 10⁻⁶", README).groups()
    assert finding["excess"] == pytest.approx(1e-6 * float(off), rel=0.05)
    assert finding["bar"] == pytest.approx(1e-6 * float(bar), rel=0.05)
    assert 1e-8 < finding["excess"] < finding["bar"] < finding["resolution"]


def test_the_readme_is_a_screen_and_a_table():
    assert len(README.split("## Every claim")[0].splitlines()) < 75


def test_the_landing_page_begins_with_three_lines_that_run():
    (code,) = blocks(ROOT / "docs" / "index.md")
    assert len(code.split("\n\n")[-1].splitlines()) + 1 == 3, "an import and two"
    names = {}
    exec(compile(code, "index.md", "exec"), names)
    assert names["solution"].status is mfgpde.Status.DONE


def test_the_guide_to_papers_draws_for_a_column():
    (code,) = blocks(ROOT / "docs" / "paper.md")
    names = {}
    exec(compile(code, "paper.md", "exec"), names)
    assert names["figure"].get_size_inches()[0] * 25.4 == pytest.approx(85.0)


def test_the_gates_of_the_guide_to_integration_are_read():
    text = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    gates = re.findall(r'--require "([^"]+)"', text)
    assert len(gates) == 2
    for gate in gates:
        Requirement.read(gate)


def test_the_table_of_exit_codes_names_every_command():
    table = (ROOT / "docs" / "exit_codes.md").read_text(encoding="utf-8")
    for command in ("validate", "verdict", "check", "solve", "figures", "sampler", "laws", "calibrate", "doctor"):
        assert f"`{command}`" in table


def test_guides_name_targets_of_make_that_there_are():
    targets = set(re.findall(r"^([a-z][\w-]*)(?: [a-z][\w -]*)?:(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE))
    targets |= {"test-torch", "test-all"}
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "docs" / "tutorial.md"):
        named = set(re.findall(r"(?:`|^)make ([a-z-]+)", path.read_text(encoding="utf-8"), re.MULTILINE))
        assert named <= targets, path
        order = [
            path.read_text(encoding="utf-8").find(one) for one in ("make env", ". .venv/bin/activate", "make validate")
        ]
        assert path.name == "CONTRIBUTING.md" or -1 < order[0] < order[1] < order[2], path


def test_the_table_of_sizes_adds_up():
    sizes = [int(size) for size in re.findall(r"^\| [\w ]+ \| (?:\+ )?(\d+) \|", README, re.MULTILINE)]
    assert len(sizes) == 7
    assert sum(sizes[:-1]) == pytest.approx(sizes[-1], abs=15)


@pytest.mark.slow
def test_the_tutorial_ends_in_a_verified_claim(tmp_path, capsys):
    names = {}
    codes = blocks(ROOT / "docs" / "tutorial.md")
    files = {code.split("\n")[0].removeprefix("# "): code for code in codes if code.startswith("# ")}
    assert list(files) == ["my_claims/relaxation.py", "my_score.py"], "shown as they are, with nothing to unescape"
    for code in codes:
        if code not in files.values():
            exec(compile(code, "tutorial.md", "exec"), names)
    assert "solution of FokkerPlanck" in capsys.readouterr().out
    assert names["error"] < 0.01
    mixture = names["data"]
    second = sum(
        w * (m @ m + c.trace()) for w, m, c in zip(mixture.weights, mixture.means, mixture.covariances, strict=True)
    )
    assert 1.0 + (second - 1.0) * 2.718281828459045**-1.0 in names["ladder"].limit
    path = tmp_path / "relaxation.py"
    path.write_text(files["my_claims/relaxation.py"], encoding="utf-8")
    result = trial.run_claim(discover.Entry("relaxation", path), Level.QUICK, 0)
    assert result["outcome"] == Outcome.HOLDS.value, result["reason"]
    assert result["detects"]["rate"] < 0.01
    assert unsaid(result) == []
    assert "\\\\" not in result["statement"], "one backslash, as LaTeX has it"
    (tmp_path / "my_score.py").write_text(files["my_score.py"], encoding="utf-8")
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^mfgpde (check my_score.*)$", text, re.MULTILINE)
    words = [word.replace("my_score.py", str(tmp_path / "my_score.py")) for word in command.split()]
    found = CliRunner().invoke(app, [*words, "--cells", "32", "--out", str(tmp_path)])
    assert found.exit_code == 0, found.output
    assert "does not solve its own equation" in " ".join(found.output.split())


def test_the_guide_to_checking_scores_runs(capsys):
    code = blocks(ROOT / "docs" / "check_my_score.md")[-1]
    names = {}
    exec(compile(code, "check_my_score.md", "exec"), names)
    # the score of N(0, 0.3 I) under this process: what is left of ∂_tφ = … is the normalisation, constant in x
    assert names["residual"].std() < 1e-12
    assert names["apart"].distance.value < 0.02
    assert "±" in capsys.readouterr().out


@pytest.mark.slow
def test_the_guide_to_checking_scores_runs_from_the_command_line(tmp_path):
    code = blocks(ROOT / "docs" / "check_my_score.md")[-1]
    (tmp_path / "my_model.py").write_text(code.split("score =")[0], encoding="utf-8")
    text = (ROOT / "docs" / "check_my_score.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^mfgpde (check my_model.*ornstein.*)$", text, re.MULTILINE)
    words = [word.replace("my_model.py", str(tmp_path / "my_model.py")) for word in command.split()]
    result = CliRunner().invoke(app, [*words, "--cells", "64", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "certificate.json").read_text())
    assert max(at["score residual"] for at in found["residuals"]) < 1e-12


def test_the_guide_to_checking_scores_runs_in_pytorch(torch, capsys):
    names = {}
    for code in blocks(ROOT / "docs" / "check_my_score.md")[1:3]:
        exec(compile(code, "check_my_score.md", "exec"), names)
    assert np.abs(names["residual"]).max() < 1e-10
    assert float(capsys.readouterr().out) < 0.01  # second order: (1/6)²/8 of the curvature


def checked(command, folder, *more):
    """Return the certificate of a command of the guide, run in a folder."""
    text = (ROOT / "docs" / "check_my_score.md").read_text(encoding="utf-8")
    (words,) = re.findall(rf"^mfgpde ({command}.*)$", text, re.MULTILINE)
    result = CliRunner().invoke(app, [*words.split(), *more, "--out", str(folder)])
    assert result.exit_code == 0, result.output
    return json.loads((folder / "certificate.json").read_text())


def test_the_guide_to_checking_scores_runs_with_diffusers(torch, tmp_path, monkeypatch):
    pytest.importorskip("diffusers")
    torch.manual_seed(0)
    monkeypatch.chdir(tmp_path)
    exec(compile(blocks(ROOT / "docs" / "check_my_score.md")[0], "check_my_score.md", "exec"), {})
    np.save("samples.npy", np.random.default_rng(0).normal(size=(1000, 4)))
    found = checked("check my_pipeline", tmp_path, "--trajectories", "256")
    assert found["dimension"] == 4
    assert "predicts v" in found["about"]["read from files"]


@pytest.mark.parametrize(("file", "name", "law"), [("my_model", "Mine", "module"), ("my_flow", "Velocity", "velocity")])
def test_commands_of_the_guide_for_pytorch_find_an_exact_model(torch, tmp_path, monkeypatch, file, name, law):
    """Noise on the cosine schedule, a velocity of a straight flow with noise at 0, both of N(0, 0.3 I): W₂ is small."""
    monkeypatch.chdir(tmp_path)
    code = "\n".join(blocks(ROOT / "docs" / "check_my_score.md")[1:3])
    kept = re.findall(rf"^(class {name}.*?\n)(?=\S|\Z)", code, re.DOTALL | re.MULTILINE)
    Path(f"{file}.py").write_text(
        f"import numpy as np\nimport torch\n\n{kept[0]}\n{law} = {name}()\n", encoding="utf-8"
    )
    np.save("samples.npy", np.random.default_rng(0).normal(scale=0.3**0.5, size=(20_000, 2)))
    found = checked(f"check {file}.py:{law}", tmp_path, "--cells", "32", "--stop", "0.02")
    assert not [text for text in found["warnings"] if "looks like" in text or "scale" in text]
    w2 = found["distances"]["ode–data"]["W2"]
    assert w2["value"] - w2["error"] < 0.02
    assert w2["value"] < 0.1


def test_the_guide_to_games_runs(capsys):
    (code,) = blocks(ROOT / "docs" / "games.md")
    names = {}
    exec(compile(code, "games.md", "exec"), names)
    assert names["found"].converged
    assert names["found"].gap.value < 1e-6
    assert names["paths"].shape == (17, 20, 2)
    assert np.abs(names["paths"][-1].mean(axis=0) - names["goal"]).max() < 0.5
    assert "±" in capsys.readouterr().out


@pytest.mark.slow
def test_the_guide_to_kernel_models_runs(tmp_path, monkeypatch):
    (code,) = blocks(ROOT / "docs" / "kernel_models.md")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(code, "kernel_models.md", "exec"), names)
    assert names["samples"].shape == (5000, 2)
    assert (tmp_path / "moons.safetensors").is_file()


@pytest.mark.slow
@pytest.mark.skipif(find_spec("dolfinx_solver") is None, reason="elements need DOLFINx")
def test_the_guide_to_operator_informed_scores_runs():
    (code,) = blocks(ROOT / "docs" / "operator_informed.md")
    names = {}
    exec(compile(code, "operator_informed.md", "exec"), names)
    x = names["points"][:5]
    assert abs((names["on_sphere"](x, 0.4) * x).sum(axis=1)).max() < 1e-2  # tangential
    assert (names["bars"] > 0).all()
    assert names["network"](names["samples"][:3], 0.2).shape == (3, 2)


def test_the_guide_to_claims_gives_a_claim_that_holds(tmp_path):
    code, short = blocks(ROOT / "docs" / "add_a_claim.md")
    judged(short, tmp_path, "short")
    path = tmp_path / "variance.py"
    path.write_text(code, encoding="utf-8")
    result = trial.run_claim(discover.Entry("variance", path), Level.QUICK, 0)
    assert result["outcome"] == Outcome.HOLDS.value, result["reason"]
    assert result["detects"]["factor"] < 0.01
    assert unsaid(result) == []


def test_the_guide_to_extending_adds_a_member_that_keeps_the_laws(tmp_path):
    (code,) = blocks(ROOT / "docs" / "extend.md")
    text = (ROOT / "docs" / "extend.md").read_text(encoding="utf-8")
    (file, name) = re.search(r"^mfgpde laws (\S+):(\w+)$", text, re.MULTILINE).groups()
    (tmp_path / file).write_text(code, encoding="utf-8")
    found = CliRunner().invoke(app, ["laws", f"{tmp_path / file}:{name}"])
    assert found.exit_code == 0, found.output
    (tmp_path / file).write_text(code.replace("-np.expm1(", "-2 * np.expm1("), encoding="utf-8")  # a lost factor
    assert CliRunner().invoke(app, ["laws", f"{tmp_path / file}:{name}"]).exit_code == 1


@pytest.mark.parametrize("path", GUIDES, ids=lambda p: str(p.relative_to(ROOT)))
def test_names_in_the_guides_exist(path):
    missing = []
    for name in set(re.findall(r"`(mfg(?:\.\w+)+)", path.read_text(encoding="utf-8"))):
        found = mfgpde
        for part in name.split(".")[1:]:
            fields = getattr(found, "__dataclass_fields__", {})  # those without a default are no attributes
            found = getattr(found, part, None) or fields.get(part)
        missing += [name] if found is None else []
    assert not missing


STORED = {claim["id"]: claim["outcome"] for claim in record.read(ROOT / "validation" / "baseline.json")["claims"]}
"""the claims of the committed run: a new one is its own file alone, until a run with it is stored"""


def test_the_verdict_table_names_every_claim_of_the_committed_run():
    ids = {entry.id for entry in discover.select([], discover.suite_root(PACKAGE))}
    assert set(STORED) <= set(re.findall(r"^\| `([^`]+)` \|", README, re.MULTILINE)) <= ids
    assert set(STORED.values()) == {"holds"}


def test_the_theory_notes_derive_every_statement():
    theory = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
    papers = {name for name in STORED if "solvers/" not in name}
    assert papers <= set(re.findall(r"`([a-z]+\d*/[a-z0-9-]+)`", theory))


@pytest.mark.parametrize("path", GUIDES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8")):
        assert target.startswith("https://arxiv.org/") or (path.parent / target).exists(), target


@pytest.mark.parametrize("level", ["quick", "standard"])
def test_the_runs_on_record_are_of_all_claims_and_hold(level):
    """Two levels are recorded; the suite's ids are those of its files."""
    name = "baseline.json" if level == "quick" else f"baseline-{level}.json"
    run = record.read(ROOT / "validation" / name)
    assert run["level"] == level
    assert {claim["id"] for claim in run["claims"]} == {entry.id for entry in discover.entries_in(ROOT / "validation")}
    assert {claim["outcome"] for claim in run["claims"]} == {"holds"}


def test_no_bar_on_record_that_claims_the_limit_misses_it():
    """Numbers meant on a grid say so; of any other the bar holds the truth, whatever the claim."""
    run = record.read(ROOT / "validation" / "baseline.json")
    suspect = {
        claim["id"]: {one["label"] for one in claim["findings"] if one["suspect_bar"]} for claim in run["claims"]
    }
    assert {name: labels for name, labels in suspect.items() if labels} == {}


def test_every_wide_resolution_on_record_says_why():
    """δ is at most five times what was reached, or its finding says in a line why it is meant to be wider."""
    run = record.read(ROOT / "validation" / "baseline.json")
    missing = {claim["id"]: unsaid(claim) for claim in run["claims"]}
    assert {name: labels for name, labels in missing.items() if labels} == {}


def test_every_wide_resolution_at_level_standard_says_why():
    """The same of the other level on record, whose grids are finer, draws more."""
    run = record.read(ROOT / "validation" / "baseline-standard.json")
    missing = {claim["id"]: unsaid(claim) for claim in run["claims"]}
    assert {name: labels for name, labels in missing.items() if labels} == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["solvers/wasserstein-1d", "zhang2023/lq-game", "zhang2023/other-lagrangians"])
def test_resolutions_follow_the_level(name):
    """δ that was near at level quick is near at level standard, where these three take a second or two."""
    (entry,) = (one for one in discover.entries_in(ROOT / "validation") if one.id == name)
    findings = discover.load(entry).run_measure(Level.STANDARD, 0).findings
    assert {one.outcome for one in findings} == {Outcome.HOLDS}
    assert [one.label for one in findings if one.far and not one.because] == []


@pytest.mark.parametrize(
    ("change", "labels"),
    [
        ({}, ["x"]),
        ({"because": ""}, ["x"]),
        ({"because": "the gauge shows three digits"}, []),
        ({"resolution": 4e-5}, []),
        ({"excess": -1.0}, []),
        ({"excess": None}, []),
    ],
)
def test_a_wide_resolution_without_a_reason_is_found(change, labels):
    """δ = 1e-3 where 1e-5 was reached, as an older record has it, and what makes it none."""
    finding = {"label": "x", "resolution": 1e-3, "excess": 5e-6, "bar": 5e-6} | change
    near = {"label": "y", "resolution": 1e-3, "excess": 5e-4, "bar": 1e-4}
    assert unsaid({"findings": [finding, near]}) == labels
