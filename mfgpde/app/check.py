"""A score on trial: what the command line says becomes a process, a score, data and a box, all checked before any work."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mfgpde.app.asked import Asked
from mfgpde.app.tables import member
from mfgpde.core.identity import digest_of, identity
from mfgpde.core.stored import read_array, read_arrays
from mfgpde.densities import DENSITIES
from mfgpde.diagnostics.by_sampling import certify_by_sampling
from mfgpde.diagnostics.certificate import certify
from mfgpde.diagnostics.conventions import wrong_convention
from mfgpde.diagnostics.data import Data, Named, Sampled
from mfgpde.diagnostics.ledger import Ledger
from mfgpde.grids import CartesianGrid
from mfgpde.processes import PROCESSES, IsotropicProcess, LinearProcess
from mfgpde.scores import (
    CLOCKS,
    Clock,
    Differenced,
    ExactScore,
    PotentialScore,
    Predicted,
    Turned,
    load_score,
    offers,
)
from mfgpde.scores.adapters import adapted
from mfgpde.scores.contract import InDimension
from mfgpde.scores.diffusers_folder import Folder, folder
from mfgpde.scores.other_dimension import misfit, other_dimension
from mfgpde.scores.torch_calls import Called
from mfgpde.scores.torch_score import TorchScore

FEWEST_SAMPLES = 1000


@dataclass(frozen=True, eq=False)
class Trial:
    """All that `certify` needs; above three dimensions there is no grid, and `certify_by_sampling` needs the rest."""

    process: LinearProcess
    score: Any
    dimension: int
    grid: CartesianGrid | None
    data: Data | None
    asked: Asked
    about: dict[str, Any]
    training: np.ndarray | None = None


def prepare(asked: Asked) -> Trial:
    """Return the trial of a score.

    Up to three dimensions the box is [−half_width, half_width]^d; by default it holds the data with a margin, or five
    standard deviations of the prior. Data are a named density or a file of samples (n, d), .npy or .csv.

    Raises ValueError for anything that does not fit together, in a sentence that names it, and for what would be ignored.
    """
    read = folder(Path(asked.score)) if Path(asked.score).is_dir() else None
    if read is not None:
        asked, forward = _of_folder(asked, read), read.process
    else:
        arguments = dict(_option(text) for text in asked.option)
        forward = member(PROCESSES, {"name": asked.process, **arguments})
    if not forward.alike:
        raise ValueError(
            f"{asked.process}: a certificate is of noise that is alike along all axes; where it is not, mfg.score_residual "
            "says how far a score in all coordinates is from its equation, ForwardKolmogorov.reverse what it generates"
        )
    stop, network = asked.stop, asked.network
    if not 0 <= stop < forward.horizon:
        raise ValueError(f"stop must lie in [0, {forward.horizon:g}), got {stop}")
    samples = density = None
    dimension = asked.dimension
    if asked.data is not None and is_samples(asked.data):
        samples = read_samples(asked.data)
        dimension = _same(dimension, samples.shape[1], asked.data)
    elif asked.data is not None:
        known = law_of(asked.data)
        known |= {"dimension": dimension} if known["name"] == "bimodal" and dimension else {}
        density = member(DENSITIES, known)
        dimension = _same(dimension, density.dimension, asked.data)
    if read is None:
        score = load_score(asked.score, dimension, network)
    else:
        dimension = _same(dimension, read.dimension, asked.score)
        score = adapted(read.module(), asked.score, dimension)
    score, said = _as_score(score, forward, asked)
    own = score.dimension if isinstance(score, InDimension) else dimension
    if own is None:
        raise ValueError(f"{asked.score} does not say its dimension; give --dimension, or data")
    if dimension not in (None, own):
        raise ValueError(f"{asked.score} {misfit(own, dimension)}")
    dimension = own
    if not isinstance(score, InDimension):
        _check_points(score, forward, dimension, asked.score)
    if isinstance(score, ExactScore) and not _alike(score.process, forward, dimension):
        raise ValueError(
            f"{asked.score} holds kernels that {score.process!r} carries, on trial as a score of {forward!r}; "
            "give the same process and options"
        )
    asked = asked.settled(dimension)
    data = None
    if samples is not None:
        data = Sampled.stopped(forward, samples, stop, asked.seed)
    elif density is not None:
        data = Named.stopped(forward, density, stop)
    about = asked.about(forward, None if samples is None else len(samples))
    about["read as"] = f"{said or _read_as(score, dimension)}{_called(score)}"
    if read is not None:
        about["read from files"] = read.words
    grid = None if dimension > 3 else _grid(asked, forward, data, dimension)
    training = None
    if asked.training is not None:
        training = read_samples(asked.training, 10)
        _same(dimension, training.shape[1], asked.training)
    return Trial(forward, score, dimension, grid, data, asked, about, training)


def tried(trial: Trial, tell: Callable[[str], None] = lambda text: None, out: Path | None = None) -> Ledger:
    """Return what is found on a grid up to three dimensions, by trajectories above; first whether it is what was said.

    Laws and trajectories are kept in the folder `out` as they come: the same trial, interrupted, goes on from them.
    """
    words = _convention(trial)
    if words:
        tell("the network does not look like what was said of it")
    found = _measured(trial, tell, out)
    if words:
        found.warnings = [words, *(text for text in found.warnings if not text.startswith("what was given"))]
    return found


def _convention(trial: Trial) -> str | None:
    """Return what the network looks like, where it does not fit what was said and data say what would."""
    if trial.data is None or not isinstance(trial.process, IsotropicProcess):
        return None
    score, asked = trial.score, trial.asked
    if isinstance(score, Predicted):
        network = score.network.network if isinstance(score.network, Turned) else score.network
        clock = asked.time or ("c-noise" if score.predicts == "edm" else "process")
        return wrong_convention(network, trial.data, score.predicts, trial.process, clock, score.sigma_data)
    if offers(score, PotentialScore):
        return None
    return wrong_convention(score, trial.data, "score", trial.process, "process")


def _measured(trial: Trial, tell: Callable[[str], None], out: Path | None) -> Ledger:
    asked = trial.asked
    checkpoint = None if out is None else _checkpoint(trial, out, tell)
    if trial.grid is None:
        return certify_by_sampling(
            trial.process,
            trial.score,
            trial.dimension,
            data=trial.data,
            stop=asked.stop,
            training=trial.training,
            trajectories=asked.trajectories or 0,
            seed=asked.seed,
            checkpoint=checkpoint,
            tell=tell,
        )
    return certify(
        trial.process,
        trial.score,
        trial.grid,
        data=trial.data,
        stop=asked.stop,
        elements=asked.elements or 0,
        bars=asked.bars,
        checkpoint=checkpoint,
        tell=tell,
    )


def _checkpoint(trial: Trial, out: Path, tell: Callable[[str], None]) -> Path | None:
    """Return where laws are kept; nowhere if a score cannot be told from another one, and then it is said."""
    asked = trial.asked
    try:
        work = identity(process=trial.process, score=trial.score, grid=trial.grid, data=trial.data, stop=asked.stop)
    except ValueError as trouble:
        tell(f"nothing is kept on the way: {trouble}")
        return None
    work |= identity(dimension=trial.dimension, trajectories=asked.trajectories, seed=asked.seed)
    return out / f"certificate.{digest_of(work)[:8]}.checkpoint.npz"  # another trial finds no file of this one


def _grid(asked: Asked, process: LinearProcess, data: Data | None, dimension: int) -> CartesianGrid:
    cells = asked.cells
    if cells is None or cells < 16 or cells % 4:
        raise ValueError(f"cells must be a multiple of 4, at least 16, got {cells}")
    width = asked.half_width if asked.half_width is not None else _reach(process, data, dimension)
    grid = CartesianGrid.cube(width, cells, dimension)
    if isinstance(data, Sampled):
        data.on(grid)  # says so now if the box does not hold them
    return grid


def is_samples(source: str) -> bool:
    """Say whether data are a file of samples, .npy, .csv, .npz or one array of it, FILE.npz:NAME."""
    return Path(source).suffix in (".npy", ".csv", ".npz") or ".npz:" in source


def law_of(source: str) -> dict[str, Any]:
    """Return the table of a named law with its arguments, NAME:KEY=VALUE,…; several numbers of one key make a list.

    >>> from mfgpde.app.check import law_of
    >>> law_of("two-rings:radii=1.3,2.8,spread=.2")
    {'name': 'two-rings', 'radii': [1.3, 2.8], 'spread': 0.2}
    """
    name, colon, rest = source.partition(":")
    found: dict[str, Any] = {"name": name}
    for key, text in re.findall(r"(\w+)=(.*?)(?=,\w+=|$)", rest):
        try:
            numbers = [int(part) if re.fullmatch(r"[+-]?\d+", part) else float(part) for part in text.split(",")]
        except ValueError:
            raise ValueError(f"{source}: the value of {key} must be numbers, got {text!r}") from None
        found[key] = numbers if len(numbers) > 1 else numbers[0]
    if colon and len(found) == 1:
        raise ValueError(f"arguments of a law read NAME:KEY=VALUE,KEY=VALUE, got {source!r}")
    return found


def _array_of(path: Path, name: str) -> np.ndarray:
    """Return one array of a .npz. Raises ValueError with the names of all where it is not clear which."""
    arrays = read_arrays(path)
    if name not in arrays and not (name == "" and len(arrays) == 1):
        raise ValueError(f"it holds {', '.join(sorted(arrays))}; name one, {path}:{sorted(arrays)[0]}")
    return arrays[name] if name else next(iter(arrays.values()))


def _table_of(path: Path) -> np.ndarray:
    """Return the numbers of a text: separated by what its first line of numbers has, after a header that may be there."""
    text = path.read_text(encoding="utf-8-sig")
    lines = [line for line in text.splitlines() if line.strip()]
    header = bool(lines) and any(c.isalpha() and c not in "eEnaifNAIF" for c in lines[0])
    body = lines[header:]
    separator = next((mark for mark in (";", "\t", ",") if body and mark in body[0]), None)
    if separator == ";":  # where a comma is the decimal mark
        body = [line.replace(",", ".") for line in body]
    return np.loadtxt(body, delimiter=separator, ndmin=2)


def read_samples(source: str | Path, fewest: int = FEWEST_SAMPLES) -> np.ndarray:
    """Return samples (n, d) from .npy, .npz or .csv, one header line skipped. Raises ValueError for anything else."""
    place, _, name = str(source).partition(".npz:")
    path = Path(f"{place}.npz" if name else place)
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    try:
        if path.suffix == ".npy":
            samples = read_array(path)
        else:
            samples = _array_of(path, name) if path.suffix == ".npz" else _table_of(path)
    except (ValueError, OSError, UnicodeDecodeError) as problem_:
        raise ValueError(f"cannot read samples from {path}: {problem_}") from problem_
    samples = np.asarray(samples)
    if samples.ndim != 2 or samples.dtype.kind not in "fiu":
        raise ValueError(f"{path} must hold numbers of shape (n, d), got shape {samples.shape}, dtype {samples.dtype}")
    bad = ~np.isfinite(samples).all(axis=1)
    if bad.any():
        raise ValueError(f"{path}: row {int(np.argmax(bad))} is not finite ({int(bad.sum())} such rows)")
    if len(samples) < fewest:
        raise ValueError(f"{path} holds {len(samples)} samples; distances to data need at least {fewest}")
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


def _check_points(score: Any, process: LinearProcess, dimension: int, source: str) -> None:
    """Raise ValueError where a score that does not say its dimension cannot be called on points of this one."""
    t = 0.5 * process.horizon

    def takes(d: int) -> bool:
        return np.shape(score(np.random.default_rng(0).normal(size=(5, d)), t)) == (5, d)

    try:
        fits, words = takes(dimension), f"gives no vector of dimension {dimension} to a point of it"
    except Exception as problem:  # a user's code
        fits, words = False, f"cannot be called on points of dimension {dimension}: {problem}"
    if not fits:
        raise ValueError(f"{source} {other_dimension(takes, dimension) or words}")


def _read_as(score: object, dimension: int) -> str:
    """Return whether a potential or a score was found, of one column in one dimension with how to say the other."""
    if offers(score, PotentialScore):
        return "a potential φ, score ∇φ"
    if dimension == 1 and isinstance(score, TorchScore):
        return "a score, its one column; if that is a potential, name a TorchScore(module, 1, potential=True)"
    return "a score"


def _of_folder(asked: Asked, read: Folder) -> Asked:
    """Return what is asked with what the files of a folder say. Raises ValueError for options that say otherwise."""
    said = {"predicts": read.predicts, "time": read.time, "sigma_data": read.sigma_data}
    for name, value in said.items():
        other = getattr(asked, name)
        if other is not None and other != value:
            raise ValueError(f"{asked.score} says {name.replace('_', '-')} {value!r} in its files, {other!r} was given")
    if asked.option or asked.process != Asked.process:
        raise ValueError(f"{asked.score} says its own schedule, {read.process!r}; leave --process and --option away")
    return replace(asked, **said)


def _called(score: Any) -> str:
    """Return how a PyTorch module was found to be called."""
    network = getattr(score, "network", score)
    network = getattr(network, "network", network)
    call = getattr(network, "module", None)
    return f"; {call.words}" if isinstance(call, Called) else ""


def _as_score(network: Any, process: LinearProcess, asked: Asked) -> tuple[Any, str]:
    """Return the score that a network's prediction makes on its clock, and how it is read; ValueError for misfits."""
    predicts = asked.predicts or "score"
    time = asked.time or ("c-noise" if predicts == "edm" else "process")
    if asked.sigma_data is not None and (predicts != "edm" or not asked.sigma_data > 0):
        raise ValueError(
            f"--sigma-data is a positive number for --predicts edm, got {asked.sigma_data!r} for {predicts}"
        )
    if predicts in ("score", "potential") and time == "process":
        if predicts == "potential" and not offers(network, PotentialScore):
            raise ValueError(f"{asked.score} returns a vector, not a potential; say --predicts score, or what it is")
        if isinstance(network, Differenced):
            network.end = process.horizon
        return network, ""
    if not isinstance(process, IsotropicProcess):
        raise ValueError(
            f"{process!r} is no path α x₀ + σ ε, on which predictions become scores; give the score itself"
        )
    if offers(network, PotentialScore):
        raise ValueError(f"{asked.score} is a potential: --predicts and --time are for networks that return vectors")
    clock = Clock(time, process)
    if time == "step" and asked.stop < clock.earliest * (1 - 1e-9):
        raise ValueError(
            f"step 0 is at t = {clock.earliest:g}: give --stop {clock.earliest:g} or more, got {asked.stop:g}"
        )
    if asked.stop == 0:
        raise ValueError("predictions become scores where there is noise: give --stop more than 0")
    turned = Turned(network) if predicts == "flow" and clock.turns else network
    sigma_data = 0.5 if asked.sigma_data is None else asked.sigma_data
    score = Predicted(process, turned, predicts, None if time == "process" else clock, sigma_data)
    return score, f"a prediction of {predicts}, called with the time {CLOCKS[time]}"


def _alike(one: LinearProcess, other: LinearProcess, dimension: int) -> bool:
    """Say whether two processes have the same horizon and the same law half-way."""
    if not np.isclose(one.horizon, other.horizon):
        return False
    laws = [process.transition(0.0, 0.5 * one.horizon).in_dimension(dimension) for process in (one, other)]
    return all(np.allclose(a, b) for a, b in zip(*laws, strict=True))


def _reach(process: LinearProcess, data: Data | None, dimension: int) -> float:
    """Return a half width that holds the data with a quarter to spare, or five deviations of the prior."""
    if isinstance(data, Sampled):
        return 1.25 * float(np.abs(data.at).max())
    if data is not None:
        lower, upper = data.start.box(1 - 1e-6)
        return 1.25 * float(max(np.abs(lower).max(), np.abs(upper).max()))
    _, _, covariance = process.prior().in_dimension(dimension)
    return 5.0 * float(np.sqrt(np.diag(covariance).max()))
