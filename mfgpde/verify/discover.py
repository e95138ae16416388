"""Finding claims the way pytest finds tests: one file a claim, its path is its name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mfgpde.core.modules import load_module, shipped
from mfgpde.verify.claim import Claim


@dataclass(frozen=True)
class Entry:
    """A claim's file before it is loaded."""

    id: str
    path: Path


def suite_root(package: Path) -> Path:
    """Return the suite that comes with the package. Another folder is nobody's suite unless it is named.

    Raises ValueError where the package comes without.
    """
    root = shipped(package, "validation")
    if not (root.is_dir() and entries_in(root)):
        raise ValueError(f"no claims come with {package}; name a folder of claims")
    return root


def entries_in(root: Path) -> list[Entry]:
    """Return all claim files under a folder, ordered by name; files and folders that begin with _ or . are skipped."""
    paths = sorted(p for p in root.rglob("*.py") if not any(part[0] in "_." for part in p.relative_to(root).parts))
    return [Entry(p.relative_to(root).with_suffix("").as_posix().replace("_", "-"), p) for p in paths]


def select(targets: Sequence[str], default_root: Path) -> list[Entry]:
    """Return the entries named by paths, ids, or leading parts of ids; all of the default suite if none are named.

    What is both is a part of the suite; `solvers/` or `./solvers` is the folder.

    Raises ValueError for a name that fits nothing; the message suggests the nearest id.
    """
    suite = entries_in(default_root)
    if not targets:
        return suite
    chosen: dict[str, Entry] = {}
    for target in targets:
        path, name = Path(target), target.strip("/").replace("_", "-")
        own = target.endswith("/") or target.startswith(".")  # a folder is meant, not a part of the suite
        known = () if own and path.is_dir() else suite
        found = [e for e in known if e.id == name or e.id.startswith(name + "/") or e.id.split("/")[-1] == name]
        if not found and path.is_dir():
            found = entries_in(path)
            if not found:
                raise ValueError(f"no claims in folder {target}")
        elif not found and path.suffix == ".py" and path.is_file():
            same = [e for e in suite if e.path.resolve() == path.resolve()]
            found = same or [Entry(path.stem.replace("_", "-"), path)]
        elif not found:
            raise ValueError(_unknown(target, [e.id for e in suite]))
        chosen.update((entry.id, entry) for entry in found)
    return list(chosen.values())


def companions(paths: Iterable[Path]) -> list[Path]:
    """Return what claims or figures lean on: `_*.py` beside them, and what a folder `networks` beside or above holds."""
    found: set[Path] = set()
    for folder in {path.resolve().parent for path in paths}:
        found.update(folder.glob("_*.py"))
        for networks in (folder / "networks", folder.parent / "networks"):
            found.update(path for path in networks.glob("*") if path.is_file())
    return sorted(found)


def _unknown(target: str, ids: list[str]) -> str:
    shorts = {name.split("/")[-1]: name for name in ids}
    near = difflib.get_close_matches(target, ids, 1, 0.3) or [
        shorts[s] for s in difflib.get_close_matches(target, shorts, 1, 0.3)
    ]
    hint = f"did you mean {near[0]!r}?" if near else "`mfgpde validate --list` shows all."
    return f"unknown claim {target!r}; {hint}"


def load(entry: Entry) -> Claim:
    """Import a claim file and return its claim, its id set.

    Raises ValueError if the file defines no `claim`, or one without a measure or controls.
    """
    module = load_module(entry.path)
    claim = vars(module).get("claim")
    if not isinstance(claim, Claim):
        raise ValueError(f"{entry.path} defines no `claim = Claim(…)`")
    if not claim.measured:
        raise ValueError(f"{entry.path}: the claim has no measure; decorate one with @claim.measure")
    if not claim.controls:
        raise ValueError(f"{entry.path}: the claim has no control; add a false variant with @claim.control(…)")
    claim.id = entry.id
    claim.title = claim.title or (module.__doc__ or "").strip().split("\n")[0]
    return claim
