"""`mfgpde check`: a good score gets a good certificate, bad input a sentence, a runaway score a warning."""

import json
import re
from html import unescape

import numpy as np
import pytest
from typer.testing import CliRunner

import mfgpde as mfg
from mfgpde.app import check
from mfgpde.app.asked import Asked
from mfgpde.app.cli import app
from mfgpde.core.kept import Kept

SCORES = """
import mfgpde as mfg, numpy as np
process = mfg.OrnsteinUhlenbeck(horizon=9.0)
_exact = mfg.ExactScore(process, mfg.densities.bimodal(1))
def exact(x, t): return _exact(x, t)
def off(x, t): return 0.5 * _exact(x, t)
_eight = mfg.ExactScore(process, mfg.densities.bimodal(8))
def eight(x, t): return _eight(x, t)
def turned(x, t):
    s = _eight(x, t)
    s[..., 0] += 0.3 * x[..., 1]
    s[..., 1] -= 0.3 * x[..., 0]
    return s
def noise(x, t): return -np.sqrt(process.transition(0.0, t).covariance) * _exact(x, t)
def shrunk(x, t): return 0.9 * _eight(x, t)
whole = _exact
class Fixed:
    def __call__(self, x, t): return x @ np.eye(1)
    divergence = jacobian = time_derivative = divergence_gradient = directional_derivatives = with_form = __call__
fixed = Fixed()
net = mfg.load_score("validation/networks/plain_0.safetensors")
"""


def invoke(*words):
    return CliRunner().invoke(app, ["check", *map(str, words)])


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "scores.py"
    path.write_text(SCORES)
    return path


COMMON = (
    "--process",
    "ornstein-uhlenbeck",
    "--option",
    "horizon=9",
    "--stop",
    "0.05",
    "--data",
    "bimodal",
    "--cells",
    "128",
)


def test_the_certificate_of_a_good_score(source, tmp_path, flaws):
    result = invoke(f"{source}:exact", *COMMON, "--out", tmp_path / "good")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "good" / "certificate.json").read_text())
    assert found["distances"]["ode–sde"]["L1"]["value"] < 0.02
    assert found["distances"]["sde–data"]["W2"]["value"] < 0.01
    assert found["bound"]["along trajectories"] > found["distances"]["ode–sde"]["W2"]["value"] - 1e-3
    assert found["residuals"][-1]["score residual"] < 0.05 * found["residuals"][-1]["score"]
    assert found["warnings"] == []
    assert 0 < found["cost"]["seconds in the score"] < found["cost"]["seconds"]
    assert flaws(found) == []
    page = (tmp_path / "good" / "certificate.html").read_text()
    assert page.count('<svg role="img" aria-label="over time"') == 3
    assert found["judgement"][0].startswith("scores.py:exact is a score in 1 dimension under OrnsteinUhlenbeck")
    assert found["judgement"][0] in page
    assert "The score solves its own equation" in " ".join(result.output.split())
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "certificate.html" in result.output


MEASURE = """
<script>
const wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
const drawn = [...document.querySelectorAll(".panels > svg")].every(p => p.getBoundingClientRect().width > 200);
const sizes = [...document.querySelectorAll(".scale text, .panels svg text")].map(t => t.getBoundingClientRect().height);
const press = key => document.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true}));
const ink = () => getComputedStyle(document.body).backgroundColor, colours = [ink()];
press("t"); colours.push(ink());
press("j"); const first = document.activeElement.id;
press("j"); const second = document.activeElement.id;
const links = [...document.querySelectorAll("nav a")].every(a => document.getElementById(a.hash.slice(1)));
const rows = [...document.querySelectorAll(".scale title")].map(t => t.textContent);
const formulas = [...document.querySelectorAll("math")].filter(m => m.getBoundingClientRect().height > 10).length;
const told = document.querySelectorAll("#history tr").length, cells = document.querySelectorAll("td").length;
const smallest = Math.min(...sizes), seen = {wide, drawn, smallest, colours, first, second};
Object.assign(seen, {links, rows, formulas, told, cells});
document.body.dataset.seen = JSON.stringify(seen);
</script></body>"""


@pytest.mark.slow
def test_the_certificate_in_a_browser(source, tmp_path, browse):
    small = ["32" if word == "128" else word for word in COMMON]
    for score, code in (("off", 2), ("exact", 0)):
        result = invoke(f"{source}:{score}", *small, "--out", tmp_path / "small")
        assert result.exit_code == code, result.output
    written = (tmp_path / "small" / "certificate.html").read_text()
    page, said = browse(written.replace("</body>", MEASURE), "--window-size=1200,900")
    assert said == []
    assert written.count("</body>") == 1
    seen = json.loads(unescape(re.search(r'data-seen="([^"]*)"', page)[1]))
    assert seen["wide"] is False
    assert seen["drawn"] is True
    assert seen["cells"] > 50
    assert seen["colours"][0] != seen["colours"][1]
    assert (seen["first"], seen["second"]) == ("glance", "laws")
    assert seen["links"] is True
    labels = [row.split(":")[0] for row in seen["rows"]]
    assert labels[:3] == ["SDE – data", "ODE – data", "ODE – SDE"], "as shares of the spread first"
    assert labels[6:8] == ["W₂ ode–sde", "bound of W₂ ode–sde"]
    phone, _ = browse(written.replace("</body>", MEASURE), "--window-size=500,900")
    narrow = json.loads(unescape(re.search(r'data-seen="([^"]*)"', phone)[1]))
    assert narrow["wide"] is False
    assert narrow["drawn"] is True
    assert narrow["smallest"] > 9, "pixels: text of pictures can be read on a phone"
    assert seen["formulas"] == 2
    assert seen["told"] == 3, "a heading and two certificates"
    assert "over 2 certificates" in written


def test_a_prediction_of_the_noise_handed_over_as_a_score_ends_with_a_failure(source, tmp_path):
    """K5: its mass leaves the box; no sentence says that a bound stands, the likely cause is named, and nothing exits 0."""
    small = ["64" if word == "128" else word for word in COMMON]
    result = invoke(f"{source}:noise", *small, "--out", tmp_path / "noise")
    assert result.exit_code == 2, result.output
    said = " ".join(result.output.split())
    assert "prediction of the noise" in said
    found = json.loads((tmp_path / "noise" / "certificate.json").read_text())
    assert found["failures"]
    assert found["leak"]["sde"] > 0.5


@pytest.mark.slow
def test_half_a_score_is_found_out(source, tmp_path):
    result = invoke(f"{source}:off", *COMMON, "--out", tmp_path / "off")
    assert result.exit_code == 2, "its ODE leaves the box, so that the certificate fails"
    assert "0.5 times the score" in " ".join(result.output.split())
    found = json.loads((tmp_path / "off" / "certificate.json").read_text())
    assert found["distances"]["sde–data"]["L1"]["value"] > 0.2
    assert found["residuals"][-1]["score residual"] > 0.1 * found["residuals"][-1]["score"]
    assert found["leak"]["sde"] > 0.01
    assert "out of the box" in result.output.replace("\n", " ")


def certificate_in_eight_dimensions(source, name, out):
    words = ("--process", "ornstein-uhlenbeck", "--option", "horizon=9", "--stop", "0.05", "--data", "bimodal")
    result = invoke(f"{source}:{name}", *words, "--dimension", "8", "--trajectories", "1024", "--out", out)
    assert result.exit_code == 0, result.output
    assert "1024 trajectories" in (out / "certificate.html").read_text()
    return json.loads((out / "certificate.json").read_text())


@pytest.mark.slow
def test_above_three_dimensions_trajectories_stand_for_grids(source, tmp_path):
    found = {
        name: certificate_in_eight_dimensions(source, name, tmp_path / name) for name in ("eight", "turned", "shrunk")
    }

    def last(name, what):
        row = found[name]["residuals"][-1][what]
        return row["value"], row["error"]

    kl = {name: one["likelihood"]["data"]["KL(p‖q^ODE)"] for name, one in found.items()}
    assert abs(kl["eight"]["value"]) <= kl["eight"]["error"]
    assert kl["shrunk"]["value"] > 5 * kl["shrunk"]["error"]
    assert last("turned", "rotation")[0] == pytest.approx(2 * 0.3**2, rel=1e-6)
    assert last("eight", "rotation")[0] < 1e-9
    assert last("eight", "score residual")[0] < 1e-3 * last("eight", "score")[0]
    assert last("shrunk", "score residual")[0] > 10 * last("eight", "score residual")[0]
    gap = {name: one["moments"]["sde–ode"]["W2², at least"] for name, one in found.items()}
    assert abs(gap["eight"]["value"]) <= gap["eight"]["error"]
    assert gap["shrunk"]["value"] > gap["shrunk"]["error"]


@pytest.mark.slow
def test_a_potential_is_a_fourth_law_and_elements_agree_with_volumes(source, tmp_path):
    """Of the exact score on a line: all laws are one, and elements find that of the SDE, too."""
    words = [word if word != "128" else "96" for word in COMMON]
    result = invoke(f"{source}:whole", *words, "--elements", "64", "--out", tmp_path / "net")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "net" / "certificate.json").read_text())
    assert set(found["distances"]) == {"ode–sde", "ode–e^φ", "ode–data", "sde–e^φ", "sde–data", "e^φ–data"}
    for pair, measures in found["distances"].items():
        assert set(measures) >= {"L1", "W2", *(f"KL({a}‖{b})" for a, b in (pair.split("–"), pair.split("–")[::-1]))}
    assert found["distances"]["e^φ–data"]["L1"]["value"] < 1e-6
    assert found["by elements"]["L1"] < 0.02  # the volumes' own second-order error on 96 cells
    assert found["by elements"]["mass"] == pytest.approx(1, abs=1e-3)


def test_samples_stand_for_data(source, tmp_path):
    samples = mfg.densities.bimodal(1).sample(5000, np.random.default_rng(0))
    np.savetxt(tmp_path / "samples.csv", samples, header="x", comments="")
    np.save(tmp_path / "samples.npy", samples)
    for name in ("samples.csv", "samples.npy"):
        data = str(tmp_path / name)
        trial = check.prepare(Asked(f"{source}:exact", process="ornstein-uhlenbeck", data=data, cells=64))
        np.testing.assert_allclose(float(trial.data.on(trial.grid).integral()), 1.0)
        np.testing.assert_allclose(trial.data.raw, samples)
        assert trial.grid.upper[0] == pytest.approx(1.25 * np.abs(trial.data.at).max())
    trial = check.prepare(Asked(f"{source}:exact", process="ornstein-uhlenbeck", dimension=1, cells=64))
    assert trial.data is None
    assert trial.grid.upper[0] == pytest.approx(5 * np.sqrt(0.5))


@pytest.mark.slow
def test_a_certificate_can_be_repeated_from_itself(source, tmp_path):
    """K11: every option is on record, and the file of a score or of data must be the one it was."""
    samples = mfg.densities.bimodal(1).sample(2000, np.random.default_rng(0))
    np.save(tmp_path / "samples.npy", samples)
    words = [word if word != "bimodal" else tmp_path / "samples.npy" for word in COMMON]
    words = ["32" if word == "128" else word for word in words]
    first, second = tmp_path / "first", tmp_path / "second"
    result = invoke(f"{source}:exact", *words, "--seed", "7", "--out", first)
    assert result.exit_code == 0, result.output
    again = invoke(first / "certificate.json", "--out", second)
    assert again.exit_code == 0, again.output
    one, two = (json.loads((folder / "certificate.json").read_text()) for folder in (first, second))
    for record in (one, two):
        for what in ("cost", "provenance"):
            del record[what]
    assert one == two
    options = one["about"]["options"]
    assert (options["seed"], options["cells"], options["stop"], options["option"]) == (7, 32, 0.05, ["horizon=9"])
    assert set(one["about"]["digests"]) == {"score", "data"}
    other = invoke(first / "certificate.json", "--stop", "0.1")
    assert other.exit_code == 1
    assert "leave the other options" in " ".join(other.output.split())
    np.save(tmp_path / "samples.npy", samples[::-1])
    changed = invoke(first / "certificate.json", "--out", second)
    assert changed.exit_code == 1
    assert "is not what it was" in " ".join(changed.output.split())


@pytest.mark.parametrize("words", [("--inputs", "tx"), ("--sharpness", "2"), ("--output", "potential")])
def test_options_of_networks_are_not_ignored(words):
    """K3: without --activation the file's own word counts."""
    result = invoke("validation/networks/plain_0.safetensors", "--data", "four-blobs", *words)
    assert result.exit_code == 1
    assert "say --activation as well" in " ".join(result.output.split())


def test_one_column_in_one_dimension_is_said_to_be_a_score(tmp_path, torch):
    """K7: a potential is as wide as a score there, so that a certificate says as what it read the module."""
    (tmp_path / "model.py").write_text(
        "import torch\nclass Model(torch.nn.Module):\n    def forward(self, x, t):\n        return -2 * x\n\n"
        "model = Model()\n"
    )
    trial = check.prepare(Asked(f"{tmp_path}/model.py:model", process="ornstein-uhlenbeck", dimension=1, cells=64))
    assert "potential=True" in trial.about["read as"]


def test_a_module_whose_shape_is_none_of_points_is_told_what_it_returned(tmp_path, torch):
    """K7: not what PyTorch says of putting it right."""
    (tmp_path / "model.py").write_text(
        "import torch\nclass Model(torch.nn.Module):\n    def forward(self, x, t):\n"
        "        return torch.zeros(2, 2, 2) + x.sum()\n\nmodel = Model()\n"
    )
    with pytest.raises(
        ValueError, match=r"\(x, t\), t of shape \(n, 1\) returns shape \(2, 2, 2\) for x of shape \(3, 2\)"
    ):
        check.prepare(Asked(f"{tmp_path}/model.py:model", process="ornstein-uhlenbeck", dimension=2, cells=64))


def test_options_of_the_other_kind_of_trial_are_refused(source):
    for words, message in (
        ((f"{source}:exact", "--dimension", "1", "--trajectories", "100"), "not used up to three dimensions"),
        ((f"{source}:eight", "--dimension", "8", "--cells", "64"), "not used above three dimensions"),
        ((f"{source}:exact", "--dimension", "1", "--activation", "tanh"), "is for files of weights"),
    ):
        result = invoke(*words)
        assert result.exit_code == 1
        assert message in " ".join(result.output.split())


def test_bad_input_gets_a_sentence(source, tmp_path):
    short, bad, flat = tmp_path / "short.npy", tmp_path / "bad.npy", tmp_path / "flat.npy"
    np.save(short, np.zeros((10, 1)))
    np.save(bad, np.full((2000, 1), np.nan))
    np.save(flat, np.zeros(2000))
    np.save(tmp_path / "two.npy", np.zeros((2000, 2)))
    (tmp_path / "words.csv").write_text("a,b\nc,d\n")
    exact = f"{source}:exact"
    for words, message in (
        ((exact, "--dimension", "1", "--process", "ornstein"), "did you mean 'ornstein-uhlenbeck'"),
        ((exact, "--dimension", "1", "--option", "horizon"), "reads NAME=VALUE"),
        ((exact, "--dimension", "1", "--option", "horizon=long"), "must be a number"),
        ((exact, "--dimension", "1", "--option", "sigma=2"), "does not take"),
        ((exact,), "give --dimension, or data"),
        ((exact, "--data", short), "holds 10 samples"),
        ((exact, "--data", bad), "row 0 is not finite"),
        ((exact, "--data", flat), "shape (n, d)"),
        ((exact, "--data", tmp_path / "words.csv"), "cannot read samples"),
        ((exact, "--data", tmp_path / "none.csv"), "no file"),
        ((exact, "--data", "bimodel"), "did you mean 'bimodal'"),
        ((exact, "--data", tmp_path / "two.npy", "--dimension", "1"), "has dimension 2, but 1"),
        ((exact, "--data", tmp_path / "two.npy"), "takes points of dimension 1, but the data (or --dimension) are 2-"),
        ((f"{source}:whole", "--dimension", "3"), "takes points of dimension 1, but the data (or --dimension) are 3-"),
        ((f"{source}:fixed", "--dimension", "3"), "takes points of dimension 1, but the data (or --dimension) are 3-"),
        ((exact, "--dimension", "1", "--option", "horizn=2"), "does not take 'horizn'; did you mean 'horizon'?"),
        ((exact, "--dimension", "1", "--cells", "30"), "multiple of 4"),
        ((exact, "--dimension", "1", "--stop", "7"), "stop must lie in"),
    ):
        result = invoke(*words)
        assert result.exit_code != 0, words
        assert message in " ".join(result.output.split()), (words, result.output)


@pytest.mark.slow
def test_a_kernel_model_solves_its_equations_to_rounding(tmp_path, rng):
    process = mfg.OrnsteinUhlenbeck(horizon=9.0)
    path = mfg.fit_kernel_model(mfg.densities.bimodal(1).sample(300, rng)).save(
        tmp_path / "kernels.safetensors", process
    )
    result = invoke(path, *COMMON, "--out", tmp_path / "kernels")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "kernels" / "certificate.json").read_text())
    for name in ("score residual", "log-density residual"):
        assert max(at[name] for at in found["residuals"]) < 1e-9, name
    assert found["distances"]["ode–e^φ"]["L1"]["value"] < 0.01
    other = invoke(path, *COMMON[:2], "--option", "horizon=4", *COMMON[4:], "--out", tmp_path / "other")
    assert other.exit_code == 1
    assert "give the same process" in " ".join(other.output.split())


@pytest.mark.slow
def test_an_interrupted_check_goes_on_and_stands_in_nobodys_way(source, tmp_path, monkeypatch):
    """The same command again asks for what is missing alone; a check of another score finds no file of this one."""
    out, made, part = tmp_path / "out", [], Kept.part

    def interrupted(self, name, make, **options):
        def making():
            if len(made) == limit:
                raise KeyboardInterrupt
            made.append(name)
            return make()

        return part(self, name, making, **options)

    monkeypatch.setattr(Kept, "part", interrupted)
    words, limit = ("--dimension", 1, "--out", out), 2
    first = invoke(f"{source}:exact", *COMMON, *words)
    assert first.exit_code == 130, first.output
    assert len(list(out.glob("*.checkpoint.npz"))) == 1
    limit = 99
    assert invoke(f"{source}:off", *COMMON, *words).exit_code in (0, 2)
    assert len(list(out.glob("*.checkpoint.npz"))) == 1  # that of the first
    before = len(made)
    assert invoke(f"{source}:exact", *COMMON, *words).exit_code == 0
    assert len(made) - before == 5  # of five laws, the room of the SDE's march and the flow that sees where mass is
    assert not list(out.glob("*.checkpoint.npz"))
