"""Whole solves on a device: on a GPU where there is one, and everywhere on a device that is none.

The stand-in is in `conftest.py`; how fast a device is, only one can say.
"""

import sys
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core import arrays
from mfgpde.processes import Diffusion

TURNING = mfg.Linear(np.array([[-0.5, 1.0], [-1.0, -0.5]]), 0.8)


def wide_tensor(x, t):
    d, size = x.shape[-1], 0.3 + 0.1 * np.sin(x[..., 0])
    return size[..., None, None] * (0.6 * np.eye(d) + 0.4 * np.ones((d, d)))


def growing_tensor(x, t):
    return (1 + t) * wide_tensor(x, t)


TENSOR = mfg.equations.ForwardKolmogorov(
    Diffusion(lambda x, t: -x, wide_tensor), killing=lambda x, t: 0.2 + 0 * x[..., 0], source=lambda x, t: 0.01 + 0 * t
)
MOVING = mfg.equations.ForwardKolmogorov(Diffusion(lambda x, t: -x, growing_tensor, time_dependent=True))
RESET = mfg.equations.ForwardKolmogorov(
    Diffusion(lambda x, t: -x, wide_tensor),
    resetting=mfg.equations.Resetting(lambda x, t: 0.5 + 0 * x[..., 0], mfg.gaussian([0.4, 0.2], 0.2, 2)),
)
CASES = {
    "2D, on the fly": (mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), 2, 48, 2, "fitted_stage_2d"),
    "2D, stored": (mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), 2, 12, 2, "stage_2d"),
    "2D, turning": (mfg.FokkerPlanck.of(TURNING), 2, 40, 2, "stage_2d"),
    "2D, order four": (mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), 2, 48, 4, "corrected_fitted_stage_2d"),
    "2D, order four, stored": (mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), 2, 24, 4, "corrected_stage_2d"),
    "2D, order four, driven": (mfg.FokkerPlanck.of(mfg.VariancePreserving()), 2, 24, 4, "corrected_fitted_stage_2d"),
    "3D, order four": (mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), 3, 40, 4, "corrected_fitted_pairs_3d"),
    "3D": (mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), 3, 40, 2, "fitted_stage_3d"),
    "3D, stored": (mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), 3, 12, 2, "stage_3d"),
    "1D": (mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), 1, 60, 2, "stage_1d"),
    "2D, driven in time": (mfg.FokkerPlanck.of(mfg.VariancePreserving()), 2, 24, 2, "fitted_stage_2d"),
    "tensor": (TENSOR, 2, 40, 2, "jump"),
    "tensor in time": (MOVING, 2, 16, 2, "jump"),
    "tensor in space": (mfg.equations.ForwardKolmogorov(Diffusion(lambda x, t: -x, wide_tensor)), 3, 12, 2, "jump"),
    "noise on velocities": (mfg.equations.ForwardKolmogorov.of(mfg.processes.underdamped()), 2, 24, 2, "limited_flux"),
    "resetting": (RESET, 2, 24, 2, "jump"),
    "continuity": (mfg.Continuity(lambda x, t: -x, time_dependent=False), 2, 24, 2, "limited_flux"),
}


@pytest.mark.parametrize(
    ("equation", "d", "cells", "order", "kernel"),
    [pytest.param(*one, id=name, marks=[pytest.mark.slow] * (name == "3D, order four")) for name, one in CASES.items()],
)
def test_a_solve_on_the_device_is_that_on_the_host(equation, d, cells, order, kernel, device):
    start = mfg.GaussianMixture([0.5, 0.5], [[0.6] * d, [-0.5] * d], [0.2, 0.3])
    grid, end = mfg.CartesianGrid.cube(3.0, cells, d), 0.3 if d < 3 else 0.1
    found = {
        backend: mfg.solve(
            equation,
            mfg.FiniteVolume(grid, order=order, backend=backend),
            start,
            (0.05, end),
            rtol=1e-4,
            largest_wall_mass=1e-2,
        )
        for backend in ("numpy", "cupy")
    }
    assert kernel in device
    host, remote = (found[backend].at(end).values for backend in ("numpy", "cupy"))
    assert isinstance(remote, np.ndarray)
    np.testing.assert_allclose(remote, host, rtol=1e-9, atol=1e-12)
    assert found["cupy"].cost["steps"] == found["numpy"].cost["steps"]


def burgers(x, p, t):
    return 0.5 * p[..., 0] ** 2


def eikonal(x, p, t):
    return np.sqrt(1 + p[..., 0] ** 2 + p[..., 1] ** 2)


def swirl(x, t):
    return np.stack((np.sin(np.pi / 3 * x[..., 1]), np.cos(np.pi / 3 * x[..., 0])), axis=-1)


OTHERS = {
    "cosines, Fokker–Planck": (mfg.FokkerPlanck.of(TURNING), "cosines", None),
    "cosines, driven in time": (mfg.FokkerPlanck.of(mfg.VariancePreserving()), "cosines", None),
    "Fourier, continuity": (mfg.Continuity(swirl, time_dependent=False), "fourier", None),
    "Fourier, score": (mfg.ScoreFokkerPlanck.of(mfg.VarianceExploding()), "fourier", "score"),
    "cosines, Hamilton–Jacobi": (mfg.HamiltonJacobiBellman(burgers, lambda t: 0.3), "cosines", "u"),
    "differences, Hamilton–Jacobi": (mfg.HamiltonJacobiBellman.of(TURNING), "volumes", "u"),
    "differences, log-density": (mfg.LogDensity.of(mfg.processes.double_well()), "volumes", "phi"),
    "WENO": (mfg.HamiltonJacobiBellman(eikonal, lambda t: 0.0), "weno", "u"),
    "staggered, score": (mfg.ScoreFokkerPlanck.of(mfg.OrnsteinUhlenbeck()), "volumes", "score"),
    "staggered, score, turning": (mfg.ScoreFokkerPlanck.of(TURNING), "volumes", "score"),
}


@pytest.mark.parametrize(("equation", "space", "unknown"), OTHERS.values(), ids=OTHERS)
def test_other_equations_and_bases_there(equation, space, unknown, device):
    law = mfg.GaussianMixture([0.5, 0.5], [[0.6, 0.6], [-0.5, -0.5]], [0.2, 0.3])
    start = {None: law, "score": law.score, "u": lambda x: -0.3 * law.log_density(x), "phi": law.log_density}[unknown]
    grid = mfg.CartesianGrid.cube(3.0, 20, 2, periodic=space == "fourier")
    if space == "fourier" and unknown == "score":
        start = lambda x: np.sin(np.pi / 3 * x)  # noqa: E731
    found = {}
    for backend in ("numpy", "cupy"):
        where = {"cosines": mfg.Spectral, "fourier": mfg.Spectral, "volumes": mfg.FiniteVolume}.get(space)
        there = where(grid, backend=backend) if where else mfg.FiniteVolume(grid, order=5, backend=backend)
        found[backend] = mfg.solve(equation, there, start, (0.05, 0.1), rtol=1e-4, largest_wall_mass=1.0)
    host, remote = (found[backend].at(0.1).values for backend in ("numpy", "cupy"))
    assert isinstance(remote, np.ndarray)
    np.testing.assert_allclose(remote, host, rtol=1e-9, atol=1e-11)
    assert np.abs(host - found["numpy"].at(0.05).values).max() > 1e-5
    assert found["cupy"].cost["steps"] == found["numpy"].cost["steps"]
    assert ("weno_slopes" in device) == (space == "weno")


@pytest.mark.slow
def test_learned_scores_there(device):
    """A score in JAX takes and gives arrays of the device; the reverse process is marched with it there."""
    process, xp = mfg.VariancePreserving(), arrays.device_namespace()
    if hasattr(xp, "ndarray") and jax.default_backend() != "gpu":
        pytest.skip("JAX was installed without support for GPUs")

    def potential(x, t):
        return -0.5 * jnp.sum(x**2) + 0.1 * t * jnp.sin(x[0]) * jnp.cos(x[1])

    for score in (mfg.JaxScore(potential, 2), mfg.JaxScore(jax.grad(potential), 2)):
        grid = mfg.CartesianGrid.cube(4.0, 20, 2)
        host, there = (mfg.induced_sde(process, score, grid, stop=0.1, backend=b) for b in ("numpy", "cupy"))
        np.testing.assert_allclose(there.density.values, host.density.values, rtol=1e-9, atol=1e-13)
        assert there.evaluations == pytest.approx(host.evaluations, rel=0.01)  # and a probe
        x = np.random.default_rng(0).normal(size=(7, 5, 2))
        for name in ("__call__", "divergence", "jacobian", "time_derivative"):
            ours = getattr(score, name)(xp.asarray(x), 0.3)
            assert arrays.elsewhere(ours)
            np.testing.assert_allclose(ours.get(), getattr(score, name)(x, 0.3), rtol=1e-13, atol=1e-14)
    solution = {
        name: mfg.solve(
            mfg.FokkerPlanck(drift, lambda t: 0.5, time_dependent=False),
            mfg.FiniteVolume(grid, backend="cupy"),
            mfg.gaussian(0.0, 0.4, 2),
            (0, 0.1),
            largest_wall_mass=1e-3,
        )
        for name, drift in (("there", lambda x, t: -x), ("host", lambda x, t: x @ np.array([[-1.0, 0], [0, -1.0]])))
    }
    assert solution["there"].cost["coefficients on the device"] == 1
    assert solution["host"].cost["coefficients on the device"] == 0
    np.testing.assert_allclose(solution["there"].at(0.1).values, solution["host"].at(0.1).values, rtol=1e-12)


def test_pytorch_modules_there(device, torch):
    """A PyTorch module takes and gives arrays of the device, and says so if it lies elsewhere."""
    process, xp = mfg.VariancePreserving(), arrays.device_namespace()
    real = hasattr(xp, "ndarray")
    if real and not torch.cuda.is_available():
        pytest.skip("PyTorch was installed without support for GPUs")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.mix = torch.nn.Linear(3, 2)

        def forward(self, x, t):
            return -x + 0.1 * torch.tanh(self.mix(torch.cat((x, t), dim=1)))

    torch.manual_seed(0)
    module = Net()
    here, there = mfg.TorchScore(module, 2), mfg.TorchScore(module.to("cuda" if real else "cpu"), 2)
    x = np.random.default_rng(0).normal(size=(7, 5, 2))
    for name in ("__call__", "divergence", "jacobian", "time_derivative", "divergence_gradient"):
        ours = getattr(there, name)(xp.asarray(x), 0.3)
        assert arrays.elsewhere(ours)
        np.testing.assert_allclose(ours.get(), getattr(here, name)(x, 0.3), rtol=1e-12, atol=1e-14)
    grid = mfg.CartesianGrid.cube(4.0, 32, 2)
    host = mfg.induced_sde(process, here, grid, stop=0.1).density.values
    ours = mfg.induced_sde(process, there, grid, stop=0.1, backend="cupy").density.values
    np.testing.assert_allclose(ours, host, rtol=1e-9, atol=1e-13)
    away = mfg.TorchScore(Net(), 2)
    away.device = torch.device("cpu" if real else "meta")
    with pytest.raises(ValueError, match="the module lies on"):
        away(xp.asarray(x), 0.3)


def test_transport_there(device):
    grid = mfg.CartesianGrid.cube(3.0, 32, 2)
    p, q = (mfg.gaussian(m, v, 2).density(grid.points) for m, v in ((-0.4, 0.3), (0.5, 0.5)))
    found = {backend: mfg.back_and_forth(p, q, grid, backend=backend) for backend in ("numpy", "cupy")}
    assert {"envelope", "scatter"} <= set(device)
    assert found["cupy"].distance.value == pytest.approx(found["numpy"].distance.value, rel=1e-9)
    assert found["cupy"].lower <= found["cupy"].distance.value <= found["cupy"].upper
    np.testing.assert_allclose(found["cupy"].potential, found["numpy"].potential, atol=1e-6)
    assert len(found["cupy"].history) == len(found["numpy"].history)


BLOBS, GAUSSIAN = mfg.densities.four_blobs(), mfg.gaussian(0.2, 0.4, 2)
GAMES = {
    "entropic": mfg.MeanFieldGame(GAUSSIAN, mfg.games.RelativeEntropy(BLOBS), viscosity=0.3),
    "entropic, hard": mfg.MeanFieldGame(GAUSSIAN, mfg.games.Target(BLOBS), viscosity=0.3),
    "entropic, crowd": mfg.MeanFieldGame(
        GAUSSIAN, mfg.games.ReverseRelativeEntropy(BLOBS), viscosity=0.3, interaction=mfg.games.Power(0.5, 3.0)
    ),
    "primal-dual": mfg.MeanFieldGame(GAUSSIAN, mfg.games.RelativeEntropy(BLOBS)),
    "primal-dual, hard, noise": mfg.MeanFieldGame(GAUSSIAN, mfg.games.Target(BLOBS), viscosity=0.1),
    "primal-dual, crowd": mfg.MeanFieldGame(
        GAUSSIAN,
        mfg.games.Target(GAUSSIAN),
        interaction=mfg.games.Capacity(0.5),
        drift_potential=lambda x, t: 0.3 * x[..., 0],
    ),
}


@pytest.mark.filterwarnings("ignore:.*not converged:UserWarning")  # a few sweeps show whether both do the same
@pytest.mark.parametrize("name", GAMES)
def test_games_there(name, device):
    game, method = GAMES[name], name.split(",")[0]
    grid = mfg.CartesianGrid.cube(4.0, 24, 2)
    options = {"iterations": 6 if method == "entropic" else 50, "steps": 2 if method == "entropic" else 6}
    host, there = (
        mfg.equilibrium(game, grid, method=method, backend=backend, **options) for backend in ("numpy", "cupy")
    )
    np.testing.assert_allclose(there.densities, host.densities, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(there.values, host.values, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(
        [there.discrete_primal, there.discrete_dual], [host.discrete_primal, host.discrete_dual], rtol=1e-9
    )
    assert there.costs == pytest.approx(host.costs, rel=1e-8)
    assert ("kinetic_proximal" in device) == (method == "primal-dual")


def test_backends_say_what_is_missing(fake):
    grid = mfg.CartesianGrid.cube(4.0, 1200, 2)
    equation = mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck())
    with pytest.raises(MemoryError, match=r"needs about \S+ GiB on the device, 0.25 of 1 GiB are free"):
        mfg.FiniteVolume(mfg.CartesianGrid.cube(4.0, 2000, 2), backend="cupy").semidiscretise(equation)
    mfg.FiniteVolume(grid, backend="auto").semidiscretise(equation)
    with pytest.raises(ValueError, match=r"'auto', 'numpy' or 'cupy', got 'gpu'"):
        mfg.FiniteVolume(grid, backend="gpu")
    small = mfg.FiniteVolume(mfg.CartesianGrid.cube(4.0, 16, 2), backend="cupy")
    weights = np.array([1.0, 2.0])
    stubborn = mfg.HamiltonJacobiBellman(lambda x, p, t: 0.5 * p**2 @ weights, lambda t: 0.1)
    for space in (small, mfg.Spectral(small.grid, backend="cupy")):
        with pytest.raises(
            TypeError, match=r"the Hamiltonian does not compute with arrays on the device: .* met one of"
        ):
            mfg.solve(stubborn, space, lambda x: np.sum(x, axis=-1), (0, 0.1))
    with pytest.raises(MemoryError, match="a spectral solve on"):
        mfg.Spectral(grid, backend="cupy").semidiscretise(equation)
    with pytest.raises(TypeError, match="implicit integrators solve on the host"):
        mfg.solve(equation, small, mfg.gaussian([0, 0], 0.3 * np.eye(2)), (0, 0.1), integrator=mfg.integrators.TRBDF2())


def test_without_cupy_or_a_driver(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(RuntimeError, match="needs CuPy, which cannot be imported"):
        arrays.namespace("cupy")
    assert arrays.namespace("auto") is np

    class CUDARuntimeError(RuntimeError):
        pass

    def count():
        raise CUDARuntimeError("cudaErrorNoDevice")

    runtime = SimpleNamespace(CUDARuntimeError=CUDARuntimeError, getDeviceCount=count)
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(__version__="14", cuda=SimpleNamespace(runtime=runtime)))
    with pytest.raises(RuntimeError, match=r"found no usable driver \(cudaErrorNoDevice\)"):
        arrays.namespace("cupy")
    assert arrays.namespace("auto") is np
    runtime.getDeviceCount = lambda: 0
    with pytest.raises(RuntimeError, match="sees no device"):
        arrays.namespace("cupy")
