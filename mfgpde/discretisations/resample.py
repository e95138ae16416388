"""A field of one discretisation on another, with the error that this makes."""

from __future__ import annotations

import numpy as np

from mfgpde.discretisations.contract import Discretisation
from mfgpde.discretisations.field import Field


def resample(field: Field, target: Discretisation) -> tuple[Field, float]:
    """Return the field's values at the target's points, and what was lost: ∫|u − v| / ∫|u| at the source's own points.

    v is the target's interpolant; outside the target's box it counts as zero, and outside a source mesh u does.

    >>> fine, coarse = (mfg.FiniteVolume(mfg.CartesianGrid.cube(4.0, n, 1)) for n in (128, 64))
    >>> law = mfg.Field(fine, np.exp(mfg.gaussian(0.0, 0.25).log_density(fine.grid.points)))
    >>> print(f"{mfg.discretisations.resample(law, coarse)[0].integral():.4f}")
    1.0000
    """
    values = np.nan_to_num(np.asarray(field(target.grid.points)), nan=0.0)
    moved = Field(target, values)
    x = field.grid.points
    inside = np.all((x >= np.asarray(target.grid.lower)) & (x <= np.asarray(target.grid.upper)), axis=-1)
    known = field.at_points
    back = np.zeros_like(known)
    back[inside] = np.nan_to_num(np.asarray(moved(x[inside])), nan=0.0)

    def total(v: np.ndarray) -> float:
        return float(field.grid.integrate(np.abs(v) if v.ndim == inside.ndim else np.linalg.norm(v, axis=-1)))

    return moved, total(known - back) / total(known)
