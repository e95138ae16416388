"""Residuals where the drift is not affine: a stationary law solves its equations, a false one does not."""

from dataclasses import dataclass

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core.checkpoint import Checkpoint
from mfgpde.core.kept import Kept
from mfgpde.diagnostics.by_sampling import Walked, _row
from mfgpde.diagnostics.ode_sde_gap import _one_sided
from mfgpde.processes import ForwardProcess, OverdampedLangevin, double_well


@dataclass(frozen=True)
class Coupled:
    """V = (x₁² − 1)² + ½x₂² + ¼x₁²x₂² + ⅓x₁x₂, by hand."""

    def potential(self, x):
        a, b = x[..., 0], x[..., 1]
        return (a**2 - 1) ** 2 + 0.5 * b**2 + 0.25 * a**2 * b**2 + a * b / 3

    def gradient(self, x):
        a, b = x[..., 0], x[..., 1]
        return np.stack((4 * a * (a**2 - 1) + 0.5 * a * b**2 + b / 3, b + 0.5 * a**2 * b + a / 3), axis=-1)

    def hessian(self, x):
        a, b = x[..., 0], x[..., 1]
        mixed = a * b + 1 / 3
        return np.stack((np.stack((12 * a**2 - 4 + 0.5 * b**2, mixed), -1), np.stack((mixed, 1 + 0.5 * a**2), -1)), -2)

    def laplacian(self, x):
        return np.trace(self.hessian(x), axis1=-2, axis2=-1)

    def laplacian_gradient(self, x):
        return np.stack((25 * x[..., 0], x[..., 1]), axis=-1)

    def third(self, x, v):
        """Return ∇(vᵀ∇²V v)."""
        a, b, p, q = x[..., 0], x[..., 1], v[..., 0], v[..., 1]
        return np.stack((24 * a * p**2 + 2 * b * p * q + a * q**2, b * p**2 + 2 * a * p * q), axis=-1)


@dataclass(frozen=True)
class Stationary:
    """share·(−∇V), the score of e^{−share·V}: right for share = 1."""

    V: object
    share: float = 1.0

    def __call__(self, x, t):
        return -self.share * self.V.gradient(x)

    def jacobian(self, x, t):
        return -self.share * self.V.hessian(x)

    def divergence(self, x, t):
        return -self.share * self.V.laplacian(x)

    def time_derivative(self, x, t):
        return np.zeros_like(x)

    def divergence_gradient(self, x, t):
        return -self.share * self.V.laplacian_gradient(x)

    def potential(self, x, t):
        return -self.share * self.V.potential(x)

    def potential_time_derivative(self, x, t):
        return np.zeros(x.shape[:-1])

    def directional_derivatives(self, x, t, v):
        pushed = np.einsum("...ij,...j->...i", self.jacobian(x, t), v)
        return pushed, pushed, -self.share * self.V.third(x, v)


@dataclass(frozen=True)
class Turning(ForwardProcess):
    """dX = (−D∇V + ω R∇V) dt + g dW with a rotation R: e^{−V} stays, and there is no potential."""

    V: Coupled = Coupled()
    scale: float = 0.8
    omega: float = 0.6
    horizon: float = 1.7

    def drift(self, x, t):
        slope = self.V.gradient(x)
        return -0.5 * self.scale**2 * slope + self.omega * np.stack((-slope[..., 1], slope[..., 0]), axis=-1)

    def divergence(self, x, t):
        return -0.5 * self.scale**2 * self.V.laplacian(x)  # of R∇V it is zero

    def diffusion(self, t):
        return np.full(np.shape(t), self.scale)


V = Coupled()
WELL = double_well(depth=0.7, scale=1.3, horizon=2.7)
WELL_V = WELL.potential.__self__
CASES = {
    "double well, 1D": (WELL, WELL_V, 1, 1e-12),
    "double well, 2D": (WELL, WELL_V, 2, 1e-12),
    "coupled, derivatives given": (
        OverdampedLangevin(V.potential, V.gradient, V.laplacian, 1.3, 2.7, V.hessian, V.laplacian_gradient),
        V, 2, 1e-12,
    ),
    "coupled, by differences": (OverdampedLangevin(V.potential, V.gradient, V.laplacian, 1.3, 2.7), V, 2, 1e-9),
    "turning, by differences": (Turning(), V, 2, 1e-9),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_stationary_score_solves_the_score_equation(name, rng):
    process, V, d, bound = CASES[name]
    x = rng.normal(size=(40, d))
    terms = 1 + np.abs(V.gradient(x)).max() * np.abs(V.hessian(x)).max() + np.abs(V.laplacian_gradient(x)).max()
    assert np.abs(mfg.diagnostics.score_residual(process, Stationary(V), x, 0.4)).max() <= bound * terms
    assert np.abs(mfg.diagnostics.score_residual(process, Stationary(V, 1.01), x, 0.4)).max() > 1e-3 * terms
    rounding = 1e-12 * terms * (1 + np.abs(V.gradient(x)).max())
    assert np.abs(mfg.diagnostics.log_density_residual(process, Stationary(V), x, 0.4)).max() <= rounding


def test_one_number_by_hand():
    """At x = 2, V = (x² − 1)²: with the affine formula the residual was −68 on what it should be."""
    process, x = double_well(), np.array([[2.0]])
    assert mfg.diagnostics.score_residual(process, Stationary(process.potential.__self__), x, 0.5)[
        0, 0
    ] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name][2] == 2 and CASES[name][1] is V])
def test_so_it_does_by_sampling(name, rng):
    process, V, d, _ = CASES[name]
    x = rng.normal(size=(64, d))
    x, nothing = Walked(x, x[:16]), Kept(Checkpoint(None, {}))
    row = _row(process, Stationary(V), x, 0.4, 0, 0, nothing)
    assert row["score residual"].value <= 1e-14 * row["score"].value ** 2
    assert _row(process, Stationary(V, 1.01), x, 0.4, 0, 0, nothing)["score residual"].value > 1e-4


def test_the_flow_of_a_stationary_score_stretches_nothing():
    """Its velocity −D∇V + D∇V is zero; that of a score of zero is D∇V, with the Hessian's largest eigenvalue."""
    grid = mfg.CartesianGrid.cube(2.0, 32, 2)
    q = np.exp(-V.potential(grid.points))
    process = CASES["coupled, derivatives given"][0]
    assert _one_sided(process, Stationary(V), q, grid, 0.3) == pytest.approx(0.0, abs=1e-12)
    still = _one_sided(process, Stationary(V, 0.0), np.ones(grid.cells), grid, 0.3)
    kept = np.linalg.eigvalsh(V.hessian(grid.points))[..., -1].ravel()
    assert 0.845 * np.sort(kept)[-2] <= still <= 0.845 * kept.max() * (1 + 1e-12)  # D = 1.3²/2; 99.9 % of the cells


def test_noise_by_direction_has_its_tensor_at_points_of_any_shape(rng):
    """A mixture's score solves the equation of its own tensor, at points (3, 4, 2) as one by one; another is seen."""
    g, A, t = np.array([[0.9, 0.2], [-0.3, 0.5]]), np.array([[-0.4, 0.3], [0.1, -0.8]]), 0.6
    process = mfg.processes.Linear(matrix=A, scale=g)
    law = mfg.GaussianMixture(
        [0.4, 0.6], [[0.9, -0.2], [-0.5, 0.3]], [[[0.2, 0.1], [0.1, 0.3]], [[0.3, 0.0], [0.0, 0.1]]]
    )
    score, x = mfg.ExactScore(process, law), rng.normal(size=(3, 4, 2))
    found = mfg.diagnostics.score_residual(process, score, x, t)
    assert found.shape == x.shape
    term = np.abs(np.einsum("...ij,...j->...i", score.jacobian(x, t), score(x, t))).max()  # 26, and cancels
    assert np.abs(found).max() < 1e-13 * term
    wrong = mfg.processes.Linear(matrix=A, scale=g @ np.diag([1.0, 1.2]))
    seen = mfg.diagnostics.score_residual(wrong, score, x, t)
    one_by_one = [mfg.diagnostics.score_residual(wrong, score, y[None], t)[0] for y in x.reshape(-1, 2)]
    np.testing.assert_allclose(seen.reshape(-1, 2), one_by_one, rtol=1e-12)
    off = 0.5 * (wrong.scale @ wrong.scale.T - g @ g.T)  # ε = −∇tr(off J) − 2 Jᵀ off s
    shift = 1e-5 * np.eye(2)
    trace = [np.einsum("ij,...ij", off, score.jacobian(x + h, t) - score.jacobian(x - h, t)) / 2e-5 for h in shift]
    pulled = np.einsum("...ij,...i->...j", score.jacobian(x, t), score(x, t) @ off)
    np.testing.assert_allclose(seen, -np.stack(trace, axis=-1) - 2 * pulled, rtol=1e-6, atol=1e-7)


def test_a_score_of_velocities_alone_has_no_equation():
    class Velocities(mfg.ExactScore):
        def __call__(self, x, t):
            return super().__call__(x, t)[..., 1:]

    process = mfg.processes.Linear(matrix=np.array([[0.0, 1.0], [-1.0, -0.5]]), scale=np.array([0.0, 1.0]))
    score = Velocities(process, mfg.gaussian([0.0, 0.0], np.eye(2)))
    with pytest.raises(ValueError, match=r"all 2 coordinates, got values of shape \(3, 1\)"):
        mfg.diagnostics.score_residual(process, score, np.ones((3, 2)), 0.5)
