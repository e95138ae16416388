"""What a problem file may ask for besides a march: laws that stay and their currents, first passages, committors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mfgpde.app import formulas
from mfgpde.app.formulas import Words
from mfgpde.core.register import nearest
from mfgpde.discretisations import Distributed, Field
from mfgpde.equations import FeynmanKac, FokkerPlanck, ForwardKolmogorov
from mfgpde.solvers import (
    committor,
    exit_probability,
    first_passage,
    mean_first_passage_time,
    probability_current,
    stationary,
)
from mfgpde.solvers.labelled import save_fields


@dataclass(frozen=True, eq=False)
class Fields:
    """Fields by name, and their values at places that were asked for."""

    title: str
    fields: Mapping[str, Field]
    places: Sequence[Sequence[float]] = ()

    def save(self, path: Path) -> Path:
        """Write all of them as NetCDF 4; return the path."""
        return save_fields(self.fields, path)

    @property
    def rows(self) -> list[tuple[str, str]]:
        """What there is to say of each: its range, its integral, its values at places."""
        found: list[tuple[str, str]] = []
        for name, field in self.fields.items():
            low, high = float(np.min(field.values)), float(np.max(field.values))
            found += [(name, f"{low:.6g} to {high:.6g}")]
            found += [("  integral", ", ".join(f"{v:.6g}" for v in np.atleast_1d(field.integral())))]
            for place in self.places:
                values = np.atleast_1d(np.squeeze(field(np.array([place], dtype=float))))
                found.append((f"  at {', '.join(f'{c:g}' for c in place)}", ", ".join(f"{v:.6g}" for v in values)))
        return found

    @property
    def drawn(self) -> Field:
        """The field that a picture shows."""
        return next(iter(self.fields.values()))


def by_stationary(of: Any, space: Any, current: bool = False) -> Fields:
    """Return the law that stays, and the current that it keeps going."""
    if isinstance(space.grid, Distributed):
        from mfgpde.discretisations.finite_element import stationary as on_elements

        if current:
            raise ValueError("currents of stationary laws are of finite volumes; leave current away, or take a grid")
        return Fields("stationary law", {"density": on_elements(of, space)})
    law = stationary(of, space)
    found = {"density": law} | ({"current": probability_current(of, law)} if current else {})
    return Fields("stationary law", found)


def by_mean_first_passage_time(of: Any, space: Any, moment: int = 1, target: Any = None) -> Fields:
    """Return the mean time to leave or to reach the target, or a higher moment."""
    power = "" if moment == 1 else f"^{moment}"
    return Fields("mean first-passage time", {f"E T{power}": mean_first_passage_time(of, space, moment, target=target)})


def by_exit_probability(of: Any, space: Any, axis: int, side: int | None = None) -> Fields:
    """Return the probability to leave through one wall, or one part of the walls of a mesh."""
    return Fields("exit probability", {"probability": exit_probability(of, space, axis, side)})


def by_committor(of: Any, space: Any, target: Any, source: Any) -> Fields:
    """Return the probability to reach the target before the source."""
    return Fields("committor", {"committor": committor(of, space, target, source)})


FIELDS: dict[str, Callable[..., Fields]] = {
    "stationary": by_stationary,
    "mean-first-passage-time": by_mean_first_passage_time,
    "exit-probability": by_exit_probability,
    "committor": by_committor,
}
FORWARD = ("stationary", "first-passage")
"""what is asked of densities; the rest of expectations"""
KINDS = [*FIELDS, "first-passage"]
SETS = ("target", "source")


@dataclass(frozen=True, eq=False)
class Sought:
    """What [find] says: a name and its options, checked."""

    name: str
    options: Mapping[str, Any]
    places: Sequence[Sequence[float]]

    @property
    def marches(self) -> bool:
        """Whether it goes through time, and needs a start and times."""
        return self.name == "first-passage"

    @property
    def forward(self) -> bool:
        """Whether it is asked of densities."""
        return self.name in FORWARD

    def __call__(self, of: Any, space: Any, start: Any, times: Sequence[float], options: Mapping[str, Any]) -> Any:
        """Return what was asked for: Fields, or a FirstPassage."""
        if self.marches:
            return first_passage(of, space, start, times, **options)
        found = FIELDS[self.name](of, space, **self.options)
        return Fields(found.title, found.fields, self.places)


def read(table: object, words: Words) -> Sought:
    """Read [find]. Raises ValueError that names what is unknown, missing or of the wrong kind."""
    if not isinstance(table, Mapping) or table.get("name") not in KINDS:
        name = table.get("name") if isinstance(table, Mapping) else table
        raise ValueError(f"[find] reads name = …; unknown {name!r}: {nearest(str(name), KINDS)}")
    options = dict(table)
    name = options.pop("name")
    places = _places(options.pop("at", []), words) if name != "first-passage" else ()
    parameters = list(inspect.signature(FIELDS[name]).parameters)[2:] if name in FIELDS else []
    for key in options:
        if key not in parameters:
            also = [*parameters, "at"] if name in FIELDS else ["nothing further"]
            raise ValueError(f"[find] {name!r} has no option {key!r}; there is {', '.join(also)}")
    for key, value in options.items():
        if key in SETS:
            options[key] = formulas.condition(value, words, key)
        elif key == "current" and not isinstance(value, bool):
            raise ValueError(f"current is true or false, got {value!r}")
        elif key in ("moment", "axis", "side") and (isinstance(value, bool) or not isinstance(value, int)):
            raise ValueError(f"{key} is a whole number, got {value!r}")
    if name in FIELDS:
        try:
            inspect.signature(FIELDS[name]).bind(None, None, **options)
        except TypeError as problem:
            raise ValueError(f"[find] {name!r}: {problem}") from problem
    return Sought(name, options, places)


def asked_of(equation: Any) -> Any:
    """Return an equation of densities as that of expectations, which first passages are."""
    if isinstance(equation, FokkerPlanck):
        return FeynmanKac.of(equation)
    if isinstance(equation, ForwardKolmogorov):
        return FeynmanKac(equation.diffusion, equation.killing, equation.source, equation.resetting, equation.potential)
    return equation


def _places(found: object, words: Words) -> list[list[float]]:
    d = len(words.coordinates)
    try:
        places: Any = np.asarray(found, dtype=float)
    except (TypeError, ValueError):
        places = np.zeros(0)
    if np.size(places) == 0 and found == []:
        return []
    if places.ndim != 2 or places.shape[1] != d or not np.isfinite(places).all():
        raise ValueError(f"at is a list of points of {d} coordinates, as in {[[0.0] * d]}, got {found!r}")
    return places.tolist()
