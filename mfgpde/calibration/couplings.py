"""The best coupling of two batches on the line pairs them in order, and moments of ordered uniform numbers are known."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mfgpde.calibration.contract import Case
from mfgpde.diagnostics.coupled import BATCHES, coupled


class Couplings:
    """Means of W₂² between batches of n numbers, uniform on [0, 1] and on [b, a + b], which exceed W₂² of the laws.

    Of the i-th smallest of n: mean i/(n + 1), variance i(n + 1 − i)/((n + 1)²(n + 2)).
    """

    covers = ("diagnostics.coupled",)
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a stretch, a shift and the size of a batch."""
        n = int(np.exp(rng.uniform(np.log(4), np.log(256))))
        a, b = float(np.exp(rng.normal())), float(rng.normal())
        x, y = rng.random((n * BATCHES, 1)), b + a * rng.random((n * BATCHES, 1))
        yield Case(f"batches of {n}, stretched by {a:.2g} and moved by {b:.2g}", coupled(x, y), paired(n, a, b), 0.0)


def paired(n: int, a: float, b: float) -> float:
    """Return the mean of (b + aV − U)² over pairs of one rank, of n uniform U and n uniform V: ranks have beta laws.

    >>> from mfgpde.calibration.couplings import paired
    >>> print(f"{paired(1, 1.0, 0.0):.6f}")  # two points by chance
    0.166667
    """
    i = np.arange(1, n + 1)
    mean, variance = i / (n + 1), i * (n + 1 - i) / ((n + 1) ** 2 * (n + 2))
    return float(np.mean((1 + a * a) * variance + ((a - 1) * mean + b) ** 2))
