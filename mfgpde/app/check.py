"""A score on trial: what the command line says becomes a process, a score, data and a box, all checked before any work."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mfgpde.app.tables import member
from mfgpde.densities import DENSITIES, marginal
from mfgpde.discretisations import Field, FiniteVolume
from mfgpde.grids import CartesianGrid
from mfgpde.processes import PROCESSES, LinearProcess
from mfgpde.scores import Differenced, ExactScore, Network, load_score
from mfgpde.scores.contract import InDimension

FEWEST_SAMPLES = 1000


@dataclass(frozen=True, eq=False)
class Trial:
    """All that `certify` needs; above three dimensions there is no grid, and `certify_by_sampling` needs the rest."""

    process: LinearProcess
    score: Any
    dimension: int
    grid: CartesianGrid | None
    data: Field | None
    samples: np.ndarray | None
    law: Any
    about: dict[str, Any]


def prepare(
    source: str,
    *,
    process: str,
    options: Sequence[str] = (),
    data: str | None = None,
    dimension: int | None = None,
    half_width: float | None = None,
    cells: int = 128,
    stop: float = 1e-3,
    network: Network | None = None,
) -> Trial:
    """Return the trial of a score; `options` are NAME=VALUE for the process, such as horizon=10.

    Up to three dimensions the box is [−half_width, half_width]^d; by default it holds the data with a
    margin, or five standard deviations of the prior. `data` is a named density or a file of samples (n, d), .npy or .csv.

    Raises ValueError for anything that does not fit together, in a sentence that names it.
    """
    arguments = dict(_option(text) for text in options)
    forward = member(PROCESSES, {"name": process, **arguments})
    if cells < 16 or cells % 4:
        raise ValueError(f"cells must be a multiple of 4, at least 16, got {cells}")
    if not 0 <= stop < forward.horizon:
        raise ValueError(f"stop must lie in [0, {forward.horizon:g}), got {stop}")
    samples = density = None
    if data is not None and Path(data).suffix in (".npy", ".csv"):
        samples = read_samples(Path(data))
        dimension = _same(dimension, samples.shape[1], data)
    elif data is not None:
        known = {"name": data} | ({"dimension": dimension} if data == "bimodal" and dimension else {})
        density = member(DENSITIES, known)
        dimension = _same(dimension, density.dimension, data)
    score = load_score(source, dimension, network)
    own = score.dimension if isinstance(score, InDimension) else dimension
    if own is None:
        raise ValueError(f"{source} does not say its dimension; give --dimension, or data")
    dimension = _same(dimension, own, source)
    if isinstance(score, Differenced):
        score.end = forward.horizon
    if isinstance(score, ExactScore) and not _alike(score.process, forward, dimension):
        raise ValueError(
            f"{source} holds kernels that {score.process!r} carries, on trial as a score of {forward!r}; "
            "give the same process and options"
        )
    law = density if density is None or stop == 0 else marginal(forward, density, stop)
    grid = field = None
    if dimension <= 3:
        if half_width is None:
            half_width = _reach(forward, samples, density, dimension)
        grid = CartesianGrid.cube(half_width, cells, dimension)
        if samples is not None:
            field = _histogram(samples, grid)
        elif law is not None:
            values = np.exp(law.log_density(grid.points))
            field = Field(FiniteVolume(grid), values / float(grid.integrate(values)))
    about = {
        "score": source,
        "process": repr(forward),
        "data": data,
        "samples": None if samples is None else len(samples),
    }
    return Trial(forward, score, dimension, grid, field, samples, law, about)


def read_samples(path: Path) -> np.ndarray:
    """Return samples (n, d) from .npy or .csv (a header line is skipped). Raises ValueError for what is no such thing."""
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    try:
        if path.suffix == ".npy":
            samples = np.load(path, allow_pickle=False)
        else:
            first = path.read_text(encoding="utf-8").split("\n", 1)[0]
            header = any(c.isalpha() and c not in "eEnaifNAIF" for c in first)
            samples = np.loadtxt(path, delimiter=",", skiprows=int(header), ndmin=2)
    except (ValueError, OSError, UnicodeDecodeError) as problem_:
        raise ValueError(f"cannot read samples from {path}: {problem_}") from problem_
    samples = np.asarray(samples)
    if samples.ndim != 2 or samples.dtype.kind not in "fiu":
        raise ValueError(f"{path} must hold numbers of shape (n, d), got shape {samples.shape}, dtype {samples.dtype}")
    bad = ~np.isfinite(samples).all(axis=1)
    if bad.any():
        raise ValueError(f"{path}: row {int(np.argmax(bad))} is not finite ({int(bad.sum())} such rows)")
    if len(samples) < FEWEST_SAMPLES:
        raise ValueError(f"{path} holds {len(samples)} samples; distances to data need at least {FEWEST_SAMPLES}")
    return samples.astype(float)


def _option(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"an option of the process reads NAME=VALUE, such as horizon=10; got {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        raise ValueError(f"the value of {name} must be a number, got {value!r}") from None


def _same(dimension: int | None, found: int, where: str) -> int:
    if dimension not in (None, found):
        raise ValueError(f"{where} has dimension {found}, but {dimension} was given or found before")
    return found


def _alike(one: LinearProcess, other: LinearProcess, dimension: int) -> bool:
    """Say whether two processes have the same horizon and the same law half-way."""
    if not np.isclose(one.horizon, other.horizon):
        return False
    laws = [process.transition(0.0, 0.5 * one.horizon).in_dimension(dimension) for process in (one, other)]
    return all(np.allclose(a, b) for a, b in zip(*laws, strict=True))


def _reach(process: LinearProcess, samples: Any, density: Any, dimension: int) -> float:
    """Return a half width that holds the data with a quarter to spare, or five deviations of the prior."""
    if samples is not None:
        return 1.25 * float(np.abs(samples).max())
    if density is not None:
        lower, upper = density.box(1 - 1e-6)
        return 1.25 * float(max(np.abs(lower).max(), np.abs(upper).max()))
    _, _, covariance = process.prior().in_dimension(dimension)
    return 5.0 * float(np.sqrt(np.diag(covariance).max()))


def _histogram(samples: np.ndarray, grid: CartesianGrid) -> Field:
    edges = [np.linspace(a, b, n + 1) for a, b, n in zip(grid.lower, grid.upper, grid.cells, strict=True)]
    counts, _ = np.histogramdd(samples, edges)
    if counts.sum() < 0.5 * len(samples):
        raise ValueError(
            f"only {counts.sum():.0f} of {len(samples)} samples lie in the box; give a larger --half-width"
        )
    return Field(FiniteVolume(grid), counts / (counts.sum() * grid.volume))
