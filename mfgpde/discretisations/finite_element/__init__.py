"""Finite elements by DOLFINx: on intervals, boxes, discs, surfaces and gmsh meshes, serial or under mpiexec."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.register import opened
from mfgpde.discretisations.agreed import agreed
from mfgpde.discretisations.contract import Semidiscrete
from mfgpde.discretisations.finite_element import meshes
from mfgpde.discretisations.finite_element._petsc import MPI
from mfgpde.discretisations.finite_element.adaptation import Adaptation, adapt_eigenvalue, adapt_stationary, stationary
from mfgpde.discretisations.finite_element.eigenbasis import FiniteElementBasis
from mfgpde.discretisations.finite_element.eigenpairs import Eigenpairs, eigenpairs
from mfgpde.discretisations.finite_element.hamilton_jacobi import HamiltonJacobiSystem
from mfgpde.discretisations.finite_element.interacting import ElementInteraction
from mfgpde.discretisations.finite_element.kolmogorov import KolmogorovSystem
from mfgpde.discretisations.finite_element.meshes import Mesh
from mfgpde.discretisations.finite_element.sides import ElementSides, On
from mfgpde.discretisations.finite_element.smoothing import DiffusionSmoother
from mfgpde.discretisations.finite_element.space import LagrangeSpace, MeshPoints
from mfgpde.discretisations.finite_element.transport import TransportSystem
from mfgpde.discretisations.simplices import Simplices
from mfgpde.equations import (
    BackwardKolmogorov,
    Continuity,
    Equation,
    FeynmanKac,
    FokkerPlanck,
    ForwardKolmogorov,
    Kolmogorov,
    McKeanVlasov,
    ViscousHamiltonJacobi,
)

__all__ = [
    "Adaptation",
    "DiffusionSmoother",
    "Eigenpairs",
    "FiniteElement",
    "FiniteElementBasis",
    "Mesh",
    "On",
    "abort",
    "adapt_eigenvalue",
    "adapt_stationary",
    "eigenpairs",
    "meshes",
    "stationary",
]


NO_NOISE = 1e-10
"""of the largest eigenvalue of D: what is less is no noise"""


def abort() -> None:
    """End all ranks, at once: one of them failed and the others would wait for it."""
    MPI.COMM_WORLD.Abort(1)


@dataclass(frozen=True, eq=False)
class FiniteElement:
    """Lagrange elements of degree 1 to 3 on a mesh; fields are known by their values at quadrature points.

    `scheme="galerkin"` is of order degree + 1 for smooth solutions. `scheme="fitted"` (degree 1) fits exponentials along
    edges: a Markov chain on the vertices, in equilibrium with Gibbs densities, and positive with implicit Euler steps if
    the mesh is Delaunay (else a warning).
    `walls` as in FiniteVolume: densities must stay away from far ones; nothing flows through either. At absorbing ones
    densities and expectations vanish, and potentials keep the values they start from (an exit cost). A pair (lower, upper)
    per axis of a box, or a sequence of `On(where, wall)`, says it part by part, also with `Held(value)` and `Inflow(flux)`,
    for Fokker–Planck, Kolmogorov's equations and their transposes.

    >>> space = mfg.FiniteElement(mfg.meshes.interval(-6.0, 6.0, 64), degree=2)
    >>> law = mfg.solve(mfg.FokkerPlanck.of(mfg.Brownian()), space, mfg.gaussian(0.0, 0.25), (0.0, 0.5)).at(0.5)
    >>> print(f"{law.expectation(lambda x: x[..., 0] ** 2):.3f}")  # 0.25 + t
    0.750
    """

    mesh: Mesh
    degree: Literal[1, 2, 3] = 1
    scheme: Literal["galerkin", "fitted"] = "galerkin"
    walls: Any = "far"

    def __post_init__(self) -> None:
        if self.degree not in (1, 2, 3):
            raise ValueError(f"the degree must be 1, 2 or 3, got {self.degree!r}")
        if self.scheme not in ("galerkin", "fitted") or (self.scheme == "fitted" and self.degree != 1):
            raise ValueError(
                f"the scheme must be 'galerkin', or 'fitted' with degree 1, got {self.scheme!r}, {self.degree}"
            )
        _ = self.sides

    @cached_property
    def space(self) -> LagrangeSpace:
        """The Lagrange space, built on first use."""
        geometry = max(1, 2 * self.degree - 2)  # eigenvalues of order 2p need boundaries of that order, not of p + 1
        return LagrangeSpace(self.mesh.build(geometry), self.degree, self.mesh.resolution, self.mesh.slack)

    @property
    def widths(self) -> Array:
        """The longest edge of the cell of every quadrature point over the degree (n, 1)."""
        return self.space.widths[:, None] / self.degree

    @property
    def steepest(self) -> tuple[float, str]:
        """Beyond two Galerkin's method oscillates where a solution bends; fitted, it is an upwind scheme beyond four."""
        if self.scheme == "fitted":
            return 4.0, "of order one until cells are as much finer"
        return 2.0, 'it may oscillate where it bends, until cells are as much finer, or with scheme="fitted"'

    @property
    def grid(self) -> MeshPoints:
        """The quadrature points."""
        return self.space.grid

    @cached_property
    def sides(self) -> ElementSides:
        """The walls, part by part."""
        return ElementSides.of(self.walls, self.mesh.dimension)

    @property
    def order(self) -> int:
        """The order of accuracy in the cell width, with diffusion."""
        return self.degree + 1

    def order_of(self, equation: Equation) -> int:
        """Return the order for an equation: where nothing diffuses, fitted elements have one, those of even degree two."""
        still = isinstance(equation, Continuity) or (isinstance(equation, Kolmogorov) and self._degenerate(equation))
        if still and (self.scheme == "fitted" or self.degree % 2 == 0):
            return 1 if self.scheme == "fitted" else self.degree
        return self.order

    def _degenerate(self, equation: Kolmogorov) -> bool:
        """Say whether some direction has no noise, as three points of the mesh, on each rank, and of the run see it."""
        x, end = self.grid.points[:: max(1, len(self.grid.points) // 3)], min(equation.horizon, 1.0)
        tensor, comm = equation.diffusion.diffusion_tensor, self.mesh.comm
        values = agreed(comm, lambda: [np.linalg.eigvalsh(tensor(x, share * end)) for share in (0.1, 0.5, 0.9)])
        flat = bool(np.any(np.array(values)[..., 0] <= NO_NOISE * np.array(values)[..., -1]))
        return any(comm.allgather(flat))

    def semidiscretise(self, equation: Equation) -> Semidiscrete:
        """Return the weak form of this equation. Raises TypeError where there is none, or none with such walls."""
        if self.sides.plain is None and isinstance(equation, FokkerPlanck | BackwardKolmogorov):
            kind = ForwardKolmogorov if isinstance(equation, FokkerPlanck) else FeynmanKac
            equation = kind.of(equation)
        if isinstance(equation, Kolmogorov):
            return KolmogorovSystem(equation, self.space, self.scheme == "fitted", sides=self.sides)
        if isinstance(equation, McKeanVlasov):
            if self.scheme == "fitted":
                raise TypeError(
                    "interacting particles on elements are Galerkin's: take scheme='galerkin', or FiniteVolume"
                )
            return ElementInteraction(equation, self.space, self.sides)
        if self.sides.plain is None:
            raise TypeError(
                f"{type(equation).__name__} has one wall all round; walls by side are for Fokker–Planck and Kolmogorov's "
                "equations"
            )
        if isinstance(equation, FokkerPlanck | BackwardKolmogorov | Continuity):
            return TransportSystem(equation, self.space, self.scheme == "fitted", self.walls == "absorbing")
        if isinstance(equation, ViscousHamiltonJacobi) and self.scheme == "galerkin":
            return HamiltonJacobiSystem(equation, self.space, self.walls)
        raise TypeError(f"FiniteElement has no weak form for {type(equation).__name__} with scheme={self.scheme!r}")

    def interpolate(self, values: Array, x: Array) -> Array:
        """Return the finite-element function with these values at quadrature points, at points x; NaN outside."""
        if values.ndim > 1:
            return np.stack([self.interpolate(part, x) for part in values.T], axis=-1)
        return self.space.evaluate(self.space.project(values), x)

    def simplices(self, values: Array) -> Simplices:
        """Return a field as a polynomial on every cell. Raises TypeError for curved cells, and several processes."""
        if self.mesh.comm.size > 1:
            raise TypeError("a field that is spread over processes is not known as polynomials; solve on one")
        points = self.grid.points.reshape(-1, *self.space.reference.shape[:1], self.space.gdim)
        return Simplices.of(points, self.space.reference, values.reshape(points.shape[:2]), self.degree)

    def gradient(self, values: Array) -> Array:
        """Return the (tangential) gradient of the finite-element function, of order `degree`."""
        return self.space.gradient(self.space.project(values))

    def refined(self, k: int = 1) -> FiniteElement:
        """Return the same elements on 2^k times as many cells along each side."""
        return replace(self, mesh=self.mesh.refined(k))


if not TYPE_CHECKING:  # what else its files define
    __getattr__ = opened(__name__)


def examples() -> Iterator[FiniteElement]:
    """Yield members to hold the laws to: an interval in degrees one and two, fitted, and in nanometres."""
    yield FiniteElement(meshes.interval(-7.0, 7.0, 40))
    yield FiniteElement(meshes.interval(-7.0, 7.0, 40), 2)
    yield FiniteElement(meshes.interval(-7.0, 7.0, 40), scheme="fitted")
    yield FiniteElement(meshes.interval(-7e-9, 7e-9, 40))
