"""What a score's equations leave at each stage of generation: root mean squares over the law of its SDE."""

from __future__ import annotations

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.side_by_side import go_on
from mfgpde.diagnostics.ledger import Entry
from mfgpde.diagnostics.rounding import bits_kept, rounding_of_residual
from mfgpde.diagnostics.score_residuals import log_density_residual, rotation, score_residual
from mfgpde.grids import CartesianGrid
from mfgpde.processes import LinearProcess
from mfgpde.scores import Differenced, DifferentiableScore, PotentialScore, Uncertain, offers
from mfgpde.solvers import Induced


def residuals_in_time(
    process: LinearProcess, score: DifferentiableScore, sde: Induced, grid: CartesianGrid, stop: float
) -> list[dict[str, float | Entry]]:
    """Return root mean squares over q_t^SDE of the residuals and of the rotation, on a grid of about 64 cells a side."""
    step = max(1, min(grid.cells) // 64)
    every = (slice(step // 2, None, step),) * grid.dimension
    x = grid.points[every]
    rows: list[dict[str, float | Entry]] = []
    kept_bits = bits_kept(score, grid, process.horizon) if isinstance(score, Differenced) else None
    for t, stage in zip((*sde.times, stop), (*sde.stages, sde.density.values), strict=True):
        go_on()
        kept: Array = np.maximum(stage[every], 0.0)
        weight: Array = kept / kept.sum()

        def rms(values: Array, weight: Array = weight) -> float:
            squares = values**2 if values.ndim == weight.ndim else np.sum(values**2, axis=-1)
            return float(np.sqrt(np.sum(weight * squares)))

        row: dict[str, float | Entry] = {
            "t": float(t),
            "score": rms(score(x, t)),
            "time derivative": rms(score.time_derivative(x, t)),
            "score residual": rms(score_residual(process, score, x, t)),
        }
        if kept_bits is not None and isinstance(score, Differenced):
            row["rounding of the residual"] = rms(rounding_of_residual(process, score, x, t, kept_bits))
        row["rotation"] = rms(rotation(score, x, t))
        if offers(score, PotentialScore):
            R = log_density_residual(process, score, x, t)
            row["log-density residual"] = rms(R - float(np.sum(weight * R)))
        if isinstance(score, Uncertain):
            row["uncertainty of the derivatives"] = max(score.uncertainty.values(), default=0.0)
        rows.append(row)
    return rows
