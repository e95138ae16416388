"""The trial of one claim: measured, its controls tried, its power found, judged; whatever it does becomes a record."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Mapping, Sequence
from itertools import zip_longest

from mfgpde.core.optional import explained
from mfgpde.verify import discover, record, sources
from mfgpde.verify.claim import Claim, Evidence, Level, Series, Standing
from mfgpde.verify.finding import Outcome
from mfgpde.verify.forms import ClaimForm, ControlForm, Listed, ReachForm, SeriesForm, TriedForm, VerdictForm
from mfgpde.verify.judge import SEVERITY, judge, reason, refuters
from mfgpde.verify.power import power
from mfgpde.verify.reach import Reach

MEASURED = ("detects", "reach")
"""what is found of a finding for as long as there is time"""
WORST = {**{outcome.value: rank for outcome, rank in SEVERITY.items()}, "skipped": 3, "broken": 4}


def run_claim(entry: discover.Entry, level: Level, seed: int, *, strict: bool = False) -> ClaimForm:
    """Measure one claim, its controls and its power, judge it, and return the record; what it raises makes it broken.

    Only an interruption from the keyboard passes. A theorem with findings never seen to fail is broken; if `strict`, any
    claim. What files were executed besides the claim's own companions is in the record.
    """
    clock = time.perf_counter()
    sources.watch()
    data: ClaimForm = {**lost(entry, level, seed, "not tried"), "path": str(entry.path.absolute())}
    try:
        claim = discover.load(entry)
        data = {
            **data,
            "title": claim.title,
            "statement": claim.statement,
            "source": claim.source,
            "standing": claim.standing.value if isinstance(claim.standing, Standing) else claim.standing,
            "assumes": list(claim.assumes),
            "random": claim.random,
            "repeatable": claim.repeatable,
        }
        data = {**data, **_tried(claim, level, seed, entry.case, strict)}
    except BaseException as problem:
        if isinstance(problem, KeyboardInterrupt):
            raise
        data = {**data, **failed(problem)}
    beside = sources.executed([entry.path, *discover.companions([entry.path])])
    if beside:
        data["loaded"] = sources.hashes(beside, entry.path.parent)
    return {**data, "seconds": time.perf_counter() - clock}


def over_seeds(entry: discover.Entry, level: Level, seeds: Sequence[int], *, strict: bool = False) -> ClaimForm:
    """Return the record of the worst of several seeds, with the verdict of each and the spread of every finding.

    A claim that draws no random numbers is tried once.
    """
    first = run_claim(entry, level, seeds[0], strict=strict)
    if len(seeds) == 1 or not first.get("random"):
        return first
    found = [first, *(run_claim(entry, level, seed, strict=strict) for seed in seeds[1:])]
    worst = max(found, key=lambda one: (WORST[one["outcome"]], -(one["margin"] if one["margin"] is not None else 0.0)))
    spread: dict[str, list[float]] = {}
    for finding in (finding for one in found for finding in one["findings"]):
        low, high = spread.get(finding["label"], (math.inf, -math.inf))
        excess = math.nan if finding["excess"] is None else finding["excess"]
        spread[finding["label"]] = [min(low, excess), max(high, excess)]
    return {
        **worst,
        "seed": seeds[0],
        "worst_seed": worst["seed"],
        "seconds": sum(one["seconds"] for one in found),
        "over_seeds": [
            {"seed": one["seed"], "outcome": one["outcome"], "margin": one["margin"], "reason": one["reason"]}
            for one in found
        ],
        "findings": [{**finding, "spread": spread[finding["label"]]} for finding in worst["findings"]],
    }


def failed(problem: BaseException) -> VerdictForm:
    """Return the outcome of an exception: skipped where an optional library is missing, else broken."""
    words = explained(problem) if isinstance(problem, ImportError) else None
    if words is not None:
        reason = f"skipped, because {words}"
        return {"outcome": Outcome.SKIPPED.value, "margin": None, "detects": {}, "reason": reason}
    return {**broken(_said(problem)), "trace": "".join(traceback.format_exception(problem, limit=-6))}


def broken(reason: str) -> VerdictForm:
    """Return the outcome of a claim that could not be judged."""
    return {"outcome": Outcome.BROKEN.value, "margin": None, "detects": {}, "reason": reason}


def lost(entry: discover.Entry, level: Level, seed: int, reason: str, seconds: float = 0.0) -> ClaimForm:
    """Return the record of a claim of which nothing came back."""
    return {
        "id": entry.id,
        "level": level.value,
        "seed": seed,
        "title": entry.id,
        "statement": "",
        "findings": [],
        "controls": [],
        "series": [],
        "seconds": seconds,
        **broken(reason),
    }


def _tried(claim: Claim, level: Level, seed: int, case: str, strict: bool) -> TriedForm:
    evidence = claim.run_measure(level, seed, case)
    controls = {name: _attempt(claim, name, level, seed, case) for name in claim.controls}
    for outcome in controls.values():
        if isinstance(outcome, ImportError) and explained(outcome):
            raise outcome
    strength = power(claim, evidence, level, seed, case)
    seen = refuters(evidence, {**controls, **strength.variants})
    asked = strict or claim.standing == Standing.THEOREM
    unseen = [label for label, names in seen.items() if not names] if asked else ()
    verdict = judge(evidence, controls, _changes(strength.reaches), unseen)
    return {
        "outcome": verdict.outcome.value,
        "margin": verdict.margin,
        "detects": dict(verdict.detects),
        "reach": _how(strength.reaches),
        "reason": verdict.reason,
        "findings": [
            {
                **record.finding_record(one),
                "refuted_by": seen[one.label],
                "detects": _changes(strength.of_findings[one.label]),
                "reach": _how(strength.of_findings[one.label]),
            }
            for one in evidence.findings
        ],
        "controls": [_control_record(name, outcome) for name, outcome in controls.items()],
        "series": [_series(one) for one in evidence.series],
    }


def _changes(reaches: Mapping[str, Reach]) -> dict[str, float]:
    return {name: one.change for name, one in reaches.items()}


def _how(reaches: Mapping[str, Reach]) -> dict[str, ReachForm]:
    return {name: {"sign": one.sign, "measured": one.measured, "tried": one.tried} for name, one in reaches.items()}


def _series(one: Series) -> SeriesForm:
    return {
        "label": one.label,
        "x_label": one.x_label,
        "x": list(one.x),
        "y_label": one.y_label,
        "y": list(one.y),
        "logarithmic": one.logarithmic,
    }


def _attempt(claim: Claim, name: str, level: Level, seed: int, case: str) -> Evidence | Exception:
    try:
        return claim.run_control(name, level, seed, case)
    except Exception as problem:
        return problem
    except KeyboardInterrupt:
        raise
    except BaseException as problem:  # SystemExit and the like end no run
        return RuntimeError(_said(problem))


def _control_record(name: str, outcome: Evidence | Exception) -> ControlForm:
    if isinstance(outcome, Exception):
        return {
            "description": name,
            "outcome": Outcome.BROKEN.value,
            "reason": _said(outcome),
            "finding": None,
            "findings": [],
        }
    strongest = min(outcome.findings, key=lambda finding: (-SEVERITY[finding.outcome], finding.margin))
    return {
        "description": name,
        "outcome": strongest.outcome.value,
        "reason": reason(strongest),
        "finding": record.finding_record(strongest),
        "findings": [
            {
                "label": one.label,
                "kind": one.kind.name.lower(),
                "outcome": one.outcome.value,
                "excess": one.excess,
                "bar": one.bar,
            }
            for one in outcome.findings
        ],
    }


def _said(problem: BaseException) -> str:
    """Return an exception in words, whatever its own are."""
    try:
        words = str(problem)
    except BaseException:
        words = ""
    return f"{type(problem).__name__}: {words}" if words else type(problem).__name__


def differences(one: ClaimForm, two: ClaimForm) -> str:
    """Say where two records of the same claim differ in what was found; nothing if they do not."""
    if one["outcome"] != two["outcome"]:
        return f"{one['outcome']} the first time and {two['outcome']} the second"
    labels = [[finding["label"] for finding in each["findings"]] for each in (one, two)]
    if labels[0] != labels[1]:
        first, second = next(pair for pair in zip_longest(*labels, fillvalue="none") if pair[0] != pair[1])
        return f"its findings are others, {first} the first time and {second} the second"
    for a, b in zip(one["findings"], two["findings"], strict=True):
        for side, was, now in (("left", a["left"], b["left"]), ("right", a["right"], b["right"])):
            if (was["value"], was["error"]) != (now["value"], now["error"]):
                return (
                    f"{a['label']}: its {side} side is {was['value']!r} ± {was['error']!r} the first time and "
                    f"{now['value']!r} ± {now['error']!r} the second"
                )
        for key in (key for key in a if key not in MEASURED):
            if a[key] != b.get(key):
                return f"{a['label']}: its {key} is {a[key]!r} the first time and {b.get(key)!r} the second"
    for a, b in zip(one["controls"], two["controls"], strict=True):
        if a != b:
            return f"control “{a['description']}”: {a['reason']} the first time and {b['reason']} the second"
    return ""


def described(entry: discover.Entry) -> Listed:
    """Return what a claim says of itself: standing, source, controls, and the names of its cases."""
    claim = discover.load(entry)
    return {
        "standing": str(claim.standing),
        "source": claim.source,
        "controls": list(claim.controls),
        "cases": list(claim.named_cases),
    }
