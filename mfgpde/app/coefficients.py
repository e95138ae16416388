"""What a problem file says in formulas: diffusions and their terms, walls side by side or part by part, starts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mfgpde.app import formulas
from mfgpde.app.formulas import Words
from mfgpde.app.tables import called, member
from mfgpde.core.register import nearest
from mfgpde.densities import DENSITIES
from mfgpde.discretisations import Held, Inflow
from mfgpde.equations import (
    BackwardKolmogorov,
    FeynmanKac,
    FokkerPlanck,
    Kolmogorov,
    McKeanVlasov,
    Resetting,
)
from mfgpde.processes import PROCESSES, Diffusion, ForwardProcess

BY_FORMULA: dict[str, Callable[..., Diffusion]] = {
    "diffusion": Diffusion,
    "klein-kramers": Diffusion.underdamped,
}
"""processes whose coefficients are formulas"""
READERS: dict[str, Callable[[object, Words, str], Any]] = {
    "drift": formulas.vector,
    "tensor": formulas.tensor,
    "noise": formulas.matrix,
    "killing": formulas.scalar,
    "source": formulas.scalar,
    "rate": formulas.scalar,
    "potential": formulas.scalar,
    "value": formulas.scalar,
    "flux": formulas.scalar,
}
TERMS = ["killing", "source", "resetting", "potential", "interaction"]
WALLS = {"held": (Held, "value"), "inflow": (Inflow, "flux")}


@dataclass(frozen=True)
class Still:
    """A formula as a function of points alone."""

    formula: Any

    def __call__(self, x: Any) -> Any:
        """Return its values, at t = 0."""
        return self.formula(x, 0.0)


def process(table: object, words: Words, terms: Mapping[str, Any]) -> Any:
    """Return what [process] stands for: a member of the room, or a diffusion by formulas, of time where one of them is.

    `terms` are those of the equation. Raises ValueError that names what does not fit.
    """
    if not isinstance(table, Mapping) or table.get("name") not in BY_FORMULA:
        if isinstance(table, Mapping) and isinstance(table.get("name"), str) and table["name"] not in PROCESSES:
            raise ValueError(f"unknown process {table['name']!r}; {nearest(table['name'], [*PROCESSES, *BY_FORMULA])}")
        return member(PROCESSES, table)
    made = dict(table)
    name = made.pop("name")
    for key, value in made.items():
        if key in READERS:
            made[key] = READERS[key](value, words, key)
        elif key == "gradient":
            half = len(words.coordinates) // 2
            if 2 * half != len(words.coordinates):
                raise ValueError(f"{name} is of places and velocities, an even number of axes, got {words.coordinates}")
            of_places = Words(words.coordinates[:half], words.constants)
            made[key] = Still(formulas.still(formulas.vector(value, of_places, key), key))
    found = called(BY_FORMULA[name], made, f"process {name!r}")
    moving = any(map(formulas.of_time, [*made.values(), *_flat(terms)]))
    if moving and not found.time_dependent:
        return _changing(found)
    return found


def terms(found: object, words: Words) -> dict[str, Any]:
    """Return the terms of an equation by name. Raises ValueError for those that there are not."""
    if not isinstance(found, Mapping):
        raise ValueError(f"[terms] reads {', '.join(TERMS)}, got {found!r}")
    made: dict[str, Any] = {}
    for key, value in found.items():
        if key not in TERMS:
            raise ValueError(f"unknown term {key!r}; {nearest(str(key), TERMS)}")
        if key == "resetting":
            if not isinstance(value, Mapping) or set(value) != {"rate", "law"}:
                raise ValueError(f'resetting reads {{rate = "…", law = {{name = …}}}}, got {value!r}')
            rate = formulas.scalar(value["rate"], words, "rate of resetting")
            made[key] = Resetting(rate, member(DENSITIES, value["law"]))
        elif key == "interaction":
            made[key] = Still(formulas.still(formulas.vector(value, words, key), key))
        else:
            made[key] = READERS[key](value, words, key)
    return made


def equation(make: Any, of: Any, terms: Mapping[str, Any]) -> Any:
    """Return the equation of a process with terms. Raises ValueError for terms that it has not, and what it cannot be."""
    taken = inspect.signature(make.of).parameters
    wrong = next((name for name in terms if name not in taken), None)
    if wrong is not None:
        raise ValueError(f"{make.__name__} has no term {wrong!r}; {_who(wrong)}")
    if issubclass(make, Kolmogorov | McKeanVlasov):
        if issubclass(make, Kolmogorov) and isinstance(of, ForwardProcess) and of.alike:
            of = BackwardKolmogorov.of(of) if issubclass(make, FeynmanKac) else FokkerPlanck.of(of)
        return make.of(of, **terms)
    if not isinstance(of, ForwardProcess):
        raise ValueError(
            f"{make.__name__} is of processes with one number g(t) of noise; of a {type(of).__name__} take "
            "forward-kolmogorov, feynman-kac or mckean-vlasov"
        )
    return make.of(of)


def walls(found: object, words: Words, *, elements: bool) -> Any:
    """Return walls as discretisations read them: a name, pairs (lower, upper), or parts {where = "…", wall = …}."""
    if isinstance(found, list) and found and all(isinstance(one, Mapping) and "where" in one for one in found):
        if not elements:
            raise ValueError("walls with where = … are of meshes; a grid has a pair [lower, upper] for each axis")
        from mfgpde.discretisations.finite_element import On

        return tuple(_part(one, words, On) for one in found)
    if isinstance(found, list):
        return tuple(walls(one, words, elements=elements) for one in found)
    return _wall(found, words)


def start(found: object, words: Words) -> Still:
    """Return a start of an equation by a formula of places."""
    return Still(formulas.still(formulas.scalar(found, words, "start"), "start"))


def _part(one: Mapping[str, Any], words: Words, On: Any) -> Any:
    if set(one) != {"where", "wall"}:
        raise ValueError(
            f'a part of the walls reads {{where = "{words.coordinates[0]} > 0", wall = …}}, got {dict(one)!r}'
        )
    return On(formulas.condition(one["where"], words, "where"), _wall(one["wall"], words))


def _wall(found: object, words: Words) -> Any:
    if not isinstance(found, Mapping):
        return found
    kind = found.get("name")
    if kind not in WALLS or set(found) != {"name", WALLS[kind][1]}:
        raise ValueError(
            'a wall is "far", "reflecting", "absorbing", "periodic", {name = "held", value = "…"} or '
            f'{{name = "inflow", flux = "…"}}, got {dict(found)!r}'
        )
    make, key = WALLS[kind]
    return make(READERS[key](found[key], words, f"{key} of a wall"))


def _flat(terms: Mapping[str, Any]) -> list[Any]:
    return [one.rate if isinstance(one, Resetting) else one for one in terms.values()]


def _changing(of: Diffusion) -> Diffusion:
    return Diffusion(of.drift, of.tensor, of.noise, of.meaning, True, of.horizon)


def _who(term: str) -> str:
    return {
        "interaction": "particles interact in mckean-vlasov",
        "potential": "a process says its own",
    }.get(term, "forward-kolmogorov and feynman-kac have killing, source and resetting")
