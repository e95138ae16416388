"""Tensors, killing, sources, resetting and walls by side on elements: closed forms, orders from both sides, mass, signs."""

import numpy as np
import pytest
from scipy.linalg import expm, solve_continuous_lyapunov
from scipy.stats import ncx2, norm

import mfgpde as mfg
from mfgpde.discretisations import Held, Inflow
from mfgpde.discretisations.finite_element import On
from mfgpde.equations import FeynmanKac, ForwardKolmogorov, Resetting
from mfgpde.processes import Diffusion
from mfgpde.solvers import committor, exit_probability, first_passage, mean_first_passage_time

A, S = np.array([[-1.0, 0.5], [-0.3, -0.8]]), np.array([[0.6, 0.35], [0.35, 0.3]])
WALK = Diffusion(lambda x, t: 0 * x, lambda x, t: 0.5, meaning="haenggi-klimontovich")


def box(n, degree=1, scheme="galerkin", half=6.0, d=2, walls="far"):
    return mfg.FiniteElement(mfg.meshes.box((-half,) * d, (half,) * d, n), degree, scheme, walls)


def line(lower, upper, n, degree=1, walls="far", scheme="galerkin"):
    return mfg.FiniteElement(mfg.meshes.interval(lower, upper, n), degree, scheme, walls)


def l1(equation, start, end, truth, space, rtol=1e-7, conserved=True):
    run = mfg.solve(equation, space, start, (0.0, end), rtol=rtol, mass=None, largest_wall_mass=1e-2)
    mass, law = run.conserved["mass"], run.fields[-1].values
    if conserved:
        assert abs(mass[-1] - mass[0]) < 1e-12
    return float(space.grid.integrate(np.abs(law - truth(space.grid.points))))


def correlated(end):
    F, P = expm(A * end), solve_continuous_lyapunov(A, -2 * S)
    return mfg.gaussian(F @ np.array([1.0, -0.5]), F @ (0.25 * np.eye(2) - P) @ F.T + P)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the initial density is narrower")
@pytest.mark.parametrize(("degree", "cells"), [(1, (32, 64)), (2, (24, 48)), (3, (16, 32))])
def test_correlated_noise_has_the_order_of_the_elements(degree, cells):
    diffusion = Diffusion(lambda x, t: x @ A.T, lambda x, t: np.broadcast_to(S, (*x.shape, 2)))
    equation = ForwardKolmogorov(diffusion)
    coarse, fine = (l1(equation, correlated(0.0), 0.4, correlated(0.4).density, box(n, degree), 1e-6) for n in cells)
    assert np.log2(coarse / fine) == pytest.approx(degree + 1, abs=0.35), (coarse, fine)
    assert fine < 0.02


def sheared(t):
    """Return the heat flow of diag(.5, .1) in coordinates y = (x₁, x₂ + sin x₁)."""
    flat = mfg.gaussian(np.zeros(2), 0.3 * np.eye(2) + 2 * t * np.diag([0.5, 0.1]))
    return lambda y: flat.density(np.stack((y[..., 0], y[..., 1] - np.sin(y[..., 0])), axis=-1))


def shear(y):
    J = np.zeros((*y.shape, 2))
    J[..., 0, 0] = J[..., 1, 1] = 1.0
    J[..., 1, 0] = np.cos(y[..., 0])
    return J @ np.diag([0.5, 0.1]) @ np.swapaxes(J, -1, -2)


@pytest.mark.slow
def test_a_tensor_that_turns_with_the_place():
    drift = lambda y, t: np.stack((0 * y[..., 0], -0.5 * np.sin(y[..., 0])), axis=-1)  # noqa: E731
    equation = ForwardKolmogorov(Diffusion(drift, lambda y, t: shear(y)))
    coarse, fine = (l1(equation, sheared(0.0), 0.4, sheared(0.4), box(n, 2, half=6.0), 1e-6) for n in (24, 48))
    assert np.log2(coarse / fine) == pytest.approx(3, abs=0.4), (coarse, fine)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the initial density is narrower")
def test_a_full_tensor_in_three_dimensions():
    S3 = np.array([[0.5, 0.2, -0.1], [0.2, 0.4, 0.15], [-0.1, 0.15, 0.3]])
    equation = ForwardKolmogorov(Diffusion(lambda x, t: -x, lambda x, t: np.broadcast_to(S3, (*x.shape, 3))))
    after = np.exp(-0.4) * 0.6 * np.eye(3) + S3 * -np.expm1(-0.4)
    start, truth = mfg.gaussian(np.zeros(3), 0.6 * np.eye(3)), mfg.gaussian(np.zeros(3), after)
    coarse, fine = (l1(equation, start, 0.2, truth.density, box(n, 2, half=4.5, d=3), 1e-4) for n in (6, 12))
    assert np.log2(coarse / fine) == pytest.approx(3, abs=0.7), (coarse, fine)


@pytest.mark.parametrize(
    "meaning",
    [
        pytest.param("ito", marks=pytest.mark.slow),
        "stratonovich",
        pytest.param("haenggi-klimontovich", marks=pytest.mark.slow),
    ],
)
def test_geometric_brownian_motion_in_every_sense(meaning):
    mu, sigma, end = 0.2, 0.4, 0.5
    share = {"ito": 0.0, "stratonovich": 0.5, "haenggi-klimontovich": 1.0}[meaning]
    law = lambda m, v: lambda x: norm.pdf(np.log(x[..., 0]), m, np.sqrt(v)) / x[..., 0]  # noqa: E731
    truth = law((mu + (share - 0.5) * sigma**2) * end, 0.04 + sigma**2 * end)
    diffusion = Diffusion(lambda x, t: mu * x, lambda x, t: 0.5 * sigma**2 * x**2, meaning=meaning)
    errors = [
        l1(ForwardKolmogorov(diffusion), law(0.0, 0.04), end, truth, line(1e-3, 8.0, n, 2), 1e-8) for n in (80, 160)
    ]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(3, abs=0.35), errors


def test_cox_ingersoll_ross_is_noncentral_chi_squared():
    def cir(t, x0=1.5, noise=0.5):
        scale = noise**2 * -np.expm1(-t) / 4
        return lambda x: ncx2.pdf(x[..., 0] / scale, 4 / noise**2, x0 * np.exp(-t) / scale) / scale

    equation = ForwardKolmogorov(Diffusion(lambda x, t: 1.0 - x, lambda x, t: 0.125 * x))
    errors = [l1(equation, cir(0.3), 0.7, cir(1.0), line(0.0, 5.0, n, 3), 1e-9) for n in (24, 48)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(4, abs=0.4), errors
    assert errors[1] < 1e-4


def test_a_pearson_diffusion_keeps_its_law_on_elements():
    """Jacobi on [0, 1]: β(2, 3) stays, whose density vanishes at the walls like D does."""
    equation = ForwardKolmogorov(Diffusion(lambda x, t: 0.4 - x, lambda x, t: 0.2 * x * (1 - x)))
    law = mfg.finite_element.stationary(equation, line(0.0, 1.0, 16, 3, "reflecting"))
    x = law.grid.points[..., 0]
    assert law.values == pytest.approx(12 * x * (1 - x) ** 2, abs=1e-9)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the initial density is narrower")
@pytest.mark.parametrize("meaning", ["ito", "haenggi-klimontovich"])
def test_noise_that_changes_in_time(meaning):
    tensor = lambda x, t: np.broadcast_to((1 + np.sin(5 * t)) * S, (*x.shape, 2))  # noqa: E731
    diffusion = Diffusion(lambda x, t: 0 * x, tensor, meaning=meaning, time_dependent=True)
    after = 0.3 * np.eye(2) + 2 * S * (0.5 + (1 - np.cos(2.5)) / 5)
    start, truth = mfg.gaussian(np.zeros(2), 0.3 * np.eye(2)), mfg.gaussian(np.zeros(2), after)
    coarse, fine = (l1(ForwardKolmogorov(diffusion), start, 0.5, truth.density, box(n, 2), 1e-4) for n in (14, 28))
    assert np.log2(coarse / fine) == pytest.approx(3, abs=0.5), (coarse, fine)


def test_fitted_elements_stay_positive_where_tensor_and_mesh_fit_and_keep_gibbs_laws():
    V = lambda x, t=0.0: 0.5 * x[..., 0] ** 2 + 0.25 * x[..., 1] ** 4  # noqa: E731
    slope = lambda x: np.stack((x[..., 0], x[..., 1] ** 3), -1)  # noqa: E731
    strength = lambda x: np.stack((1 + 0.5 * np.cos(x[..., 1]), 0.4 + 0 * x[..., 0]), -1)  # noqa: E731
    diffusion = Diffusion(
        lambda x, t: -strength(x) * slope(x), lambda x, t: strength(x), meaning="haenggi-klimontovich"
    )
    space = box(24, 1, "fitted", 3.0, walls="reflecting")
    system = space.semidiscretise(ForwardKolmogorov(diffusion, potential=V))
    gibbs = np.exp(-V(space.space.nodes))
    assert np.abs(system.rate(gibbs, 0.0)).max() < 1e-12 * system.norm(0.0) * gibbs.max()
    narrow = mfg.gaussian(np.array([1.0, 0.5]), 0.003 * np.eye(2))
    run = mfg.solve(
        ForwardKolmogorov(diffusion), space, narrow, (0.0, 0.01), integrator=mfg.integrators.BackwardEuler(), rtol=1e-2
    )
    assert run.conserved["minimum"][-1] > -1e-15 * run.fields[-1].values.max()


def test_obtuse_pairs_of_tensor_and_mesh_get_a_word_and_no_noise_a_refusal():
    turned = Diffusion(lambda x, t: 0 * x, lambda x, t: np.broadcast_to(S, (*x.shape, 2)))
    with pytest.warns(RuntimeWarning, match="D and the angles of the mesh do not fit"):
        box(4, 1, "fitted").semidiscretise(ForwardKolmogorov(turned)).at(0.0)
    with pytest.raises(ValueError, match="needs noise along all directions"):
        box(4, 1, "fitted").semidiscretise(ForwardKolmogorov.of(mfg.processes.underdamped())).at(0.0)
    with pytest.raises(ValueError, match="not positive semidefinite at x"):
        line(-3.0, 3.0, 8).semidiscretise(ForwardKolmogorov(Diffusion(lambda x, t: x, lambda x, t: 1 - x**2))).at(0.0)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the initial density is narrower")
def test_klein_kramers_by_elements():
    process = mfg.processes.underdamped(stiffness=1.3, friction=0.8, horizon=2.0)
    start = mfg.gaussian(np.array([1.0, -0.5]), 0.4 * np.eye(2))
    truth, equation = mfg.marginal(process, start, 0.5), ForwardKolmogorov.of(process)
    for degree, cells, order in ((1, (20, 40), 2), (2, (20, 40), 2)):  # even degrees lose one where nothing diffuses
        assert box(4, degree).order_of(equation) == order
        coarse, fine = (l1(equation, start, 0.5, truth.density, box(n, degree), 1e-5) for n in cells)
        assert np.log2(coarse / fine) == pytest.approx(order, abs=0.45), (degree, coarse, fine)


@pytest.mark.filterwarnings("ignore:the initial density is narrower")
def test_forward_and_backward_are_transposes(rng):
    diffusion = Diffusion(lambda x, t: np.stack((np.sin(x[..., 1]), -x[..., 1]), -1), lambda x, t: shear(x))
    terms = {
        "killing": lambda x, t: 0.2 + x[..., 0] ** 2,
        "resetting": Resetting(lambda x, t: 0.3, mfg.gaussian(np.zeros(2), 0.1 * np.eye(2))),
    }
    space = box(6, 2, half=2.0, walls="reflecting")
    forward, backward = (space.semidiscretise(kind(diffusion, **terms)) for kind in (ForwardKolmogorov, FeynmanKac))
    p, u = rng.normal(size=(2, space.space.own))
    M = space.space.mass
    from mfgpde.discretisations.finite_element._petsc import multiply

    left, right = u @ multiply(M, forward.rate(p, 0.0)), p @ multiply(M, backward.rate(u, 0.0))
    assert left == pytest.approx(right, rel=1e-10)
    for system, v in ((forward, p), (backward, u)):  # solves belong to rates
        w = system.solve(v, 0.0, 0.07)
        assert w - 0.07 * system.rate(w, 0.0) == pytest.approx(v, abs=1e-9)


def test_walls_by_side_killing_and_sources_in_one_dimension():
    """Heat on [0, 1]: flux q in below, value b above, killing k, source s: u'' = (k u − s)/D, by hand."""
    D, k, q, b, s = 0.5, 0.8, 0.7, 0.4, 0.3
    w = np.sqrt(k / D)
    equation = FeynmanKac(WALK, killing=lambda x, t: k, source=lambda x, t: s)
    forward = ForwardKolmogorov(WALK, killing=lambda x, t: k, source=lambda x, t: s)
    amplitude = (b - s / k + q / (D * w) * np.sinh(w)) / np.cosh(w)

    def truth(x):
        return s / k + amplitude * np.cosh(w * x[..., 0]) - q / (D * w) * np.sinh(w * x[..., 0])

    for one in (equation, forward):
        errors = []
        for n in (3, 6):
            space = line(0.0, 1.0, n, 2, (Inflow(q), Held(b)))
            run = mfg.solve(one, space, lambda x: b + 0 * x[..., 0], (0.0, 15.0), rtol=1e-5, atol=1e-8, mass=None)
            errors.append(float(np.abs(run.fields[-1].values - truth(space.grid.points)).max()))
        assert errors[1] < 1e-4
        assert np.log2(errors[0] / errors[1]) == pytest.approx(3, abs=0.5), errors


def test_survival_between_one_absorbing_and_one_reflecting_wall():
    errors = []
    for n in (10, 20):
        space = line(0.0, 1.0, n, 1, ("reflecting", "absorbing"))
        run = mfg.solve(
            ForwardKolmogorov(WALK), space, lambda x: np.pi / 2 * np.cos(np.pi / 2 * x[..., 0]), (0.0, 1.0), rtol=1e-9
        )
        errors.append(abs(run.conserved["mass"][-1] - np.exp(-0.5 * (np.pi / 2) ** 2)))
    assert errors[1] < 1e-3
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.2), errors


def test_resetting_leads_to_its_stationary_law():
    """To a narrow Gaussian at rate r: ∫ e^{−rτ} r N(0, v + 2Dτ) dτ, whose variance is v + 2D/r."""
    r, v = 1.5, 0.04
    equation = ForwardKolmogorov(WALK, resetting=Resetting(lambda x, t: r, mfg.gaussian(0.0, v)))
    run = mfg.solve(equation, line(-14.0, 14.0, 280, 2), mfg.gaussian(0.0, v), (0.0, 12.0), rtol=1e-7)
    assert run.at(12.0).expectation(lambda x: x[..., 0] ** 2) == pytest.approx(v + 1.0 / r, rel=3e-6)
    assert abs(run.conserved["mass"][-1] - 1) < 1e-9


def test_the_mean_time_to_leave_a_disc_and_its_second_moment():
    """T = (R² − r²)/4D; E T² = (R² − r²)(3R² − r²)/32D²."""
    space = mfg.FiniteElement(mfg.meshes.disc(1.5, 8), 3, walls="absorbing")
    r2 = (space.grid.points**2).sum(axis=-1)
    for moment, truth in ((1, (2.25 - r2) / 2), (2, (2.25 - r2) * (6.75 - r2) / 8)):
        found = mean_first_passage_time(WALK, space, moment).values
        assert found == pytest.approx(truth, abs=2e-5)


def test_exits_from_an_annulus_by_part():
    inner = lambda x: np.linalg.norm(x, axis=-1) < 0.75  # noqa: E731
    outer = lambda x: np.linalg.norm(x, axis=-1) > 0.75  # noqa: E731
    space = mfg.FiniteElement(
        mfg.meshes.annulus(0.5, 1.0, 4), 3, walls=(On(inner, "absorbing"), On(outer, "absorbing"))
    )
    r = np.linalg.norm(space.grid.points, axis=-1)
    assert exit_probability(WALK, space, 0).values == pytest.approx(np.log(1 / r) / np.log(2), abs=2e-4)
    with pytest.raises(ValueError, match="nothing leaves"):
        exit_probability(WALK, space, 7)
    half = mfg.FiniteElement(space.mesh, 3, walls=(On(inner, "absorbing"),))  # the rest reflects
    time = mean_first_passage_time(WALK, half).values
    truth = np.log(r / 0.5) - 0.5 * (r**2 - 0.25)  # D = ½: T'' + T'/r = −2, T'(1) = 0
    assert time == pytest.approx(truth, abs=2e-4)


def test_sides_of_a_square_share_exits_and_committors_are_linear():
    walls = (("absorbing", "absorbing"), ("reflecting", "reflecting"))
    space = mfg.FiniteElement(mfg.meshes.box((0, 0), (2, 1), 8), 2, walls=walls)
    assert exit_probability(WALK, space, 0, 1).values == pytest.approx(space.grid.points[:, 0] / 2, abs=1e-10)
    q = committor(WALK, line(0.0, 1.0, 20), lambda x: x[..., 0] > 0.99, lambda x: x[..., 0] < 0.01)
    assert q.values == pytest.approx(q.grid.points[..., 0], abs=1e-10)


def test_barriers_of_100_kT_by_fitted_elements_and_a_refusal_by_others():
    """The mean time from −1 to +1 over V = 100(x² − 1)², by quadrature in logarithms."""
    well = mfg.FokkerPlanck(lambda x, t: -400.0 * x * (x**2 - 1), lambda t: 1.0, time_dependent=False)
    y = np.linspace(-1.6, 1.0, 200001)
    V = 100 * (y**2 - 1) ** 2
    below = np.cumsum(np.exp(-V)) * (y[1] - y[0])
    ahead = y >= -1
    truth = np.log(np.sum((np.exp(V - 100) * below)[ahead]) * (y[1] - y[0])) + 100
    errors = []
    for n in (260, 520):
        found = mean_first_passage_time(well, line(-1.6, 1.0, n, 1, ("reflecting", "absorbing"), "fitted"))
        errors.append(abs(np.log(found(np.array([[-1.0]]))[0]) - truth))
    assert errors[1] < 0.02
    assert np.log2(errors[0] / errors[1]) > 1.5, errors
    with pytest.raises(RuntimeError, match="rounding decides"):
        mean_first_passage_time(well, line(-1.6, 1.0, 520, 2, ("reflecting", "absorbing")))


@pytest.mark.parametrize(
    ("walls", "words"),
    [
        ("open", "walls must be"),
        ((("far", "door"), ("far", "far")), "a wall of a mesh is"),
        ((("far", "far"),), "a pair"),
        ((On(lambda x: x[..., 0] > 99, "absorbing"),), "nothing of the boundary lies on part 0"),
        ((On(lambda x: x[..., 0], "absorbing"),), "function of points to booleans"),
    ],
)
def test_walls_that_are_none(walls, words):
    with pytest.raises(ValueError, match=words):
        box(3, walls=walls).semidiscretise(ForwardKolmogorov(WALK))


def test_walls_by_axis_on_a_disc_and_values_that_change_are_refused():
    pairs = (("far", "absorbing"), ("far", "far"))
    with pytest.raises(ValueError, match="walls by axis are for boxes"):
        mfg.FiniteElement(mfg.meshes.disc(1.0, 3), walls=pairs).semidiscretise(ForwardKolmogorov(WALK))
    with pytest.raises(ValueError, match="do not change in time"):
        line(0.0, 1.0, 4, walls=(Held(lambda x, t: t + 0 * x[..., 0]), "far")).semidiscretise(ForwardKolmogorov(WALK))
    with pytest.raises(TypeError, match="one wall all round"):
        box(3, walls=pairs).semidiscretise(mfg.HamiltonJacobiBellman.of(mfg.Brownian()))


def test_diffusion_on_a_sphere_with_a_potential_keeps_its_law():
    """On a sphere D = 1, V = −κ z: von Mises–Fisher stays; E z = coth κ − 1/κ."""
    kappa = 1.3
    diffusion = Diffusion(
        lambda x, t: kappa * (np.eye(3)[2] - x * x[..., 2:] / (x**2).sum(-1, keepdims=True)),
        lambda x, t: 1.0,
        meaning="haenggi-klimontovich",
    )
    space = mfg.FiniteElement(mfg.meshes.sphere(1.0, 6), 2)
    law = mfg.finite_element.stationary(ForwardKolmogorov(diffusion), space)
    assert law.expectation(lambda x: x[..., 2]) == pytest.approx(1 / np.tanh(kappa) - 1 / kappa, abs=1e-4)
    with pytest.raises(TypeError, match="on a surface"):
        space.semidiscretise(ForwardKolmogorov(Diffusion(diffusion.drift, lambda x, t: 1.0)))


@pytest.mark.parametrize(("degree", "cells"), [(1, (20, 40)), pytest.param(2, (4, 8), marks=pytest.mark.slow)])
def test_the_law_of_the_time_to_leave_an_interval_has_the_order_of_the_elements(degree, cells):
    """D = 1 from the lowest mode: survival e^{−π²t}, its density π² times that, half through each end."""
    walk, t, errors = mfg.Brownian(scale=2**0.5), 0.2, []
    exact = np.exp(-(np.pi**2) * t)
    for n in cells:
        space = mfg.FiniteElement(mfg.meshes.interval(0.0, 1.0, n), degree, walls=(("absorbing", "absorbing"),))
        law = first_passage(
            walk, space, lambda x: np.pi / 2 * np.sin(np.pi * x[..., 0]), (0.0, t), rtol=1e-9, mass=None
        )
        errors.append(abs(law.density[-1] / (np.pi**2 * exact) - 1))
        assert law.through[0, 0][-1] == pytest.approx(law.through[0, 1][-1], rel=1e-9)
        assert law.survival[-1] == pytest.approx(exact, rel=5e-3)
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2 if degree == 1 else 4.5, abs=0.35 * degree), errors
    assert errors[1] < 1e-3


def test_sides_and_parts_share_the_flux_as_volumes_say(tmp_path):
    """With drift 3 from the middle the ends' fluxes stand as e^{3/2}; on a disc, halves share alike what is lost."""
    drifting, start = Diffusion(lambda x, t: 3 + 0 * x, lambda x, t: 1.0), mfg.gaussian(0.5, 0.003)
    space = mfg.FiniteElement(mfg.meshes.interval(0.0, 1.0, 80), 2, walls=(("absorbing", "absorbing"),))
    law = first_passage(drifting, space, start, (0.0, 0.1, 0.2), rtol=1e-7)
    assert law.through[0, 1][1:] / law.through[0, 0][1:] == pytest.approx(np.exp(1.5), rel=1e-2)  # the start is wide
    walls = mfg.FiniteVolume(mfg.CartesianGrid((0.0,), (1.0,), (400,)), walls="absorbing")
    volumes = first_passage(drifting, walls, start, (0.0, 0.1, 0.2), rtol=1e-7)
    assert law.density[1:] == pytest.approx(volumes.density[1:], rel=2e-3)
    parts = (On(lambda x: x[..., 1] > 0, "absorbing"), On(lambda x: x[..., 1] <= 0, "absorbing"))
    disc = mfg.FiniteElement(mfg.meshes.disc(1.0, 12), 2, walls=parts)
    found = first_passage(mfg.Brownian(), disc, mfg.gaussian(0.0, 0.03, 2), (0.0, 0.3, 0.6), rtol=1e-6)
    assert found.through[0][1:] == pytest.approx(found.through[1][1:], rel=2e-2)
    rate = np.log(found.survival[1] / found.survival[2]) / 0.3  # ½ j₀₁² once the lowest mode is left
    assert found.density[2] / found.survival[2] == pytest.approx(0.5 * 2.404825557695773**2, rel=5e-3)
    assert rate == pytest.approx(0.5 * 2.404825557695773**2, rel=0.1)
    assert found.save(tmp_path / "law.nc").stat().st_size > 1000
    with pytest.raises(ValueError, match="is absorbing: nothing leaves"):
        first_passage(mfg.Brownian(), mfg.FiniteElement(mfg.meshes.interval(0.0, 1.0, 8)), start, (0.0, 0.1))
