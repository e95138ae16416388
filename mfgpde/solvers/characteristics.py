"""Densities along characteristics: d/dt X = v, d/dt log q = −∇·v, with no numerical diffusion.

The reference for continuity equations: pointwise, high order, adaptive.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.integrate import solve_ivp

from mfgpde.core.accuracy import tolerance as chosen
from mfgpde.core.arrays import Array
from mfgpde.core.time_structure import breaks, nothing_sharp, pieces
from mfgpde.equations import Continuity


def flow(
    equation: Continuity,
    x: Array,
    start: float,
    end: float,
    *,
    integrand: Callable[[Array, float], Array] | None = None,
    rtol: float = 1e-10,
) -> tuple[Array, Array]:
    """Carry points x (..., d) from time `start` to `end` (either direction) along the velocity.

    Returns the end points (..., d) and ∫ integrand(X_t, t) dt along the way from `start` to `end` (...), by default of
    the divergence ∇·v, by Dormand–Prince 8(5,3) with tolerance `rtol` for every point (the norm is taken over all, so the
    tolerance is shared out), of displacements relative to the extent of the points and their way. Steps end where the
    velocity jumps in time.

    Raises ValueError if there is nothing to integrate, RuntimeError if the integration fails.

    >>> inward = mfg.Continuity(lambda x, t: -x, lambda x, t: -np.ones(x.shape[:-1]))
    >>> end, growth = mfg.solvers.flow(inward, np.ones((1, 1)), 0.0, 1.0)
    >>> print(f"{end[0, 0]:.6f}, {growth[0]:.6f}")  # e⁻¹, −1
    0.367879, -1.000000
    """
    quantity = integrand or equation.divergence
    if quantity is None:
        raise ValueError("characteristics need the divergence of the velocity; give Continuity(velocity, divergence)")
    shape, d = x.shape[:-1], x.shape[-1]
    count = int(np.prod(shape))
    origin = np.reshape(np.asarray(x, dtype=float), (count, d))  # displacements are integrated: no unit, no origin

    def rate(t: float, y: Array) -> Array:
        points = origin + y[: count * d].reshape(count, d)
        return np.concatenate((equation.velocity(points, t).ravel(), np.ravel(quantity(points, t))))

    tolerance = max(
        chosen(rtol) / np.sqrt(max(count, 1)), 3e-14
    )  # rms over all points below rtol/√n: each one below rtol
    few = origin[:: max(1, count // 3)][:3]
    low, high = min(start, end), max(start, end)
    jumping = equation.rates or equation.velocity
    looked = equation.time_dependent and not nothing_sharp(equation.time_scale, low, high)
    sharp = breaks(lambda t: np.ravel(jumping(few, t)), low, high) if looked else []
    speed = float(np.abs(equation.velocity(origin, start)).max(initial=0.0))
    length = max(float(np.ptp(origin, axis=0).max(initial=0.0)), speed * abs(end - start))
    atol = tolerance * np.concatenate((np.full(count * d, length or 1.0), np.ones(count)))
    y = np.zeros(count * (d + 1))
    for a, b in pieces(sharp, start, end):
        result = solve_ivp(rate, (a, b), y, method="DOP853", rtol=tolerance, atol=atol)
        if not result.success:
            raise RuntimeError(
                f"characteristics from t = {start:g} to {end:g} failed at t = {result.t[-1]:g}: {result.message}"
            )
        y = result.y[:, -1]
    return x + y[: count * d].reshape(x.shape), y[count * d :].reshape(shape)


def log_density(
    equation: Continuity,
    initial: Callable[[Array], Array],
    x: Array,
    start: float,
    end: float,
    *,
    rtol: float = 1e-10,
) -> Array:
    """Return log q(x, end) at points x (..., d) when log q(·, start) = initial.

    log q(x, end) = initial(X(start)) − ∫_start^end ∇·v(X(t), t) dt along the characteristic through (x, end).

    >>> inward = mfg.Continuity(lambda x, t: -x, lambda x, t: -np.ones(x.shape[:-1]))
    >>> start = mfg.gaussian(0.0, 1.0).log_density
    >>> print(f"{mfg.solvers.log_density(inward, start, np.zeros((1, 1)), 0.0, 1.0)[0]:.6f}")  # 1 − ½ log 2π
    0.081061
    """
    origin, back = flow(equation, x, end, start, rtol=rtol)
    return initial(origin) + back  # the integral runs backwards, which flips its sign
