"""Ladders of finite volumes: means of mixtures under every linear process, in one dimension and two."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mfgpde.calibration import drawn
from mfgpde.calibration.contract import Case
from mfgpde.discretisations import FiniteVolume


class Volumes:
    """E|x|² and E cos(kΣx) of the Fokker–Planck equation of a random process, of order two and four."""

    covers = ("solvers.ladders", "solvers.Ladder.limit")
    remembered = ((0, 44), (0, 126), (0, 127))

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a process, a mixture, a box that holds it, cells and an order."""
        dimension = 1 if rng.random() < 0.85 else 2
        problem = drawn.forward(rng, dimension, int(rng.integers(20, 64) if dimension == 1 else rng.integers(16, 24)))
        space = FiniteVolume(problem.grid, order=2 if rng.random() < 0.6 else 4)
        yield from drawn.on_trial(problem, space, float(rng.uniform(0.5, 2.0)))
