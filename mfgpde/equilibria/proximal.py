"""The regularised Wasserstein proximal operator by its kernel formula: no iteration, no time steps.

    ρ_T(x) = ∫ K(x, y) ρ_0(y) dy,   K(x, y) = e^{−(V(x) + |x−y|²/2T)/2β} / ∫ e^{−(V(z) + |z−y|²/2T)/2β} dz,
the end of the game min ∫½|v|²ρ + ∫Vρ_T with viscosity β. With G the Gaussian of variance 2βT per axis,
ρ_T = e^{−V/2β} G∗(ρ_0 / G∗e^{−V/2β}), U(·, 0) = −2β log G∗e^{−V/2β}, and the cost is ∫U(·, 0)ρ_0.
— Li, Liu, Osher, Res. Math. Sci. 10 (2023), arXiv:2301.10301; arXiv:2402.06162, section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mfgpde.discretisations import Field, FiniteVolume
from mfgpde.equilibria.heat import Heat
from mfgpde.grids import CartesianGrid

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Proximal:
    """ρ_T, the value function U(·, 0), and the cost of the step, kinetic and potential."""

    density: Field
    value: Field
    cost: float


def wasserstein_proximal(
    density: Field | Array,
    potential: Callable[[Array], Array],
    grid: CartesianGrid,
    *,
    horizon: float = 1.0,
    beta: float,
) -> Proximal:
    """Return the proximal operator of ∫Vρ, regularised by β > 0, of a density given by its values on a grid.

    Computed in logarithms, in O(N·n) by separable Gaussian transforms; walls reflect. Raises ValueError for β or T ≤ 0, a
    potential that is not finite, and noise that the grid does not resolve.
    """
    if not (beta > 0 and horizon > 0):
        raise ValueError(f"beta and horizon must be positive, got {beta} and {horizon}")
    values = density.values if isinstance(density, Field) else np.asarray(density, dtype=float)
    V = np.asarray(potential(grid.points), dtype=float)
    if values.shape != grid.cells or not (np.isfinite(values).all() and values.min() >= 0 and values.sum() > 0):
        raise ValueError(f"a density needs {grid.cells} finite values ≥ 0, got shape {values.shape}")
    if V.shape != grid.cells or not np.isfinite(V).all():
        raise ValueError(f"the potential must be finite with shape {grid.cells}, got {V.shape}")
    noise = Heat.on(grid, 2 * beta * horizon)
    ahead = noise(-V / (2 * beta))
    start = values / float(grid.integrate(values))
    end = np.exp(noise(np.log(np.maximum(start, 1e-300)) - ahead) - V / (2 * beta))
    value = -2 * beta * ahead
    space = FiniteVolume(grid)
    return Proximal(Field(space, end), Field(space, value), float(grid.integrate(value * start)))
