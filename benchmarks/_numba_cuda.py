"""The rate of change of a plane's cells from stored rates of jumps, as one would write it in Numba's dialect of CUDA."""

from typing import Any

from numba import cuda

BLOCK = (16, 16)


@cuda.jit
def _rate(p: Any, u0: Any, d0: Any, u1: Any, d1: Any, out: Any) -> None:
    """A thread a cell: what comes over its four faces, less what goes; up and down are jumps over faces of one axis."""
    i, j = cuda.grid(2)
    n, m = p.shape
    if i < n and j < m:
        here = p[i, j]
        left = p[i - 1, j] if i > 0 else 0.0
        right = p[i + 1, j] if i < n - 1 else 0.0
        below = p[i, j - 1] if j > 0 else 0.0
        above = p[i, j + 1] if j < m - 1 else 0.0
        out[i, j] = (
            (u0[i, j] * left - d0[i, j] * here)
            - (u0[i + 1, j] * here - d0[i + 1, j] * right)
            + (u1[i, j] * below - d1[i, j] * here)
            - (u1[i, j + 1] * here - d1[i, j + 1] * above)
        )


def rate(p: Any, u0: Any, d0: Any, u1: Any, d1: Any, out: Any) -> None:
    """Launch it: arrays of the device, p and out (n, m), u0 and d0 (n + 1, m), u1 and d1 (n, m + 1)."""
    blocks = tuple(-(-n // b) for n, b in zip(p.shape, BLOCK, strict=True))
    _rate[blocks, BLOCK](p, u0, d0, u1, d1, out)
