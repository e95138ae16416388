"""Finding claims the way pytest finds tests: one file a claim, its path is its name."""

from __future__ import annotations

import difflib
import os
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mfgpde.core.modules import load_module, shipped
from mfgpde.verify.claim import Claim


@dataclass(frozen=True)
class Entry:
    """A claim's file before it is loaded, which of its cases is meant, and why it cannot be judged, if so."""

    id: str
    path: Path
    case: str = ""
    flaw: str = ""

    def of_case(self, case: str) -> Entry:
        """Return the entry of one case of this claim."""
        return replace(self, id=f"{self.id}[{case}]", case=case)


def suite_root(package: Path) -> Path:
    """Return the suite that comes with the package. Another folder is nobody's suite unless it is named.

    Raises ValueError where the package comes without.
    """
    root = shipped(package, "validation")
    if not (root.is_dir() and any(_files(root, ()))):
        raise ValueError(f"no claims come with {package}; name a folder of claims")
    return root


def entries_in(root: Path) -> list[Entry]:
    """Return all claim files under a folder, ordered by name; files and folders that begin with _ or . are skipped.

    Links are followed, each folder once on its way down. Files of one id are one entry with a flaw that names them.
    """
    return _distinct(
        Entry(p.relative_to(root).with_suffix("").as_posix().replace("_", "-"), p) for p in sorted(_files(root, ()))
    )


def _files(folder: Path, above: tuple[str, ...]) -> Iterator[Path]:
    here = os.path.realpath(folder)
    if here in above:  # a link back to a folder that this one lies in
        return
    for path in sorted(folder.iterdir()):
        if path.name[0] in "_.":
            continue
        if path.is_dir():
            yield from _files(path, (*above, here))
        elif path.suffix == ".py":
            yield path


def _distinct(entries: Iterable[Entry]) -> list[Entry]:
    """Return one entry for each id; where several files have one, it says which, and none of them is judged."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        same = found.setdefault(entry.id, [])
        if all(os.path.realpath(entry.path) != os.path.realpath(one.path) for one in same):
            same.append(entry)
    return [
        same[0] if len(same) == 1 else replace(same[0], flaw=_ambiguous(name, same)) for name, same in found.items()
    ]


def _ambiguous(name: str, same: Sequence[Entry]) -> str:
    paths = " and ".join(str(entry.path) for entry in same)
    return f"{len(same)} files have the id {name!r}, so none of them is judged: {paths}; rename all but one"


def select(targets: Sequence[str], default_root: Path) -> list[Entry]:
    """Return the entries named by paths, ids, or leading parts of ids; all of the default suite if none are named.

    What is both is a part of the suite; `solvers/` or `./solvers` is the folder.

    Raises ValueError for a name that fits nothing; the message suggests the nearest id.
    """
    suite = entries_in(default_root)
    topics = {entry.id.split("/")[0] for entry in suite}
    if not targets:
        return suite
    chosen: list[Entry] = []
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
            raise ValueError(_missing(target, topics) or _unknown(target, [e.id for e in suite]))
        chosen += found
    return _distinct(chosen)


def meant(name: str, targets: Sequence[str], suite: Iterable[str]) -> bool:
    """Say whether targets ask for a claim of this id, if it still existed: folders for all that the suite has not."""
    base = name.partition("[")[0]
    if not targets:
        return True
    plain = [target.strip("/").replace("_", "-") for target in targets]
    if any(base == one or base.startswith(one + "/") or base.split("/")[-1] == one for one in plain):
        return True
    return base not in set(suite) and any(Path(target).is_dir() for target in targets)


def companions(paths: Iterable[Path]) -> list[Path]:
    """Return what claims or figures lean on: `_*.py` beside them, and what a folder `networks` beside or above holds."""
    found: set[Path] = set()
    for folder in {path.resolve().parent for path in paths}:
        found.update(folder.glob("_*.py"))
        for networks in (folder / "networks", folder.parent / "networks"):
            found.update(path for path in networks.glob("*") if path.is_file())
    return sorted(found)


def _missing(target: str, topics: Container[str]) -> str:
    """Say what is not there where a word is a place: by its look, or as it begins with a folder and no topic."""
    path = Path(target)
    if path.is_file():
        return f"{target} is no file of claims: their names end in .py"
    if path.suffix == ".py":
        return f"there is no file {target}"
    place = target.startswith((".", "/", "~")) or target.endswith("/") or "\\" in target
    within = len(path.parts) > 1 and path.parts[0] not in topics and Path(path.parts[0]).is_dir()
    return f"there is no folder {target}" if place or within else ""


def _unknown(target: str, ids: list[str]) -> str:
    shorts = {name.split("/")[-1]: name for name in ids}
    near = difflib.get_close_matches(target, ids, 1, 0.3) or [
        shorts[s] for s in difflib.get_close_matches(target, shorts, 1, 0.3)
    ]
    hint = f"did you mean {near[0]!r}?" if near else "`mfgpde validate --list` shows all."
    return f"unknown claim {target!r}; {hint}"


def load(entry: Entry) -> Claim:
    """Import a claim file and return its claim, its id set.

    Raises ValueError if the file defines no `claim`, or one without a measure or controls, and for an entry with a flaw.
    """
    if entry.flaw:
        raise ValueError(entry.flaw)
    module = load_module(entry.path)
    claim = vars(module).get("claim")
    if not isinstance(claim, Claim):
        raise ValueError(f"{entry.path}: {_unnamed(vars(module))}")
    if not claim.measured:
        raise ValueError(f"{entry.path}: the claim has no measure; decorate one with @claim.measure")
    if not claim.controls:
        raise ValueError(
            f"{entry.path}: the claim has no control, a false variant that the same code must refute; add one with "
            "@claim.control(…)"
        )
    claim.id = entry.id.removesuffix(f"[{entry.case}]") if entry.case else entry.id
    claim.title = claim.title or (module.__doc__ or "").strip().split("\n")[0]
    return claim


def _unnamed(found: Mapping[str, object]) -> str:
    """Say of a module without a claim of that name what it has instead, and what to write."""
    others = [name for name, one in found.items() if isinstance(one, Claim)]
    if others:
        return (
            f"the claim is called {' and '.join(others)} there; call it `claim`, one in a file: the function under "
            "@states(…), or what Claim(…) is assigned to"
        )
    forms = "write @states(statement, source, wrong={…}) above `def claim(level)`, or claim = Claim(…)"
    if "claim" in found:
        return f"its `claim` is a {type(found['claim']).__name__} and no claim; {forms}"
    return f"it defines no claim; {forms}"
