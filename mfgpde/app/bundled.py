"""Figure and benchmark scripts that come with the package: where they are, what they are called, what they say they do."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any

from mfgpde.core.modules import shipped

PACKAGE = Path(__file__).parents[1]


def describe(scripts: dict[str, Path], console: Any) -> None:
    """Print each script's sentence and the claims that it names."""
    for name, path in scripts.items():
        text = path.read_text(encoding="utf-8")
        claims = sorted(set(re.findall(r'"([a-z]+(?:\d{4})?/[a-z\d-]+)"', text)))
        sentence = text.split("\n")[0].strip('"') + (f" ({', '.join(claims)})" if claims else "")
        console.print(f"{name}: {sentence}", highlight=False)


def scripts(kind: str) -> dict[str, Path]:
    """Return the scripts of a kind, "figures" or "benchmarks", by name. Raises ValueError if there are none."""
    found = sorted(path for path in shipped(PACKAGE, kind).glob("*.py") if path.name[0] != "_")
    if not found:
        raise ValueError(f"no {kind} come with {PACKAGE}")
    return {path.stem.replace("_", "-"): path for path in found}


def pick(name: str, scripts: dict[str, Path], kind: str) -> Path:
    """Return the script of this name. Raises ValueError with the nearest."""
    if name not in scripts:
        near = difflib.get_close_matches(name, scripts, 1, 0.3)
        raise ValueError(
            f"unknown {kind} {name!r}; " + (f"did you mean {near[0]!r}?" if near else f"there are {', '.join(scripts)}")
        )
    return scripts[name]
