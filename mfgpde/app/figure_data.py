"""The numbers behind figures, condensed: what a stored baseline is compared with, instead of pixels."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mfgpde.solvers.solution import variables

Digest = dict[str, list[float]]
TOLERANCE = 0.02
"""of a column's root mean square: a line's width on paper; drawn numbers are seeded and deterministic up to rounding"""


def digest(written: Sequence[Path]) -> Digest:
    """Return count, mean and root mean square of every column of numbers behind a figure, from its CSV or NetCDF file."""
    (path,) = [path for path in written if path.suffix in (".csv", ".nc")]
    columns = variables(path) if path.suffix == ".nc" else _table(path)
    found = {}
    for name, values in columns.items():
        kept = values[np.isfinite(values)]
        if kept.size:
            found[name] = [float(kept.size), float(kept.mean()), float(np.sqrt(np.mean(kept**2)))]
    return found


def _table(path: Path) -> dict[str, np.ndarray]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(line for line in file if not line.startswith("#")))
    header, body = rows[0], rows[1:]
    columns: dict[str, np.ndarray] = {}
    for k in range(max(map(len, rows))):
        numbers = [_number(row[k]) for row in body if k < len(row)]
        name = f"{k}: {header[k]}" if k < len(header) else str(k)
        columns[name] = np.array([x for x in numbers if x is not None], dtype=float)
    return columns


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def moved(stored: Mapping[str, Digest], found: Mapping[str, Digest]) -> list[str]:
    """Return in words what differs from the stored digests of the same figures by more than the tolerance."""
    words = []
    for figure in stored.keys() & found.keys():
        old, new = stored[figure], found[figure]
        words += [f"{figure}: {name} is {'gone' if name in old else 'new'}" for name in sorted(old.keys() ^ new.keys())]
        for name in sorted(old.keys() & new.keys()):
            (count, mean, rms), (count_now, mean_now, rms_now) = old[name], new[name]
            room = TOLERANCE * rms + 1e-12
            if count != count_now:
                words.append(f"{figure}: {name} has {count_now:g} numbers, had {count:g}")
            elif abs(mean - mean_now) > room or abs(rms - rms_now) > room:
                words.append(f"{figure}: {name} moved, mean {mean:.4g} → {mean_now:.4g}, rms {rms:.4g} → {rms_now:.4g}")
    return sorted(words)


def read(path: Path) -> dict[str, Digest]:
    """Return stored digests; ValueError for another file."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {str(f): {str(c): [float(x) for x in numbers] for c, numbers in d.items()} for f, d in stored.items()}
    except (OSError, ValueError, AttributeError, TypeError) as problem:
        raise ValueError(f"{path} holds no digests of figures ({problem}); --store writes them") from problem


def store(path: Path, found: Mapping[str, Digest]) -> None:
    """Write digests, rounded to what is compared."""
    rounded = {f: {c: [_rounded(x) for x in numbers] for c, numbers in d.items()} for f, d in sorted(found.items())}
    path.write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")


def _rounded(x: float) -> float:
    return x if x == 0 or not math.isfinite(x) else round(x, 5 - math.floor(math.log10(abs(x))))
