"""The stored run is the law: how another run differs from it, and in which sentence it was loosened."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mfgpde.core.estimate import Kind
from mfgpde.verify.finding import far
from mfgpde.verify.forms import ClaimForm, ControlForm, JudgedForm, ReachForm, RunForm, SideForm
from mfgpde.verify.reach import WORTH

GREW = 2.0  # bars and detectable changes within this factor are those of another machine
FELT = 1e-3  # a bar below this share of δ decides nothing
WORDS = ("statement", "standing", "source", "assumes", "repeatable", "random")


@dataclass(frozen=True)
class Movement:
    """How one claim or finding differs between a stored run and this one, and whether less is asked now."""

    claim: str
    label: str
    what: str
    loosened: bool = False


def compare(stored: RunForm, new: RunForm, asked: Callable[[str], bool] = lambda name: True) -> list[Movement]:
    """Return all that differs from the stored run: what is claimed, how strictly, by which controls, and the numbers.

    Two values of one quantity have moved if they differ by more than the sum of their bars. A stored claim that was
    `asked` for and did not run is missing. Raises ValueError for runs of different levels, which say nothing of each other.
    """
    comparable(stored, new["level"])
    movements = [Movement("all claims", "", what, loosened=True) for what in _terms(stored, new)]
    old, now = ({claim["id"]: claim for claim in run["claims"]} for run in (stored, new))
    for name, claim in now.items():
        before = old.get(name)
        if before is None:
            movements.append(Movement(name, "", "new claim"))
        else:
            movements += [Movement(name, *what) for what in _claims(before, claim)]
    gone = [name for name in old if name not in now and asked(name)]
    return movements + [Movement(name, "", "claim is gone", loosened=True) for name in gone]


def _terms(stored: RunForm, new: RunForm) -> Iterator[str]:
    """Say which terms of the stored run ask for more: seeds of which the worst counts, the same result twice."""
    was, now = (run.get("seeds", 1) for run in (stored, new))
    if was > now:
        yield f"the worst of {was} seeds was judged, now of {now}"
    if stored.get("twice") and not new.get("twice"):
        yield "the same result twice was asked for, now once"


def comparable(stored: RunForm, level: str) -> None:
    """Raise ValueError if the stored run is of another level."""
    if stored["level"] != level:
        raise ValueError(
            f"the stored run is of level {stored['level']}, this one of {level}: compare like with like, "
            f"--level {stored['level']}"
        )


def _claims(before: ClaimForm, after: ClaimForm) -> Iterator[tuple[str, str, bool]]:
    if before["outcome"] != after["outcome"]:
        yield "", f"{before['outcome']} → {after['outcome']}", before["outcome"] == "holds"
    if after["outcome"] == "skipped":  # its library is missing: there is nothing to compare
        return
    for word in WORDS:
        was, now = before.get(word), after.get(word)
        if was is not None and was != now:
            weaker = word == "assumes" or (word == "standing" and (was, now) in _WEAKER)
            yield "", f"its {word} was {_short(was)}, now {_short(now)}", weaker
    yield from _powers("", before, after)
    yield from _controls(before, after)
    earlier = {finding["label"]: finding for finding in before["findings"]}
    for finding in after["findings"]:
        if finding["label"] not in earlier:
            yield finding["label"], "new finding", False
        else:
            yield from _findings(earlier.pop(finding["label"]), finding)
    for label in earlier:
        yield label, "finding is gone", True


_RANKED = ("theorem", "derived", "conjecture", "experiment")
_WEAKER = {(a, b) for k, a in enumerate(_RANKED) for b in _RANKED[k + 1 :]}


def _controls(before: ClaimForm, after: ClaimForm) -> Iterator[tuple[str, str, bool]]:
    now = {control["description"]: control["outcome"] for control in after["controls"]}
    closer = {control["description"]: control for control in after["controls"]}
    for control in before["controls"]:
        name, outcome = control["description"], control["outcome"]
        if name not in now:
            yield "", f"control “{name}” is gone", True
        elif now.pop(name) != outcome:
            yield "", f"control “{name}” was {outcome}, now {_outcome(after, name)}", outcome == "refuted"
        elif farther := _farther(control, closer[name]):
            yield "", f"control “{name}” is falser: {farther}", True
    for name in now:
        yield "", f"new control “{name}”", False


def _farther(before: ControlForm, after: ControlForm) -> str:
    """Say by how much a control is off where all that it refuted is off by more: coarser falsehoods are refuted then."""
    was = {one["label"]: _number(one["excess"]) for one in before["findings"] if one["outcome"] == "refuted"}
    now = [one for one in after["findings"] if one["outcome"] == "refuted" and one["label"] in was]
    pairs = [(was[one["label"]], _number(one["excess"]), _number(one["bar"]), one["label"]) for one in now]
    if not pairs or any(new - bar <= GREW * old for old, new, bar, _ in pairs):
        return ""
    old, new, _, label = min(pairs, key=lambda pair: pair[1] / pair[0] if pair[0] else math.inf)
    return f"{label} was off by {old:.2g}, now by {new:.2g}"


def _outcome(claim: ClaimForm, name: str) -> str:
    return next(control["outcome"] for control in claim["controls"] if control["description"] == name)


def _powers(
    label: str, before: ClaimForm | JudgedForm, after: ClaimForm | JudgedForm
) -> Iterator[tuple[str, str, bool]]:
    """Say which changes of coefficients are noticed later than before, or no longer.

    Numbers found in two ways say nothing of each other: measured and estimated, or both where time ended a search, which
    ends elsewhere on another machine. What `WORTH` and more would refute was no change that is noticed.
    """
    now, ways = after.get("detects", {}), [one.get("reach", {}) for one in (before, after)]
    for name, change in before.get("detects", {}).items():
        if name not in now:
            yield label, f"what it would notice of {name} is no longer found", True
        elif _number(now[name]) > GREW * _number(change) and GREW * _number(change) < WORTH:
            was, is_ = (_way(way[name]) if name in way else "of first order" for way in ways)
            if _number(now[name]) == math.inf or was == is_ != "where time ended":
                yield label, f"would notice {name} off by {_told(change)}, now only by {_told(now[name])}", True


def _way(reach: ReachForm) -> str:
    """Return how a change was found."""
    return "measured" if reach["measured"] else "where time ended" if reach.get("tried") else "of first order"


def _findings(before: JudgedForm, after: JudgedForm) -> Iterator[tuple[str, str, bool]]:
    label = after["label"]
    if before["relation"] != after["relation"]:
        yield label, f"the relation was {before['relation']}, now {after['relation']}", True
    old, new = before["resolution"], after["resolution"]
    if not math.isclose(old, new, rel_tol=1e-9):
        times = f"{new / old:.3g} × " if old else ""
        yield label, f"δ was {old:.3g}, now {times and times + 'that, '}{new:.3g}", new > old
    was, now = before.get("because", ""), after.get("because", "")
    if was and was != now and (now or far(new, after["excess"], after["bar"])):
        yield (
            label,
            f"δ was so wide because {_short(was)}, now {f'because {_short(now)}' if now else 'unsaid'}",
            not now,
        )
    bars = [_number(finding.get("bar")) for finding in (before, after)]
    if bars[1] > GREW * bars[0] and bars[1] > FELT * _number(new):
        yield label, f"the bar was {bars[0]:.2g}, now {bars[1]:.2g}", True
    kinds = [_kind(finding) for finding in (before, after)]
    if kinds[1] < kinds[0]:
        yield label, f"its bar was {_SAID[kinds[0]]}, now {_SAID[kinds[1]]}", True
    if before.get("refuted_by") and not after.get("refuted_by"):
        yield label, f"was refuted by “{before['refuted_by'][0]}”, now by nothing", True
    yield from _powers(label, before, after)
    if before.get("at") == "" and after.get("at"):
        yield label, f"it spoke of the limit, now of {after.get('at')}", True
    for side in ("left", "right"):
        a, b = before[side], after[side]
        reach = sum(_number(one.get("error")) for one in (a, b))
        x, y = a.get("value"), b.get("value")
        if (x is None) != (y is None) or (x is not None and y is not None and abs(x - y) > reach):
            yield label, f"{side} side moved from {_side(a)} to {_side(b)}", False


_SAID = {
    Kind.PROVED: "proved",
    Kind.BOUND: "a bound",
    Kind.EXTRAPOLATED: "extrapolated",
    Kind.CONFIDENCE: "a confidence interval",
}


def _kind(finding: JudgedForm) -> Kind:
    """Return how strong a finding is; of a record made earlier, that does not say, no more than any."""
    return Kind[finding.get("kind", "confidence").upper()]


def _number(value: float | None) -> float:
    return math.inf if value is None else value


def _told(value: float | None) -> str:
    return "nothing less than all" if value is None else f"{value:.2g}"


def _side(pair: SideForm) -> str:
    value, error = pair.get("value"), pair.get("error")
    bar = "unknown" if error is None else f"{error:.1e}"
    return "no number" if value is None else f"{value:.6g} ± {bar}"


def _short(value: object) -> str:
    text = str(value)
    return repr(text if len(text) <= 60 else text[:57] + "…")
