"""Laws that stay, and the probability currents that they keep going."""

from __future__ import annotations

from typing import Any

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.discretisations import Discretisation, Field, FiniteVolume
from mfgpde.discretisations.finite_volume.jump_chain import Instant, JumpChain
from mfgpde.discretisations.finite_volume.still import Rates
from mfgpde.equations import FokkerPlanck, ForwardKolmogorov


def stationary(equation: Any, space: Discretisation) -> Field:
    """Return the stationary density of Fokker–Planck or Kolmogorov's forward equation on finite volumes, mass one.

    By elimination without subtraction: each cell to a relative rounding of the discrete chain, whatever the barriers, the
    shape of the tensor, or the unit of time; boxes and circles alike. With a source and open walls (or killing) what it
    feeds, whose mass is what it is. For elements: `finite_element.stationary`.

    Raises ValueError for coefficients that depend on time, laws that are not unique, or none; TypeError where some
    direction has no noise, and for other spaces.

    >>> grid = mfg.CartesianGrid.cube(np.pi, 64, 1, periodic=True)
    >>> tilted = mfg.FokkerPlanck(lambda x, t: 0.5 - np.sin(x), lambda t: 0.2, time_dependent=False)
    >>> law = mfg.solvers.stationary(tilted, mfg.FiniteVolume(grid))
    >>> current = mfg.solvers.probability_current(tilted, law)
    >>> bool(np.ptp(current.values) < 1e-12 * current.values.max())  # the same everywhere
    True
    """
    equation, chain = _posed(equation, space)
    instant = chain.at(0.0)
    rates = Rates.of(instant)
    fed = np.any(instant.added)
    if np.any(np.less(instant.added, 0)):
        raise ValueError("a source that takes away has no stationary law for sure; say it as killing")
    if fed or equation.resetting is not None:
        if fed and equation.resetting is not None:
            raise ValueError("a source together with resetting has no stationary law by elimination: march in time")
        if not rates.lost.any():
            raise ValueError("a source in a closed box has no stationary law: its mass grows for ever; open a wall")
        fuel = np.broadcast_to(instant.added, space.grid.cells) if instant.reset is None else instant.reset[1]
        values = rates.factors().occupied(np.ascontiguousarray(fuel)).reshape(space.grid.cells)
        return Field(space, values if fed else values / float(space.grid.integrate(values)), means=True)
    if rates.lost.any():
        raise ValueError(
            "all mass leaves in the end, through open walls or by killing, and no law is stationary; close the walls, add "
            "a source, or take the law of those that stay from a long march"
        )
    if rates.parts > 1:
        raise ValueError(f"the chain has {rates.parts} parts that do not reach each other: several laws are stationary")
    values = rates.factors().occupied().reshape(space.grid.cells)
    values = values / values.max()
    return Field(space, values / float(space.grid.integrate(values)), means=True)


def probability_current(equation: Any, law: Field) -> Field:
    """Return the current J = g p − D∇p of a law on its grid, means over the faces of each cell, shape (*cells, d).

    On a circle the stationary current is the same everywhere, and taken where forward and backward jumps are fewest: to
    roundings of itself behind any barrier. Raises ValueError for a closed interval, which carries none.

    >>> grid = mfg.CartesianGrid.cube(1.0, 16, 1, periodic=True)
    >>> moving = mfg.FokkerPlanck(lambda x, t: 2.0 + 0 * x, lambda t: 1.0, time_dependent=False)
    >>> law = mfg.solvers.stationary(moving, mfg.FiniteVolume(grid))
    >>> float(mfg.solvers.probability_current(moving, law).values[0, 0].round(12))  # velocity over length
    1.0
    """
    space = law.discretisation
    equation, chain = _posed(equation, space)
    instant, grid = chain.at(0.0), space.grid
    closed = instant.leaving.size == grid.cells[0] and not grid.periodic[0] and not chain.sides.lets_out
    if closed and grid.dimension == 1:
        raise ValueError(
            "a closed interval carries no stationary current: make its axis periodic (a circle), or open its walls"
        )
    flux = _edge_fluxes(instant, law.values)
    still = (
        grid.dimension == 1 and grid.periodic[0] and len(flux) == 1 and equation.resetting is None and equation.closed
    )
    if still:
        jumps, p = instant.jumps, law.values.reshape(instant.jumps.shape)
        traffic = jumps.up[0] * p + jumps.down[0] * np.roll(p, -int(jumps.offsets[0, 2]), axis=2)
        J = float(flux[0].ravel()[int(traffic.argmin())]) * grid.spacing[0]
        if np.abs(flux[0] * grid.spacing[0] - J).max() <= 1e-9 * float(traffic.max()) * grid.spacing[0]:
            return Field(space, np.full((*grid.cells, 1), J))
    found = np.zeros((*instant.jumps.shape, 3))
    for offset, part in zip(instant.jumps.offsets, flux, strict=True):
        both = 0.5 * (part + np.roll(part, tuple(offset), axis=(0, 1, 2)))
        found += both[..., None] * offset
    return Field(
        space, found[..., 3 - grid.dimension :].reshape(*grid.cells, grid.dimension) * np.asarray(grid.spacing)
    )


def _edge_fluxes(instant: Instant, p: Array) -> Array:
    """Return jumps ahead less jumps back along every edge, per time and volume, (K, a, b, c)."""
    jumps, p = instant.jumps, p.reshape(instant.jumps.shape)
    there = np.stack([np.roll(p, tuple(-offset), axis=(0, 1, 2)) for offset in jumps.offsets])
    return jumps.up * p - jumps.down * there


def _posed(equation: Any, space: Any) -> tuple[ForwardKolmogorov, JumpChain]:
    if isinstance(equation, FokkerPlanck):
        equation = ForwardKolmogorov.of(equation)
    if not isinstance(equation, ForwardKolmogorov):
        raise TypeError(f"a law is stationary in FokkerPlanck or ForwardKolmogorov, got {type(equation).__name__}")
    if equation.time_dependent:
        raise ValueError("a stationary density needs coefficients that do not depend on time (time_dependent=False)")
    if not isinstance(space, FiniteVolume):
        raise TypeError(f"this takes finite volumes, got {type(space).__name__}; elements: finite_element.stationary")
    return equation, JumpChain(equation, space.grid, space.sides)
