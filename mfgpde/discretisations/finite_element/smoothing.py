"""Smoothing of samples by diffusion: each is carried a time τ by a reversible generator, along a surface or the data.

p_τ = n⁻¹ Σ k_τ(·, X_i), k the kernel of L = e^V ∇·(e^{−V} A∇), in weak form for h = p/π: ∫∂_t h v π = −∫A∇h·∇v π. In
the plane with A = I these are Gaussians of variance 2τ; on a surface kernels follow it; a tensor A turns, stretches them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from mfgpde.core.arrays import Array
from mfgpde.discretisations.field import Field
from mfgpde.discretisations.finite_element._petsc import MPI, Factorised, multiply
from mfgpde.discretisations.finite_element.eigenpairs import assembled
from mfgpde.discretisations.finite_element.locate import interpolation_matrix
from mfgpde.discretisations.finite_element.ranks import over_ranks
from mfgpde.discretisations.finite_element.transport import Linear
from mfgpde.processes import MarkovGenerator

FOLDS = 5
RESOLVENT = 0.1  # γ over the time: near the best for tolerances of 1e-3 to 1e-6
LEAST, DEEPEST = 3, 80  # dimensions of the Krylov space
EPS = 1e-14
KEPT = 32
"""factorisations, one a step between times: folds, and sets of samples of one smoother, come to the same ones"""


@dataclass(frozen=True, eq=False)
class DiffusionSmoother:
    """Kernel density estimates by the heat kernels of a generator on a mesh; walls reflect.

    From time to time the matrix exponential acts in a Krylov space of one resolvent (van den Eshof, Hochbruck, SIAM J. Sci.
    Comput. 27, 2006), which forgives point masses, until it moves by less than `tolerance` of the norm of h in L²(π).
    Where elements undershoot, in cells as wide as the kernels, the positive part is taken; `background` is the share of the
    mass that is spread over π, so that no held-out sample is impossible. Raises ValueError for absorbing walls.
    """

    generator: MarkovGenerator
    discretisation: Any
    tolerance: float = 1e-4
    background: float = 1e-3

    def __post_init__(self) -> None:
        if self.discretisation.walls == "absorbing":
            raise ValueError("kernels that lose mass estimate no density: make the walls 'reflecting', not 'absorbing'")
        if not 1e-12 <= self.tolerance < 1 or not 0 <= self.background < 1:
            raise ValueError(
                f"tolerance must lie in [1e-12, 1) and background in [0, 1), got {self.tolerance}, {self.background}"
            )

    @cached_property
    def _system(self) -> tuple[Linear, Array]:
        space = self.discretisation.space
        K, M, weight = assembled(space, self.generator)
        K.scale(-1.0)
        solve = Factorised(M, space.domain.topology.dim)
        return Linear(space, M, K, solve, Counter(), kept=KEPT), weight

    def __call__(self, samples: Array, times: Sequence[float]) -> list[Field]:
        """Return the densities at rising times τ > 0. Raises ValueError for samples outside the mesh, and bad times."""
        space, (_, weight) = self.discretisation.space, self._system
        found = []
        for u in self._carried([self._read(samples)], times):
            h = np.maximum(space.sample(u[:, 0]), 0.0)
            found.append(Field(self.discretisation, weight * self._mixed(h, self._mass(u[:, 0]))))
        return found

    def _carried(self, sets: Sequence[csr_matrix], times: Sequence[float]) -> Iterator[Array]:
        """Yield, for each time, h of several sets of samples read by `_read`, (own, sets), by the same factorisations."""
        times = [float(t) for t in times]
        if not times or times[0] <= 0 or sorted(set(times)) != times:
            raise ValueError(f"times must be positive and rising, got {times}")
        system = self._system[0]
        space = self.discretisation.space
        means = [space.summed(np.asarray(one.sum(axis=0)).ravel()) / one.shape[0] for one in sets]  # of test functions
        u = np.stack([system.solve_mass(load) for load in means], axis=1)
        t = 0.0
        for end in times:
            u = np.stack([_carried(system, np.ascontiguousarray(h), end - t, self.tolerance) for h in u.T], axis=1)
            t = end
            yield u

    def _read(self, samples: Array) -> csr_matrix:
        """Return the matrix whose rows take functions to samples."""
        space, samples = self.discretisation.space, np.asarray(samples, dtype=float)
        if samples.ndim != 2 or samples.shape[1] != space.gdim or not np.isfinite(samples).all():
            raise ValueError(f"samples must be finite numbers of shape (n, {space.gdim}), got shape {samples.shape}")
        matrix, here = interpolation_matrix(space, samples)
        if not here.all():
            raise ValueError(f"{int(np.sum(~here))} of {len(samples)} samples lie outside the mesh; take a larger one")
        return matrix

    def _mass(self, u: Array) -> float:
        """Return the mass of the positive part."""
        space = self.discretisation.space
        return float(space.grid.integrate(self._system[1] * np.maximum(space.sample(u), 0.0)))

    def _mixed(self, h: Array, mass: float) -> Array:
        return (1 - self.background) * h / mass + self.background

    def likelihoods(self, samples: Array, times: Sequence[float]) -> Array:
        """Return the mean over samples of log(p_τ/π), at each time, each sample left out with a fifth of the others."""
        samples, space = np.asarray(samples, dtype=float), self.discretisation.space
        if len(samples) < 2 * FOLDS:
            raise ValueError(f"at least {2 * FOLDS} samples are needed for cross-validation, got {len(samples)}")
        part = np.random.default_rng(0).permutation(len(samples)) % FOLDS
        matrix, total = self._read(samples), []
        for u in self._carried([matrix[part != fold] for fold in range(FOLDS)], times):
            h = np.maximum(over_ranks(space.comm, matrix @ space.with_ghosts(u), MPI.SUM), 0.0)
            mixed = [self._mixed(h[part == fold, fold], self._mass(u[:, fold])) for fold in range(FOLDS)]
            total.append(np.sum(np.log(np.concatenate(mixed))) / len(samples))
        return np.array(total)

    def fit(self, samples: Array, times: Sequence[float]) -> tuple[Field, float]:
        """Return the density at the time of largest held-out likelihood, and that time."""
        best = int(np.argmax(self.likelihoods(samples, times)))
        return self(samples, times[: best + 1])[-1], float(times[best])


def _carried(system: Linear, u: Array, dt: float, tolerance: float) -> Array:
    """Return e^{dt·M⁻¹K}u, by Lanczos with (I − γM⁻¹K)⁻¹, self-adjoint in M, of which it is a function."""
    gamma, comm = RESOLVENT * dt, system.space.comm

    def dot(a: Array, b: Array) -> float:
        return float(over_ranks(comm, a @ multiply(system.M, b), MPI.SUM))

    size = np.sqrt(dot(u, u))
    basis, T, before = np.empty((DEEPEST + 1, len(u))), np.zeros((DEEPEST, DEEPEST)), np.zeros(0)
    basis[0] = u / size
    for m in range(DEEPEST):
        w, known = system.solve(basis[m], 0.0, gamma), basis[: m + 1]
        for _ in range(2):  # twice is enough
            shares = np.asarray(over_ranks(comm, known @ multiply(system.M, w), MPI.SUM))
            T[: m + 1, m] += shares
            w = w - shares @ known
        rest = np.sqrt(dot(w, w))
        values, turn = np.linalg.eigh(0.5 * (T + T.T)[: m + 1, : m + 1])
        fading = np.exp(dt / gamma * (1 - 1 / np.clip(values, 1e-300, 1.0)))
        found = turn @ (fading * turn[0])
        moved = np.linalg.norm(found - np.pad(before, (0, len(found) - len(before))))
        if rest <= EPS or (m >= LEAST and moved <= tolerance * np.linalg.norm(found)):
            return size * (found @ known)
        before, T[m + 1 : m + 2, m] = found, rest
        basis[m + 1] = w / rest
    raise RuntimeError(
        f"diffusion over τ = {dt:.3g} did not settle in {DEEPEST} resolvents (the last moved it by {moved:.1e} of its "
        f"norm, allowed {tolerance:.1e}); take a larger tolerance or more times in between"
    )
