"""The commands around `validate`: figures, benchmarks, citation, and what they say to bad input."""

import json
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner

import mfgpde
from mfgpde.app.cli import app
from mfgpde.core.lock import locked
from mfgpde.report import plotting
from mfgpde.verify import discover, isolated, record

ROOT = Path(mfgpde.__file__).parents[1]
BASELINE = ROOT / "validation" / "baseline.json"


def invoke(*words):
    return CliRunner().invoke(app, [*map(str, words)])


PROBLEM = """
times = [0.0, 0.01]
start = "exp(-x**2)"
[process]
name = "ornstein-uhlenbeck"
[discretisation]
name = "finite-volume"
lower = [-6]
upper = [6]
cells = [16]
"""


@pytest.mark.slow
def test_figures_come_as_pdf_png_and_data_with_their_origin(tmp_path, monkeypatch):
    """A few of them; `make figures` draws all, and compares all with the stored digests."""
    monkeypatch.setitem(plotting.STYLE, "savefig.dpi", 40)  # nobody looks at them
    names = ("verdicts", "noised_mixture", "solver_convergence", "game_rates")
    few = [name.replace("_", "-") for name in names]
    stored = ROOT / "figures" / "baseline.json"
    result = invoke("figures", *few, "--run", BASELINE, "--out", tmp_path, "--against", stored)
    assert result.exit_code == 0, result.output
    assert json.loads(stored.read_text()).keys() == {
        path.stem.replace("_", "-") for path in (ROOT / "figures").glob("[!_]*.py")
    } - {"verdicts", "main-findings", "each-paper", "wider-field", "samplers"}
    commit = record.read(BASELINE)["provenance"]["commit"]
    for name in names:
        pdf, png = (tmp_path / f"{name}{suffix}" for suffix in (".pdf", ".png"))
        assert pdf.read_bytes().startswith(b"%PDF")
        assert commit.encode() in png.read_bytes()
        assert commit in (tmp_path / f"{name}.txt").read_text()
        assert (tmp_path / f"{name}.csv").is_file() or (tmp_path / f"{name}.nc").is_file()
    rows = (tmp_path / "verdicts.csv").read_text().splitlines()
    findings = sum(len(c["findings"]) + len(c["controls"]) for c in record.read(BASELINE)["claims"])
    assert len(rows) == findings + 2
    digests = json.loads(stored.read_text())
    digests["game-rates"] = {name: [n, 2 * mean, rms] for name, (n, mean, rms) in digests["game-rates"].items()}
    (tmp_path / "other.json").write_text(json.dumps(digests))
    result = invoke("figures", "game-rates", "--run", BASELINE, "--out", tmp_path, "--against", tmp_path / "other.json")
    assert result.exit_code == 3, result.output
    assert "game-rates: " in result.output
    assert "moved, mean" in result.output


@pytest.mark.slow
def test_figures_are_drawn_again_only_if_what_they_are_made_of_changed(tmp_path, monkeypatch):
    """Whether they are saved is what counts here: nothing is painted."""
    monkeypatch.setattr(Figure, "savefig", lambda figure, buffer, **options: buffer.write(b"painted"))
    run, out = tmp_path / "run.json", tmp_path / "out"
    recorded = record.read(BASELINE)
    drawn = ("zhang2023/one-equilibrium", "zhang2023/gradient-flow-limit", "zhang2023/schroedinger-bridge")
    recorded["claims"] = [claim for k, claim in enumerate(recorded["claims"]) if k == 0 or claim["id"] in drawn]
    assert recorded["claims"][0]["id"] not in drawn
    record.write(run, record.sealed(recorded))

    def kept(*words):
        result = invoke("figures", "game-rates", "--run", run, "--out", out, *words)
        assert result.exit_code == 0, result.output
        return "(kept:" in result.output

    png = out / "game_rates.png"
    assert not kept()
    before = png.stat().st_mtime_ns
    for claim in recorded["claims"]:
        claim["seconds"] += 1.0  # how long it took is not drawn
    record.write(run, record.sealed(recorded))
    assert kept()
    assert png.stat().st_mtime_ns == before
    assert not kept("--again")
    png.unlink()
    assert not kept()
    recorded["claims"][0]["findings"][0]["excess"] += 1.0
    record.write(run, record.sealed(recorded))
    assert not kept()
    assert kept()
    (out / "drawn.json").write_text("no")
    assert not kept()
    with locked(out, "the figures in"):
        result = invoke("figures", "game-rates", "--run", run, "--out", out)
    assert result.exit_code != 0
    assert "another run is at work on the figures in" in " ".join(result.output.split())


def test_what_a_figure_or_claim_leans_on_counts_as_its_source(tmp_path):
    claim = tmp_path / "paper" / "claim.py"
    for path in (claim, claim.with_name("_shared.py"), tmp_path / "networks" / "one.safetensors"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("1")
    (tmp_path / "paper" / "another.py").write_text("1")
    found = discover.companions([claim])
    assert [path.name for path in found] == ["one.safetensors", "_shared.py"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("figures", "verdict", "--run", BASELINE), "did you mean 'verdicts'?"),
        (("figures", "--run", "nowhere/run.json"), "make one with `mfgpde validate`"),
        (("bench", "stencil"), "did you mean 'stencil-bandwidth'?"),
        (("validate", "lai2023/score-fp"), "did you mean 'lai2023/score-fpe'?"),
    ],
)
def test_bad_names_get_a_sentence(words, message):
    result = invoke(*words)
    assert result.exit_code == 1
    assert message in result.output
    assert "Traceback" not in result.output


FOLDERS = [
    ("validate", "solvers/order-of-accuracy"),
    ("check", "net.py:score"),
    ("sampler", "ddim"),
    ("figures", "verdicts", "--run", BASELINE),
    ("calibrate", "means"),
    ("bench", "stencil-bandwidth"),
]
FILES = [
    ("solve", "p.toml", "--out", "{}.nc"),
    ("solve", "p.toml", "--picture", "{}.png"),
    ("compare", "c.json", "--out", "{}.html"),
    ("verdict", "order-of-accuracy", "--run", BASELINE, "--badge", "{}.svg"),
    ("figures", "verdicts", "--run", BASELINE, "--store", "{}.json"),
]


@pytest.mark.parametrize("words", FOLDERS, ids=lambda words: words[0])
def test_a_file_where_a_folder_is_meant_is_named(words, tmp_path):
    (tmp_path / "afile").touch()
    result = invoke(*words, "--out", tmp_path / "afile")
    assert result.exit_code == 1
    assert f"{tmp_path / 'afile'} is a file; --out names a folder" in result.output
    result = invoke(*words, "--out", tmp_path / "afile" / "below")
    assert f"{tmp_path / 'afile'} is a file, so there is no folder {tmp_path / 'afile/below'}" in result.output


@pytest.mark.parametrize("words", FILES, ids=lambda words: f"{words[0]} {words[-2]}")
def test_a_folder_where_a_file_is_meant_is_named(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("p.toml").write_text(PROBLEM)
    place = words[-1].format("afolder")
    Path(place).mkdir()
    more = ("--out", "drawn") if words[0] == "figures" else ()
    result = invoke(*words[:-1], place, *more)
    assert result.exit_code == 1
    assert f"{place} is a folder; name a file in it" in result.output
    assert not list(tmp_path.glob("p.*nc"))


def test_unfinished_runs_and_missing_claims_are_named(tmp_path):
    run = record.read(BASELINE)
    path = tmp_path / "run.json"
    record.write(path, record.sealed({**run, "state": "running"}))
    assert "was interrupted" in invoke("figures", "--run", path, "--out", tmp_path).output
    kept = [claim for claim in run["claims"] if claim["id"] != "solvers/order-of-accuracy"]
    record.write(path, record.sealed({**run, "claims": kept}))
    assert "holds no claim" in invoke("figures", "solver-convergence", "--run", path, "--out", tmp_path).output


def test_lists_name_everything(monkeypatch):
    assert all(name in invoke("figures", "--list").output for name in ("verdicts", "noised-mixture"))
    assert "stencil-bandwidth" in invoke("bench", "--list").output
    entries = discover.select([], discover.suite_root(Path(mfgpde.__file__).parent))
    described = isolated.described  # a few say what they are; to load all takes ten seconds
    asked = {entry.id for entry in entries[::20]}
    monkeypatch.setattr(isolated, "described", lambda task: described(task) if task.entry.id in asked else None)
    listed = invoke("validate", "--list").output
    assert all(entry.id in listed for entry in entries)


@pytest.mark.slow
def test_a_benchmark_reports_errors_times_and_where_it_ran(tmp_path, monkeypatch):
    """Small enough for a test; it asserts that the numbers are there and the errors right, never a time."""
    script = discover.load_module(ROOT / "benchmarks" / "ornstein_uhlenbeck_2d.py")
    monkeypatch.setattr(script, "SIZES", (32,))
    monkeypatch.setattr(discover, "load_module", lambda path: script)
    result = invoke("bench", "ornstein-uhlenbeck-2d", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    stored = json.loads((tmp_path / "ornstein-uhlenbeck-2d.json").read_text())
    errors = {row[0]: row[2] for row in stored["rows"]}
    assert errors["spectral, Mehler"] < errors["finite volume, order 4"] < errors["finite volume, order 2"] < 0.1
    assert errors.get("fplanck", 0.0) < 0.1  # a peer is run where it is installed
    assert stored["provenance"]["machine"]
    page = (tmp_path / "ornstein-uhlenbeck-2d.md").read_text()
    assert page.startswith("# Ornstein")
    assert page.count("\n| ") == 2 + len(stored["rows"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:densities are negative:UserWarning")  # centred differences on few points say so
def test_a_benchmark_with_panels_is_drawn(tmp_path, monkeypatch):
    script = discover.load_module(ROOT / "benchmarks" / "work_precision.py")
    few = [("A game", [(label, (51, 101), prepare) for label, _, prepare in script._game()])]
    monkeypatch.setattr(script, "_problems", lambda peers: few)
    monkeypatch.setattr(discover, "load_module", lambda path: script)
    result = invoke("bench", "work-precision", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    stored = json.loads((tmp_path / "work-precision.json").read_text())
    for coarse, fine in zip(stored["rows"][::2], stored["rows"][1::2], strict=True):
        assert fine[3] < coarse[3], "errors fall with the grid"
    assert [len(curve["x"]) for curve in stored["panels"][0]["curves"]] == [2, 2]
    assert (tmp_path / "work-precision.png").stat().st_size > 5000
    assert (tmp_path / "work-precision.pdf").read_bytes()[:4] == b"%PDF"


def test_citation_names_all_papers():
    output = invoke("cite").output
    assert all(number in output for number in ("2402.06162", "2210.04296", "2304.13534", "2311.15996", "2406.09084"))
