"""A user's score from the command line: saved weights, `module:name` or `file.py:name`; checked before anything long."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mfgpde.core.arrays import Array
from mfgpde.core.modules import load_module
from mfgpde.core.stored import read_arrays
from mfgpde.scores.adapters import adapted
from mfgpde.scores.contract import DifferentiableScore
from mfgpde.scores.other_dimension import misfit
from mfgpde.scores.tensor_files import read_safetensors, write_safetensors

if TYPE_CHECKING:
    import jax

    from mfgpde.scores.jax_score import JaxScore

Layers = Sequence[tuple[Array, Array]]
"""matrices (width, inputs) and vectors (width,), first to last"""
ACTIVATIONS = ("softplus", "tanh", "silu", "gelu", "relu", "sin")

LARGEST = 1e8
"""a weight beyond which single precision keeps nothing of the sum"""


@dataclass(frozen=True)
class Network:
    """What a file of weights W0, b0, W1, b1, … does not say by itself.

    `activation` is one of softplus, tanh, silu, gelu, relu, sin; `sharpness` β turns softplus into log(1 + e^{βz})/β.
    `inputs` is "xt" or "tx": the order of point and time. `output` is "potential" or "vector".
    """

    activation: str = "softplus"
    sharpness: float = 1.0
    inputs: str = "xt"
    output: str = "vector"

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {self.activation!r}")
        if not (np.ndim(self.sharpness) == 0 and np.isrealobj(self.sharpness) and 0 < self.sharpness < np.inf):
            raise ValueError(
                f"sharpness must be a positive number, got {self.sharpness!r}: softplus is log(1 + e^{{βz}})/β"
            )
        if self.inputs not in ("xt", "tx") or self.output not in ("potential", "vector"):
            raise ValueError(
                f"inputs must be 'xt' or 'tx' and output 'potential' or 'vector', got {self.inputs!r}, {self.output!r}"
            )


def load_score(source: str, dimension: int | None = None, network: Network | None = None) -> DifferentiableScore:
    """Return the score that `source` names: weights (.npz, .safetensors), `module:name`, or `file.py:name`.

    Weights are W0 (width, inputs), b0 (width,), W1, b1, … of a fully connected network; `network` says how they are used,
    by default what the metadata of a .safetensors file says. Pickled data are never read. A name may be a score with its
    derivatives, a JAX function or Equinox module of one point (d,) and one time that returns a potential or a vector, a
    PyTorch module, or a NumPy function of points (n, d) and one time, which is differentiated by differences.

    Raises ValueError with what was found and what is expected.

    >>> from pathlib import Path
    >>> _ = Path("mine.py").write_text("def score(x, t): return -x / (1 + t)")
    >>> mfg.load_score("mine.py:score", 1)(np.ones((1, 1)), 1.0)
    array([[-0.5]])
    """
    path, _, name = source.rpartition(":")
    if Path(source).suffix in (".npz", ".safetensors"):
        return _from_weights(Path(source), dimension, network)
    if Path(source).suffix in (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin"):
        raise ValueError(
            f"{source} is a pickle, which can run any code when read, and is refused; save the weights as .safetensors or "
            ".npz, or name a function that builds the score: file.py:function"
        )
    if not path:
        raise ValueError(
            f"a score is a file of weights (.npz, .safetensors), module:name or file.py:name; got {source!r}"
        )
    return adapted(_imported(path, name), source, dimension)


def network_score(
    arrays: Mapping[str, ArrayLike], network: Network, dimension: int | None = None, source: str = ""
) -> JaxScore:
    """Return the JaxScore of a fully connected network with these weights."""
    from mfgpde.scores.jax_score import JaxScore

    layers = _layers(arrays, source)
    width = layers[0][0].shape[1] - 1
    if dimension not in (None, width):
        raise ValueError(f"{source}: W0 takes {width + 1} inputs, one of them the time; it {misfit(width, dimension)}")
    outputs = layers[-1][0].shape[0]
    if outputs != (1 if network.output == "potential" else width):
        raise ValueError(
            f"{source}: the last layer has {outputs} output(s), which is no {network.output} in dimension {width}; "
            "say --output potential or vector, and --inputs xt or tx"
        )
    return JaxScore(forward(network), width, layers)


def forward(network: Network) -> Forward:
    """Return such a network as a JAX function of its layers, one point and one time; equal ones are compiled once."""
    return Forward(network)


@dataclass(frozen=True)
class Forward:
    """What `forward` returns; it can be pickled."""

    network: Network

    def __call__(self, layers: Layers, x: jax.Array, t: jax.Array) -> jax.Array:
        """Return the output at one point (d,) and one time."""
        import jax.numpy as jnp

        from mfgpde.scores.activations import activation
        from mfgpde.scores.transformations import array

        network = self.network
        act = activation(network.activation, network.sharpness)
        time = jnp.reshape(array(t, x.dtype), (1,))
        h = jnp.concatenate((x, time) if network.inputs == "xt" else (time, x))
        for k, (W, b) in enumerate(layers):
            h = array(W, x.dtype) @ h + array(b, x.dtype)
            h = act(h) if k < len(layers) - 1 else h
        return h[0] if network.output == "potential" else h


def _layers(arrays: Mapping[str, ArrayLike], source: str) -> Layers:
    count = sum(1 for key in arrays if key.startswith("W"))
    names = [f"{kind}{k}" for k in range(count) for kind in "Wb"]
    if not count or set(arrays) != set(names):
        raise ValueError(f"{source} must hold W0, b0, W1, b1, …; found {', '.join(sorted(arrays)) or 'nothing'}")
    layers = [(np.asarray(arrays[f"W{k}"]), np.asarray(arrays[f"b{k}"]).ravel()) for k in range(count)]
    previous = None
    for k, (W, b) in enumerate(layers):
        for name, values in ((f"W{k}", W), (f"b{k}", b)):
            _check_numbers(values, f"{source}: {name}")
        if W.ndim != 2 or len(b) != len(W):
            turned = "; it is the transpose of what is expected" if W.ndim == 2 and len(b) == W.shape[1] else ""
            raise ValueError(
                f"{source}: W{k} {W.shape} must be a matrix (width, inputs), b{k} {b.shape} (width,){turned}"
            )
        if previous is not None and W.shape[1] != previous:
            raise ValueError(f"{source}: W{k} takes {W.shape[1]} inputs, the layer before it has width {previous}")
        previous = len(W)
    return layers


def _check_numbers(values: Array, name: str) -> None:
    """Raise ValueError for what no network has for weights."""
    if values.dtype.kind != "f":
        raise ValueError(f"{name} must hold real floating-point numbers, got {values.dtype}")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds values that are not finite")
    largest = float(np.abs(values).max(initial=0.0))
    if largest > LARGEST:
        raise ValueError(
            f"{name} reaches {largest:.1e}: no trained network has such weights; are they bytes of another type?"
        )


def _from_weights(path: Path, dimension: int | None, network: Network | None) -> DifferentiableScore:
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    stated: dict[str, Any] = {}
    try:
        if path.suffix == ".npz":
            arrays = read_arrays(path)
        else:
            arrays, metadata = read_safetensors(path)
            if "mixture" in metadata:
                from mfgpde.scores.mixture_files import mixture_score

                return mixture_score(arrays, metadata["mixture"], path.name)
            stated = json.loads(metadata.get("network", "{}"))
    except Exception as problem:
        raise ValueError(
            f"cannot read weights from {path}: {problem} (pickled or truncated files are refused)"
        ) from None
    return network_score(arrays, network or Network(**stated), dimension, path.name)


def save_weights(path: Path, layers: Layers, network: Network) -> Path:
    """Write a network as .safetensors with all that `load_score` needs; return the path."""
    arrays = dict[str, NDArray[np.floating]]()
    for k, (W, b) in enumerate(layers):
        arrays[f"W{k}"] = np.ascontiguousarray(W, dtype=np.float32)
        arrays[f"b{k}"] = np.ascontiguousarray(b, dtype=np.float32)
    return write_safetensors(path, arrays, {"network": json.dumps(network.__dict__)})


def _imported(place: str, name: str) -> Any:
    module = _from_file(Path(place)) if place.endswith(".py") else _installed(place)
    try:
        return getattr(module, name)
    except AttributeError:
        public = ", ".join(key for key in vars(module) if not key.startswith("_"))
        raise ValueError(f"{place} has no {name!r}; it has {public}") from None


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ValueError(f"there is no file {path}; an installed module is named without .py, as in {path.stem}:name")
    try:
        return load_module(path)
    except Exception as problem:  # a user's code
        words = " ".join(str(problem).split())
        raise ValueError(f"{path} cannot be run: {type(problem).__name__}: {words}") from problem


def _installed(place: str) -> ModuleType:
    try:
        return importlib.import_module(place)
    except ImportError as problem:
        raise ValueError(f"cannot import {place}: {problem}") from problem
