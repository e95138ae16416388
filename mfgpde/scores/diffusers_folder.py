"""A folder of the library diffusers: network, noise schedule, prediction and time are read from its files, none guessed."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Required, TypedDict, cast

from mfgpde.processes import (
    EDM,
    DiscreteSchedule,
    IsotropicProcess,
    Straight,
    cumulative,
    linear_betas,
    scaled_linear_betas,
    squared_cosine_betas,
)

NAMES = {"epsilon": "noise", "sample": "data", "v_prediction": "v"}
LISTS = {"linear": linear_betas, "scaled_linear": scaled_linear_betas}
WEIGHTS = "diffusion_pytorch_model.safetensors"


class Config(TypedDict, total=False):
    """What is read of a configuration, of a network or of a scheduler; a name that is missing has diffusers' default."""

    _class_name: Required[str]
    sample_size: int | list[int] | None
    in_channels: int | None
    num_class_embeds: int | None
    class_embed_type: str | None
    prediction_type: str
    sigma_max: float
    sigma_data: float
    num_train_timesteps: int
    rescale_betas_zero_snr: bool
    trained_betas: list[float] | None
    beta_schedule: str
    beta_start: float
    beta_end: float


@dataclass(frozen=True)
class Folder:
    """What the files of a folder say: where the model is, its dimension and shape, its process, prediction and time."""

    model: Path
    class_name: str
    shape: tuple[int, ...]
    process: IsotropicProcess
    predicts: str
    time: str
    sigma_data: float | None
    words: str

    @property
    def dimension(self) -> int:
        """The product of the shape."""
        return math.prod(self.shape)

    def module(self) -> Any:
        """Return the network as diffusers makes it. Raises ValueError for weights that do not fit."""
        import diffusers  # pyright: ignore[reportMissingImports]

        library: Any = diffusers
        make = getattr(library, self.class_name, None)
        if make is None:
            raise ValueError(f"{self.model / 'config.json'}: diffusers {library.__version__} has no {self.class_name}")
        try:
            found, notes = make.from_pretrained(
                str(self.model), use_safetensors=True, low_cpu_mem_usage=False, output_loading_info=True
            )
        except Exception as problem:  # whatever a library says of a file
            raise ValueError(f"cannot read {self.model / WEIGHTS}: {str(problem).strip().splitlines()[0]}") from problem
        if notes.get("missing_keys"):
            raise ValueError(f"{self.model / WEIGHTS} lacks {', '.join(sorted(notes['missing_keys'])[:3])}, …")
        return found


def folder(path: Path) -> Folder:
    """Return what a folder says: of a pipeline (unet/, scheduler/), or of one model with its scheduler beside it.

    Raises ValueError for files that are missing or pickled, and for schedulers and settings that are not known.
    """
    model = next(
        (place for place in (path / "unet", path / "transformer", path) if (place / "config.json").is_file()), None
    )
    rule = next((p for p in (path / "scheduler", path) if (p / "scheduler_config.json").is_file()), None)
    if model is None or rule is None:
        lacking = "config.json (here or in unet/)" if model is None else "scheduler_config.json (here or in scheduler/)"
        raise ValueError(f"{path} is no folder of diffusers: it has no {lacking}")
    if not (model / WEIGHTS).is_file():
        pickled = (model / WEIGHTS.replace(".safetensors", ".bin")).is_file()
        cure = " (its .bin is a pickle: save_pretrained(…, safe_serialization=True) converts it)" if pickled else ""
        raise ValueError(f"{model} has no {WEIGHTS}{cure}")
    network, scheduler = _read(model / "config.json"), _read(rule / "scheduler_config.json")
    process, predicts, time, sigma_data = _scheduled(scheduler, rule / "scheduler_config.json")
    shape = _shape(network, model / "config.json")
    words = (
        f"{network['_class_name']} on states {shape}, {scheduler.get('_class_name')}: {process!r}, predicts {predicts}"
    )
    return Folder(model, network["_class_name"], shape, process, predicts, time, sigma_data, words)


def _read(path: Path) -> Config:
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise ValueError(f"{path} is no JSON: {problem}") from problem
    if not isinstance(found, dict) or "_class_name" not in found:
        raise ValueError(f"{path} names no class: it has no _class_name")
    return cast(Config, found)


def _shape(config: Config, path: Path) -> tuple[int, ...]:
    size, channels = config.get("sample_size"), config.get("in_channels")
    if size is None or channels is None:
        raise ValueError(f"{path} says no sample_size or in_channels: the dimension is not known")
    if config.get("num_class_embeds") or config.get("class_embed_type"):
        raise ValueError(f"{path}: the model is conditional; name a module with its label fixed, file.py:name")
    sides = (size, size) if isinstance(size, int) and "2D" in config["_class_name"] else size
    return (channels, *([sides] if isinstance(sides, int) else sides))


def _scheduled(config: Config, path: Path) -> tuple[IsotropicProcess, str, str, float | None]:
    """Return the process, what is predicted, on which clock, and σ_data."""
    name = config["_class_name"]
    if name.startswith("FlowMatch"):
        return Straight(), "flow", "thousandths", None
    if name.startswith("EDM"):
        return EDM(float(config.get("sigma_max", 80.0))), "edm", "c-noise", float(config.get("sigma_data", 0.5))
    kind = config.get("prediction_type", "epsilon")
    if kind not in NAMES:
        raise ValueError(f"{path}: prediction_type is {kind!r}; known are {', '.join(NAMES)}")
    return _list(config, path), NAMES[kind], "step", None


def _list(config: Config, path: Path) -> DiscreteSchedule:
    steps, zero = int(config.get("num_train_timesteps", 1000)), bool(config.get("rescale_betas_zero_snr", False))
    trained = config.get("trained_betas")
    if trained is not None:
        return _zeroed(DiscreteSchedule(trained), zero)
    kind = config.get("beta_schedule", "linear")
    if kind == "squaredcos_cap_v2":
        return squared_cosine_betas(steps, zero_terminal_snr=zero)
    if kind not in LISTS:
        raise ValueError(f"{path}: beta_schedule is {kind!r}; known are {', '.join(LISTS)}, squaredcos_cap_v2")
    ends = float(config.get("beta_start", 1e-4)), float(config.get("beta_end", 0.02))
    return LISTS[kind](steps, *ends, zero_terminal_snr=zero)


def _zeroed(process: DiscreteSchedule, zero: bool) -> DiscreteSchedule:
    if not zero:
        return process
    roots = process.mean_coefficient(process.instants[1:])
    roots = (roots - roots[-1]) * roots[0] / (roots[0] - roots[-1])
    return cumulative((roots**2).tolist())
