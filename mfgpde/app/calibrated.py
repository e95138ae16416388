"""What `mfgpde calibrate` is asked for: families of cases by name, or single draws of theirs again."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace

from mfgpde.calibration import FAMILIES, Calibration, calibrate
from mfgpde.core.estimate import Kind
from mfgpde.core.register import nearest


def described() -> list[str]:
    """Return a line for each family: what it draws."""
    return [f"{name}: {(inspect.getdoc(FAMILIES[name]) or '').splitlines()[0]}" for name in FAMILIES]


def tried(names: Sequence[str], cases: int, kind: str | None, seed: int, show: bool) -> Calibration:
    """Return the trial of families by name (none: all whose libraries are here), of one draw where "family:draw" says so.

    Raises ValueError for a family or kind that there is not, and a draw that is no number.
    """
    if kind is not None and kind.upper() not in Kind.__members__:
        raise ValueError(f"unknown kind {kind!r}; {nearest(kind, [one.name.lower() for one in Kind])}")
    wanted = None if kind is None else Kind[kind.upper()]
    draws: list[int] = []
    chosen: list[str] = []
    for name in names:
        family, colon, draw = name.partition(":")
        if colon and not draw.isdigit():
            raise ValueError(f"{name!r} names no draw; write {family}:7 for draw 7")
        draws += [int(draw)] if colon else []
        chosen.append(family)
    if draws and len(set(chosen)) != 1:
        raise ValueError("single draws are those of one family")
    missing = {} if names else FAMILIES.absent()
    chosen = chosen or list(FAMILIES)
    made = {name: FAMILIES.named(name)() for name in dict.fromkeys(chosen)}
    found = calibrate(made, cases, kind=wanted, seed=seed, draws=draws, progress=show)
    return replace(found, missing={**missing, **found.missing})
