"""Ladders of spectral solutions: means of mixtures under every linear process."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mfgpde.calibration import drawn
from mfgpde.calibration.contract import Case
from mfgpde.discretisations import Spectral


class Expansions:
    """E|x|² and E cos(kΣx) of the Fokker–Planck equation of a random process, by cosines."""

    covers = ("solvers.ladders", "solvers.Ladder.limit")
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a process, a mixture, a box that holds it, and cells."""
        dimension = 1 if rng.random() < 0.85 else 2
        problem = drawn.forward(rng, dimension, int(rng.integers(32, 80) if dimension == 1 else rng.integers(24, 40)))
        yield from drawn.on_trial(problem, Spectral(problem.grid), float(rng.uniform(0.5, 2.0)), levels=2)
