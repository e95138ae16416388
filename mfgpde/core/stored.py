"""Arrays in files that somebody gives: what a header claims is compared with what lies there before memory is asked for."""

from __future__ import annotations

import math
import os
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from mfgpde.core.arrays import Array

SPREAD, SMALL = 100, 1 << 26
"""how many times its packed size an archive may unpack to, above so many bytes: what numbers are made of packs less"""
TROUBLES = (
    OSError,
    ValueError,
    LookupError,
    EOFError,
    TypeError,
    SyntaxError,
    NotImplementedError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""what readers of NumPy's files raise on files that are none"""


def read_array(path: Path) -> Array:
    """Return the array of a .npy file. Raises ValueError for pickles, truncated files, and headers that claim more."""
    try:
        with path.open("rb") as file:
            return _member(file, path.stat().st_size)
    except TROUBLES as trouble:
        raise ValueError(f"{path} is no whole .npy of numbers ({said(trouble)})") from trouble


def read_arrays(path: Path) -> dict[str, Array]:
    """Return the arrays of a .npz file by name. Raises ValueError as `read_array`, and for what unpacks to far more."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            size = sum(member.file_size for member in members)
            if size > SMALL and size > SPREAD * os.path.getsize(path):
                raise ValueError(f"{os.path.getsize(path)} bytes that would unpack to {size}")
            found: dict[str, Array] = {}
            for member in members:
                with archive.open(member) as file:
                    found[member.filename.removesuffix(".npy")] = _member(file, member.file_size)
            return found
    except (*TROUBLES, RuntimeError) as trouble:  # RuntimeError: an encrypted archive
        raise ValueError(f"{path} is no whole .npz of numbers ({said(trouble)})") from trouble


def said(trouble: BaseException) -> str:
    """Return the first line of what an exception says, or its name."""
    return str(trouble).strip().split("\n")[0] or type(trouble).__name__


def _member(file: IO[bytes], size: int) -> Array:
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_columns, kind = header(file)
    if kind.hasobject:
        raise ValueError("it holds Python objects, which can run any code when read")
    count, start = math.prod(shape), file.tell()
    if min(shape, default=0) < 0 or count * kind.itemsize != size - start:
        raise ValueError(f"its header claims {count} numbers of {kind.itemsize} bytes, {size - start} bytes follow")
    data = file.read(size - start)
    if len(data) != size - start:
        raise ValueError(f"it ends after {len(data)} of {size - start} bytes")
    array = np.frombuffer(bytearray(data), kind) if count and kind.itemsize else np.zeros(count, kind)
    return array.reshape(shape, order="F" if by_columns else "C")
