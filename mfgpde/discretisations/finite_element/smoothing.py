"""Smoothing of samples by diffusion: each is carried a time τ by a reversible generator, along a surface or the data.

p_τ = n⁻¹ Σ k_τ(·, X_i), k the kernel of L = e^V ∇·(e^{−V} A∇), in weak form for h = p/π: ∫∂_t h v π = −∫A∇h·∇v π. In
the plane with A = I these are Gaussians of variance 2τ; on a surface kernels follow it; a tensor A turns, stretches them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.discretisations.field import Field
from mfgpde.discretisations.finite_element._petsc import Factorised, multiply
from mfgpde.discretisations.finite_element.eigenpairs import assembled
from mfgpde.discretisations.finite_element.locate import interpolation_matrix
from mfgpde.discretisations.finite_element.transport import Linear
from mfgpde.integrators import TRBDF2, BackwardEuler
from mfgpde.processes import MarkovGenerator

FOLDS = 5


@dataclass(frozen=True, eq=False)
class DiffusionSmoother:
    """Kernel density estimates by the heat kernels of a generator on a mesh; walls reflect.

    From the samples' point masses, `steps` backward Euler steps reach the first time, then as many of TR-BDF2 each next
    one. Where elements undershoot, in cells as wide as the kernels, the positive part is taken; `background` is the share
    of the mass that is spread over π, so that no held-out sample is impossible.
    """

    generator: MarkovGenerator
    discretisation: Any
    steps: int = 4
    background: float = 1e-3

    @cached_property
    def _system(self) -> tuple[_Columns, Array]:
        space = self.discretisation.space
        K, M, weight = assembled(space, self.generator)
        K.scale(-1.0)
        solve = Factorised(M, space.domain.topology.dim)
        return _Columns(Linear(space, M, K, solve, Counter())), weight

    def __call__(self, samples: Array, times: Sequence[float]) -> list[Field]:
        """Return the densities at rising times τ > 0. Raises ValueError for samples outside the mesh, and bad times."""
        space, (_, weight) = self.discretisation.space, self._system
        found = []
        for u in self._carried([samples], times):
            h = np.maximum(space.sample(u[:, 0]), 0.0)
            found.append(Field(self.discretisation, weight * self._mixed(h, self._mass(u[:, 0]))))
        return found

    def _carried(self, sets: Sequence[Array], times: Sequence[float]) -> Iterator[Array]:
        """Yield, for each time, h of several sets of samples, (own, sets), all carried by the same factorisations."""
        times = [float(t) for t in times]
        if not times or times[0] <= 0 or sorted(set(times)) != times:
            raise ValueError(f"times must be positive and rising, got {times}")
        system = self._system[0]
        u = system.each(system.inner.solve_mass, np.stack([self._load(samples) for samples in sets], axis=1))
        t = 0.0
        for end in times:
            integrator = BackwardEuler() if t == 0 else TRBDF2()
            dt = (end - t) / self.steps
            for k in range(self.steps):
                u, _ = integrator.step(system, u, t + k * dt, dt)
            t = end
            yield u

    def _load(self, samples: Array) -> Array:
        """Return the means of the test functions over the samples."""
        space, samples = self.discretisation.space, np.asarray(samples, dtype=float)
        if samples.ndim != 2 or samples.shape[1] != space.gdim or not np.isfinite(samples).all():
            raise ValueError(f"samples must be finite numbers of shape (n, {space.gdim}), got shape {samples.shape}")
        matrix, here = interpolation_matrix(space, samples)
        if not here.all():
            raise ValueError(f"{int(np.sum(~here))} of {len(samples)} samples lie outside the mesh; take a larger one")
        return space.summed(np.asarray(matrix.sum(axis=0)).ravel()) / len(samples)

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
        kept, total = [samples[part != fold] for fold in range(FOLDS)], []
        for u in self._carried(kept, times):
            h = np.maximum(space.evaluate(u, samples), 0.0)
            mixed = [self._mixed(h[part == fold, fold], self._mass(u[:, fold])) for fold in range(FOLDS)]
            total.append(np.sum(np.log(np.concatenate(mixed))) / len(samples))
        return np.array(total)

    def fit(self, samples: Array, times: Sequence[float]) -> tuple[Field, float]:
        """Return the density at the time of largest held-out likelihood, and that time."""
        best = int(np.argmax(self.likelihoods(samples, times)))
        return self(samples, times[: best + 1])[-1], float(times[best])


@dataclass(eq=False)
class _Columns:
    """A linear system applied to each column of an array."""

    inner: Linear

    @staticmethod
    def each(function: Callable[..., Array], u: Array, *arguments: float) -> Array:
        """Return function(column, …) for all columns."""
        return np.stack([function(np.ascontiguousarray(column), *arguments) for column in u.T], axis=1)

    def rate(self, u: Array, t: float) -> Array:
        """Return M⁻¹Ku."""
        return self.each(self.inner.rate, u, t)

    def solve(self, rhs: Array, t: float, shift: float) -> Array:
        """Return (I − shift·M⁻¹K)⁻¹ rhs."""
        return self.each(self.inner.solve, rhs, t, shift)

    def frozen(self, t0: float, t1: float) -> _Columns:
        """Return itself."""
        return self

    def mass(self, u: Array) -> float:
        """Return ∫ of all columns."""
        return float(self.inner.space.comm.allreduce(multiply(self.inner.M, np.ones(len(u))) @ u.sum(axis=1)))
