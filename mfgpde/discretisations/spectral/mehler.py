"""Exact propagation under isotropic linear processes: p_t = ∫ k(·, y) p_0(y) dy, axis by axis, band-limited.

With X_t = m X_0 + N(0, v) the transform of p_t is p̂_0(m k) e^{−v k²/2}: on a grid, one matrix per axis for any v ≥ 0,
spectrally accurate while p_0 is resolved and neither law reaches the walls. For Ornstein–Uhlenbeck this is
Mehler's formula.
"""

from __future__ import annotations

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.grids import CartesianGrid
from mfgpde.processes import IsotropicProcess


def propagate(process: IsotropicProcess, grid: CartesianGrid, values: Array, s: float, t: float) -> Array:
    """Return the density at time t, (*cells), from its values at time s; exact up to aliasing and truncation.

    Raises ValueError for a process that is not isotropic-linear.

    >>> grid, process = mfg.CartesianGrid.cube(5.0, 64, 1), mfg.OrnsteinUhlenbeck()
    >>> start = np.exp(mfg.gaussian(1.0, 0.5).log_density(grid.points))
    >>> p = mfg.discretisations.propagate(process, grid, start, 0.0, 1.0)
    >>> print(f"{grid.integrate(grid.points[..., 0] * p):.6f}")  # e⁻¹
    0.367879
    """
    if not isinstance(process, IsotropicProcess):
        raise ValueError(f"{type(process).__name__} has no separable kernel; solve its Fokker–Planck equation instead")
    step = process.transition(s, t)
    K, same = np.zeros((0, 0)), None
    for axis in range(grid.dimension):
        own = grid.cells[axis], grid.lower[axis], grid.upper[axis]
        if own != same:  # one matrix serves all axes that are alike
            K, same = kernel(grid, axis, float(step.factor), float(step.covariance)), own
        values = np.moveaxis(np.tensordot(K, values, axes=(1, axis)), 0, axis)
    return values


def along_line(process: IsotropicProcess, grid: CartesianGrid, values: Array, s: float, times: Array) -> Array:
    """Return the densities on a line at many times, (len(times), n): the same without a matrix for each.

    p̂_0(m k) is Horner's sum in e^{−imkh} of as many values as the root of their number, and of as many such sums.

    >>> from mfgpde.discretisations.spectral.mehler import along_line
    >>> grid, process = mfg.CartesianGrid.cube(5.0, 64, 1), mfg.OrnsteinUhlenbeck()
    >>> start, times = np.exp(mfg.gaussian(1.0, 0.5).log_density(grid.points)), np.array([0.2, 1.0])
    >>> one_by_one = [mfg.discretisations.propagate(process, grid, start, 0.0, t) for t in times]
    >>> np.allclose(along_line(process, grid, start, 0.0, times), one_by_one, rtol=0, atol=1e-14)
    True
    """
    (n,), (h,), (side,), (x,) = grid.cells, grid.spacing, grid.lengths, grid.axes
    steps = [process.transition(s, float(t)) for t in times]
    factor, variance = (np.array([float(getattr(one, name)) for one in steps]) for name in ("factor", "covariance"))
    k, few = 2 * np.pi / side * np.arange(1, (n + 1) // 2), int(np.ceil(np.sqrt(n)))
    blocks = np.zeros((-(-n // few), few))
    blocks.ravel()[:n] = values
    there = np.outer(factor, k)
    low, high = (np.exp(-1j * np.outer(there, h * step * np.arange(m))) for step, m in ((1, few), (few, len(blocks))))
    sums = np.sum((low @ blocks.T) * high, axis=1).reshape(there.shape) * np.exp(-1j * x[0] * there)
    waves, here = 2 * np.exp(-0.5 * np.outer(variance, k**2)) * sums, np.outer(k, x)
    return h / side * (np.sum(values) + waves.real @ np.cos(here) - waves.imag @ np.sin(here))


def kernel(grid: CartesianGrid, axis: int, factor: float, variance: float) -> Array:
    """Return the matrix h·k(x_i, y_j) = (h/L) Σ_k e^{ik(x_i − m y_j)} e^{−v k²/2} over the frequencies of the grid."""
    n, h, side, x = grid.cells[axis], grid.spacing[axis], grid.lengths[axis], grid.axes[axis]
    k = 2 * np.pi / side * np.arange(1, (n + 1) // 2)
    decay = 2 * np.exp(-0.5 * variance * k**2)
    there, here = np.outer(x, k), factor * np.outer(x, k)
    waves = (np.cos(there) * decay) @ np.cos(here).T + (np.sin(there) * decay) @ np.sin(here).T
    return h / side * (1 + waves)
