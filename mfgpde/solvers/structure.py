"""How an equation's coefficients depend on time: where they jump, and what of it a step does not see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.recent import Recent
from mfgpde.core.time_structure import Break, at_once, merged, named, nothing_sharp, scanned
from mfgpde.core.unread import reads_time
from mfgpde.discretisations.checks import checked
from mfgpde.discretisations.coefficients import SHARES, Coefficients, Evaluating, normal
from mfgpde.discretisations.contract import Distributed, Domain, Fed
from mfgpde.equations import Continuity, Diffusing, Equation, FokkerPlanck
from mfgpde.equations.contract import Several, VectorField
from mfgpde.grids import CartesianGrid
from mfgpde.processes import IsotropicProcess
from mfgpde.processes.own_drift import linear_process_of

SECOND = np.array([0.0, 0.5, 1.0]), np.array([[1, 4, 1], [-2, 4, -2]]) / 6
"""shares of a step, and on them Simpson's rule and what it has beyond the trapezoidal one"""
HIGHER = np.array([0.0, 0.25, 0.5, 0.75, 1.0]), np.array([[7, 32, 12, 32, 7], [-8, 32, -48, 32, -8]]) / 90
"""Boole's, and what it has beyond Simpson's"""
ROUNDING = 1e-14
"""of a coefficient: what a sum of few of its values may be off by"""
SPREAD = 48
"""points at which killing, sources, tensors and costs are looked at"""
AHEAD = 4, 32
"""steps of one length that are looked at together, at first and at most"""
SELDOM = 7
"""steps in a row in which what is smooth is not looked at, while it leaves little"""
LITTLE = 0.1
"""of what a step may be off by"""
LONGER = 1.3
"""times the step that was looked at: a longer one is looked at again"""


@runtime_checkable
class Drifting(Protocol):
    """An equation with a drift."""

    @property
    def drift(self) -> VectorField:
        """f(x, t)."""
        ...


@dataclass(frozen=True, eq=False)
class Coefficient:
    """Numbers that depend on time: at one time (m,), and, where the function can, at many (n, m)."""

    at: Callable[[float], Array]
    many: Callable[[Array], Array]
    rates: Coefficient | None = None
    """what of them may jump, where the rest is dear to ask and smooth"""
    together: bool = False
    """whether one call for many times gives what calls for each do"""
    parts: int = 1
    """the numbers are as many rows, each in a unit of its own"""

    def tried(self, few: Array) -> Coefficient:
        """Return it with what a few times show of whether it takes many at once."""
        together = at_once(self.at, self.many, few) is not None
        return replace(self, together=together, rates=None if self.rates is None else self.rates.tried(few))

    def scanned(self, start: float, end: float) -> tuple[list[Break], float, float]:
        """Return where they jump or change sharply, how far apart they were read, and the longest step."""
        read = self.rates or self
        return scanned(read.at, start, end, read.many)


@dataclass(frozen=True, eq=False)
class Structure:
    """The coefficients at a few points as functions of time, and their breaks; without them, nothing depends on time."""

    coefficients: tuple[Coefficient, ...] = ()
    """diffusivity and drift, each in a unit of its own"""
    breaks: list[Break] = field(default_factory=list)
    gap: float = 0.0
    """between two times at which the coefficients were read before the run; zero where none can be missed"""
    end: float = np.inf
    """of the run"""
    longest: float = np.inf
    """step, where there are more sharp changes than places at which a march is broken"""
    places: int = 0
    """at which killing, sources, tensors and costs are looked at"""
    _recent: Recent[Array] = field(default_factory=lambda: Recent(16), repr=False)
    _ahead: dict[tuple[float, float, int, bool], float] = field(default_factory=dict, repr=False)
    """what is known already, of steps of one length"""
    looked: list[float] = field(default_factory=lambda: [0.0, 0.0], repr=False)
    """for how many steps more what is smooth need not be looked at, and the length of the one that was"""

    @classmethod
    def of(
        cls,
        equation: Equation,
        domain: Domain,
        start: float,
        end: float,
        at: Sequence[float] = (),
        scan: bool = True,
        system: object = None,
    ) -> Structure:
        """Scan an equation on a domain over a run, or not; `at` names breaks that are known.

        What a `system` reads of a drift in its steps is not read again.
        """
        known = named(at, start, end)
        alone = not (isinstance(domain, Distributed) and domain.comm.size > 1)  # ranks must agree on steps
        walls = [_of_time(one) for one in system.fed] if isinstance(system, Fed) and alone else []
        if not (equation.time_dependent or walls):
            return cls(breaks=known)
        few = np.linspace(start, end, 5)
        parts = tuple(
            part.tried(few)
            for part in [*walls, *(_coefficients(equation, domain, system) if equation.time_dependent else [])]
        )
        smooth = nothing_sharp(equation.time_scale, start, end) and not walls
        looks = [part.scanned(start, end) for part in parts] if scan and not smooth else []
        gap = 0.0 if smooth or not parts else max((gap for _, gap, _ in looks), default=end - start)
        longest = min((longest for *_, longest in looks), default=np.inf)
        places = len(_spread(domain)) if equation.further(np.asarray(domain.upper) - np.asarray(domain.lower)) else 0
        found = [place for found, *_ in looks for place in found]
        return cls(parts, merged([*known, *found]), gap, end, longest, places)

    @property
    def said(self) -> str:
        """What may be missed, in a sentence; nothing where nothing can be."""
        smooth = "the score is taken to be smooth" if any(part.rates for part in self.coefficients) else ""
        if not self.gap:
            return smooth
        read = f"read every {self.gap:.1e} of time: a pulse that is shorter may be missed unless breaks= names it"
        where = f"what acts on a part of the domain at {self.places} places: between them it may be missed"
        quick = f"more sharp changes than breaks: no step is longer than {self.longest:.1e}"
        return "; ".join(
            filter(None, (read, where if self.places else "", quick if np.isfinite(self.longest) else "", smooth))
        )

    @property
    def smooth(self) -> bool:
        """Whether something of the coefficients is known or taken to be smooth: it need not be looked at in every step."""
        return not self.gap or any(part.rates for part in self.coefficients)

    def missed(self, t: float, dt: float, order: int, moved: Callable[[], float]) -> float:
        """Return what a step does not see of the coefficients as a ratio to what it may be off by, as `moved` says its way.

        What is known or taken to be smooth is looked at in every eighth step while it leaves little.
        """
        seldom = self.looked[0] > 0 and dt <= LONGER * self.looked[1]
        unseen = self.unseen(t, dt, order, rates=seldom)
        missed = unseen * moved() if unseen > 0 else 0.0
        if seldom:
            self.looked[0] -= 1
        elif self.smooth:
            self.looked[:] = SELDOM if missed <= LITTLE else 0.0, dt
        return missed

    def unseen(self, t: float, dt: float, order: int, rates: bool = False) -> float:
        """Return by which share the integrals of the coefficients over a step differ from what the step makes of them.

        Methods of order two see both ends, as the trapezoidal rule does, those of higher order the middle too, as
        Simpson's; the next rule stands for the truth. Their own error estimates know nothing of it. Steps of one length
        follow each other: where coefficients are read at many times at once, those of the next ones are read together.
        With `rates`, only what may jump is read.
        """
        if not self.coefficients or (rates and not self.gap):
            return 0.0
        if (t, dt, order, rates) not in self._ahead:
            same = len(self._ahead) if any(known[1:] == (dt, order, rates) for known in self._ahead) else 0
            self._ahead.clear()
            self._look(t, dt, order, rates, min(max(2 * same, AHEAD[0]), AHEAD[1]))
        return self._ahead[t, dt, order, rates]

    def _look(self, t: float, dt: float, order: int, rates: bool, most: int) -> None:
        """Look at a step, and at those that would follow it within the run where they cost no more calls."""
        shares, rules = SECOND if order <= 2 else HIGHER
        parts = [(part.rates if rates else None) or part for part in self.coefficients]
        starts, many = [t], all(part.together for part in parts)
        while many and len(starts) < most and starts[-1] + 2 * dt <= self.end:
            starts.append(starts[-1] + dt)
        times = (dt * shares[:, None] + np.array(starts)).ravel()
        read = [
            np.asarray(part.many(times)) if part.together else np.array([self._at(part, s) for s in times.tolist()])
            for part in parts
        ]
        values = np.concatenate([one.reshape(len(shares), len(starts), -1) for one in read], axis=2)
        lengths = [one.size // len(times) // part.parts for one, part in zip(read, parts, strict=True)]
        firsts = np.cumsum([0, *(n for n, part in zip(lengths, parts, strict=True) for _ in range(part.parts))])[:-1]
        wide = (len(starts), values.shape[2])
        flat = values.reshape(len(shares), -1)
        sizes = np.maximum.reduceat(rules[0].dot(np.abs(flat)).reshape(wide), firsts, axis=1)
        beyond = np.maximum.reduceat(np.abs(rules[1].dot(flat)).reshape(wide), firsts, axis=1)
        shown = np.divide(beyond, sizes, out=np.zeros_like(sizes), where=beyond > ROUNDING * sizes)
        worst = shown.max(axis=1).tolist()
        self._ahead.update(((s, dt, order, rates), share) for s, share in zip(starts, worst, strict=True))

    def _at(self, part: Coefficient, t: float) -> Array:
        return self._recent((id(part), t), lambda: part.at(t))


def _coefficients(equation: Equation, domain: Domain, system: object = None) -> list[Coefficient]:
    found: list[Coefficient] = []
    if isinstance(equation, Diffusing):
        diffusivity: Callable[..., Any] = equation.diffusivity
        found.append(
            Coefficient(
                lambda t: np.ravel(np.asarray(diffusivity(t), dtype=float)),
                lambda times: np.reshape(diffusivity(times), (len(times), 1)),
            )
        )
    drift = equation.velocity if isinstance(equation, Continuity) else None
    if isinstance(equation, Drifting):
        drift = equation.drift
    if isinstance(domain, Distributed) and domain.comm.size > 1:  # ranks must agree on steps
        return found
    lengths = np.asarray(domain.upper) - np.asarray(domain.lower)
    points = _spread(domain)
    found += [drift_at(function, points) for function in equation.further(lengths)]
    found = [part for part in found if reads_time(part.at)]  # nothing of the others can be missed
    if drift is not None:
        process = linear_process_of(drift)
        if isinstance(process, IsotropicProcess):
            return [*found, _pull(process)]  # −a(t) x, whatever x is
        rates, x = equation.rates if isinstance(equation, FokkerPlanck | Continuity) else None, _places(domain)
        part = _on_faces(drift, system.coefficients) if isinstance(system, Evaluating) else drift_at(drift, x)
        found.append(replace(part, rates=None if rates is None else drift_at(rates, x)))
    return found


def _of_time(function: Callable[[float], Array]) -> Coefficient:
    """Return what is given at a wall as a coefficient, asked for one time after the other."""
    return Coefficient(
        lambda t: np.ravel(function(t)), lambda times: np.array([np.ravel(function(float(t))) for t in times])
    )


def _pull(process: IsotropicProcess) -> Coefficient:
    """Return a(t) of a drift −a(t) x."""
    return Coefficient(
        lambda t: np.ravel(np.asarray(process.relaxation(t), dtype=float)),
        lambda times: np.reshape(process.relaxation(times), (len(times), 1)),
    )


def _on_faces(drift: Callable[..., Array], read: Coefficients) -> Coefficient:
    """Return a drift at a few faces of a grid as a coefficient, as a system read it where it did."""
    few = read.few

    def many(times: Array) -> Array:
        x = np.broadcast_to(few, (len(times), *few.shape))
        values = np.asarray(drift(x, times[:, None]), dtype=float)
        return normal(values if values.shape == x.shape else checked(values, x.shape, "the drift at many times"))

    return Coefficient(lambda t: read.on_few(drift, t), many)


def drift_at(drift: Callable[..., Array], x: Array) -> Coefficient:
    """Return a drift at points (n, d), or several functions at once, as a coefficient."""
    if isinstance(drift, Several):
        several = drift  # (..., n, parts): a row for each
        return Coefficient(
            lambda t: np.ravel(np.swapaxes(several(x, t), -1, -2)),
            lambda times: np.reshape(
                np.swapaxes(several(np.broadcast_to(x, (len(times), *x.shape)), times[:, None]), -1, -2),
                (len(times), -1),
            ),
            parts=several.parts,
        )
    return Coefficient(
        lambda t: np.ravel(np.asarray(drift(x, t), dtype=float)),
        lambda times: np.reshape(drift(np.broadcast_to(x, (len(times), *x.shape)), times[:, None]), (len(times), -1)),
    )


def breaks_in_parts(equation: FokkerPlanck | Continuity, grid: Any, start: float, end: float) -> list[Break]:
    """Return the breaks of a drift at a few dozen points all over a grid: it may be still at the three that a march reads.

    None of what is the same in time everywhere, or taken to be smooth.

    >>> from mfgpde.solvers.structure import breaks_in_parts
    >>> equation = mfg.FokkerPlanck(lambda x, t: -x - 5.0 * (x > 2.5) * (t > 0.3) * (t < 0.31), lambda t: 0.5)
    >>> grid = mfg.CartesianGrid.cube(3.0, 64, 1)
    >>> [round(a, 6) for a, _ in breaks_in_parts(equation, grid, 0.0, 1.0)]
    [0.3, 0.31]
    """
    drift = equation.velocity if isinstance(equation, Continuity) else equation.drift
    read = drift if equation.rates is None else equation.rates
    process = getattr(getattr(read, "__self__", None), "process", None)  # what a reversed one adds is smooth
    linear = linear_process_of(read if process is None else process.drift) is not None
    if not equation.time_dependent or nothing_sharp(equation.time_scale, start, end) or linear:
        return []
    found = drift_at(read, _spread(grid))
    return scanned(found.at, start, end, found.many, 1)[0]


def _spread(domain: Domain) -> Array:
    """Return a few dozen points all over a domain, for what may act on a part of it."""
    if not isinstance(domain, CartesianGrid):
        points = domain.points.reshape(-1, domain.points.shape[-1])
        return points[:: max(1, len(points) // SPREAD)]
    most = max(2, round(SPREAD ** (1 / domain.dimension)))
    along = [x[np.linspace(0, len(x) - 1, min(most, len(x))).astype(int)] for x in domain.axes]
    return np.stack(np.meshgrid(*along, indexing="ij"), axis=-1).reshape(-1, domain.dimension)


def _places(domain: Domain) -> Array:
    """Return points at three places between the corners of a grid, or the points of a mesh near them, (3, d)."""
    lower, upper = np.asarray(domain.lower), np.asarray(domain.upper)
    wanted = np.array([lower + share * (upper - lower) for share in SHARES])
    if isinstance(domain, CartesianGrid):
        return wanted
    points = domain.points.reshape(-1, domain.points.shape[-1])
    return np.array([points[np.argmin(np.sum((points - x) ** 2, axis=-1))] for x in wanted])
