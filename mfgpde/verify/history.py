"""What earlier work in a folder found: one line of JSON for each, oldest first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mfgpde.core.files import write_text

FILE, KEPT = "history.jsonl", 100
"""the file's name, and how many lines it keeps"""


def add(folder: Path, run: Mapping[str, Any]) -> None:
    """Append a finished run: each claim's outcome, margin and seconds; claims that did not run are not in its line."""
    claims = {claim["id"]: [claim["outcome"], claim["margin"], claim["seconds"]] for claim in run["claims"]}
    append(folder, {"started": run["started"], "commit": run["provenance"]["commit"], "claims": claims})


def append(folder: Path, line: Mapping[str, Any]) -> None:
    """Append a line to a folder's history, which is written anew at once."""
    lines = [*_lines(folder), json.dumps(line)][-KEPT:]
    write_text(folder / FILE, "\n".join(lines) + "\n")


def read(folder: Path) -> list[dict[str, Any]]:
    """Return what a folder remembers, oldest first; lines that are no JSON are passed over."""
    found: list[dict[str, Any]] = []
    for line in _lines(folder):
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def _lines(folder: Path) -> list[str]:
    path = folder / FILE
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
