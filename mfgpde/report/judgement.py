"""What a certificate comes to, in plain words made from its numbers: every number beside its scale.

The scale of lengths is the spread of the data, (tr Cov)^½: W₂ = 100 % of it is what all mass at their mean would have. The
scale of the score's residual is |∂_t s|, the term that its equation balances; both are root mean squares over the SDE's law
and over time. Words for a share of the spread are a convention: below 1 % *very close*, below 5 % *close*, below 20 %
*off*, else *far*; an interval that meets several is given the first and the last.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mfgpde.core.digits import digits
from mfgpde.report.advice import LESS, advised
from mfgpde.report.shares import Share, percent, residual_share, shares

LEAKS = 1e-3
"""of the mass: beyond it, which law leaks is said"""
NEAR = 0.05
"""share of fresh data that count as near to a training point"""
FOLDED = 1e-2
"""of the mass"""
BROKEN = 0.1
"""residual over |∂_t s| from which a score is said not to solve its equation"""


@dataclass(frozen=True)
class Judgement:
    """Sentences in order, and the lengths that they speak of."""

    sentences: tuple[str, ...]
    shares: tuple[Share, ...]

    @property
    def text(self) -> str:
        """The paragraph."""
        return " ".join(self.sentences)


def judged(result: Mapping[str, Any]) -> Judgement:
    """Return the judgement of a certificate as `mfgpde check` writes it."""
    known = shares(result)
    sentences = [_what(result)]
    if result["failures"]:
        sentences.append("This certificate does not stand: its numbers say little about the score.")
    sentences += [_distance(result, known), _copies(result), _sources(result, known), _folds(result, known)]
    sentences += [_equation(result), _mass(result)]
    sentences.append(f"What would help most: {advised(result, known)}.")
    return Judgement(tuple(text for text in sentences if text), tuple(known.values()))


def _what(result: Mapping[str, Any]) -> str:
    about = result["about"]
    dimension = result["dimension"] if "dimension" in result else len(result["grid"]["cells"])
    d = f"{dimension} dimension" + ("s" if dimension != 1 else "")
    known = f" ({about['samples']} samples)" if about.get("samples") else ""
    data = f"judged by the data {_name(about['data'])}{known}" if about.get("data") else "judged without data"
    read = about["read as"].split(";")[0].split(", called")[0]
    process = about["process"].split("(")[0]
    return f"{_name(about['score'])} is {read} in {d} under {process}, {data}."


def _name(source: str) -> str:
    """Return a path's last part."""
    return Path(source).name if "/" in source else source


def _distance(result: Mapping[str, Any], known: Mapping[str, Share]) -> str:
    """Return how far what is generated is from the data."""
    sde, ode = known.get("sde–data"), known.get("ode–data")
    if sde is None or ode is None:
        gap = known.get("ode–sde")
        words = "How far its samples are from data is not known"
        return f"{words}; its ODE and its SDE end {gap.words} of their spread apart." if gap else f"{words}."
    if "grid" in result:
        words = f"Samples of its SDE are {sde.grade}: W₂ to the data is {sde.words} of the data's spread"
        words += f"; those of its ODE are {ode.grade}, {ode.words}"
    else:
        words = "By means and covariances from below, by coupled samples from above, W₂ from samples of its SDE to the "
        words += f"data is {sde.words} of the data's spread, from those of its ODE {ode.words}"
        short = result.get("likelihood", {}).get("data", {}).get("KL(p‖q^ODE)")
        if short is not None:
            each = short["value"] / result["dimension"]
            words += (
                f", but the ODE falls {digits(short['value'])} nats short in likelihood, {digits(each)} a dimension"
            )
    return words + " (100 %: all mass at the data's mean)."


def _copies(result: Mapping[str, Any]) -> str:
    """Return whether what is generated are training points."""
    found = result.get("memorisation", {}).get("sde", {})
    share = next((one for name, one in found.items() if name.startswith("share")), None)
    if share is None:
        return ""
    low, high = (share["value"] + sign * share["error"] for sign in (-1, 1))
    if low > NEAR:
        near = f"At least {percent(low)} of its samples are nearer to a training point than a twentieth of fresh data"
        return f"{near}: it repeats them, or varies too little."
    return (
        f"It is near to training points no more often than fresh data, as far as can be told (at most {percent(high)})."
    )


def _sources(result: Mapping[str, Any], known: Mapping[str, Share]) -> str:
    """Return which part comes from prior, score, stop, choice of ODE or SDE, number of data and steps."""
    if "prior" not in known:
        return ""
    parts = [f"the prior is {known['prior'].words} off where generation starts"]
    if "score" in known:
        parts.append(f"from the right start the score alone would leave its ODE {known['score'].words} off")
    if "ode–sde" in known:
        parts.append(f"ODE and SDE differ by {known['ode–sde'].words}")
    if "stop" in known:
        parts.append(f"stopping at t = {result['stop']:.3g} leaves noise of {known['stop'].words}, in both laws alike")
    if "samples" in known:
        parts.append(f"the number of data leaves {known['samples'].words} open")
    steps = "a sampler's steps come on top (`mfgpde sampler`)"
    return f"Behind it, in the same unit: {'; '.join(parts)}; {steps}."


def _folds(result: Mapping[str, Any], known: Mapping[str, Share]) -> str:
    """Return which distances of a flow that folds decide nothing, and what would."""
    folded, half = result.get("folded", 0.0), result.get("folded on half the grid", 0.0)
    open_ended = [one for key, one in known.items() if key.startswith("ode") and "undecided" in one.grade]
    if folded < FOLDED or not open_ended:
        return ""
    what = " and ".join(f"{one.label} ({one.words}: {one.grade})" for one in open_ended)
    finer = "More --cells would" if folded < LESS * half else "More --cells would hardly"
    return (
        f"Its flow folds {percent(folded)} of the mass within cells ({percent(half)} on half as many a side), so that "
        f"W₂ {what} decide{'s' if len(open_ended) == 1 else ''} nothing. {finer} cure it; points carried by the flow "
        "do not fold (`solvers.flow`, `transport.wasserstein_points`)."
    )


def _equation(result: Mapping[str, Any]) -> str:
    found = residual_share(result)
    if found is None:
        last = result["residuals"][-1]["score residual"]
        size = math.sqrt(max(last["value"], 0.0)) if isinstance(last, Mapping) else last
        return f"The score does not move in time; what its equation asks of it is {digits(size, 3)} (rms) at the end."
    if BROKEN < found.overall <= found.rounding:
        return (
            "Whether the score solves its own equation cannot be told: its values are rounded, and differences of them "
            f"have a residual of {percent(found.overall)} of |∂_t s| over all times, of which rounding alone may leave "
            f"{percent(found.rounding)}; evaluate it in double precision."
        )
    verdict = "does not solve" if found.overall > BROKEN else "solves"
    words = f"The score {verdict} its own equation: the residual is {percent(found.overall)} of |∂_t s| over all times"
    return f"{words}, {percent(found.last)} at the end, and largest at t = {found.largest_at:.3g}."


def _mass(result: Mapping[str, Any]) -> str:
    leak = result.get("leak")
    if not leak:
        return ""
    law, most = max(leak.items(), key=lambda one: one[1])
    if most < LEAKS:
        return f"No more than {percent(LEAKS)} of the mass leaves the box."
    return f"{percent(most)} of the mass of its {law.upper()} leaves the box."
