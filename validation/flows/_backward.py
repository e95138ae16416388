"""Flows on the line, backwards from places at the end, with a bound of how far off the begins are; W₂ of increasing images.

Through steps of Runge and Kutta goes a path of cubics y whose defect d = h(y′ − v(y, t)) vanishes at both ends of a step, so that
∫|d| ≤ max|d″|/12, enclosed by Taylor coefficients (`core.taylor`). What is off grows backwards by e^{∫(−∂_xv)} at most.
"""

import numpy as np

import mfgpde as mfg
from mfgpde.core.taylor import Jet


def begins(velocity, ends, times, grown=None, room=0.0):
    """Return where the flow of `velocity(x, t)`, a formula, is at times[0] if it is in `ends` (n,) at the last, and how far off that may be.

    `grown` (steps,) bounds e^{∫(−∂_xv)} on each step, and at each time within, for all places; without it slopes are enclosed within
    `room` (n,) of the paths, and RuntimeError says that these are off by more.
    """
    paths, rates = [np.asarray(ends, dtype=float)], []
    for early, late in zip(times[-2::-1], times[:0:-1], strict=True):
        h, y = late - early, paths[-1]
        k1 = velocity(y, late)
        k2 = velocity(y - 0.5 * h * k1, late - 0.5 * h)
        k3 = velocity(y - 0.5 * h * k2, late - 0.5 * h)
        k4 = velocity(y - h * k3, early)
        rates.append(k1)
        paths.append(y - h / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
    rates.append(velocity(paths[-1], times[0]))
    y, v, h = np.stack(paths[::-1]), np.stack(rates[::-1]), np.diff(times)[:, None]
    a, b = h * v[:-1], h * v[1:]
    rise = y[1:] - y[:-1]
    cubic = [np.zeros_like(a) + y[:-1], a, 3 * rise - 2 * a - b, a + b - 2 * rise]
    s = Jet.variable(np.zeros_like(a), np.ones_like(a), 2)
    c = [Jet.constant(one, one, 2) for one in cubic]
    step = Jet.constant(np.zeros_like(a) + h, np.zeros_like(a) + h, 2)
    begin = np.zeros_like(a) + times[:-1, None]
    place, time = c[0] + s * (c[1] + s * (c[2] + s * c[3])), Jet.constant(begin, begin, 2) + step * s
    defect = c[1] + s * (2 * c[2] + 3.0 * s * c[3]) - step * velocity(place, time)
    owed = defect.largest(2) / 6 + 1e-15 * (1 + np.abs(y[1:]))  # c₂ is d″/2
    if grown is None:
        wide = Jet.variable(place.lower[0] - room, place.upper[0] + room, 1)
        factors = np.exp(h * np.maximum(-velocity(wide, Jet.constant(begin, begin + h, 1)).lower[1], 0.0))
    else:
        factors = np.maximum(np.asarray(grown, dtype=float), 1.0)[:, None] + 0.0 * a
    off = np.zeros_like(y[0])
    for k in range(len(owed))[::-1]:
        off = (off + owed[k]) * factors[k]
        if grown is None and not np.all(off <= room):
            raise RuntimeError(f"paths are off by {off.max():.2g} at t = {times[k]:.3g}: take more steps, or more room")
    return y[0], off


def apart(places, levels, known, heights, beyond=0.0):
    """Return W₂ of a law whose distribution function at increasing `places` (n,) lies between two `levels` (2, n), to one that is `heights` at `known`.

    Both pairs reach where there is nothing left, but for `beyond` of W₂². On a piece of levels each quantile lies between two places.
    """
    low, high = np.maximum.accumulate(levels[0]), np.minimum.accumulate(levels[1][::-1])[::-1]
    u = np.unique(np.clip(np.concatenate((low, high, heights)), 0.0, 1.0))
    middle, mass = 0.5 * (u[1:] + u[:-1]), np.diff(u)
    last, own = len(places) - 1, len(known) - 1
    one = (
        places[np.clip(np.searchsorted(high, middle) - 1, 0, last)],
        places[np.clip(np.searchsorted(low, middle), 0, last)],
    )
    other = (
        known[np.clip(np.searchsorted(heights, middle) - 1, 0, own)],
        known[np.clip(np.searchsorted(heights, middle), 0, own)],
    )
    least, most = one[0] - other[1], one[1] - other[0]
    near = np.where((least < 0) & (most > 0), 0.0, np.minimum(np.abs(least), np.abs(most)))
    off = beyond + 1e-12 * (1 + float(np.abs(places).max()) + float(np.abs(known).max())) ** 2
    lower = np.sqrt(max(float(mass @ near**2) - off, 0.0))
    upper = np.sqrt(float(mass @ np.maximum(np.abs(least), np.abs(most)) ** 2) + off)
    how = f"backward flows of {len(places)} places, bounded"
    return mfg.Estimate(0.5 * (lower + upper), 0.5 * (upper - lower), mfg.Kind.BOUND, how)
