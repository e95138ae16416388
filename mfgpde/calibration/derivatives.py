"""Derivatives by differences with the bound that they bring, of functions that are flat, steep, large or far from zero."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mfgpde.calibration.contract import Case
from mfgpde.core.arrays import Array
from mfgpde.core.differences import gradient, slope
from mfgpde.core.estimate import Estimate, Kind


class Derivatives:
    """f′(0) of waves, peaks and powers times a unit and beside an offset; the gradient of a Gaussian in the plane."""

    covers = ("core.slope", "core.gradient")
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a reach, functions of every kind, a place."""
        reach = float(np.exp(rng.uniform(-5, 2)))
        k, phase = float(np.exp(rng.uniform(-2, 1.5))) / reach, float(rng.uniform(0, 2 * np.pi))
        unit, offset = float(np.exp(rng.uniform(-12, 12))), float(rng.normal()) * 10.0 ** int(rng.integers(-2, 6))
        p, width = float(rng.uniform(-3, 3)), reach * float(np.exp(rng.uniform(-1.5, 2)))
        at = float(rng.normal()) * width
        far = reach * float(np.exp(rng.uniform(0.3, 2)))
        peak = 1 / (1 + (at / width) ** 2)
        functions = (
            ("a wave", lambda h: unit * (np.sin(k * h + phase) + offset), unit * k * np.cos(phase)),
            ("a peak", lambda h: unit / (1 + ((h - at) / width) ** 2), unit * 2 * at / width**2 * peak**2),
            ("a power", lambda h: unit * (1 + h / far) ** p, unit * p / far),
        )
        for name, f, truth in functions:
            found, bound = slope(lambda h, f=f: np.array([f(h)]), reach)
            bar = Estimate(float(found[0]), bound, Kind.EXTRAPOLATED, "differences")
            yield Case(f"f′ of {name}, reach {reach:.2g}", bar, float(truth), 1e-15 * abs(float(truth)))
        x = rng.normal(size=(5, 2))

        def hill(y: Array) -> Array:
            return unit * np.exp(-0.5 * np.sum((y / width) ** 2, axis=-1))

        found, bound = gradient(hill, x * width, 0.3 * width)
        off = np.abs(found + (x * width) * hill(x * width)[:, None] / width**2)
        i, j = np.unravel_index(int(np.argmax(off)), off.shape)
        bar = Estimate(float(found[i, j]), bound, Kind.EXTRAPOLATED, "differences")
        yield Case("∇f of a hill", bar, float(-x[i, j] * hill(x[i] * width) / width), 1e-15 * unit / width)
