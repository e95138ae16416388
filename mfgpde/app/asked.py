"""What a certificate was asked for: every option, so that it is recorded and can be asked for again; none is ignored."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from mfgpde.scores import Network

WEIGHTS = (".npz", ".safetensors")
ON_GRIDS, BY_SAMPLING = ("half_width", "cells", "elements", "bars"), ("training", "trajectories")
FILES = ("score", "data", "training")
OF_NETWORKS = ("sharpness", "inputs", "output")
DEFAULTS = {"cells": 128, "elements": 0, "trajectories": 4096}


@dataclass(frozen=True)
class Asked:
    """The options of `mfgpde check`; None: not said."""

    score: str
    process: str = "variance-preserving"
    option: tuple[str, ...] = ()
    data: str | None = None
    dimension: int | None = None
    half_width: float | None = None
    cells: int | None = None
    stop: float = 1e-3
    elements: int | None = None
    bars: str | None = None
    trajectories: int | None = None
    seed: int = 0
    activation: str | None = None
    sharpness: float | None = None
    inputs: str | None = None
    output: str | None = None
    predicts: str | None = None
    time: str | None = None
    sigma_data: float | None = None
    training: str | None = None

    @classmethod
    def again(cls, asked: Asked) -> Self:
        """Return what an earlier certificate (.json) was asked for.

        Raises ValueError for a file that is none, for further options, and where score or data have changed since.
        """
        path = Path(asked.score)
        if asked != cls(asked.score):
            raise ValueError(f"{path} is repeated as it was asked for; leave the other options (but --out) away")
        try:
            about = json.loads(path.read_text(encoding="utf-8"))["about"]
            options, digests = about["options"], about["digests"]
            found = cls(**{**options, "option": tuple(options["option"])})
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise ValueError(f"{path} is no certificate of this version that could be repeated: {problem}") from None
        for name, before in digests.items():
            source = _file(getattr(found, name) or "") if name in FILES else None
            if source is None or not source.is_file() or digest(source) != before:
                raise ValueError(f"{source or name} is not what it was when {path} was made (SHA-256 {before[:12]}…)")
        return found

    @property
    def network(self) -> Network | None:
        """How weights are used, if it was said. Raises ValueError for options of networks that would be ignored."""
        said = self._said(OF_NETWORKS)
        if self.activation is None:
            if said:
                raise ValueError(f"{_dashed(said)}: say --activation as well; without it the file's own word counts")
            return None
        if Path(self.score).suffix not in WEIGHTS:
            raise ValueError(f"--activation is for files of weights ({', '.join(WEIGHTS)}), not {self.score}")
        return Network(self.activation, **{name: getattr(self, name) for name in said})

    def settled(self, dimension: int) -> Asked:
        """Return the same with what was not said filled in. Raises ValueError for what would be ignored."""
        used, unused = (ON_GRIDS, BY_SAMPLING) if dimension <= 3 else (BY_SAMPLING, ON_GRIDS)
        said = self._said(unused)
        if said:
            where = (
                "up to three dimensions, where laws are found on grids" if dimension <= 3 else "above three dimensions"
            )
            raise ValueError(f"{_dashed(said)}: not used {where}; leave it away")
        filled = {name: DEFAULTS[name] for name in used if name in DEFAULTS and getattr(self, name) is None}
        return replace(self, dimension=dimension, **filled)

    def about(self, process: object, samples: int | None) -> dict[str, Any]:
        """Return what a certificate says of how it was made."""
        files = {name: _file(getattr(self, name)) for name in FILES}
        return {
            "score": self.score,
            "process": repr(process),
            "data": self.data,
            "samples": samples,
            "options": asdict(self) | {"option": list(self.option)},
            "digests": {name: digest(path) for name, path in files.items() if path is not None and path.is_file()},
            "command": self.command(),
        }

    def command(self) -> str:
        """Return the command line that asks for the same."""
        words = ["mfgpde", "check", self.score]
        for one in fields(self)[1:]:
            value = getattr(self, one.name)
            flag = "--" + one.name.replace("_", "-")
            if isinstance(value, tuple):
                words += [word for item in value for word in (flag, item)]
            elif value is not None and value != one.default:
                words += [flag, str(value)]
        return shlex.join(words)

    def _said(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if getattr(self, name) is not None]


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def asked(words: Mapping[str, Any]) -> Asked:
    """Return what a command line asks for; a certificate (.json) in place of a score asks for it again."""
    found = Asked(**words)
    return Asked.again(found) if Path(found.score).suffix == ".json" else found


def _file(source: str | None) -> Path | None:
    """Return the file of a score or of samples, if it is in one."""
    if source is None:
        return None
    if Path(source).is_dir():
        return next(Path(source).rglob("*.safetensors"), None)
    place, _, _ = source.rpartition(":")
    if ".npz:" in source:
        return Path(place)
    path = Path(source if Path(source).suffix in (*WEIGHTS, ".npy", ".csv") else place or source)
    return path if path.suffix else None


def _dashed(names: Iterable[str]) -> str:
    return ", ".join("--" + name.replace("_", "-") for name in names)
