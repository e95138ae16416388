"""Reversible Markov generators: Ornstein–Uhlenbeck, overdamped Langevin, Laplace–Beltrami, any diffusion tensor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from mfgpde.core.arrays import Array
from mfgpde.processes.contract import ForwardProcess, IsotropicProcess, positive
from mfgpde.processes.langevin import OverdampedLangevin
from mfgpde.processes.linear import Linear

Function = Callable[[Array], Array]
NODES, WEIGHTS = np.polynomial.legendre.leggauss(32)
BLOCK = 1024


@dataclass(frozen=True, eq=False)
class MarkovGenerator:
    """Lh = e^V ∇·(e^{−V} A∇h), reversible in π ∝ e^{−V}; without a potential and a tensor, the Laplace–Beltrami operator.

    `potential` maps points (n, d) to V (n,), `gradient` to ∇V (n, d), tangential on a surface; `tensor` maps them to A
    (n, d, d), symmetric and positive. Its own time is that of ∂_t h = Lh; runs of it end at `horizon`.

    >>> L = mfg.processes.MarkovGenerator.of(mfg.OrnsteinUhlenbeck())  # Δ − 2x·∇, at half the speed
    >>> L.gradient(np.array([[1.0]])).tolist(), L.horizon
    ([[2.0]], 0.5)
    """

    potential: Function | None = None
    gradient: Function | None = None
    tensor: Function | None = None
    horizon: float = 1.0

    def __post_init__(self) -> None:
        positive(horizon=self.horizon)

    @classmethod
    def of(cls, process: ForwardProcess) -> MarkovGenerator:
        """Return L = Δ − ∇V·∇ with drift −D∇V of the process; its time is `clock(process, t)`.

        Raises ValueError for a process that is not reversible in one law, and says by how much.
        """
        end = clock(process, process.horizon)
        if isinstance(process, OverdampedLangevin):
            return cls(process.potential, process.gradient, horizon=end)
        if isinstance(process, Linear):
            S = _symmetric(process)
            return cls(lambda x: 0.5 * np.einsum("...i,ij,...j->...", x, S, x), lambda x: x @ S, horizon=end)
        if isinstance(process, IsotropicProcess):
            times = process.horizon * np.array([0.1, 0.5, 1.0])
            rates = np.array([float(process.relaxation(t) / process.diffusivity(t)) for t in times])
            if not np.allclose(rates, rates[0], rtol=1e-6):
                raise ValueError(
                    f"{process!r} is reversible in no law: relaxation over diffusivity goes from {rates[0]:.3g} to "
                    f"{rates[-1]:.3g}; variance-preserving and Ornstein–Uhlenbeck processes keep it"
                )
            stiffness = float(rates[0])
            if stiffness == 0:
                return cls(horizon=end)
            return cls(lambda x: 0.5 * stiffness * (x**2).sum(axis=-1), lambda x: stiffness * x, horizon=end)
        raise ValueError(f"no potential is known for {process!r}; give MarkovGenerator(potential, gradient)")

    @classmethod
    def riemannian(cls, metric: Function, horizon: float = 1.0) -> MarkovGenerator:
        """Return the Laplace–Beltrami operator of a metric G (n, d, d) in coordinates: A = G⁻¹, π the volume √det G."""
        return cls(lambda x: -0.5 * np.linalg.slogdet(metric(x))[1], None, lambda x: np.linalg.inv(metric(x)), horizon)

    @classmethod
    def adapted(cls, samples: Array, width: float, horizon: float = 1.0) -> MarkovGenerator:
        """Return L = ∇·(A∇) with A of unit determinant along the samples (n, d): their covariance in windows of `width` h.

        A ∝ Σ w_j (X_j − μ)(X_j − μ)ᵀ + h² I with Gaussian weights w_j(x) of deviation h and their mean μ: where few samples
        are near, the identity.
        """
        positive(width=width)
        samples = np.asarray(samples, dtype=float)
        n, d = samples.shape
        middle = samples.mean(axis=0)
        centred = samples - middle  # sums about each point come from those about the middle, by matrix products
        squares = (centred[:, :, None] * centred[:, None, :]).reshape(n, d * d)

        def tensor(x: Array) -> Array:
            found = np.empty((len(x), d, d))
            for start in range(0, len(x), BLOCK):
                y = x[start : start + BLOCK] - middle
                w = np.exp(-0.5 * cdist(y, centred, "sqeuclidean") / width**2)
                mass, first = w.sum(axis=1), w @ centred
                cross = y[:, :, None] * first[:, None, :]
                spread = (w @ squares).reshape(-1, d, d) - cross - np.swapaxes(cross, 1, 2)
                spread += mass[:, None, None] * (y[:, :, None] * y[:, None, :]) + width**2 * np.eye(d)
                mean = (first - mass[:, None] * y) / (mass + 1)[:, None]
                found[start : start + BLOCK] = spread / (mass + 1)[:, None, None] - mean[:, :, None] * mean[:, None, :]
            return found / np.linalg.det(found)[:, None, None] ** (1 / d)

        return cls(tensor=tensor, horizon=horizon)

    def diffusion_tensor(self, x: Array) -> Array:
        """Return A at points (n, d), shape (n, d, d).

        Raises ValueError where it is not finite, not symmetric (then L is not reversible) or not positive.
        """
        d = x.shape[-1]
        if self.tensor is None:
            return np.broadcast_to(np.eye(d), (*x.shape, d))
        A = np.asarray(self.tensor(x), dtype=float)
        if A.shape != (*x.shape, d) or not np.isfinite(A).all():
            raise ValueError(f"the tensor must be finite, of shape {(*x.shape, d)}, got shape {A.shape}")
        turning, size = np.abs(A - np.swapaxes(A, -1, -2)).max(), np.abs(A).max()
        if turning > 1e-10 * size:
            raise ValueError(
                f"the tensor is not symmetric (by {turning / size:.1e} of its size): the generator is not reversible and "
                "has no orthonormal eigenfunctions; give its symmetric part, or solve the Fokker–Planck equation instead"
            )
        least = np.linalg.eigvalsh(A)[..., 0].min()
        if not least > 0:
            raise ValueError(f"the tensor must be positive, its least eigenvalue is {least:.3g}")
        return A


def clock(process: ForwardProcess | MarkovGenerator, t: float) -> float:
    """Return ∫₀ᵗ D: the time of the generator with unit diffusivity; of a generator, t itself.

    >>> round(mfg.processes.clock(mfg.Brownian(scale=2.0), 0.5), 12)  # ½g²t
    1.0
    """
    if isinstance(process, MarkovGenerator):
        return t
    nodes = 0.5 * t * (NODES + 1)
    return float(0.5 * t * np.sum(WEIGHTS * np.broadcast_to(process.diffusivity(nodes), nodes.shape)))


def _symmetric(process: Linear) -> Array:
    """Return S with drift −D S x, from a constant symmetric matrix."""
    if callable(process.matrix) or callable(process.scale) or callable(process.offset) or np.any(process.offset):
        raise ValueError(
            f"{process!r} has coefficients that depend on time or a shift; only constant matrices are known here"
        )
    A = np.asarray(process.matrix, dtype=float)
    turning = float(np.linalg.norm(A - A.T) / max(np.linalg.norm(A), 1e-300))
    if turning > 1e-12:
        raise ValueError(
            f"the drift's matrix is not symmetric (‖A − Aᵀ‖ is {turning:.2g} of ‖A‖): the process turns, its generator is "
            "not reversible and has no orthonormal eigenfunctions; its transition laws are exact in ExactScore"
        )
    return -A / float(process.diffusivity(0.0))
