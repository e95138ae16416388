"""Distances between fields on one grid: L¹, Kullback–Leibler, and errors weighted by a density."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.densities import Density, cell_means
from mfgpde.discretisations import Field, means_of

Reference = Field | Density | Callable[[Array], Array] | Array


def values_of(reference: Reference, field: Field) -> Array:
    """Return of a reference what the field holds, values at points or means over cells; plain values stay as they are.

    The reference is another field, a density, or a function.
    """
    if isinstance(reference, np.ndarray):
        return cast(Array, reference)
    if isinstance(reference, Field):
        same = reference.grid == field.grid
        if same and reference.means == field.means:
            return reference.values
        values = reference.at_points if same else reference(field.grid.points)
        return means_of(values, field.grid) if field.means else values
    if field.means:
        return cell_means(reference, field.grid)
    if isinstance(reference, Density):
        return np.exp(reference.log_density(field.grid.points))
    return reference(field.grid.points)


def l1_distance(field: Field, reference: Reference) -> float:
    """Return ∫|p − q|: twice the total variation distance if both are densities.

    Without a unit; the reference is a field, a density, a function of points, or values where those of the field are.

    >>> space = mfg.FiniteVolume(mfg.CartesianGrid.cube(8.0, 256, 1))
    >>> p = mfg.Field(space, np.exp(mfg.gaussian(0.0, 1.0).log_density(space.grid.points)))
    >>> print(f"{mfg.l1_distance(p, mfg.gaussian(1.0, 1.0)):.3f}")  # 4Φ(½) − 2
    0.766
    """
    return float(field.grid.integrate(np.abs(field.values - values_of(reference, field))))


def kl_divergence(field: Field, reference: Reference) -> float:
    """Return KL(p‖q) = ∫(p log(p/q) − p + q) of this field p from q, cells with p = 0 counting q; infinite if q ≤ 0 < p.

    >>> space = mfg.FiniteVolume(mfg.CartesianGrid.cube(8.0, 128, 1))
    >>> p = mfg.Field(space, np.exp(mfg.gaussian(0.0, 1.0).log_density(space.grid.points)))
    >>> print(f"{mfg.kl_divergence(p, mfg.gaussian(1.0, 1.0)):.6f}")  # ½|Δm|²
    0.500000
    """
    p, q = field.values, values_of(reference, field)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        density = np.where(p > 0, np.where(q > 0, p * np.log(p / q) - p + q, np.inf), q)
    return float(field.grid.integrate(density))


def weighted_error(field: Field, reference: Reference, weight: Array) -> float:
    """Return ∫|u − v| w / ∫w, with |·| the Euclidean length for vector fields.

    >>> space = mfg.FiniteVolume(mfg.CartesianGrid((0.0,), (1.0,), (64,)))
    >>> x = space.grid.points[..., 0]
    >>> print(f"{mfg.diagnostics.weighted_error(mfg.Field(space, x), lambda y: 0.0 * y[..., 0], x):.3f}")  # ∫x²/∫x
    0.667
    """
    difference = field.values - values_of(reference, field)
    size = np.abs(difference) if difference.ndim == weight.ndim else np.linalg.norm(difference, axis=-1)
    return float(field.grid.integrate(size * weight) / field.grid.integrate(weight))
