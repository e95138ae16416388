"""Verdicts on disk: JSON, written atomically, with where it all came from; and how two runs differ."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

from mfgpde.core.files import write_text
from mfgpde.core.identity import digest
from mfgpde.core.modules import checkout
from mfgpde.verify.finding import Finding

FORMAT = 1
PACKAGES = ("mfgpde", "numpy", "scipy", "numba")
RUN = ("level", "seed", "state", "provenance")
CLAIM: dict[str, Any] = {
    "id": str,
    "outcome": str,
    "margin": int | float | None,
    "seconds": int | float,
    "findings": list,
    "controls": list,
}
"""what every stored run has, and every claim in it, of which types"""


def finding_record(finding: Finding) -> dict[str, Any]:
    """Return a finding as plain data."""
    record = asdict(finding)
    for side, estimate in (("left", finding.left), ("right", finding.right)):
        record[side]["error"] = record[side].pop("half_width")
        record[side]["kind"] = estimate.kind.name.lower()
    outcome = {"outcome": finding.outcome.value, "margin": finding.margin, "suspect_bar": finding.suspect_bar}
    return {**record, "excess": finding.excess, "bar": finding.bar, **outcome}


def write(path: Path, data: Mapping[str, object]) -> None:
    """Write JSON through a temporary file in the same folder: readers see the old file or the new one, never half."""
    write_text(path, json.dumps(_finite(data), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read(path: Path) -> dict[str, Any]:
    """Read a stored run; ValueError says what is wrong with the file, whatever it is."""
    data = _table(_parsed(path))
    if data.get("format") != FORMAT or not isinstance(data.get("claims"), list):
        raise ValueError(f"{path} is not a stored run of this version (expected format {FORMAT} with a list of claims)")
    for name in RUN:
        if name not in data:
            raise ValueError(f"{path} is not a stored run: it lacks {name!r}")
    for k, claim in enumerate(data["claims"]):
        flaw = _flaw(claim)
        if flaw:
            raise ValueError(f"{path} is not a stored run: its claim {k} {flaw}")
    return data


def sealed(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with the digest of all else in it."""
    plain = json.loads(json.dumps(_finite({key: value for key, value in data.items() if key != "digest"})))
    return {**plain, "digest": digest(record=plain)}


def read_sealed(path: Path) -> dict[str, Any]:
    """Read a claim's record; ValueError for a file that is none, or was changed after it was written."""
    data = _table(_parsed(path))
    flaw = _flaw(data)
    if flaw:
        raise ValueError(f"{path} is no record of a claim: it {flaw}")
    if sealed(data)["digest"] != data.get("digest"):
        raise ValueError(f"{path} was changed after it was written: its digest does not fit")
    return data


def _table(found: object) -> dict[str, Any]:
    """Return a table as it is, and an empty one for what is none: it lacks everything."""
    return cast(dict[str, Any], found) if isinstance(found, dict) else {}


def _parsed(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise ValueError(f"cannot read {path}: {problem.strerror}") from problem
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"{path} is not a stored run: {problem}") from problem


def _flaw(found: object) -> str:
    """Return what a claim's record lacks, in words; nothing if it is whole."""
    claim = _table(found)
    for name, kind in CLAIM.items():
        if name not in claim:
            return f"has no {name!r}"
        if not isinstance(claim[name], kind):
            return f"has {claim[name]!r} for its {name!r}"
    for finding in map(_table, claim["findings"]):
        if not isinstance(finding.get("label"), str):
            return "has a finding without a label"
        for side in ("left", "right"):
            pair = _table(finding.get(side))
            if not all(isinstance(pair.get(key, ""), int | float | None) for key in ("value", "error")):
                return f"has a finding {finding['label']!r} without numbers on its {side}"
    return ""


def read_complete(path: Path) -> dict[str, Any]:
    """Read a stored run that was finished; ValueError says how to make one."""
    if not path.is_file():
        raise ValueError(f"there is no recorded run {path}; make one with `mfgpde validate`, or name one with --run")
    run = read(path)
    if run.get("state") != "complete":
        raise ValueError(f"the run {path} was interrupted; `mfgpde validate --level {run['level']}` finishes it")
    return run


def provenance(package: Path) -> dict[str, Any]:
    """Return versions, the commit where the package runs from its own checkout, and the machine."""
    return {
        "versions": versions(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "commit": _commit(package),
    }


def versions() -> dict[str, str]:
    """Return the versions of the packages that results depend on."""
    return {name: _version(name) for name in PACKAGES}


def fingerprint(package: Path, *files: Path) -> str:
    """Return a hash of the package's sources and the given files: results with another one are not reused."""
    return digest(package=sorted(package.rglob("*.py")), files=files, versions=versions())


@dataclass(frozen=True)
class Movement:
    """How one finding differs between a stored run and this one."""

    claim: str
    label: str
    what: str


def compare(stored: Mapping[str, Any], new: Mapping[str, Any]) -> list[Movement]:
    """Return what moved beyond its error bar, changed its outcome, came or went, since the stored run.

    Two values of one quantity have moved if they differ by more than the sum of their bars.
    """
    old = {claim["id"]: claim for claim in stored["claims"]}
    movements: list[Movement] = []
    for claim in new["claims"]:
        before = old.get(claim["id"])
        if before is None:
            movements.append(Movement(claim["id"], "", "new claim"))
            continue
        if before["outcome"] != claim["outcome"]:
            movements.append(Movement(claim["id"], "", f"{before['outcome']} → {claim['outcome']}"))
        earlier = {finding["label"]: finding for finding in before["findings"]}
        for finding in claim["findings"]:
            if finding["label"] not in earlier:
                movements.append(Movement(claim["id"], finding["label"], "new finding"))
                continue
            movements += _moved(claim["id"], earlier.pop(finding["label"]), finding)
        movements += [Movement(claim["id"], label, "finding is gone") for label in earlier]
    return movements


def _moved(claim: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Movement]:
    moved: list[Movement] = []
    for side in ("left", "right"):
        a, b = before[side], after[side]
        bars = sum(math.inf if one["error"] is None else one["error"] for one in (a, b))
        known = (a["value"] is None) + (b["value"] is None)
        if known == 1 or (known == 0 and abs(a["value"] - b["value"]) > bars):
            text = f"{side} side moved from {_told(a)} to {_told(b)}"
            moved.append(Movement(claim, after["label"], text))
    return moved


def _told(pair: Mapping[str, Any]) -> str:
    value, error = pair["value"], pair["error"]
    bar = "unknown" if error is None else f"{error:.1e}"
    return "no number" if value is None else f"{value:.6g} ± {bar}"


def _finite(data: object) -> object:
    """Return plain data with infinities and NaN as null, which JSON lacks."""
    if isinstance(data, Mapping):
        entries = cast(Mapping[object, object], data)
        return {str(key): _finite(value) for key, value in entries.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in cast(Sequence[object], data)]
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    return data


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def _commit(package: Path) -> str:
    """Return the package's own commit: a repository in which it is merely installed says nothing about it."""
    root = checkout(package)

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        if root is None or Path(git("rev-parse", "--show-toplevel")).resolve() != root.resolve():
            return "unknown"
        return git("rev-parse", "--short=12", "HEAD") + ("+changes" if git("status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"
