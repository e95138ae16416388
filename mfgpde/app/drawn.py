"""Drawing figures: one that is there, and made of the same sources, networks and recorded numbers, is not drawn again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mfgpde.core.identity import digest
from mfgpde.core.lock import locked
from mfgpde.report.paper import Paper, drawn_for
from mfgpde.verify import discover, record

FILE = "drawn.json"
"""in the folder of figures: of each, what it was made of and the files it came as"""


@dataclass(frozen=True)
class Drawn:
    """A figure on disk: its files, whether it was drawn now, and whether its numbers are compared with stored ones."""

    name: str
    files: list[Path]
    fresh: bool
    compared: bool


def draw(
    scripts: Mapping[str, Path],
    run: Mapping[str, Any],
    out: Path,
    package: Path,
    *,
    again: bool = False,
    paper: Paper | None = None,
) -> Iterator[Drawn]:
    """Draw figures from a recorded run, one after the other; each that is finished is remembered at once.

    `paper` says how wide they are to be, and in which style.

    Raises Busy where another run draws into `out`.
    """
    with locked(out, "the figures in"):
        yield from _drawn(scripts, run, out, package, again, paper or Paper())


def _drawn(
    scripts: Mapping[str, Path], run: Mapping[str, Any], out: Path, package: Path, again: bool, paper: Paper
) -> Iterator[Drawn]:
    known = _known(out / FILE)
    suite = [entry.path for entry in discover.entries_in(discover.suite_root(package))]
    shared = digest(
        run=_content(run), package=sorted(package.rglob("*.py")), versions=record.versions(),
        width=paper.width, style=paper.settings(),
    )  # fmt: skip
    for name, path in scripts.items():
        key = digest(script=path, companions=discover.companions([path, *suite]), shared=shared)
        module, before = discover.load_module(path), known.get(name, {})
        files = [out / file for file in before.get("files", [])]
        fresh = again or before.get("key") != key or not all(file.is_file() for file in files)
        if fresh:
            with drawn_for(paper.at_least(vars(module).get("NARROWEST", 0.0))):
                files = module.draw(run, out)
            known[name] = {"key": key, "files": [file.name for file in files]}
            record.write(out / FILE, known)
        yield Drawn(name, files, fresh, vars(module).get("COMPARED", True))


def _content(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's numbers and origin, without when it ran and how long it took."""
    claims = [{key: value for key, value in claim.items() if key != "seconds"} for claim in run["claims"]]
    return {"claims": claims, **{key: run[key] for key in ("level", "seed", "provenance")}}


def _known(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
