"""KL between laws of paths by Girsanov's formula: of mixtures of bridges, of their Markovian projections, of any drift.

For dX = b dt + σ dW and dY = c dt + σ dW, KL(X‖Y) = KL(X_0‖Y_0) + ½σ⁻² ∫ E|b(X_t,t) − c(X_t,t)|² dt. The law of X_t is a
mixture of Gaussians: expectations are tensor Gauss–Hermite sums over every component, times are Gauss–Legendre points.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mfgpde.core.arrays import Array, dot
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.densities import GaussianMixture
from mfgpde.processes import BridgeMixture, ForwardProcess

LADDER = ((5, 6), (7, 9), (9, 13), (13, 19), (19, 28), (28, 42), (42, 63), (63, 94))
"""points in time, and along each direction of a component, rung by rung"""
MOST = 2**21
"""points in space at one time: what a rung may take"""
UNSETTLED = 3.0
"""times how far rungs are apart: sums over a kink or a jump are off by its place among the points, of no order"""
NOTHING = 1e-12
"""nats: what a Markov process drops by rounding"""
ROUNDINGS = 64 * float(np.finfo(float).eps)
Moments = tuple[Array, Array, Array]


def path_divergence(
    first: BridgeMixture, second: ForwardProcess, *, same_start: bool = False, rtol: float = 1e-7
) -> Estimate:
    """Return KL between the laws of paths of two Markov processes with the same noise, both from their own starts.

    `first` is a Markovian projection of bridges, whose marginals are known; `second` another one, or, with `same_start`,
    any process with a drift, begun where the first begins. Rungs are added until three agree to `rtol`; the bar is the
    larger of the last two steps between rungs, and rounding.

    Raises ValueError where noise or horizons differ, as then the divergence is infinite or has no sense, and TypeError for
    a second process whose start is not known.

    >>> pairs = mfg.densities.schroedinger_coupling(mfg.gaussian(0.0, 1.0), mfg.gaussian(0.0, 1.0), 1.0)
    >>> bridge = mfg.processes.BridgeMixture(pairs)
    >>> noise = mfg.Brownian()  # without a drift
    >>> kl = mfg.diagnostics.path_divergence(bridge, noise, same_start=True)
    >>> print(f"{kl.value:.5f}")  # E KL(N(x/2, ½)‖N(x, 1)) with E x² = ⅔: ½ log 2 − ¼ + 1/12
    0.17991
    """
    if not (isinstance(second, BridgeMixture) or same_start):
        raise TypeError(
            f"where a {type(second).__name__} begins is not known: give a BridgeMixture, or same_start=True"
        )
    if abs(second.horizon - first.horizon) > 1e-12 * first.horizon:
        raise ValueError(f"both laws of paths need one horizon, got {first.horizon:g} and {second.horizon:g}")
    other = np.asarray(second.diffusion(np.linspace(0, first.horizon, 9)))
    if np.abs(other - first.scale).max() > 1e-12 * first.scale:
        raise ValueError(
            f"laws of paths with different noise are singular to each other: σ is {first.scale:g} and "
            f"{other.min():g} to {other.max():g}, the divergence infinite"
        )

    def rung(times: int, points: int) -> float:
        return _in_time(
            first,
            times,
            lambda t: _expected(first.moments(t), points, lambda x: _square(first.drift(x, t) - second.drift(x, t))),
        )

    found = _converged(rung, first.dimension, len(first.coupling.weights), rtol)
    if same_start or not isinstance(second, BridgeMixture):
        return found
    starts = (GaussianMixture(*process.moments(0.0)) for process in (first, second))
    return found + mixture_divergence(*starts, rtol=rtol)


def projection_divergence(process: BridgeMixture, *, rtol: float = 1e-7) -> Estimate:
    """Return KL between the mixture of bridges itself and its Markovian projection: what the projection drops.

    ½σ⁻² ∫ E|u − b|² dt, u = E[(X_T − x)/(T − t) | X_0, X_t] the drift of the bridges given their start, b its mean given
    X_t. The bar is that of `path_divergence`. Raises ValueError where starts or ends have no spread.

    >>> independent = mfg.processes.BridgeMixture(mfg.gaussian([0.0, 0.0], np.eye(2)))
    >>> print(f"{mfg.diagnostics.projection_divergence(independent).value:.4f}")
    0.3023
    """

    def rung(times: int, points: int) -> float:
        d = process.dimension

        def lost(t: float) -> Callable[[Array], Array]:
            return lambda z: _square(process.remembered_drift(z[:, :d], z[:, d:], t) - process.drift(z[:, d:], t))

        return _in_time(process, times, lambda t: _expected(process.joint_moments(t), points, lost(t)))

    return _converged(rung, 2 * process.dimension, len(process.coupling.weights), rtol)


def mixture_divergence(first: GaussianMixture, second: GaussianMixture, *, rtol: float = 1e-7) -> Estimate:
    """Return KL between two Gaussian mixtures, of couplings too: E log p/q over the components of the first.

    >>> print(f"{mfg.diagnostics.mixture_divergence(mfg.gaussian(0.0, 1.0), mfg.gaussian(1.0, 1.0)).value:.6f}")
    0.500000
    """
    if first.dimension != second.dimension:
        raise ValueError(f"laws in dimensions {first.dimension} and {second.dimension} have no divergence")
    moments = first.weights, first.means, first.covariances

    def rung(_: int, points: int) -> float:
        return _expected(moments, points, lambda x: first.log_density(x) - second.log_density(x))

    return _converged(rung, first.dimension, len(first.weights), rtol)


def _square(gap: Array) -> Array:
    return dot(gap, gap)


def _in_time(process: BridgeMixture, count: int, integrand: Callable[[float], float]) -> float:
    """Return ½σ⁻²∫ over the horizon."""
    u, w = np.polynomial.legendre.leggauss(count)
    times = 0.5 * process.horizon * (u + 1)
    total = sum(weight * integrand(float(t)) for weight, t in zip(w, times, strict=True))
    return float(0.5 * process.horizon * total / (2 * process.scale**2))


def _expected(moments: Moments, count: int, function: Callable[[Array], Array]) -> float:
    """Return E f over a mixture of Gaussians, by `count` points along each axis of every component."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    weights = weights / weights.sum()
    d = moments[1].shape[1]
    z = np.stack(np.meshgrid(*[nodes] * d, indexing="ij"), axis=-1).reshape(-1, d)
    w = np.prod(np.stack(np.meshgrid(*[weights] * d, indexing="ij"), axis=-1).reshape(-1, d), axis=-1)
    kept = w > 1e-16 * w.max()  # corners that no digit sees
    z, w = z[kept], w[kept]
    total = 0.0
    for share, mean, C in zip(*moments, strict=True):
        total += share * float(w @ function(mean + z @ _root(C).T))
    return total


def _root(C: Array) -> Array:
    try:
        return np.linalg.cholesky(C)
    except np.linalg.LinAlgError as problem:
        raise ValueError(
            "a component of the law has no spread, as points have none: its divergences are infinite or need a sum over "
            "points; give the coupling some spread"
        ) from problem


def _converged(rung: Callable[[int, int], float], directions: int, components: int, rtol: float) -> Estimate:
    """Return the last rung, its bar the larger of the last two steps; rungs end when these agree, or take too many points.

    Two rungs may agree by chance where sums still swing about their limit; three hardly do. Where they never agree, as for
    drifts with kinks, jumps, or waves that points do not resolve, the bar is `UNSETTLED` times how far apart the rungs are.
    """
    values, agreed = list[float](), False
    for times, points in LADDER:
        if len(values) > 2 and components * points**directions > MOST:
            break
        values.append(rung(times, points))
        if len(values) > 2 and _step(values) <= max(rtol * abs(values[-1]), NOTHING):
            agreed = True
            break
    left = _step(values) if agreed else UNSETTLED * (max(values[-4:]) - min(values[-4:]))
    bar = left + ROUNDINGS * max(abs(values[-1]), 1.0)
    return Estimate(values[-1], bar, Kind.EXTRAPOLATED, f"Girsanov, {len(values)} rungs of Gauss points")


def _step(values: list[float]) -> float:
    return max(abs(values[-1] - values[-2]), abs(values[-2] - values[-3]))
