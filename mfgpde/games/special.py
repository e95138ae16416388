"""Functions that closed forms of proximal maps need: SciPy's on the host, the same by array operations elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special


def wright_omega(z: Any) -> Any:
    """Return ω > 0 with ω + log ω = z, real z.

    Off the host by two steps of Fritsch, Shafer, Crowley, Comm. ACM 16 (1973), of order four, from asymptotic guesses.
    """
    if isinstance(z, np.ndarray) or np.isscalar(z):
        return np.real(special.wrightomega(z))
    large = np.maximum(z, 1.0)
    w = np.where(z > 1, large - np.log(large), np.exp(np.minimum(2 / 3 * (z - 1), 1.0)))
    w = np.where(z < -2, np.exp(np.minimum(z, 0.0)), w)
    w = np.maximum(w, 1e-300)
    for _ in range(3):
        r = z - w - np.log(w)
        q = (1 + w) * (1 + w + 2 / 3 * r)
        w = np.maximum(w * (1 + r / (1 + w) * (q - 0.5 * r) / (q - r)), 1e-300)
    return np.where(z < -690, np.exp(np.minimum(z, 0.0)), w)


def x_log_x(x: Any) -> Any:
    """Return x log x, 0 at 0."""
    return x * np.log(np.where(x > 0, x, 1.0))
