"""Fields of one shape, and numbers beside them, as one line: what a recorded stage hands to the next is one copy."""

from __future__ import annotations

from typing import Any

import numpy as np


def joined(*parts: Any) -> Any:
    """Return arrays one after the other in a line of their own."""
    line, at = np.empty_like(parts[0], shape=(sum(part.size for part in parts),)), 0
    for part in parts:
        line[at : at + part.size] = part.ravel()
        at += part.size
    return line


def apart(line: Any, like: Any, count: int) -> tuple[list[Any], Any]:
    """Return the first fields of a line, shaped as `like`, and the numbers after them.

    >>> from mfgpde.integrators.side_by_side import apart
    >>> fields, rest = apart(np.arange(10.0), np.zeros((2, 2)), 2)
    >>> print(fields[1].tolist(), rest.tolist())
    [[4.0, 5.0], [6.0, 7.0]] [8.0, 9.0]
    """
    ends = [k * like.size for k in range(count + 1)]
    fields = [line[a:b].reshape(like.shape) for a, b in zip(ends, ends[1:], strict=False)]
    return fields, line[ends[-1] :]
