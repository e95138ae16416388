"""Elimination without subtraction: diagonally dominant systems given by their rates and what their rows have in excess.

M = diag(v_i + Σ_j a_ij) − (a_ij), a_ij ≥ 0, v_i ≥ 0, in band storage a[i, j − i + b]. No difference is ever formed, so
every entry of the solution has a relative error of roundings, whatever the condition of M: barriers of hundreds of kT are
no trouble. Grassmann, Taksar, Heyman, Oper. Res. 33 (1985); Alfa, Xue, Ye, Math. Comp. 71 (2002).
"""

from __future__ import annotations

from numba import njit

from mfgpde.core.arrays import Array

LARGE = 1e200
"""beyond which what is known up to a factor is scaled down"""


@njit(cache=True, error_model="numpy")
def factorise(a: Array, excess: Array, pivots: Array) -> None:
    """Turn rates and excess into factors: multipliers below the diagonal, rates above, `pivots` on it."""
    n, width = a.shape
    b = width // 2
    for k in range(n):
        last = min(k + b, n - 1)
        pivot = excess[k]
        for j in range(k + 1, last + 1):
            pivot += a[k, j - k + b]
        pivots[k] = pivot
        for i in range(k + 1, last + 1):
            rate = a[i, k - i + b]
            if rate == 0.0:
                continue
            m = rate / pivot
            a[i, k - i + b] = m
            row, pivot_row = a[i, k + 1 - i + b : last + 1 - i + b], a[k, b + 1 : last + 1 - k + b]
            kept = row[i - k - 1]
            for j in range(last - k):
                row[j] += m * pivot_row[j]
            row[i - k - 1] = kept  # the diagonal is never stored
            excess[i] += m * excess[k]


@njit(cache=True, error_model="numpy")
def solve_rows(a: Array, pivots: Array, x: Array) -> None:
    """Solve Mx = r in place, r ≥ 0."""
    n, width = a.shape
    b = width // 2
    for k in range(n):
        for i in range(k + 1, min(k + b, n - 1) + 1):
            x[i] += a[i, k - i + b] * x[k]
    for k in range(n - 1, -1, -1):
        total = x[k]
        for j in range(k + 1, min(k + b, n - 1) + 1):
            total += a[k, j - k + b] * x[j]
        x[k] = total / pivots[k]


@njit(cache=True, error_model="numpy")
def solve_columns(a: Array, pivots: Array, x: Array, singular: bool) -> None:
    """Solve Mᵀx = r in place, r ≥ 0; where M is `singular`, fill the x with Mᵀx = 0 whose last entry is one."""
    n, width = a.shape
    b = width // 2
    if singular:
        for k in range(n):
            x[k] = 0.0
        x[n - 1] = 1.0
    else:
        for k in range(n):
            total = x[k]
            for j in range(max(k - b, 0), k):
                total += a[j, k - j + b] * x[j]
            x[k] = total / pivots[k]
    for k in range(n - 1, -1, -1):
        for i in range(k + 1, min(k + b, n - 1) + 1):
            x[k] += a[i, k - i + b] * x[i]
        if singular and x[k] > LARGE:
            scale = 1 / x[k]
            for i in range(k, n):
                x[i] *= scale
