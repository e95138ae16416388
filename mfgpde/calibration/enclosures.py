"""Intervals of Taylor coefficients and rectangles of complex values, against numbers inside by Cauchy's integral."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from mfgpde.calibration.contract import Case, between
from mfgpde.core.arrays import Array
from mfgpde.core.rectangles import Rectangle, ellipse, filled
from mfgpde.core.taylor import Jet, NotEnclosed, called, layer
from mfgpde.solvers.enclosed import upper_in_time

ORDER, POINTS, CIRCLE = 4, 21, 64
ROOM = 0.25
"""of the distance to the nearest singularity, the radius of the circle"""
ROUNDING = 2e-14
"""of the largest value on the circle over rᵏ: what its mean owes, and what an interval's sums do"""

type Formula = Callable[[Any], Any]


class Enclosures:
    """Coefficients f⁽ᵏ⁾/k! of drawn formulas at points of an interval, values in rectangles, on and within ellipses.

    Of each formula the number is taken that is nearest to an end of its interval, or farthest beyond.
    """

    covers = (
        *(f"core.Jet.{name}" for name in ("constant", "variable", "exp", "expm1", "log", "sqrt", "tanh", "sin", "cos")),
        "core.layer",
        *(f"core.Rectangle.{name}" for name in ("of", "exp", "expm1", "cos", "sin", "sqrt")),
        "core.ellipse",
        "core.filled",
        "solvers.upper_in_time",
    )
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw an interval, a formula that is analytic around it, a rectangle, an ellipse and a layer."""
        middle, half = float(rng.normal(0, 1.5)), float(np.exp(rng.uniform(np.log(1e-4), np.log(1.0))))
        lower, upper = middle - half, middle + half
        for name, f, room in some(rng, list(formulas(rng, lower, upper))):
            found = called(f, Jet.variable(np.array([lower]), np.array([upper]), ORDER))
            x, k = np.linspace(lower, upper, POINTS), np.arange(ORDER + 1)[:, None]
            truth, size = coefficients(f, x, ROOM * room)
            rounding = ROUNDING * size / (ROOM * room) ** k
            yield _nearest(f"{name} on [{lower:.4g}, {upper:.4g}]", found.lower, found.upper, truth, rounding)
            values = np.real(f(x.astype(complex)))
            yield Case(
                f"largest of {name} on [{lower:.4g}, {upper:.4g}]",
                between(float(values.min()), upper_in_time(f, lower, upper), "intervals"),
                float(values.max()),
                ROUNDING * float(size.max()),
            )
        yield from self._complex(rng, middle, half)
        weights, offset = rng.normal(size=(3, 2)), rng.normal(size=3)
        ends = np.sort(rng.normal(size=(2, ORDER + 1, 2, 1)), axis=0)
        inside = ends[0] + rng.choice([0.0, 0.5, 1.0], size=ends[0].shape) * (ends[1] - ends[0])
        right = np.einsum("ij,kjn->kin", weights, inside)
        right[0] += offset[:, None]
        found = layer(weights, Jet(ends[0], ends[1]), offset)
        yield _nearest("a layer", found.lower, found.upper, right, np.full(right.shape, ROUNDING * 10))

    def _complex(self, rng: np.random.Generator, middle: float, half: float) -> Iterator[Case]:
        low = float(rng.normal(0, 0.5))
        one = Rectangle.of(*(np.array([end]) for end in (middle - half, middle + half, low, low + half)))
        x, y = (np.linspace(a, b, 9) for a, b in ((middle - half, middle + half), (low, low + half)))
        z = (x[:, None] + 1j * y).ravel()
        for name, f in some(rng, list(complex_formulas(rng, z))):
            try:
                right, found = f(z), called(f, one)
            except NotEnclosed:  # a denominator whose rectangle holds zero: an honest no
                continue
            ends = [
                np.concatenate([getattr(part, side)[0] for part in (found.real, found.imaginary)]) for side in SIDES
            ]
            truth = np.stack((right.real, right.imag))
            known = np.full(truth.shape, ROUNDING * (1 + float(np.abs(right).max())))
            yield _nearest(f"{name} in a rectangle of {half:.2g}", ends[0][:, None], ends[1][:, None], truth, known)
        rho, turn = float(1 + np.exp(rng.uniform(-3, 1))), np.linspace(0, np.pi, 513)
        w = rho * np.exp(1j * turn)
        edge = middle + 0.5 * half * (w + 1 / w)
        k = float(rng.uniform(0.2, 2.0)) / half
        foci = middle - half, middle + half

        def wave(z: Any) -> Any:
            return (k * z).cos() if isinstance(z, Rectangle) else np.cos(k * z)

        truth = float(np.abs(wave(edge)).max())
        ends = [np.array([end]) for end in foci]
        on, within = ellipse(*foci, rho), filled(ends[0], ends[1], rho, across=4, up=3)
        for name, rectangles in (("on", on), ("within", within)):
            found = float(wave(rectangles).largest.max())
            what = f"largest cosine {name} an ellipse of ρ = {rho:.3g}"
            yield Case(what, between(0.0, found, "rectangles"), truth, ROUNDING * found)


SIDES = "lower", "upper"


def some[One](rng: np.random.Generator, many: list[One]) -> list[One]:
    """Return two of them: a draw should not count for more than those of other families."""
    return [many[k] for k in rng.choice(len(many), 2, replace=False)]


def formulas(rng: np.random.Generator, lower: float, upper: float) -> Iterator[tuple[str, Formula, float]]:
    """Yield formulas, and how far from [lower, upper] they are analytic at least, at most two."""
    a, b, c = float(rng.uniform(0.2, 2.0)), float(rng.normal()), float(np.exp(rng.uniform(-2, 1)))
    away = float(rng.uniform(0.1, 2.0))
    p = float(rng.uniform(-2.5, 2.5))
    yield f"exp(−{a:.3g}x²)", lambda x: _call("exp", -a * (x * x)), 1.0
    yield f"expm1({a:.3g}x)/(1 + x²)", lambda x: _call("expm1", a * x) / (1 + x * x), 1.0
    yield f"sin({a:.3g}x + {b:.3g})³", lambda x: _call("sin", a * x + b) ** 3, 1.0
    slow = a / (1 + max(abs(lower), abs(upper)))
    yield f"cos(exp({slow:.3g}x))·x", lambda x: _call("cos", _call("exp", slow * x)) * x, 1.0
    yield f"tanh({a:.3g}x + {b:.3g})", lambda x: _call("tanh", a * x + b), min(2.0, 0.5 * np.pi / a)
    yield f"log(x − {lower - away:.4g})", lambda x: _call("log", x - (lower - away)), away
    yield f"√({upper + away:.4g} − x)", lambda x: _call("sqrt", (upper + away) - x), away
    yield f"(x − {lower - away:.4g})^{p:.3g}", lambda x: (x - (lower - away)) ** p, away
    yield f"1/({c:.3g} + x²)", lambda x: 1 / (c + x * x), float(np.sqrt(c))
    yield f"√({c:.3g} + x⁴)", lambda x: _call("sqrt", c + x**4), float(c**0.25) * 0.7


def complex_formulas(rng: np.random.Generator, z: Any) -> Iterator[tuple[str, Formula]]:
    """Yield formulas of a complex number, those with a cut with the cut to the left of all points."""
    a, b = float(rng.uniform(0.2, 2.0)), float(rng.normal())
    left = float(z.real.min()) - float(rng.uniform(0.1, 1.0))
    yield "exp(az)·z", lambda w: _call("exp", a * w) * w
    yield "expm1(az²)", lambda w: _call("expm1", a * (w * w))
    yield "cos(az + b)", lambda w: _call("cos", a * w + b)
    yield "sin(az)²", lambda w: _call("sin", a * w) ** 2
    yield "√(z − c)", lambda w: _call("sqrt", w - left)
    yield "1/(z − c)", lambda w: 1 / (w - left)
    yield "z/(z − c)³", lambda w: w / (w - left) ** 3


def coefficients(f: Formula, x: Array, radius: float) -> tuple[Array, Array]:
    """Return f⁽ᵏ⁾(x)/k!, k = 0 … ORDER, by Cauchy's integral over a circle, and the largest value there.

    >>> from mfgpde.calibration.enclosures import coefficients
    >>> coefficients(np.exp, np.array([0.0]), 0.5)[0][:, 0].round(12).tolist()  # 1/k!
    [1.0, 1.0, 0.5, 0.166666666667, 0.041666666667]
    """
    turn = np.exp(2j * np.pi * np.arange(CIRCLE) / CIRCLE)
    values = np.asarray(f(x + radius * turn[:, None]))
    powers = np.arange(ORDER + 1)[:, None]
    return (turn**-powers @ values).real / CIRCLE / radius**powers, np.abs(values).max(axis=0)


def _call(name: str, x: Any) -> Any:
    return getattr(x, name)() if isinstance(x, Jet | Rectangle) else getattr(np, name)(x)


def _nearest(what: str, lower: Array, upper: Array, truth: Array, known: Array) -> Case:
    """Return the case of the number that lies farthest out in its interval, in halves of its width."""
    lower, upper = (np.broadcast_to(end, truth.shape) for end in (lower, upper))
    off = np.maximum(np.abs(truth - 0.5 * (lower + upper)) - known, 0.0)
    half = 0.5 * (upper - lower)
    ratio = np.divide(off, half, out=np.where(off > 0, np.inf, 0.0), where=half > 0)
    at = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
    estimate = between(float(lower[at]), float(upper[at]), "intervals")
    return Case(f"{what}, {at}", estimate, float(truth[at]), float(known[at]))
