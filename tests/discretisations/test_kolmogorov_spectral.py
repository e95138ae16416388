"""Tensors in spectral form: closed forms to 1e-8, mass, transposes, kinetic noise, refusals."""

import numpy as np
import pytest
from scipy.linalg import expm, solve_continuous_lyapunov

import mfgpde as mfg
from mfgpde.equations import FeynmanKac, ForwardKolmogorov, Resetting
from mfgpde.processes import Diffusion

A, S = np.array([[-1.0, 0.5], [-0.3, -0.8]]), np.array([[0.6, 0.35], [0.35, 0.3]])


def error(equation, space, start, end, truth, rtol=1e-9):
    run = mfg.solve(equation, space, start, (0.0, end), rtol=rtol, mass=None, largest_wall_mass=1e-2)
    assert abs(run.conserved["mass"][-1] - run.conserved["mass"][0]) < 1e-11
    return float(space.grid.integrate(np.abs(run.fields[-1].values - truth(space.grid.points))))


def box(half, n, d=2, periodic=False):
    return mfg.Spectral(mfg.CartesianGrid.cube(half, n, d, periodic=periodic))


def correlated(end):
    F, P = expm(A * end), solve_continuous_lyapunov(A, -2 * S)
    return mfg.gaussian(F @ np.array([1.0, -0.5]), F @ (0.25 * np.eye(2) - P) @ F.T + P)


@pytest.mark.parametrize("periodic", [False, True])
def test_a_gaussian_under_a_full_tensor(periodic):
    """On walled boxes cross terms are explicit, on periodic ones exact; both fall by far more than any power."""
    drift = (lambda x, t: 0 * x) if periodic else (lambda x, t: x @ A.T)
    equation = ForwardKolmogorov(Diffusion(drift, lambda x, t: np.broadcast_to(S, (*x.shape, 2))))
    start = mfg.gaussian(np.array([1.0, -0.5]), 0.25 * np.eye(2))
    truth = mfg.gaussian(np.array([1.0, -0.5]), 0.25 * np.eye(2) + 0.6 * S) if periodic else correlated(0.3)
    coarse, fine = (error(equation, box(6.0, n, periodic=periodic), start, 0.3, truth.density) for n in (32, 64))
    assert fine < 1e-7
    assert coarse > 100 * fine


def shear(y, t=0.0):
    J = np.zeros((*y.shape, 2))
    J[..., 0, 0] = J[..., 1, 1] = 1.0
    J[..., 1, 0] = np.cos(y[..., 0])
    return J @ np.diag([0.5, 0.1]) @ np.swapaxes(J, -1, -2)


def test_a_tensor_that_turns_with_the_place_on_a_torus():
    """Heat of the modes e^{i(k·x)} in sheared coordinates x = (y₁, y₂ − sin y₁), both periodic with 2π."""
    equation = ForwardKolmogorov(Diffusion(lambda y, t: np.stack((0 * y[..., 0], -0.5 * np.sin(y[..., 0])), -1), shear))

    def law(t):
        return lambda y: (
            (1 + 0.5 * np.exp(-0.6 * t) * np.cos(y[..., 0] + y[..., 1] - np.sin(y[..., 0]))) / (4 * np.pi**2)
        )

    coarse, fine = (error(equation, box(np.pi, n, periodic=True), law(0.0), 0.4, law(0.4)) for n in (8, 20))
    assert fine < 1e-8
    assert coarse > 100 * fine


def test_geometric_brownian_motion_between_walls():
    mu, sigma = 0.2, 0.2
    diffusion = Diffusion(lambda x, t: mu * x, lambda x, t: 0.5 * sigma**2 * x**2, meaning="stratonovich")

    def law(t):
        m, v = mu * t, 0.02 + sigma**2 * t
        return lambda x: np.exp(-0.5 * (np.log(x[..., 0]) - m) ** 2 / v) / x[..., 0] / np.sqrt(2 * np.pi * v)

    space = mfg.Spectral(mfg.CartesianGrid((0.05,), (5.0,), (192,)))
    assert error(ForwardKolmogorov(diffusion), space, law(0.0), 0.5, law(0.5)) < 1e-7


@pytest.mark.slow
def test_time_and_three_dimensions():
    S3 = np.array([[0.5, 0.2, -0.1], [0.2, 0.4, 0.15], [-0.1, 0.15, 0.3]])
    tensor = lambda x, t: np.broadcast_to((1 + t) * S3, (*x.shape, 3))  # noqa: E731
    equation = ForwardKolmogorov(Diffusion(lambda x, t: 0 * x, tensor, time_dependent=True))
    start, after = mfg.gaussian(np.zeros(3), 0.5 * np.eye(3)), mfg.gaussian(np.zeros(3), 0.5 * np.eye(3) + 0.44 * S3)
    assert error(equation, box(4.8, 28, 3), start, 0.2, after.density, 1e-7) < 2e-4


@pytest.mark.slow
def test_kinetic_noise():
    process = mfg.processes.underdamped(stiffness=1.3, friction=0.8, horizon=2.0)
    start = mfg.gaussian(np.array([1.0, -0.5]), 0.4 * np.eye(2))
    truth = mfg.marginal(process, start, 0.7)
    assert error(ForwardKolmogorov.of(process), box(6.5, 64), start, 0.7, truth.density, 1e-8) < 1e-5


def test_forward_and_backward_are_transposes_on_a_torus(rng):
    diffusion = Diffusion(lambda x, t: np.stack((np.sin(x[..., 1]), np.cos(x[..., 0])), -1), shear)
    law = lambda x: (1 + 0.5 * np.cos(x[..., 0])) / (4 * np.pi**2)  # noqa: E731
    terms = {"killing": lambda x, t: 1 + np.cos(x[..., 0]), "resetting": Resetting(lambda x, t: 0.3, law)}
    space = box(np.pi, 11, periodic=True)
    forward, backward = (space.semidiscretise(kind(diffusion, **terms)) for kind in (ForwardKolmogorov, FeynmanKac))
    p, u = rng.normal(size=(2, 11, 11))
    one = forward.values(forward.rate(forward.basis.analyse(p), 0.0))
    other = backward.values(backward.rate(backward.basis.analyse(u), 0.0))
    assert float((u * one).sum()) == pytest.approx(float((p * other).sum()), rel=1e-9)


def test_walls_and_expectations_and_bad_tensors_are_refused():
    walk = Diffusion(lambda x, t: 0 * x, lambda x, t: 1 - x**2)
    with pytest.raises(TypeError, match="expectations are spectral on periodic boxes"):
        box(2.0, 8, 1).semidiscretise(FeynmanKac(walk))
    with pytest.raises(ValueError, match="not positive semidefinite at x"):
        box(2.0, 8, 1).semidiscretise(ForwardKolmogorov(walk)).rate(np.ones(8), 0.0)
