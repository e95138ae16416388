"""Kolmogorov's equations with a tensor D(x, t) in spectral form: a constant tensor is stiff and exact, the rest explicit.

∂_t p = ∇·(C∇p) − ∇·(g p − (D − C)∇p) − k p + s, g the Itô drift less ∇·D, C the mean of D (on walled boxes its diagonal),
raised where needed until 2C ≥ D everywhere: then explicit stages of exponential integrators are stable whatever the step.
Backward, on periodic boxes: ∂_τ u = ∇·(C∇u) + ∇·((D − C)∇u) + g·∇u − k u + s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mfgpde.core.recent import Recent
from mfgpde.discretisations.checks import check_tensor, checked
from mfgpde.discretisations.spectral.bases import Array, Basis, Fourier
from mfgpde.discretisations.spectral.systems import Expanded
from mfgpde.equations.contract import law_on
from mfgpde.equations.kolmogorov import Kolmogorov
from mfgpde.integrators import ETDRK4, Integrator

SHORT, NEAR = 5e-4, 0.2
"""of a side, and of a cell: half the widths of differences of coefficients, which do not reach walls"""
NO_NOISE = 1e-10
"""of the largest eigenvalue of C: what is less is no noise"""


@dataclass(frozen=True, eq=False)
class Instant:
    """Coefficients at cell centres: D (d, d, *cells), g (d, *cells), what is lost, what is added, resetting."""

    D: Array
    g: Array
    lost: Array | None
    added: Array | None
    reset: tuple[Array, Array] | None


@dataclass(eq=False)
class SpectralKolmogorov(Expanded):
    """Coefficients of a density or, on periodic boxes, of an expectation. Raises TypeError for one between walls."""

    equation: Kolmogorov
    basis: Basis
    default_integrator: Integrator = field(default_factory=ETDRK4)
    _recent: Recent[Instant] = field(default_factory=lambda: Recent(5), repr=False)
    _stiff: Recent[tuple[Array, Array]] = field(default_factory=lambda: Recent(4), repr=False)
    _used: list[tuple[Array, Array]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.equation.backward and not isinstance(self.basis, Fourier):
            raise TypeError(
                "expectations are spectral on periodic boxes; between walls take FiniteVolume or FiniteElement"
            )
        if self.basis.xp is not np:
            raise TypeError("tensors are computed on the host: use backend='numpy'")

    @property
    def inviscid(self) -> bool:
        """D = 0 is allowed, along some directions or all."""
        return True

    def at(self, t: float) -> Instant:
        """Return the coefficients at one instant."""
        key = t if self.equation.time_dependent else 0.0
        return self._recent(key, lambda: self._instant(key))

    def _instant(self, t: float) -> Instant:
        equation, grid = self.equation, self.basis.grid
        x, h = grid.points, np.asarray(grid.spacing)
        D = equation.diffusion.diffusion_tensor(x, t)
        check_tensor(D, x, h, t)
        widths = np.minimum(SHORT * np.asarray(grid.lengths), NEAR * h)
        g = checked(equation.diffusion.sharp_fickian_drift(x, t, widths), x.shape, f"the drift at t = {t:g}")
        lost = None if equation.killing is None else self._values(equation.killing, t, "the killing", positive=True)
        added = None if equation.source is None else self._values(equation.source, t, "the source")
        reset = None
        if equation.resetting is not None:
            rate = self._values(equation.resetting.rate, t, "the rate of resetting", positive=True)
            law = checked(law_on(equation.resetting.law)(x), grid.cells, "the law of resetting")
            mass = float(grid.integrate(law))
            if abs(mass - 1) > 1e-4:
                raise ValueError(f"the law of resetting has mass {mass:.4g} in the box, expected 1; take a larger box")
            reset, lost = (rate, law / mass), rate if lost is None else lost + rate
        order = (-2, -1)
        return Instant(
            np.ascontiguousarray(np.moveaxis(D, order, (0, 1))), np.ascontiguousarray(np.moveaxis(g, -1, 0)),
            lost, added, reset,
        )  # fmt: skip

    def _values(self, function: Callable[[Array, float], Any], t: float, what: str, *, positive: bool = False) -> Array:
        grid = self.basis.grid
        values = np.asarray(function(grid.points, t), dtype=float)
        values = checked(np.broadcast_to(values, grid.cells) if values.ndim == 0 else values, grid.cells, what)
        if positive and values.min() < 0:
            where = grid.points[np.unravel_index(int(values.argmin()), values.shape)].tolist()
            raise ValueError(f"{what} must be ≥ 0, got {values.min():.3g} at x = {where}")
        return values

    def stiff(self, t0: float, t1: float) -> Array:
        """Return −kᵀCk of the middle of a step; the same array object while D does not change."""
        key = 0.5 * (t0 + t1) if self.equation.time_dependent else 0.0
        found = self._stiff(key, lambda: self._constant(self.at(key).D))
        if not any(found[0] is one for one, _ in self._used):
            self._used = [*self._used[-3:], found]
        return found[0]

    def _constant(self, D: Array) -> tuple[Array, Array]:
        d = len(D)
        C = D.reshape(d, d, -1).mean(axis=-1)
        if not np.any(D[(slice(None), slice(None), *(slice(0, 1),) * d)] != D):
            C = D[(slice(None), slice(None), *(0,) * d)].copy()  # to the last digit
        if not isinstance(self.basis, Fourier):
            C = np.diag(np.diag(C))
        values, vectors = np.linalg.eigh(C)
        noise = values > NO_NOISE * values[-1]
        root = vectors[:, noise] / np.sqrt(values[noise])
        most = np.einsum("ia,ij...,jb->...ab", root, D, root).reshape(-1, int(noise.sum()), int(noise.sum()))
        if noise.any():
            C = C * max(1.0, 0.5 * float(np.linalg.eigvalsh(most).max()))
        k: Any = self.basis.frequencies  # pyright: ignore[reportAttributeAccessIssue]
        symbol: Any = sum(-C[i, j] * k[i] * k[j] for i in range(d) for j in range(d))
        return symbol, C

    def nonstiff(self, u: Array, t: float, stiff: Array) -> Array:
        """Return everything but stiff·u."""
        now, basis = self.at(t), self.basis
        C = next(C for one, C in self._used if one is stiff)
        p = basis.synthesise(u)
        rest = now.D - C.reshape(*C.shape, *(1,) * p.ndim)
        uneven = [[bool(np.any(rest[i, j])) for j in range(len(C))] for i in range(len(C))]
        backward = self.equation.backward
        slopes = basis.gradient(u) if backward or any(map(any, uneven)) else []
        flux = [
            sum((rest[i, j] * slopes[j] for j in range(len(C)) if uneven[i][j]), np.zeros_like(p))
            for i in range(len(C))
        ]
        local = np.zeros_like(p)
        if backward:
            local += sum(g * s for g, s in zip(now.g, slopes, strict=True))
        else:
            flux = [f - g * p for f, g in zip(flux, now.g, strict=True)]
        if now.lost is not None:
            local -= now.lost * p
        if now.added is not None:
            local += now.added
        if now.reset is not None:
            column, row = (now.reset[0], now.reset[1]) if backward else (now.reset[1], now.reset[0])
            local += column * float(basis.grid.integrate(row * p))
        total = basis.divergence(flux)
        return total + basis.analyse(local) if np.any(local) else total
