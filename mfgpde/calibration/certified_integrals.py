"""Integrals with a certified remainder: waves, peaks and means of mixtures on boxes, few cells and many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.special import erf

from mfgpde.calibration import drawn
from mfgpde.calibration.contract import Case
from mfgpde.densities import GaussianMixture
from mfgpde.solvers.certified import certified_integral


class CertifiedIntegrals:
    """∫ of e^{ax} cos(kx + φ), a Lorentz peak, x² p and products of Gaussians, from one cell an axis and any tolerance."""

    covers = ("solvers.certified_integral",)
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a tolerance, a number of cells, and a function of each kind."""
        tolerance, cells = 10.0 ** rng.uniform(-13, -1), int(rng.integers(1, 20))
        a, k, phase = float(rng.uniform(-3, 3)), float(rng.uniform(0.5, 40)), float(rng.uniform(0, 2 * np.pi))

        def wave(x: Any) -> Any:
            return np.exp(a * x) * np.cos(k * x + phase)

        end = complex(a, k)
        truth = float((np.exp(1j * phase) * np.expm1(end) / end).real)
        name = f"to {tolerance:.1g} from {cells} cells"
        found = certified_integral(wave, 0.0, 1.0, tolerance=tolerance, cells=cells)
        yield Case(f"∫ of a wave {name}", found, truth, 1e-14 * np.exp(abs(a)))
        width, centre = float(np.exp(rng.uniform(-5, 0))), float(rng.uniform(-1, 1))
        found = certified_integral(
            lambda x: width / (width**2 + (x - centre) ** 2), -1.0, 1.0, tolerance=tolerance, cells=cells
        )
        truth = float(np.arctan((1 - centre) / width) + np.arctan((1 + centre) / width))
        yield Case(f"∫ of a peak of width {width:.2g} {name}", found, truth, 1e-14 * np.pi)
        law = drawn.mixture(rng)
        reach = 12 * float(np.sqrt(law.covariances.max())) + float(np.abs(law.means).max())
        found = certified_integral(
            lambda x: x**2 * _density(law, x), -reach, reach, tolerance=tolerance, cells=max(cells, 4)
        )
        yield Case(f"∫x²p {name}", found, drawn.second_moment(law), 1e-13 * (1 + drawn.second_moment(law)))
        s, m = np.exp(rng.uniform(-1, 1, 2)), rng.normal(size=2)

        def product(x: Any, y: Any) -> Any:
            return np.exp(-(((x - m[0]) / s[0]) ** 2) - ((y - m[1]) / s[1]) ** 2)

        sides = [0.5 * np.sqrt(np.pi) * r * (erf((1 - c) / r) + erf((1 + c) / r)) for r, c in zip(s, m, strict=True)]
        found = certified_integral(product, (-1.0, -1.0), (1.0, 1.0), tolerance=tolerance, cells=min(cells, 8))
        yield Case(f"∫ of a bump in the plane {name}", found, float(np.prod(sides)), 1e-14)


def _density(law: GaussianMixture, x: Any) -> Any:
    total: Any = 0.0
    for w, m, v in zip(law.weights, law.means[:, 0], law.covariances[:, 0, 0], strict=True):
        total = total + float(w / np.sqrt(2 * np.pi * v)) * np.exp((x - float(m)) ** 2 * (-0.5 / float(v)))
    return total
