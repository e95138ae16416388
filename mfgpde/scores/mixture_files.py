"""Scores of mixtures as files: parameters at t = 0 and the process that carries them, in one .safetensors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

import mfgpde.processes as processes
from mfgpde.core.arrays import Array
from mfgpde.densities import Dense, GaussianMixture, LowRank
from mfgpde.scores.exact import ExactScore
from mfgpde.scores.tensor_files import write_safetensors


def save_mixture(path: Path, score: ExactScore) -> Path:
    """Write a mixture's score and its process as .safetensors, through a temporary file; return the path.

    Raises ValueError for another suffix, and for a process with functions of time for coefficients.
    """
    if path.suffix != ".safetensors":
        raise ValueError(f"a score is written as .safetensors, got {path.name}")
    stated = asdict(score.process) if is_dataclass(score.process) else {}
    arguments = {key: np.asarray(value).tolist() for key, value in stated.items() if not callable(value)}
    if len(arguments) < len(stated):
        names = ", ".join(key for key, value in stated.items() if callable(value))
        raise ValueError(f"{names} of the process are functions, which a file cannot hold")
    law = score.data
    arrays = {"weights": law.weights, "means": law.means}
    if isinstance(law.structure, Dense):
        arrays["matrices"] = law.structure.matrices
    else:
        arrays |= {"diagonal": law.structure.diagonal, "factors": law.structure.factors}
    about = {"mixture": json.dumps({"process": type(score.process).__name__, "arguments": arguments})}
    return write_safetensors(path, {key: np.ascontiguousarray(value) for key, value in arrays.items()}, about)


def mixture_score(arrays: Mapping[str, Array], stated: str, source: str) -> ExactScore:
    """Return the score that such a file holds. Raises ValueError for what is missing or no mixture."""
    about = json.loads(stated)
    kind = vars(processes).get(str(about.get("process")))
    if not (isinstance(kind, type) and issubclass(kind, processes.LinearProcess)):
        raise ValueError(f"{source} names no linear process: {about.get('process')!r}")
    given: Mapping[str, object] = about["arguments"]
    arguments: dict[str, Any] = {
        key: np.array(v, dtype=float) if isinstance(v, list) else v for key, v in given.items()
    }
    try:
        structure = (
            Dense.of(arrays["matrices"]) if "matrices" in arrays else LowRank.of(arrays["diagonal"], arrays["factors"])
        )
        return ExactScore(kind(**arguments), GaussianMixture(arrays["weights"], arrays["means"], structure))
    except KeyError as problem:
        raise ValueError(f"{source} lacks {problem} of a mixture; found {', '.join(sorted(arrays))}") from None


def examples() -> Iterator[ExactScore]:
    """Yield a member to hold the laws to: what a file of a diagonal mixture holds."""
    arrays = {"weights": np.array([0.3, 0.7]), "means": np.array([[0.2, 1.0], [-0.5, 0.1]])}
    arrays |= {"diagonal": np.full((2, 2), 0.2), "factors": np.zeros((2, 2, 0))}
    yield mixture_score(arrays, '{"process": "OrnsteinUhlenbeck", "arguments": {"horizon": 2.7}}', "an example")
