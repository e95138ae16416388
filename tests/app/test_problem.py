"""Problem files: the examples run, on one rank and on two; what is wrong gets a sentence that names it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import mfgpde as mfg
from mfgpde.app import game_problem, outputs, problem
from mfgpde.app.cli import app

EXAMPLES = Path(mfg.__file__).parents[1] / "docs" / "examples"
GAMES = sorted((EXAMPLES / "games").glob("*.toml"))
QUICK = {"linear_quadratic", "proximal_operator"}
"""games of a second or two; the others are slow"""
GOOD = """
times = [0.0, 0.2]
rtol = 1e-5
[process]
name = "ornstein-uhlenbeck"
[data]
name = "gaussian"
mean = 0.0
covariance = 0.5
dimension = 1
[discretisation]
name = "finite-volume"
lower = [-6]
upper = [6]
cells = [64]
"""


def invoke(*words):
    return CliRunner().invoke(app, ["solve", *map(str, words)])


@pytest.mark.parametrize(
    "path",
    [one if one.stem in QUICK else pytest.param(one, marks=pytest.mark.slow) for one in GAMES],
    ids=lambda p: p.stem,
)
def test_games_of_the_catalogue_run(path, tmp_path):
    shutil.copy(path, tmp_path)
    result = invoke(tmp_path / path.name, "--picture", tmp_path / "game.png")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "game.png").stat().st_size > 10_000
    assert "primal − dual" in result.output
    found = mfg.equilibria.load_equilibrium(tmp_path / f"{path.stem}.nc")
    assert found.attrs["converged"]
    assert 0 <= found.attrs["primal"] - found.attrs["dual"] < 5e-3
    volume = np.prod([float(found[axis][1] - found[axis][0]) for axis in found.density.dims[1:]])
    np.testing.assert_allclose(found.density.sum(found.density.dims[1:]) * volume, 1.0, rtol=1e-10)
    if path.stem == "linear_quadratic":
        x = found.x.values
        error = np.abs(found.value.values[0] - x**2 / 1.5 - 0.5 * np.log(3))[np.abs(x) < 3]
        assert error.max() < 1e-6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('"linear-quadratic"', '"linear-quadratics"'), "did you mean 'linear-quadratic'"),
        (("weight = 4.0", "wait = 4.0"), "does not take 'wait'; did you mean 'weight'? It takes"),
        (('"gaussian"', '"gausian"'), "did you mean 'gaussian'"),
        (("steps = 25", "stops = 25"), "did you mean 'steps'"),
        (("[grid]", "[grille]"), "unknown section"),
        (("steps = 25", "steps = 2500"), "take at most"),
        (("horizon = 0.5", "horizon = -1"), "horizon must be a positive"),
        (("upper = [6]", "upper = [0]"), "widen the box"),
    ],
)
def test_bad_game_files_get_a_sentence(change, message, tmp_path):
    path = tmp_path / "game.toml"
    path.write_text((EXAMPLES / "games" / "linear_quadratic.toml").read_text().replace(*change))
    result = invoke(path)
    assert result.exit_code == 1
    assert message in " ".join(result.output.split()), result.output


@pytest.mark.parametrize("text", [GOOD, None], ids=["equation", "game"])
def test_where_results_go_is_looked_at_before_the_work(text, tmp_path, monkeypatch):
    """Suffixes, folders and files in the way; nothing is solved."""
    path = tmp_path / "given" / "problem.toml"
    path.parent.mkdir()
    path.write_text(text or (EXAMPLES / "games" / "linear_quadratic.toml").read_text())

    def never(*_, **__):
        raise AssertionError("the work was begun")

    monkeypatch.setattr(problem.Problem, "solve", never)
    monkeypatch.setattr(game_problem.GameProblem, "solve", never)
    (tmp_path / "file").write_text("in the way")
    for out, words in (
        ("a.foo", "must end in"),
        ("c.csv", "must end in"),
        ("file/a.nc", "is a file, so there is no place"),
    ):
        result = invoke(path, "--out", tmp_path / out)
        assert result.exit_code == 1
        assert words in result.output, result.output
    (tmp_path / "folder.nc").mkdir()
    assert "is a folder" in invoke(path, "--out", tmp_path / "folder.nc").output


def test_a_links_target_outside_is_outside(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link.nc").symlink_to(tmp_path / "victim.nc")
    with pytest.raises(ValueError, match="leads out of"):
        outputs.stated(tmp_path / "in" / "p.toml", {"output": "link.nc"})
    assert outputs.stated(tmp_path / "in" / "p.toml", {"output": "sub/x.nc"}) == tmp_path / "in" / "sub" / "x.nc"


def test_a_game_is_solved_from_a_folder_that_is_left_alone(tmp_path):
    """All that is written, the checkpoint too, lies beside --out; what has not converged is kept, with exit code 2."""
    (tmp_path / "given").mkdir()
    path = tmp_path / "given" / "game.toml"
    text = (EXAMPLES / "games" / "linear_quadratic.toml").read_text()
    path.write_text('method = "primal-dual"\niterations = 3\n' + text)
    result = invoke(path, "--out", tmp_path / "out" / "game.nc")
    assert result.exit_code == 2, result.output
    assert (tmp_path / "out" / "game.nc").is_file()
    assert [file.name for file in path.parent.iterdir()] == ["game.toml"]


@pytest.mark.parametrize(
    "path",
    [  # on elements as `mfgpde solve` does it on volumes
        pytest.param(one, marks=[pytest.mark.slow] * (one.stem == "log_density_elements"))
        for one in sorted(EXAMPLES.glob("*.toml"))
    ],
    ids=lambda p: p.stem,
)
def test_examples_run_and_are_right(path, tmp_path):
    result = invoke(path, "--out", tmp_path / "solution.nc")
    assert result.exit_code == 0, result.output
    stored, posed = mfg.load(tmp_path / "solution.nc"), problem.read(path)
    law = mfg.marginal(posed.process, posed.data, posed.times[-1])
    points = posed.discretisation.grid.points
    density = law.density(points)
    exact = law.log_density(points) if isinstance(posed.equation, mfg.LogDensity) else density
    weight = density if isinstance(posed.equation, mfg.LogDensity) else np.ones_like(density)
    field = mfg.Field(posed.discretisation, stored[-1].values)
    scale = mfg.diagnostics.weighted_error(mfg.Field(posed.discretisation, 0 * exact), exact, weight)
    assert mfg.diagnostics.weighted_error(field, exact, weight) < 1e-2 * scale


@pytest.mark.slow
def test_two_ranks_write_one_solution_and_a_failure_ends_both(tmp_path):
    launcher = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
    command = [launcher, "-n", "2", sys.executable, "-m", "mfgpde.app.cli", "solve"]
    given, out = tmp_path / "coarse.toml", tmp_path / "two.nc"
    given.write_text((EXAMPLES / "log_density_elements.toml").read_text().replace("cells = 24", "cells = 9"))
    done = subprocess.run(
        [*command, str(given), "--out", str(out)],
        capture_output=True, text=True, timeout=200, check=True,
    )  # fmt: skip
    assert done.stdout.count("LogDensity") == 1, "only the first rank prints"
    one = tmp_path / "one.nc"
    assert invoke(given, "--out", one).exit_code == 0
    integrals = [float((a[-1] * a.coords["weight"]).sum()) for a in map(mfg.load, (one, out))]
    assert integrals[0] == pytest.approx(integrals[1], rel=1e-9)
    failed = subprocess.run(
        [*command, str(EXAMPLES / "four_blobs.toml")], capture_output=True, text=True, timeout=100, check=False
    )
    assert failed.returncode != 0
    assert "runs on one process" in failed.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("times", "tims"), "did you mean 'times'?"),
        (("ornstein-uhlenbeck", "ornstein-ulenbeck"), "did you mean 'ornstein-uhlenbeck'?"),
        (("finite-volume", "finite-volumes"), "did you mean 'finite-volume'?"),
        (
            ("cells = [64]", "cells = [64]\ncell = 3"),
            "does not take 'cell'; did you mean 'cells'? It takes lower, upper",
        ),
        (("[data]", '[equation]\nname = "fokker-planck"\n[data]'), "the equation is named by a text"),
        (("mean = 0.0", "median = 0.0"), "does not take 'median'"),
        (
            ('"ornstein-uhlenbeck"', '"ornstein-uhlenbeck"\nhorizn = 2.0'),
            "take 'horizn'; did you mean 'horizon'? It takes",
        ),
        (("cells = [64]", "cell = [64]"), "does not take 'cell'; did you mean 'cells'?"),
        (("mean = 0.0\n", ""), "missing a required argument: 'mean'; it takes mean,"),
        (("[0.0, 0.2]", "[0.2, 0.1]"), "strictly increasing"),
        (("[0.0, 0.2]", "[]"), "two or more strictly increasing numbers"),
        (("[0.0, 0.2]", "0.2"), "two or more strictly increasing numbers"),
        (("[0.0, 0.2]", '["a", 1.0]'), "two or more strictly increasing numbers"),
        (("[0.0, 0.2]", "[0.0, inf]"), "two or more strictly increasing numbers"),
        (("rtol = 1e-5", "rtol = -1"), "rtol must be a positive number, got -1"),
        (("rtol = 1e-5", 'rtol = "fine"'), "rtol must be a positive number, got 'fine'"),
        (("rtol = 1e-5", "output = 5"), "output must be the name of a file"),
        (("rtol = 1e-5", 'output = "../victim.txt"'), "leads out of"),
        (("rtol = 1e-5", 'output = "/tmp/victim.nc"'), "leads out of"),
        (("rtol = 1e-5", 'output = "."'), "must end in .nc"),
        (("rtol = 1e-5", 'output = "a.foo"'), "must end in .nc"),
        (("lower = [-6]", "lower = [-1]"), "would do"),
        (("[process]", "[process"), "is no TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, change, message):
    path = tmp_path / "problem.toml"
    path.write_text(GOOD.replace(*change))
    result = invoke(path)
    assert result.exit_code == 1
    assert message in result.output
    assert "Traceback" not in result.output
    assert not list(tmp_path.glob("*.nc"))


def test_a_good_file_writes_beside_itself_and_a_missing_one_is_named(tmp_path):
    path = tmp_path / "problem.toml"
    path.write_text(GOOD)
    assert invoke(path).exit_code == 0
    assert (tmp_path / "problem.nc").is_file()
    assert "cannot read" in invoke(tmp_path / "nothing.toml").output


@pytest.mark.parametrize(
    ("walls", "ends"),
    [("far", "[-6]"), ("reflecting", "[-2]"), ("reflecting", "[-6]"), ("absorbing", "[-2]"), ("periodic", "[-2]")],
)
def test_mass_and_leak_are_one_at_every_stored_time(walls, ends, tmp_path):
    """∫p(t) + leak(t) = 1 for what the file says, whatever the walls; closed ones lose nothing of what they hold."""
    text = (
        GOOD.replace("[-6]", ends).replace("[6]", ends.replace("-", "")).replace("[0.0, 0.2]", "[0.0, 0.05, 0.1, 0.2]")
    )
    text = text.replace("covariance = 0.5", "covariance = 0.15").replace("ornstein-uhlenbeck", "brownian")
    text += "periodic = [true]\n" if walls == "periodic" else f'walls = "{walls}"\n'
    path = tmp_path / "problem.toml"
    path.write_text(text)
    posed = problem.read(path)
    run = posed.solve()
    assert invoke(path).exit_code == 0
    stored = mfg.load(tmp_path / "problem.nc")
    masses = [float(posed.discretisation.grid.integrate(values)) for values in stored.values]
    np.testing.assert_allclose(masses, run.conserved["mass"], rtol=1e-12)
    np.testing.assert_allclose(np.array(masses) + run.conserved["leak"], 1.0, atol=1e-12)
    if walls == "absorbing":
        assert masses[-1] < 0.999
    else:
        np.testing.assert_allclose(masses, masses[0], atol=1e-9)


def test_what_was_computed_before_a_failure_is_kept(tmp_path):
    path = tmp_path / "problem.toml"
    path.write_text(GOOD.replace("0.2]", "0.05, 8.0]").replace("ornstein-uhlenbeck", "brownian"))
    text = path.read_text().replace('name = "brownian"', 'name = "brownian"\nhorizon = 10.0')
    path.write_text(text)
    result = invoke(path)
    assert result.exit_code == 1
    assert "What was computed is in" in result.output
    assert mfg.load(tmp_path / "problem.nc").sizes["time"] >= 2


def test_a_changed_game_does_not_go_on_from_the_old_ones_checkpoint(tmp_path):
    text = (EXAMPLES / "games" / "benamou_brenier.toml").read_text().replace("tolerance = 2e-3", "tolerance = 1e-9")
    path, out = tmp_path / "game.toml", tmp_path / "elsewhere" / "game.nc"
    path.write_text("iterations = 25\n" + text)
    assert invoke(path, "--out", out).exit_code == 2
    assert out.with_suffix(".checkpoint.npz").is_file()  # beside what is written, not beside the problem
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["game.toml"]
    path.write_text(path.read_text().replace("covariance = 0.25", "covariance = 0.3"))
    result = invoke(path, "--out", out)
    assert result.exit_code == 1
    assert "belongs to another problem, by its game.initial" in " ".join(result.output.split())


def test_a_bound_is_said_where_it_was_asked_for(tmp_path):
    """What is printed is above the true distance, of a Gaussian in closed form; else it is said why there is none."""
    path = tmp_path / "p.toml"
    path.write_text(GOOD.replace("covariance = 0.5", "covariance = 0.8"))
    result = invoke(path, "--bound")
    assert result.exit_code == 0, result.output
    said = float(re.search(r"Off by at most (\S+) in L1", result.output)[1])
    grid = mfg.CartesianGrid.cube(6.0, 64, 1)
    kept, t = mfg.load(tmp_path / "p.nc").values[-1], 0.2
    law = mfg.gaussian(0.0, 0.8 * np.exp(-2 * t) + 0.5 * (1 - np.exp(-2 * t)))
    true = float(np.abs(kept - mfg.densities.cell_means(law, grid)).sum() * grid.volume)
    assert true < said < 40 * true  # of 64 cells, of order two
    path.write_text(GOOD + 'walls = "absorbing"\n')
    assert "No bound on the error: errors are bounded where walls are far" in invoke(path, "--bound").output
    game = sorted((EXAMPLES / "games").glob("*.toml"))[0]
    assert "leave --bound away" in invoke(game, "--bound", "--out", tmp_path / "g.nc").output
