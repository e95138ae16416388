"""What earlier work in a folder found: one line of JSON for each, oldest first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from mfgpde.core.files import write_text
from mfgpde.verify.forms import CertificateLine, RunForm, RunLine

FILE, KEPT = "history.jsonl", 100
"""the file's name, and how many lines it keeps"""


def add(folder: Path, run: RunForm) -> None:
    """Append a finished run: each claim's outcome, margin and seconds; claims that did not run are not in its line."""
    claims = {claim["id"]: [claim["outcome"], claim["margin"], claim["seconds"]] for claim in run["claims"]}
    append(folder, {"started": run["started"], "commit": run["provenance"]["commit"], "claims": claims})


def append(folder: Path, line: Mapping[str, object]) -> None:
    """Append a line to a folder's history, which is written anew at once."""
    lines = [*_lines(folder), json.dumps(line)][-KEPT:]
    write_text(folder / FILE, "\n".join(lines) + "\n")


def runs(folder: Path) -> list[RunLine]:
    """Return the runs that a folder remembers, oldest first; lines that are none are passed over."""
    return [cast(RunLine, one) for one in _read(folder) if _is_run(one)]


def certificates(folder: Path) -> list[CertificateLine]:
    """Return the certificates that a folder remembers, oldest first; lines that are none are passed over."""
    return [cast(CertificateLine, one) for one in _read(folder) if _is_certificate(one)]


def _is_run(line: Mapping[str, object]) -> bool:
    claims = line.get("claims")
    return isinstance(claims, dict) and all(map(_is_verdict, cast(dict[str, object], claims).values()))


def _is_verdict(found: object) -> bool:
    one = cast(list[object], found) if isinstance(found, list) else []
    return len(one) == 3 and isinstance(one[0], str) and isinstance(one[1], int | float | None)


def _is_certificate(line: Mapping[str, object]) -> bool:
    match line:
        case {"started": str(), "score": str(), "process": str(), "residual": int() | float(), "numbers": dict()}:
            return all(isinstance(value, int | float) for value in cast(dict[str, object], line["numbers"]).values())
        case _:
            return False


def _read(folder: Path) -> Iterator[dict[str, object]]:
    for line in _lines(folder):
        try:
            one = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(one, dict):
            yield one


def _lines(folder: Path) -> list[str]:
    path = folder / FILE
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
