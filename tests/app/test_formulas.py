"""Problem files with formulas: an example of each class against its closed form; what is wrong gets one sentence."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq
from scipy.special import i0e, i1e
from typer.testing import CliRunner

import mfgpde as mfg
from mfgpde.app import drifts, formulas, problem
from mfgpde.app.cli import app
from mfgpde.app.formulas import Words
from mfgpde.core.identity import digest
from mfgpde.processes import Diffusion

EXAMPLES = Path(mfg.__file__).parents[1] / "docs" / "examples" / "problems"
LINE = Words(("x",), (("a", 3.0),))


def posed(name):
    return problem.read(EXAMPLES / f"{name}.toml")


def moments(law):
    mean = np.array([law.expectation(lambda x, k=k: x[..., k]) for k in range(law.grid.dimension)])
    spread = [
        [law.expectation(lambda x, i=i, j=j: (x[..., i] - mean[i]) * (x[..., j] - mean[j])) for j in range(len(mean))]
        for i in range(len(mean))
    ]
    return mean, np.array(spread)


def run(path, *words):
    return CliRunner().invoke(app, ["solve", str(path), *map(str, words)])


@pytest.mark.slow
def test_geometric_brownian_motion_in_stratonovichs_sense():
    law = posed("geometric").solve().fields[-1]
    x = law.grid.points
    assert float(law.grid.integrate(law.values * x[..., 0])) == pytest.approx(2 * np.exp(0.5 * (0.2 + 0.125)), rel=1e-4)
    second = float(law.grid.integrate(law.values * x[..., 0] ** 2))
    assert second == pytest.approx(4.04 * np.exp(0.5 * (2 * 0.2 + 4 * 0.125)), rel=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "off"), [("rotated_tensor", 3e-3), ("elements_tensor", 5e-4)])
def test_a_rotated_tensor_by_volumes_and_elements(name, off):
    _, spread = moments(posed(name).solve().fields[-1])
    truth = 0.3 * np.eye(2) + 2 * (0.5 + 0.125) * np.array([[0.6, 0.3], [0.3, 0.4]])
    np.testing.assert_allclose(spread, truth, atol=off)


def test_cameron_and_martin():
    u = posed("feynman_kac").solve().fields[-1]
    x = u.grid.points[..., 0]
    inside = np.abs(x) < 3
    exact = np.cosh(1.0) ** -0.5 * np.exp(-0.5 * x**2 * np.tanh(1.0))
    assert np.abs(u.values - exact)[inside].max() < 2e-4


@pytest.mark.slow
def test_walls_by_side_and_given_values():
    modes = posed("walls_by_side").solve()
    assert modes.conserved["mass"][-1] == pytest.approx(np.exp(-(np.pi**2) / 8 * 0.4), rel=1e-4)
    swing = posed("held_walls").solve().fields[-1]
    assert np.abs(swing.values - swing.grid.points[..., 0] - 1.0).max() < 2e-3


def test_the_washboards_current_is_stratonovichs():
    """J = D(1 − e^{Φ(2π) − Φ(0)})/∫∫: with Φ = −(0.5x + cos x)/D."""
    D, F = 0.2, 0.5

    def phi(x):
        return -(F * x + np.cos(x)) / D

    def inner(x):
        return quad(lambda y: np.exp(phi(y) - phi(x)), x, x + 2 * np.pi, epsabs=0, limit=200)[0]

    truth = D * (1 - np.exp(-2 * np.pi * F / D)) / quad(inner, 0, 2 * np.pi, epsabs=0, limit=200)[0]
    found = posed("washboard").find().fields
    assert found["current"].values[0, 0] == pytest.approx(truth, rel=2e-3)
    assert float(found["density"].integral()) == pytest.approx(1.0, rel=1e-12)


def test_a_barrier_of_a_hundred_kt_keeps_its_digits():
    found = posed("escape")
    time = found.find().fields["E T"](np.array([[-1.0]]))[0]

    def V(x):
        return 100 * (x**2 - 1) ** 2  # the saddle and the well are apart: both integrals factor to e^{−100}

    over, well = quad(lambda x: np.exp(V(x) - 100), -1, 1)[0], quad(lambda x: np.exp(-V(x)), -2, 0, points=[-1.0])[0]
    assert time == pytest.approx(over * well * np.exp(100.0), rel=2e-3)


@pytest.mark.slow
def test_klein_and_kramers_keep_the_energys_balance():
    """d/dt E v² = −2γE v² − 2E[v U′] + 2γ: by the solution's own moments at five times, to the order of the scheme."""
    found = posed("klein_kramers")
    times = np.linspace(0.0, 0.1, 5)
    laws = mfg.solve(found.equation, found.discretisation, found.initial, times, rtol=1e-6).fields
    energy = [law.expectation(lambda x: 0.5 * x[..., 1] ** 2 + 0.5 * (x[..., 0] ** 2 - 1) ** 2) for law in laws]
    heat = [law.expectation(lambda x: 0.7 * (1 - x[..., 1] ** 2)) for law in laws]
    weights = np.array([7, 32, 12, 32, 7]) / 90 * 0.1
    assert energy[-1] - energy[0] == pytest.approx(float(weights @ heat), abs=3e-3)


def test_oscillators_fall_into_step():
    law = posed("kuramoto").solve().fields[-1]
    z = law.grid.integrate(law.values * np.exp(1j * law.grid.points[..., 0]))
    r = brentq(lambda r: i1e(4 * r) / i0e(4 * r) - r, 0.1, 1.0)  # Kr/D = 4r
    assert abs(z) == pytest.approx(r, abs=2e-3)


def test_a_disc_is_left_through_its_upper_half():
    found = posed("disc_exits").find()
    x, y = np.array(found.places).T
    exact = 0.5 + np.arctan(2 * y / (1 - x**2 - y**2)) / np.pi
    values = found.fields["probability"](np.array(found.places))
    np.testing.assert_allclose(values, exact, atol=5e-3)


def test_what_is_put_back_has_a_variance():
    law = posed("resetting").find().fields["density"]
    x = law.grid.points[..., 0]
    assert float(law.grid.integrate(law.values * x**2)) == pytest.approx(0.09 + 2 * 0.5 / 2, rel=2e-3)


def test_the_law_of_a_first_passage():
    """Survival by its series; from the middle, upper to lower flux is e^{v/2D} at every time."""
    found = posed("first_passage").find()
    lower, upper = found.through[0, 0], found.through[0, 1]
    exact, t, law = 0.0, 0.2, mfg.gaussian(0.5, 0.001)
    for n in range(1, 40):
        k = n * np.pi
        start = quad(lambda y, k=k: np.exp(-1.5 * y) * np.sin(k * y) * law.density(np.array([y])), 0.3, 0.7)[0]
        weight = np.exp(-(9 / 4 + k**2) * t)
        exact += 2 * weight * start * quad(lambda x, k=k: np.exp(1.5 * x) * np.sin(k * x), 0, 1)[0]
    assert found.survival[-1] == pytest.approx(exact, rel=1e-3)
    assert upper[-1] / lower[-1] == pytest.approx(np.exp(1.5), rel=2e-3)


def test_a_committor_where_noise_grows():
    """With the flux −D∇p, q = ½(1 + arctan x/arctan 1)."""
    found = posed("committor").find()
    at = found.fields["committor"](np.array(found.places))
    np.testing.assert_allclose(at, 0.5 * (1 + np.arctan([0.0, 0.5]) / np.arctan(1.0)), atol=2e-3)


@pytest.mark.parametrize("name", ["washboard", "escape", "first_passage", "resetting"])
def test_what_was_found_is_printed_and_kept(name, tmp_path):
    result = run(EXAMPLES / f"{name}.toml", "--out", tmp_path / "found.nc")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "found.nc").stat().st_size > 5000
    import xarray

    with xarray.open_dataset(tmp_path / "found.nc", engine="h5netcdf") as stored:
        assert len(stored.data_vars) >= 1
    if name == "washboard":
        assert "current" in result.output


def test_the_drift_that_each_meaning_gives_is_printed():
    words = list(drifts.said(posed("geometric").process, posed("geometric").discretisation))
    assert "Stratonovich" in words[0]
    assert "ito 0.7, stratonovich 1.138, haenggi-klimontovich 1.575" in words[1]  # at 3.5: μx, + σ²x/2, + σ²x
    full = Diffusion(lambda x, t: 0 * x, lambda x, t: (1 + x[..., :1, None] ** 2) * np.eye(2))
    grid = mfg.FiniteVolume(mfg.CartesianGrid.cube(1.0, 8, 2))
    assert "stratonovich not determined by D" in list(drifts.said(full, grid))[1]
    assert not list(drifts.said(mfg.Brownian(), grid))


GOOD = (EXAMPLES / "geometric.toml").read_text()
SQUARE = (EXAMPLES / "rotated_tensor.toml").read_text()
FOUND = (EXAMPLES / "committor.toml").read_text()
DISC = (EXAMPLES / "disc_exits.toml").read_text()


@pytest.mark.parametrize(
    ("text", "change", "message"),
    [
        (GOOD, ('"mu*x"', '"nu*x"'), "names 'nu', which is no coordinate and no constant; did you mean 'mu'?"),
        (GOOD, ('"mu*x"', '"mu*x^2"'), "powers are written **, not ^"),
        (GOOD, ('"mu*x"', '"mu*"'), "it is no formula"),
        (GOOD, ('"mu*x"', '"x.shape"'), "no attribute"),
        (GOOD, ('"mu*x"', '"x[0]"'), "no subscript"),
        (GOOD, ('"mu*x"', '"sine(x)"'), "there is no function 'sine'; did you mean 'sin'?"),
        (GOOD, ('"mu*x"', '"exp(x, 2)"'), "exp takes 1 argument, got 2"),
        (GOOD, ('"mu*x"', '"exp*x"'), "exp is a function"),
        (GOOD, ('"mu*x"', '"(lambda: x)()"'), "there is no function"),
        (GOOD, ('"mu*x"', "\"__import__('os')\""), "there is no function '__import__'"),
        (GOOD, ('"mu*x"', '"10**400 + x"'), "10 ** 400 is no finite number"),
        (GOOD, ('"mu*x"', '"x + 1/0"'), "1 / 0 is no finite number"),
        (GOOD, ('"mu*x"', '"1/(x - x)"'), "the drift at t = 0 is not finite"),
        (GOOD, ('"mu*x"', '["x", "x"]'), "drift is a list of 1 formulas"),
        (GOOD, ('"mu*x"', "true"), "drift[0] is one formula"),
        (GOOD, ('"sigma**2*x**2/2"', '"-x"'), "not positive semidefinite"),
        (GOOD, ('"stratonovich"', '"stratonovic"'), "meaning must be 'ito', 'stratonovich'"),
        (GOOD, ("tensor", "tensors"), "does not take 'tensors'; did you mean 'tensor'? It takes drift, tensor"),
        (GOOD, ("tensor", "diffusivity"), "'diffusion' does not take 'diffusivity'; it takes drift, tensor"),
        (GOOD, ('"diffusion"', '"difusion"'), "did you mean 'diffusion'"),
        (GOOD, ("mu = 0.2", 'mu = "a"'), "the constant 'mu' must be a finite number"),
        (GOOD, ("mu = 0.2", "exp = 0.2"), "cannot name a coordinate or a constant"),
        (GOOD, ("[data]", '[terms]\nkiling = "1"\n[data]'), "did you mean 'killing'"),
        (GOOD, ("[data]", '[terms]\nkilling = "-1"\n[data]'), "killing"),
        (GOOD, ("[data]", '[terms]\nresetting = "1"\n[data]'), "resetting reads {rate"),
        (GOOD, ('["reflecting", "far"]', '["reflecting", "open"]'), "got 'open' on axis 0"),
        (GOOD, ('["reflecting", "far"]', '["reflecting", "periodic"]'), "contradict the grid"),
        (GOOD, ('["reflecting", "far"]', '["reflecting", { name = "held" }]'), "a wall is \"far\""),
        (GOOD, ('["reflecting", "far"]', '{ where = "x > 0", wall = "absorbing" }'), "walls with where = … are of meshes"),
        (GOOD, ("times = [0.0", "times = [0.1"), "begin times at 0"),
        (GOOD, ("rtol = 1e-6", 'start = "x"'), "it has both"),
        (GOOD, ("rtol = 1e-6", "mass = -1"), "mass must be a positive number"),
        (GOOD, ("rtol = 1e-6", 'equation = "log-density"'), "LogDensity is of processes with one number g(t)"),
        (GOOD, ("rtol = 1e-6", 'equation = "mckean-vlasov"'), "particles interact"),
        (GOOD, ("rtol = 1e-6", 'coordinates = ["r", "s"]'), "coordinates name the 1 axes"),
        (SQUARE, ('["0", "0"]', '"0"'), "drift is a list of 2 formulas, one for each of x, y"),
        (SQUARE, ('"0.4*(1 + t)"]]', '"-0.4*(1 + t)"]]'), "not positive semidefinite"),
        (SQUARE, ('["0.3*(1 + t)", "0.4', '["0.2*(1 + t)", "0.4'), "not symmetric"),
        (SQUARE, (', ["0.3*(1 + t)", "0.4*(1 + t)"]]', "]"), "tensor is a list of 2 rows"),
        (FOUND, ('"committor"', '"comittor"'), "did you mean 'committor'"),
        (FOUND, ('target = "x > 1"\n', ""), "missing a required argument: 'target'"),
        (FOUND, ('"x > 1"', '"x > t"'), "names the time"),
        (FOUND, ('"x > 1"', '"x + 1"'), "says where, by a comparison"),
        (FOUND, ('"x > 1"', '"x > 3"'), "must hold some cell centres"),
        (FOUND, ("at = [[0.0], [0.5]]", "at = [[0.0, 1.0]]"), "at is a list of points of 1 coordinates"),
        (FOUND, ("at = [[0.0], [0.5]]", "moment = 2"), "has no option 'moment'"),
        (FOUND, ("[process]", "times = [0, 1]\n[process]"), "times is not used by [find] 'committor'"),
        (FOUND, ('walls = "reflecting"', 'walls = "absorbing"\nbackend = 3'), "backend"),
        (DISC, ("axis = 0", "axis = 7"), "through part 7 of the walls nothing leaves"),
        (DISC, ("axis = 0", 'axis = "up"'), "axis is a whole number"),
        (DISC, ('"y > 0"', '"y > 5"'), "nothing of the boundary lies on part 0"),
        (DISC, ('where = "y > 0", wall', "wall"), 'a wall is "far"'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence(text, change, message, tmp_path):
    assert change[0] in text
    (tmp_path / "problem.toml").write_text(text.replace(*change))
    result = run(tmp_path / "problem.toml")
    assert result.exit_code == 1, result.output
    said = " ".join(result.output.split())
    assert message in said, said
    assert "Traceback" not in said
    assert not list(tmp_path.glob("*.nc"))


def test_currents_on_closed_intervals_and_laws_that_leave_are_refused(tmp_path):
    text = (EXAMPLES / "washboard.toml").read_text()
    for change, message in [
        (("periodic = [true]", ""), "closed interval carries no stationary current"),
        (("periodic = [true]", 'walls = "absorbing"'), "all mass leaves in the end"),
    ]:
        (tmp_path / "problem.toml").write_text(text.replace(*change))
        result = run(tmp_path / "problem.toml")
        assert result.exit_code == 1
        assert message in " ".join(result.output.split())


def test_formulas_are_elementwise_and_travel():
    x = np.linspace(-2.0, 2.0, 8)[:, None]
    for text, exact in [
        ("where(0 < x < 1, a, -x)", np.where((x > 0) & (x < 1), 3.0, -x)),
        ("max(x, 0)*min(x, 1) + abs(x)**1.5", np.maximum(x, 0) * np.minimum(x, 1) + np.abs(x) ** 1.5),
        ("x**3 - 2*x**-2 + e", x**3 - 2 * x**-2.0 + np.e),
        ("x > 0 or not x > -1", (x > 0) | ~(x > -1)),
        ("(x < 1 and x > 0) + t", (x < 1) & (x > 0)),
    ]:
        found = formulas.scalar(text, LINE, "f")
        with np.errstate(divide="ignore"):
            np.testing.assert_allclose(found(x, 0.0), np.asarray(exact, dtype=float)[:, 0], rtol=1e-15)
        assert pickle.loads(pickle.dumps(found)) == found
    f, g = (formulas.scalar("a*x", Words(("x",), (("a", a),)), "f") for a in (1.0, 2.0))
    assert digest(f=f) != digest(f=g)


def test_another_formula_does_not_go_on_from_a_checkpoint(tmp_path):
    """Its identity knows the text and the constants."""
    path = tmp_path / "p.toml"
    path.write_text(GOOD)
    first = problem.read(path)
    key = digest(equation=first.equation)
    assert key == digest(equation=problem.read(path).equation)
    for change in (("mu*x", "mu*x*1"), ("mu = 0.2", "mu = 0.3"), ('"stratonovich"', '"ito"')):
        path.write_text(GOOD.replace(*change))
        assert digest(equation=problem.read(path).equation) != key


def test_kramers_by_its_own_ode(tmp_path):
    """Means of a harmonic Klein–Kramers law follow ẋ = v, v̇ = −x − γv."""
    text = (EXAMPLES / "klein_kramers.toml").read_text().replace("2*x*(x**2 - 1)", "x")
    text = text.replace("times = [0.0, 0.5]", "times = [0.0, 0.4]\nrtol = 1e-6")
    path = tmp_path / "kramers.toml"
    path.write_text(text)
    mean, _ = moments(problem.read(path).solve().fields[-1])
    y = solve_ivp(lambda t, y: [y[1], -y[0] - 0.7 * y[1]], (0.0, 0.4), [-0.5, 0.3], rtol=1e-10).y[:, -1]
    np.testing.assert_allclose(mean, y, atol=1e-3)


@pytest.mark.parametrize(
    ("equation", "off"),
    [("forward-kolmogorov", 2e-2), pytest.param("score-kolmogorov", 1e-2, marks=pytest.mark.slow)],
)
def test_kinetic_processes_by_name_and_their_scores(equation, off, tmp_path):
    path = tmp_path / "noising.toml"
    path.write_text(
        f'times = [0.0, 0.3]\nequation = "{equation}"\ncoordinates = ["x", "v"]\n'
        '[process]\nname = "critically-damped"\nrate = 1.0\nmass = 1.0\n'
        '[data]\nname = "gaussian"\nmean = [0.5, 0.0]\ncovariance = 0.6\ndimension = 2\n'
        '[discretisation]\nname = "finite-volume"\nlower = [-6, -6]\nupper = [6, 6]\ncells = [64, 64]\n'
    )
    found = problem.read(path)
    field = found.solve().fields[-1]
    law = mfg.marginal(found.process, found.data, 0.3)
    x = field.grid.points
    if equation == "score-kolmogorov":
        gap = np.sqrt(((field.values - law.score(x)) ** 2).sum(axis=-1)) * law.density(x)
    else:
        gap = np.abs(field.values - mfg.densities.cell_means(law.density, field.grid))
    assert float(field.grid.integrate(gap)) < off
