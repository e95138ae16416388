"""Arrays with metadata in .safetensors, which hold numbers and no code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from mfgpde.core.arrays import Array
from mfgpde.core.files import written


def read_safetensors(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Return the arrays of a .safetensors file by name, and its metadata. Raises what the library says of other files."""
    from safetensors import safe_open

    with cast(Any, safe_open)(path, framework="numpy") as stored:
        names: list[str] = list(stored.keys())
        return {name: stored.get_tensor(name) for name in names}, stored.metadata() or {}


def write_safetensors(path: Path, arrays: Mapping[str, NDArray[np.floating]], metadata: Mapping[str, str]) -> Path:
    """Write arrays, by rows without gaps, and metadata at once; return the path."""
    from safetensors import numpy as library

    with written(path) as part:
        cast(Any, library).save_file(dict(arrays), part, metadata=dict(metadata))
    return path
