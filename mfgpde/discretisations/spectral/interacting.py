"""McKean–Vlasov in spectral form: Kolmogorov's equation of the fixed part, and the flux (K∗p)p beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mfgpde.discretisations.convolution import Force
from mfgpde.discretisations.spectral.bases import Array, Basis
from mfgpde.discretisations.spectral.kolmogorov import SpectralKolmogorov
from mfgpde.discretisations.spectral.systems import Expanded
from mfgpde.equations import ForwardKolmogorov, McKeanVlasov
from mfgpde.integrators import ETDRK4, Integrator


@dataclass(eq=False)
class SpectralInteraction(Expanded):
    """Coefficients of a density in the force of itself; K and the density must be smooth."""

    equation: McKeanVlasov
    basis: Basis
    default_integrator: Integrator = field(default_factory=ETDRK4)

    def __post_init__(self) -> None:
        self.fixed = SpectralKolmogorov(ForwardKolmogorov(self.equation.diffusion), self.basis)

    @property
    def inviscid(self) -> bool:
        """D = 0 is allowed, along some directions or all."""
        return True

    @cached_property
    def force(self) -> Force:
        """∫K(x − y) p(y) dy at cell centres."""
        return Force(self.equation.interaction, self.basis.grid)

    def stiff(self, t0: float, t1: float) -> Array:
        """Return that of the fixed part."""
        return self.fixed.stiff(t0, t1)

    def nonstiff(self, u: Array, t: float, stiff: Array) -> Array:
        """Return everything but stiff·u."""
        p = self.basis.synthesise(u)
        flux = [-part * p for part in np.moveaxis(self.force(p), -1, 0)]
        return self.fixed.nonstiff(u, t, stiff) + self.basis.divergence(flux)
