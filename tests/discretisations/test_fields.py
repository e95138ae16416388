"""Fields in other clothes: gradients, resampling with its loss, files for ParaView, pictures, absorbing walls."""

import h5py
import numpy as np
import pytest
from scipy.special import j0, jn_zeros

import mfgpde as mfg
from mfgpde.report import pictures

D, T = 0.5, 0.3
HEAT = mfg.FokkerPlanck(lambda x, t: 0 * x, lambda t: D, time_dependent=False)


def wave(x):
    return np.sin(x[..., 0] + 2 * x[..., 1])


def slope(x):
    return np.stack((np.cos(x[..., 0] + 2 * x[..., 1]), 2 * np.cos(x[..., 0] + 2 * x[..., 1])), axis=-1)


@pytest.mark.parametrize(
    ("space", "order"),
    [
        (mfg.FiniteVolume(mfg.CartesianGrid.cube(np.pi, 24, 2, periodic=True)), 2),
        (mfg.FiniteVolume(mfg.CartesianGrid.cube(np.pi, 24, 2)), 2),
        (mfg.Spectral(mfg.CartesianGrid.cube(np.pi, 12, 2, periodic=True)), np.inf),
        (mfg.FiniteElement(mfg.meshes.box((-1, -1), (1, 1), 8), 1), 1),
        (mfg.FiniteElement(mfg.meshes.box((-1, -1), (1, 1), 8), 2), 2),
        (mfg.FiniteElement(mfg.meshes.disc(1.0, 4), 3), 3),
    ],
)
def test_gradients_at_their_order(space, order):
    errors = []
    for rung in (space, space.refined()):
        x = rung.grid.points
        gap = mfg.Field(rung, wave(x)).gradient().values - slope(x)
        errors.append(float(rung.grid.integrate(np.linalg.norm(gap, axis=-1))))
    if np.isfinite(order):
        assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.2)
    else:
        assert errors[0] < 1e-11


def test_cosine_gradients_are_spectral_for_even_functions():
    grid = mfg.CartesianGrid((0.0, 0.0), (np.pi, np.pi), (16, 20))
    x = grid.points
    field = mfg.Field(mfg.Spectral(grid), np.cos(2 * x[..., 0]) * np.cos(3 * x[..., 1]))
    exact = [-2 * np.sin(2 * x[..., 0]) * np.cos(3 * x[..., 1]), -3 * np.cos(2 * x[..., 0]) * np.sin(3 * x[..., 1])]
    np.testing.assert_allclose(field.gradient().values, np.stack(exact, axis=-1), atol=1e-12)


def test_resampling_states_what_it_loses():
    source = mfg.FiniteElement(mfg.meshes.box((-5, -5), (5, 5), 24), 2)
    law = mfg.gaussian(0.3, 0.5, 2)
    field = mfg.Field(source, source.space.sample(source.space.project(law.density(source.grid.points))))
    losses = [
        mfg.discretisations.resample(field, mfg.FiniteVolume(mfg.CartesianGrid.cube(5.0, n, 2)))[1] for n in (8, 16)
    ]
    assert losses[0] > 4 * losses[1] > 0
    moved, _ = mfg.discretisations.resample(field, mfg.FiniteVolume(mfg.CartesianGrid.cube(5.0, 48, 2)))
    assert mfg.l1_distance(moved, law) < 5e-3
    _, cut = mfg.discretisations.resample(field, mfg.FiniteVolume(mfg.CartesianGrid((-5, -5), (0.3, 5), (48, 48))))
    assert cut == pytest.approx(0.5, abs=0.01)  # half of the mass lies beyond the box
    disc = mfg.FiniteElement(mfg.meshes.disc(1.0, 4), 2)
    outside, loss = mfg.discretisations.resample(
        mfg.Field(disc, 1 + disc.grid.points[:, 0]), mfg.FiniteVolume(mfg.CartesianGrid.cube(1.0, 64, 2))
    )
    assert outside.values[0, 0] == 0.0
    assert loss < 0.05
    vectors = mfg.Field(disc, 1.0 + disc.grid.points)
    moved, _ = mfg.discretisations.resample(vectors, mfg.FiniteVolume(mfg.CartesianGrid.cube(0.5, 8, 2)))
    np.testing.assert_allclose(moved.values, 1.0 + moved.grid.points, atol=1e-12)


@pytest.mark.filterwarnings("ignore:.*negative")  # on triangles of one the start is below zero somewhere
def test_files_for_paraview_hold_every_time(tmp_path):
    space = mfg.FiniteElement(mfg.meshes.box((-4, -4), (4, 4), 8), 1)
    law = mfg.OrnsteinUhlenbeck()
    start = mfg.gaussian(0.0, 0.5, 2)  # on cells of one
    times, coarse = (0.0, 0.1, 0.2), dict(rtol=1e-3, largest_wall_mass=0.1, mass=None)
    solution = mfg.solve(mfg.FokkerPlanck.of(law), space, start, times, **coarse)
    path = solution.save(tmp_path / "p.xdmf")
    assert "p.h5" in path.read_text()
    with h5py.File(tmp_path / "p.h5") as stored:
        nodes, frames = stored["Mesh/mesh/geometry"][:], stored["Function/FokkerPlanck"]
        assert len(frames) == 3
        last = frames[sorted(frames)[-1]][:].ravel()
    np.testing.assert_allclose(last, solution.fields[-1](nodes[:, :2]), atol=1e-12)
    assert (solution.save(tmp_path / "p.bp") / "data.0").stat().st_size > 3 * 8 * 81
    assert not list(tmp_path.glob("*.part*"))
    curved = mfg.FiniteElement(mfg.meshes.disc(2.0, 2), 3, walls="reflecting")
    uniform = mfg.solve(HEAT, curved, lambda x: 1 + 0 * x[..., 0], (0.0, 0.1), mass=None)
    with pytest.raises(ValueError, match=r"cells of degree 1 and 2, these have 4; write to a \.bp"):
        uniform.save(tmp_path / "disc.xdmf")
    grid = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 32, 1))
    with pytest.raises(ValueError, match="for meshes"):
        mfg.solve(HEAT, grid, mfg.gaussian(0.0, 0.5, 1), (0.0, 0.1)).save(tmp_path / "grid.xdmf")


@pytest.mark.parametrize(
    "name",
    ["grid 1", *(pytest.param(one, marks=pytest.mark.slow) for one in ("grid 2", "grid 3", "disc", "cube", "sphere"))],
)
@pytest.mark.filterwarnings("ignore")  # VTK's own
def test_pictures_show_something(name, tmp_path):
    from matplotlib.image import imread

    kind, *dimension = name.split()
    if kind == "grid":
        space = mfg.FiniteVolume(mfg.CartesianGrid.cube(1.0, 16, int(dimension[0])))
    else:
        pytest.importorskip("pyvista", reason="pictures of meshes need PyVista")
        meshes = {
            "disc": mfg.meshes.disc(1.0, 4),
            "sphere": mfg.meshes.sphere(1.0, 3),
            "cube": mfg.meshes.box((0, 0, 0), (1, 1, 1), 3),
        }
        space = mfg.FiniteElement(meshes[name], 2)
    with np.errstate(all="ignore"):
        path = mfg.picture(mfg.Field(space, np.cos(2 * space.grid.points[..., 0])), tmp_path / "p.png", title="cos 2x")
    image = imread(path)[..., :3]
    assert image.shape[0] > 500
    assert len(np.unique(image.reshape(-1, 3).round(2), axis=0)) > 30, "more than a blank page"
    if kind == "grid":
        with pytest.raises(ValueError, match="scalar field"):
            mfg.picture(mfg.Field(space, space.grid.points), tmp_path / "v.png")


@pytest.mark.parametrize(
    ("degree", "scheme"),
    [
        pytest.param(1, "galerkin", marks=pytest.mark.slow),
        (1, "fitted"),
        (2, "galerkin"),
        pytest.param(3, "galerkin", marks=pytest.mark.slow),
    ],
)
def test_absorbing_walls_kill_at_the_known_rate(degree, scheme):
    """sin(πx) decays like e^{−Dπ²t} between absorbing walls; J₀ does on a disc with its first zero."""

    def error(space):
        field = mfg.solve(HEAT, space, lambda x: np.sin(np.pi * x[..., 0]), (0.0, T), rtol=1e-9, mass=None).at(T)
        return mfg.l1_distance(field, lambda x: np.sin(np.pi * x[..., 0]) * np.exp(-D * np.pi**2 * T))

    space = mfg.FiniteElement(mfg.meshes.interval(0.0, 1.0, 5), degree, scheme, "absorbing")
    coarse, fine = error(space), error(space.refined())
    assert np.log2(coarse / fine) == pytest.approx(space.order, abs=0.2)
    if degree == 2:
        z, radius = jn_zeros(0, 1)[0], np.linalg.norm
        disc = mfg.FiniteElement(mfg.meshes.disc(1.0, 5), 2, walls="absorbing")
        field = mfg.solve(HEAT, disc, lambda x: j0(z * radius(x, axis=-1)), (0.0, T), rtol=1e-6, mass=None).at(T)
        assert mfg.l1_distance(field, lambda x: j0(z * radius(x, axis=-1)) * np.exp(-D * z**2 * T)) < 1e-3


def test_absorbing_walls_hold_an_exit_cost():
    """U = −2β log η with η = 1 + ½ sin(πx) e^{−βπ²t} keeps U = 0 at both ends."""
    beta = 0.4
    control = mfg.HamiltonJacobiBellman(lambda x, p, t: 0.5 * np.einsum("...i,...i", p, p), lambda t: beta)

    def exact(x, t):
        return -2 * beta * np.log1p(0.5 * np.sin(np.pi * x[..., 0]) * np.exp(-beta * np.pi**2 * t))

    def error(space):
        field = mfg.solve(control, space, lambda x: exact(x, 0.0), (0.0, T), rtol=1e-8).at(T)
        return mfg.l1_distance(field, lambda x: exact(x, T))

    space = mfg.FiniteElement(mfg.meshes.interval(0.0, 1.0, 12), 2, walls="absorbing")
    assert np.log2(error(space) / error(space.refined())) == pytest.approx(3, abs=0.35)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_pictures_say_what_their_values_are(dimension, tmp_path, monkeypatch):
    """Beside the axis in one dimension, beside the colours in two and three."""
    drawn = []
    monkeypatch.setattr(pictures.plotting, "write", lambda figure, path: drawn.append(figure))
    grid = mfg.CartesianGrid.cube(1.0, 8, dimension)
    mfg.picture(mfg.Field(mfg.FiniteVolume(grid), grid.points[..., 0]), tmp_path / "a.png", label="density")
    labels = [panel.get_ylabel() for panel in drawn[0].axes]
    assert labels == {1: ["density"], 2: ["y", "density"], 3: ["y", "density, summed along z"]}[dimension]
