"""What would help a score most, read off its certificate: the first of these whose numbers say that it weighs most.

What is no score but looks like something else; mass that leaves the box; data that are missing; where one law is as close
as can be seen, what would narrow the distance of the other, if that is smaller than its bar; the prior, where it is
farther off than the samples are; a distance smaller than its bar, by the largest part of the bar; the prior;
the noise left at the stop; the choice of ODE or SDE; the score itself, where its residual is largest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mfgpde.report.shares import Share, residual_share

LEAKS = 1e-2
"""of the mass: more of it elsewhere is the first thing to look at"""
FINE = 1e-2
"""share of the spread below which nothing is advised"""
PRIOR = "a longer horizon or a larger last noise, since the prior weighs more than the score"
NARROWER = "pip install pot"
"""what the method of a bracket says where POT would narrow it"""
FOLDED = "folds put right"
"""what it says where cells of a flow fold over"""
LESS = 0.7
"""of what folds on half the grid: less on the whole one, and finer ones are worth trying"""
BARS = {
    "samples": "more data, whose number decides the bar of the distance",
    "bracket": "more --cells: the distance is smaller than its bracket",
    "cells": "more --cells: the distance is smaller than its bar, most of it the cells'",
    "grid and time steps": "more --cells: the distance is smaller than its bar, most of it the solves'",
    "outside the box": "a wider --half-width: the distance is smaller than its bar, most of it from outside the box",
}


def advised(result: Mapping[str, Any], known: Mapping[str, Share]) -> str:
    """Return the one thing to do."""
    slip = next((text for text in result.get("warnings", ()) if text.startswith("what was given")), "")
    if slip:
        return f"looking at what was given: it {slip.removeprefix('what was given ')}"
    if max(result.get("leak", {"": 0.0}).values()) > LEAKS:
        return "a wider --half-width, or a score that holds its mass together further out"
    if "sde–data" not in known or "ode–data" not in known:
        return "data to compare with (--data)"
    sde, ode = known["sde–data"], known["ode–data"]
    best = min((sde, ode), key=lambda one: one.value)
    if best.high < FINE and known["stop"].low < FINE:
        first, other = ("SDE", ode) if best is sde else ("ODE", sde)
        open_still = _unresolved(result, known, other)
        if open_still:
            return f"nothing for the {first}; for the {'ODE' if first == 'SDE' else 'SDE'} {open_still}"
        return "nothing that this certificate sees"
    if known["prior"].low > best.value:
        return PRIOR
    return _unresolved(result, known, best) or _elsewhere(known, best) or _of_the_score(result, sde, ode)


def _unresolved(result: Mapping[str, Any], known: Mapping[str, Share], one: Share) -> str:
    """Return what would narrow a distance that is smaller than its own bar."""
    if "grid" not in result or one.high - one.low <= max(one.value, FINE):
        return ""
    pair = "sde–data" if one is known["sde–data"] else "ode–data"
    distance = result["distances"][pair]["W2"]
    parts: Mapping[str, float] = distance.get("parts", {})
    if NARROWER in distance["method"]:
        return "POT (pip install pot), which narrows the bracket of the distance; then more --cells"
    if not parts:
        return ""
    largest = max(parts, key=lambda name: parts[name])
    if largest == "grid and time steps" and FOLDED in distance["method"]:
        cured = result.get("folded", 0.0) < LESS * result.get("folded on half the grid", 0.0)
        how = "more --cells" if cured else "points carried by its flow, which do not fold (`solvers.flow`)"
        return f"{how}: cells fold, and what their folds may hide is most of the bar"
    return BARS.get(largest, f"more --cells: the distance is smaller than its bar, most of it from {largest}")


def _elsewhere(known: Mapping[str, Share], best: Share) -> str:
    """Return what weighs more than the score: prior or stop."""
    score, ode = known.get("score"), known["ode–data"]
    if (score is not None and score.high < 0.5 * ode.low) or known["prior"].low > best.high:
        return PRIOR
    if known["stop"].low > best.high:
        return f"a smaller --stop, whose noise ({known['stop'].words}) weighs more than all else"
    return ""


def _of_the_score(result: Mapping[str, Any], sde: Share, ode: Share) -> str:
    found = residual_share(result)
    where = f", most of all near t = {found.largest_at:.3g}, where its residual is largest" if found else ""
    if found and max(found.overall, found.last) < FINE:
        where = ": it solves its own equation, as that of other data; the residual cannot tell when it is off"
    for one, other, name in ((sde, ode, "SDE"), (ode, sde, "ODE")):
        if one.high < 0.7 * other.low:
            return f"sampling by the {name} while the score is this one; then training{where}"
    return f"training the score{where}"
