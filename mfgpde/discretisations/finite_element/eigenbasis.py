"""Eigenfunctions on meshes as a basis for operator-informed scores: any reversible generator, flat or on a surface.

Products of gradients are expanded in more eigenfunctions ψ_r than are asked for: with A∇φ_m·∇φ_n the carré du champ,
G_{mn,r} = ∫ A∇φ_m·∇φ_n ψ_r π = ½(λ_m + λ_n − λ_r) ∫ φ_m φ_n ψ_r π. What is left decays faster than e^{−μ_q τ} in time τ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from mfgpde.core.arrays import Array
from mfgpde.discretisations.agreed import agreed
from mfgpde.discretisations.finite_element._petsc import MPI, fem, multiply, ufl
from mfgpde.discretisations.finite_element.eigenpairs import Eigenpairs, eigenpairs, potential_at, stationary_weight
from mfgpde.discretisations.finite_element.locate import interpolation_matrix
from mfgpde.discretisations.finite_element.ranks import over_ranks
from mfgpde.processes import ForwardProcess, MarkovGenerator, clock

KEPT = 8  # sets of points whose places on the mesh are remembered


@dataclass(frozen=True, eq=False)
class FiniteElementBasis:
    """The lowest `count` eigenfunctions of a generator on a mesh whose walls reflect; the constant comes first.

    `extended` is the number of ψ that products are expanded in: by default 2^d times as many on a d-dimensional mesh, so
    that they reach four times the eigenvalue, as exact products of waves do; `lost` says what they miss. Derivatives are
    those of the elements, projected on the elements: order r is off by O(h^{degree + 1 − r}).

    Raises ValueError for a count that the mesh cannot bear, for absorbing walls, and at points outside the mesh.
    """

    generator: MarkovGenerator
    discretisation: Any
    count: int
    extended_count: int | None = None
    pairs: Eigenpairs = field(init=False, repr=False)
    _places: dict[bytes, csr_matrix] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.discretisation.walls == "absorbing":
            raise ValueError(
                "at absorbing walls no law is stationary, to expand scores about; make the walls 'reflecting'"
            )
        space = self.discretisation.space
        dimension, most = space.domain.topology.dim, space.size // 2
        wanted = self.count * 2**dimension if self.extended_count is None else self.extended_count
        if not 2 <= self.count <= wanted or wanted > most:
            raise ValueError(
                f"{self.count} functions and {wanted} for their products do not fit the mesh, which bears {most}; use a "
                "finer mesh, or fewer functions"
            )
        object.__setattr__(self, "pairs", eigenpairs(self.discretisation, wanted, self.generator))

    @property
    def dimension(self) -> int:
        """The number of coordinates of a point."""
        return self.discretisation.space.gdim

    @property
    def eigenvalues(self) -> Array:
        """Return λ_n (p,), the first set to zero."""
        return self.extended_eigenvalues[: self.count]

    @cached_property
    def extended_eigenvalues(self) -> Array:
        """Return the eigenvalues of ψ (q,)."""
        return np.concatenate(([0.0], self.pairs.values[1:]))

    @cached_property
    def _sampled(self) -> tuple[Array, Array]:
        """Return ψ at quadrature points, (n, q), and π times the weights, (n,)."""
        grid = self.discretisation.space.grid
        return (
            np.stack([f.values for f in self.pairs.functions], axis=1),
            grid.weights * stationary_weight(grid, self.generator),
        )

    @cached_property
    def gram(self) -> csr_matrix:
        """Return G (p², q)."""
        values, weight = self._sampled
        p, mu = self.count, self.extended_eigenvalues
        G = np.zeros((p, p, len(mu)))
        for m in range(p):
            G[m, m:] = (values[:, m:p] * (values[:, m] * weight)[:, None]).T @ values
        G = over_ranks(self.discretisation.space.comm, G, MPI.SUM)
        m, n = np.triu_indices(p, 1)
        G[n, m] = G[m, n]
        G *= 0.5 * (mu[:p, None, None] + mu[None, :p, None] - mu)
        G[0] = G[:, 0] = 0.0
        return csr_matrix(G.reshape(p * p, -1))

    @cached_property
    def lost(self) -> Array:
        """Return, for each function, which share of |∇φ_n|²_A in L²(π) the expansion misses, shape (p,)."""
        space, (_, weight) = self.discretisation.space, self._sampled
        kept = np.sqrt((self.gram.toarray().reshape(self.count, self.count, -1) ** 2).sum(axis=-1).diagonal())
        A = agreed(space.comm, lambda: self.generator.diffusion_tensor(space.grid.points))
        found = np.zeros(self.count)
        for n in range(1, self.count):
            slope = space.gradient(space.project(self.pairs.functions[n].values))
            square = np.einsum("ni,nij,nj->n", slope, A, slope)
            norm = float(over_ranks(space.comm, float(weight @ square**2), MPI.SUM)) ** 0.5
            found[n] = np.sqrt(max(1 - (kept[n] / norm) ** 2, 0.0))
        return found

    @cached_property
    def _coefficients(self) -> Array:
        """Return ψ in the elements' own basis, (own, q)."""
        project = self.discretisation.space.project
        return np.stack([project(f.values) for f in self.pairs.functions], axis=1)

    def _table(self, order: int) -> Array:
        """Return the derivatives of one order of the first p functions in the elements' own basis, (own, d^r, p)."""
        tables: list[Array] = self.__dict__.setdefault("_tables", [])
        space = self.discretisation.space
        while len(tables) <= order:
            if not tables:
                tables.append(self._coefficients[:, None, : self.count])
                continue
            before = tables[-1].reshape(space.own, -1)
            slopes = [
                np.stack([space.solve_mass(multiply(B, np.ascontiguousarray(u))) for u in before.T], axis=1)
                for B in self._slopes
            ]
            tables.append(np.stack([s.reshape(space.own, -1, self.count) for s in slopes], axis=2))
            tables[-1] = tables[-1].reshape(space.own, -1, self.count)
        return tables[order]

    @cached_property
    def _slopes(self) -> list[Any]:
        """Return the matrices of ∫∂_iu v."""
        space = self.discretisation.space
        return [space.matrix(fem.form(ufl.grad(space.trial)[i] * space.test * space.dx)) for i in range(space.gdim)]

    def _at(self, table: Array, x: Array) -> Array:
        """Return functions given by coefficients (own, …) at points (k, d), shape (k, …)."""
        space, points = self.discretisation.space, np.ascontiguousarray(x, dtype=float)
        key = blake2b(points.tobytes(), digest_size=16).digest()
        if key not in self._places:
            while len(self._places) >= KEPT:
                self._places.pop(next(iter(self._places)))
            matrix, here = interpolation_matrix(space, points)
            if not here.all():
                first = ", ".join(f"{c:.4g}" for c in points[np.argmin(here)])
                raise ValueError(
                    f"{int(np.sum(~here))} of {len(points)} points lie outside the mesh, the first at ({first}); "
                    f"it reaches from {space.grid.lower} to {space.grid.upper}: take a larger one, or leave them out"
                )
            self._places[key] = matrix
        values = self._places[key] @ space.with_ghosts(table.reshape(space.own, -1))
        return over_ranks(space.comm, values, MPI.SUM).reshape(len(points), *table.shape[1:])

    def __call__(self, x: Array) -> Array:
        """Return φ_n at points (k, d), shape (k, p)."""
        return self._at(self._coefficients[:, : self.count], x)

    def extended(self, x: Array) -> Array:
        """Return ψ_r at points (k, d), shape (k, q)."""
        return self._at(self._coefficients, x)

    def differentiate(self, c: Array, x: Array, order: int) -> list[Array]:
        """Return the (tangential) derivatives of Σ c_n φ_n of orders 0 … `order`."""
        d, own = self.dimension, self.discretisation.space.own
        columns = [(self._table(k) @ c.reshape(len(c), -1)).reshape(own, -1) for k in range(order + 1)]
        found, widths = self._at(np.concatenate(columns, axis=1), x), np.cumsum([0, *(a.shape[1] for a in columns)])
        parts = [found[:, a:b] for a, b in zip(widths, widths[1:], strict=False)]
        return [part.reshape(len(x), *[d] * k, *c.shape[1:]) for k, part in enumerate(parts)]

    def stationary(self, x: Array, order: int) -> list[Array]:
        """Return log π and its derivatives: the generator's own up to the first, then differences of order four."""
        d, grid = self.dimension, self.discretisation.space.grid
        V, slope = self.generator.potential, self.generator.gradient
        high = agreed(grid.comm, lambda: potential_at(self.generator, grid.points))
        lowest = grid.minimum(high) if V is not None else 0.0
        mass = float(grid.integrate(np.exp(lowest - high)))
        found = [np.full(len(x), -np.log(mass)) + (0.0 if V is None else lowest - V(x))]
        if V is None:
            return found + [np.zeros((len(x), *[d] * r)) for r in range(1, order + 1)]
        if order and slope is None:
            raise ValueError(
                "the generator has a potential but no gradient: its score needs MarkovGenerator(V, gradient)"
            )
        h = 1e-3 * float(np.max(grid.upper - grid.lower))
        assert slope is not None or not order
        maps: list[Callable[[Array], Array]] = [lambda y: -slope(y)]  # pyright: ignore[reportOptionalCall]
        for _ in range(1, order):
            maps.append(lambda y, f=maps[-1]: _differences(f, y, h))
        return found + [f(x) for f in maps[:order]]

    def reach(self, process: Any, t: float, farthest: Array) -> Array:
        """Return max(|x_i| of the data, of the bulk of π) + 4√(2∫D); infinity without a potential.

        Where a potential rises eigenfunctions grow like polynomials, of which data say nothing beyond what noise reaches.
        """
        if self.generator.potential is None:
            return np.full(self.dimension, np.inf)
        return np.maximum(farthest, self._bulk) + 4 * np.sqrt(2 * clock(process, t))

    @cached_property
    def _bulk(self) -> Array:
        """Return how far along each axis π is more than e⁻² of its height, (d,)."""
        space = self.discretisation.space
        weight = stationary_weight(space.grid, self.generator)
        high = weight >= np.exp(-2) * float(over_ranks(space.comm, weight.max(initial=0.0), MPI.MAX))
        farthest = np.abs(space.grid.points[high]).max(axis=0, initial=0.0)
        return over_ranks(space.comm, farthest, MPI.MAX)

    def clock(self, process: ForwardProcess | MarkovGenerator) -> Callable[[float], float]:
        """Return ∫D. Raises ValueError unless the drift is −D∇V on the mesh; a generator is its own process."""
        if isinstance(process, MarkovGenerator):
            if process is not self.generator:
                raise ValueError("the basis belongs to another generator than the one given as the process")
            return lambda t: t
        if self.generator.tensor is not None:
            raise ValueError("a process has scalar noise, the generator a tensor; give the generator as the process")
        x = self.discretisation.space.grid.points
        agreed(self.discretisation.space.comm, lambda: self._check_moves(process, x))
        return lambda t: clock(process, t)

    def _check_moves(self, process: ForwardProcess, x: Array) -> None:
        wanted = np.zeros_like(x) if self.generator.gradient is None else -self.generator.gradient(x)
        for t in process.horizon * np.array([0.1, 0.5, 1.0]):
            away = np.abs(process.drift(x, t) / process.diffusivity(t) - wanted).max(initial=0.0)
            if away > 1e-8 * max(float(np.abs(wanted).max(initial=0.0)), 1.0):
                raise ValueError(
                    f"{process!r} is not the generator's: at t = {t:g} drift/D is off −∇V by {away:.2g}; "
                    "take MarkovGenerator.of(process)"
                )


def _differences(f: Callable[[Array], Array], x: Array, h: float) -> Array:
    """Return the derivatives of f at x along each axis, as one more axis at the end, by differences of order four."""
    columns = []
    for e in h * np.eye(x.shape[-1]):
        near, far = f(x + e) - f(x - e), f(x + 2 * e) - f(x - 2 * e)
        columns.append((8 * near - far) / (12 * h))
    return np.stack(columns, axis=-1)
