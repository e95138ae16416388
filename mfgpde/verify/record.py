"""Verdicts on disk: JSON, written atomically and sealed, with where it all came from."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

from mfgpde.core.estimate import Estimate
from mfgpde.core.files import write_text
from mfgpde.core.modules import checkout
from mfgpde.verify.finding import Finding
from mfgpde.verify.forms import ClaimForm, FindingForm, Provenance, RunForm, SideForm

FORMAT = 2
PACKAGES = ("mfgpde", "numpy", "scipy", "numba")
RUN = ("level", "seed", "state", "provenance")
CLAIM = {
    "id": str,
    "outcome": str,
    "margin": int | float | None,
    "seconds": int | float,
    "findings": list,
    "controls": list,
}
"""what every stored run has, and every claim in it, of which types"""


def finding_record(finding: Finding) -> FindingForm:
    """Return a finding as plain data."""
    return {
        "label": finding.label,
        "left": _side(finding.left),
        "relation": finding.relation,
        "right": _side(finding.right),
        "resolution": finding.resolution,
        "excess": finding.excess,
        "bar": finding.bar,
        "kind": finding.kind.name.lower(),
        "outcome": finding.outcome.value,
        "margin": finding.margin,
        "suspect_bar": finding.suspect_bar,
        "at": finding.at,
        "because": finding.because,
    }


def _side(one: Estimate) -> SideForm:
    return {
        "value": one.value,
        "error": one.half_width,
        "kind": one.kind.name.lower(),
        "method": one.method,
        "at": one.at,
    }


def write(path: Path, data: Mapping[str, object]) -> None:
    """Write JSON through a temporary file in the same folder: readers see the old file or the new one, never half."""
    write_text(path, json.dumps(_finite(data), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read(path: Path) -> RunForm:
    """Read a stored run; ValueError says what is wrong with the file, whatever it is."""
    data = _table(_parsed(path))
    if data.get("format") != FORMAT or not isinstance(data.get("claims"), list):
        raise ValueError(
            f"{path} is not a stored run of this version: it has format {data.get('format')!r}, and format {FORMAT} with a "
            "list of claims is expected; make it anew with `mfgpde validate`"
        )
    for name in RUN:
        if name not in data:
            raise ValueError(f"{path} is not a stored run: it lacks {name!r}")
    for k, claim in enumerate(data["claims"]):
        flaw = flaw_of(claim)
        if flaw:
            raise ValueError(f"{path} is not a stored run: its claim {k} {flaw}")
    ids = [claim["id"] for claim in data["claims"]]
    if len(set(ids)) != len(ids):
        raise ValueError(f"{path} is not a stored run: it has two claims of one id")
    if sealed(data)["digest"] != data.get("digest"):
        raise ValueError(f"{path} was changed after it was written: its digest does not fit")
    return cast(RunForm, data)


def sealed(data: Mapping[str, object]) -> dict[str, object]:
    """Return a record with the digest of all else in it."""
    text = json.dumps(_finite({key: value for key, value in data.items() if key != "digest"}), sort_keys=True)
    return {**json.loads(text), "digest": hashlib.sha256(text.encode()).hexdigest()[:32]}


def read_sealed(path: Path) -> ClaimForm:
    """Read a claim's record; ValueError for a file that is none, or was changed after it was written."""
    data = _table(_parsed(path))
    flaw = flaw_of(data)
    if flaw:
        raise ValueError(f"{path} is no record of a claim: it {flaw}")
    if sealed(data)["digest"] != data.get("digest"):
        raise ValueError(f"{path} was changed after it was written: its digest does not fit")
    return cast(ClaimForm, data)


def _table(found: object) -> dict[str, Any]:
    """Return a table as it is, and an empty one for what is none: it lacks everything."""
    return cast(dict[str, Any], found) if isinstance(found, dict) else {}


def _parsed(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_refused)
    except OSError as problem:
        raise ValueError(f"cannot read {path}: {problem.strerror}") from problem
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"{path} is not a stored run: {problem}") from problem


def _refused(word: str) -> float:
    raise ValueError(f"it holds {word}, which is no number of JSON")


def flaw_of(found: object) -> str:
    """Return what a claim's record lacks, in words; nothing if it is whole."""
    claim = _table(found)
    for name, kind in CLAIM.items():
        if name not in claim:
            return f"has no {name!r}"
        if not isinstance(claim[name], kind):
            return f"has {claim[name]!r} for its {name!r}"
    for control in map(_table, claim["controls"]):
        if not all(isinstance(control.get(name), str) for name in ("description", "outcome")):
            return "has a control without a description or an outcome"
    for finding in map(_table, claim["findings"]):
        if not isinstance(finding.get("label"), str):
            return "has a finding without a label"
        if not (isinstance(finding.get("resolution"), int | float) and isinstance(finding.get("relation"), str)):
            return f"has a finding {finding['label']!r} without its relation and δ"
        for side in ("left", "right"):
            pair = _table(finding.get(side))
            if not all(isinstance(pair.get(key, ""), int | float | None) for key in ("value", "error")):
                return f"has a finding {finding['label']!r} without numbers on its {side}"
    return ""


def read_complete(path: Path) -> RunForm:
    """Read a stored run that was finished; ValueError says how to make one."""
    if not path.is_file():
        raise ValueError(f"there is no recorded run {path}; make one with `mfgpde validate`, or name one with --run")
    run = read(path)
    if run.get("state") != "complete":
        raise ValueError(f"the run {path} was interrupted; `mfgpde validate --level {run['level']}` finishes it")
    return run


def provenance(package: Path) -> Provenance:
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
    return keyed(sources(package), *files)


def sources(package: Path) -> str:
    """Return a hash of the package's sources."""
    return keyed("", *sorted(package.rglob("*.py")))


def keyed(base: str, *files: Path) -> str:
    """Return a hash of what `base` stands for and some files; one that cannot be read counts as its name."""
    found = hashlib.sha256(base.encode())
    for path in files:
        found.update(path.name.encode())
        with suppress(OSError):
            found.update(path.read_bytes())
    found.update(json.dumps(versions()).encode())
    return found.hexdigest()[:16]


def _finite(data: object) -> object:
    """Return plain data with infinities and NaN as null, which JSON lacks."""
    if type(data) in (str, int, bool, type(None)):  # most of a run: asked before what costs more to ask
        return data
    if isinstance(data, Mapping):
        entries = cast(Mapping[object, object], data)
        return {str(key): _finite(value) for key, value in entries.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in cast(Sequence[object], data)]
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    return data


@cache
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
