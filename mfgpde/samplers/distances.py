"""How far a generated law is from a mixture: W₁, W₂, KS and KL, each with its bar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.densities import GaussianMixture
from mfgpde.samplers.line import Line, Quantiles
from mfgpde.samplers.more_levels import more_levels

ROUNDINGS = 1e-13
"""of the law's extent: quantiles are found to a few hundred roundings of it"""


@dataclass(frozen=True)
class Distances:
    """W₁ and W₂, lengths; KS = sup |F − F_p|; KL(p‖q) of the data from the generated law; None where it is not known."""

    w2: Estimate
    w1: Estimate | None = None
    ks: Estimate | None = None
    kl: Estimate | None = None


def on_the_line(
    fine: Line, coarse: Line, law: GaussianMixture, method: str, images: Callable[[Array], Array] | None = None
) -> Distances:
    """Return the distances of a law on the line, known twice: their difference is the bar.

    Where quantiles leap between levels, W₁ and W₂ are by more levels there, if `images` of levels can be asked for. Folds
    that these show are folds for KS and KL too.
    """
    target, extent = Quantiles(law), float(np.ptp(law.means)) + 10 * float(np.sqrt(law.covariances.max()))

    def known(a: float, b: float, floor: float) -> Estimate:
        return Estimate(a, abs(a - b) + floor, Kind.EXTRAPOLATED, method)

    floor = ROUNDINGS * extent
    one, half = (more_levels(fine, target, images) if images else None) or (fine, coarse)
    if one.folded:
        fine, coarse = one, half
    (kl, beyond), (other, _) = (line.divergence_from(law) for line in (fine, coarse))
    return Distances(
        w2=known(one.wasserstein(target), half.wasserstein(target), floor + one.hidden(target)),
        w1=known(
            one.wasserstein(target, 1),
            half.wasserstein(target, 1),
            floor + one.turns(target) + one.hidden(target, 1),
        ),
        ks=known(fine.kolmogorov(target), coarse.kolmogorov(target), ROUNDINGS + fine.between(target)),
        kl=known(kl, other, beyond + ROUNDINGS) if np.isfinite(kl) and np.isfinite(other) else None,
    )
