"""Noise on velocities alone: exact transition laws, Klein–Kramers in 1 + 1 dimensions, critical damping and back."""

import numpy as np
import pytest
from scipy.linalg import expm
from typer.testing import CliRunner

import mfgpde as mfg
from mfgpde.app.cli import app
from mfgpde.equations import FeynmanKac, ForwardKolmogorov, ScoreKolmogorov
from mfgpde.processes import Diffusion


def covariance_of_critically_damped(t, beta, M):
    """Return the covariance given (x, v) at 0 by hand: for Γ² = 4M the matrix is β(−ω + N), N² = 0, ω = 1/√M."""
    w = beta / np.sqrt(M)
    s = np.linspace(0, t, 20001)
    h12 = beta / M * s * np.exp(-w * s)  # response of x to a kick of v, and of v itself
    h22 = (1 - w * s) * np.exp(-w * s)
    noise = 4 * np.sqrt(M) * beta
    return noise * np.trapezoid(np.stack([h12 * h12, h12 * h22, h22 * h22]), s, axis=-1)


def test_critically_damped_laws_are_those_of_the_closed_form():
    for beta, M, t in ((4.0, 0.25, 0.3), (1.5, 1.0, 0.9)):
        process = mfg.processes.critically_damped(beta, M)
        law = process.transition(0.0, t)
        assert law.factor == pytest.approx(expm(process.matrix * t), abs=1e-10)
        xx, xv, vv = covariance_of_critically_damped(t, beta, M)
        assert law.covariance == pytest.approx(np.array([[xx, xv], [xv, vv]]), abs=1e-7)
        late = mfg.processes.critically_damped(beta, M, horizon=40.0).prior().covariance
        assert late == pytest.approx(np.diag([1.0, M]), abs=1e-9)


def test_noise_by_axis_and_by_matrix(rng):
    A, B = np.array([[-1.0, 0.4], [-0.2, -0.7]]), rng.normal(size=(2, 3))
    by_matrix = mfg.Linear(A, B).transition(0.0, 1.0).covariance
    steps = [expm(A * s) @ B for s in np.linspace(0, 1, 2001)]
    assert by_matrix == pytest.approx(np.trapezoid([F @ F.T for F in steps], dx=1 / 2000, axis=0), abs=1e-5)
    axes = mfg.Linear(A, np.array([0.5, 0.0])).transition(0.2, 0.9).covariance
    assert axes == pytest.approx(mfg.Linear(A, np.diag([0.5, 0.0])).transition(0.2, 0.9).covariance, rel=1e-12)
    alike = mfg.Linear(A, np.array([0.5, 0.5])).transition(0.2, 0.9).covariance
    assert alike == pytest.approx(mfg.Linear(A, 0.5).transition(0.2, 0.9).covariance, rel=1e-10)
    growing = mfg.Linear(A, lambda t: (1 + t) * B).diffusion_tensor(np.zeros((1, 2)), 1.0)
    assert growing[0] == pytest.approx(2 * B @ B.T)


def test_what_needs_one_number_of_noise_refuses_clearly():
    process = mfg.processes.underdamped()
    start, space = mfg.gaussian(np.zeros(2), np.eye(2)), mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 16, 2))
    for ask in (
        lambda: process.diffusion(0.0),
        lambda: mfg.solve(mfg.FokkerPlanck.of(process), space, start, (0.0, 0.1)),
        lambda: mfg.induced_ode(process, lambda x, t: -x, space.grid),
    ):
        with pytest.raises(TypeError, match="differs by direction"):
            ask()
    with pytest.raises(ValueError, match="one for each of 2 axes"):
        mfg.Linear(np.eye(2), np.ones(3))


def klein_kramers(cells):
    return mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, cells, 2))


@pytest.mark.slow
def test_klein_kramers_is_gaussian_in_a_harmonic_well():
    """Forward: order two, mass and positivity; the noise is on v alone, x is carried."""
    process = mfg.processes.underdamped(stiffness=1.3, friction=0.8, horizon=2.0)
    start, errors = mfg.gaussian(np.array([1.0, -0.5]), 0.4 * np.eye(2)), []
    truth = mfg.marginal(process, start, 1.0)
    for cells in (40, 80):
        run = mfg.solve(ForwardKolmogorov.of(process), klein_kramers(cells), start, (0.0, 1.0), rtol=1e-4)
        law, grid = run.fields[-1].values, run.discretisation.grid
        assert law.min() >= -1e-6 * law.max()  # steps are longer than those that keep it positive
        assert abs(run.conserved["mass"][-1] - run.conserved["mass"][0]) < 1e-11
        errors.append(float(grid.integrate(np.abs(law - mfg.densities.cell_means(truth.density, grid)))))
    assert errors[-1] < 0.04
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.35), errors


def test_expectations_of_kinetic_motion_leave_constants_alone_and_know_the_mean():
    process = mfg.processes.underdamped(horizon=2.0)
    run = mfg.solve(FeynmanKac.of(process), klein_kramers(48), lambda x: 1 + 0 * x[..., 0], (0.0, 0.5), rtol=1e-3)
    assert np.abs(run.fields[-1].values - 1).max() < 1e-10
    run = mfg.solve(FeynmanKac.of(process), klein_kramers(64), lambda x: x[..., 0], (0.0, 0.5), rtol=1e-3)
    x = np.array([[0.5, 1.0], [-1.0, 0.3]])
    assert run.fields[-1](x) == pytest.approx(x @ process.transition(0.0, 0.5).factor[0], abs=1e-2)


def test_the_law_of_a_double_well_stays():
    """e^{−U − ½v²} with U = (x² − 1)²/2: what remains of it after a while shows the error of transport."""
    kramers, changes = Diffusion.underdamped(lambda x: 2 * x * (x**2 - 1), friction=0.7), []

    def gibbs(x):
        return np.exp(-0.5 * (x[..., 0] ** 2 - 1) ** 2 - 0.5 * x[..., 1] ** 2)

    for cells in (48, 96):
        space = mfg.FiniteVolume(mfg.CartesianGrid((-3.5, -6.0), (3.5, 6.0), (cells, cells)))
        mass = float(space.grid.integrate(gibbs(space.grid.points)))
        run = mfg.solve(
            ForwardKolmogorov(kramers), space, lambda x, m=mass: gibbs(x) / m, (0.0, 1.0), rtol=1e-4, mass=None
        )
        changes.append(float(space.grid.integrate(np.abs(run.fields[1].values - run.fields[0].values))))
    assert changes[1] < 0.02
    assert np.log2(changes[0] / changes[1]) > 1.5


@pytest.mark.slow
def test_critically_damped_noising_runs_back_to_its_data():
    """The exact score along v alone generates the data's law from p_T; the drift of x has its sign from f."""
    process = mfg.processes.critically_damped(rate=2.0, mass=1.0, horizon=0.5)
    data = mfg.gaussian(np.array([0.8, 0.0]), np.diag([0.3, 0.4]))

    def score(x, t):
        s = mfg.marginal(process, data, t).score(x)
        return np.stack((0 * s[..., 0], s[..., 1]), axis=-1)

    space = klein_kramers(64)
    equation = ForwardKolmogorov.reverse(process, score)
    run = mfg.solve(equation, space, mfg.marginal(process, data, 0.5), (0.0, 0.5), rtol=1e-3)
    error = space.grid.integrate(np.abs(run.fields[-1].values - mfg.densities.cell_means(data.density, space.grid)))
    assert float(error) < 0.04
    with pytest.raises(ValueError, match="has an end"):
        ForwardKolmogorov.reverse(Diffusion.underdamped(lambda x: x), score)


def test_walls_that_would_have_to_stop_what_has_no_noise_are_refused():
    process = mfg.processes.underdamped()
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 16, 2), walls="reflecting")
    with pytest.raises(ValueError, match="transport without noise"):
        space.semidiscretise(ForwardKolmogorov.of(process))
    with pytest.raises(TypeError, match="no noise along some direction"):
        mfg.solvers.stationary(ForwardKolmogorov(Diffusion.underdamped(lambda x: x)), klein_kramers(16))


NOISED = [
    mfg.processes.critically_damped(2.0, 0.5),
    mfg.processes.underdamped(1.3, 0.8, 0.6, 2.0),
    mfg.processes.critically_damped(3.0, 0.25, 2),
    mfg.Linear(np.array([[-1.0, 2.0], [-1.5, -0.5]]), lambda t: np.array([[0.6, 0.2 + t], [0.1, 0.5]])),
]


@pytest.mark.parametrize("process", NOISED, ids=["critical", "harmonic", "two places", "full"])
def test_scores_of_kinetic_noise_solve_their_equation(process, rng):
    """The residual is a rounding of the largest term; ∂_t s is that of its values."""
    d = len(process.noise_covariance(0.0))
    data = mfg.GaussianMixture([0.4, 0.6], rng.normal(size=(2, d)), np.stack([0.3 * np.eye(d), 0.5 * np.eye(d)]))
    score, x = mfg.ExactScore(process, data), rng.normal(size=(40, d))
    for t in (0.1, 0.5, 0.9):
        size = np.abs(score.time_derivative(x, t)).max()
        assert np.abs(mfg.score_residual(process, score, x, t)).max() < 1e-10 * max(1.0, size)
        moved = (score(x, t + 1e-4) - score(x, t - 1e-4)) / 2e-4
        np.testing.assert_allclose(score.time_derivative(x, t), moved, atol=1e-5 * max(1.0, size))


def test_a_disturbed_score_has_the_residual_of_its_disturbance(rng):
    """S = −x of N(0, I), which stays, plus a: ε = −∇[2a·Ds + a·Da − f·a] = 2Da − … by hand."""
    process = mfg.processes.critically_damped(1.0, 1.0)
    A, D, a = process.matrix, process.diffusion_tensor(np.zeros((1, 2)), 0.0)[0], np.array([0.3, -0.2])
    score = mfg.scores.Differenced(lambda x, t: a - x, 2)
    x = rng.normal(size=(20, 2))
    found = mfg.score_residual(process, score, x, 0.5)
    by_hand = 2 * D @ a + A.T @ a  # ∇(f·a) = Aᵀa; −∇(2a·D(−x)) = 2Da
    np.testing.assert_allclose(found, np.broadcast_to(by_hand, found.shape), atol=1e-6)


def test_the_score_equation_of_critical_damping_is_solved_at_order_two():
    process = mfg.processes.critically_damped(1.0, 1.0)
    data = mfg.GaussianMixture([0.5, 0.5], [[-0.6, 0.2], [0.7, -0.1]], np.stack([0.5 * np.eye(2), 0.6 * np.eye(2)]))
    exact, errors = mfg.ExactScore(process, data), []
    for cells in (24, 48, 96):
        grid = mfg.CartesianGrid.cube(5.0, cells, 2)
        run = mfg.solve(
            ScoreKolmogorov.of(process), mfg.FiniteVolume(grid), lambda x: exact(x, 0.0), (0.0, 0.3), rtol=1e-6
        )
        weight = mfg.marginal(process, data, 0.3).density(grid.points)
        off = ((run.fields[-1].values - exact(grid.points, 0.3)) ** 2).sum(axis=-1)
        errors.append(float(np.sqrt(grid.integrate(weight * off))))
    assert errors[-1] < 1.5e-3
    assert np.log2(errors[1] / errors[2]) == pytest.approx(2, abs=0.15), errors


def test_what_the_score_equation_of_tensors_cannot_is_said(tmp_path):
    full, grid = NOISED[-1], mfg.CartesianGrid.cube(5.0, 16, 2)
    with pytest.raises(TypeError, match="with cross terms: turn the coordinates"):
        mfg.solve(ScoreKolmogorov.of(full), mfg.FiniteVolume(grid), lambda x: -x, (0.0, 0.1))
    with pytest.raises(TypeError, match="ScoreFokkerPlanck"):
        ScoreKolmogorov.of(mfg.OrnsteinUhlenbeck())
    with pytest.raises(TypeError, match="Spectral has no scheme for ScoreKolmogorov"):
        mfg.Spectral(grid).semidiscretise(ScoreKolmogorov.of(NOISED[0]))
    half = mfg.scores.Differenced(lambda x, t: -x[..., 1:], 2)
    with pytest.raises(ValueError, match="solves none"):
        mfg.score_residual(NOISED[0], half, np.zeros((3, 2)), 0.5)
    (tmp_path / "s.py").write_text("def score(x, t):\n    return -x\n")
    words = ["check", str(tmp_path / "s.py:score"), "--process", "critically-damped", "--dimension", "2"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code != 0
    assert "noise that is alike along all axes" in " ".join(result.output.split())
