"""Relative entropy of noised blobs of one width on a line to N(0, σ²I), and what it falls by, between bounds.

x = mτζ along the line with V = m²s + v, τ = V/m²: ∇log p = (μ̄ − τζ)/(mτ), so that ∇log(p/π) = μ̄/(mτ) + (mτ/σ² − 1/m)ζ;
across it the law is N(mb, V), KL and I of which are those of a Gaussian. Integrals over ζ and time as in `_one_width`.
"""

from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import load_module

bridge = load_module(Path(__file__).parent / "_bridge.py")
lines = bridge.lines


class Noised:
    """Blobs of one width on a line, noised by a process whose stationary variance is σ²."""

    def __init__(self, process, law, variance):
        self.process, self.rest = process, variance
        self.blobs, self.width, self.square = bridge.on_a_line(law)
        self.across = law.dimension - 1

    def mean(self, t):
        """Return m, of the type of 0·t."""
        return self.process.mean_coefficient(t) + 0.0 * t

    def tau(self, t):
        """Return V/m²."""
        return self.width + self.process.variance(t) / self.mean(t) ** 2

    def entropy(self, t):
        """Return KL at a time, an Estimate.

        Along the line log p is the sum's logarithm less (τζ² + log 2πV)/2, log π is −((mτζ)²/σ² + log 2πσ²)/2.
        """
        m, tau = float(self.mean(t)), float(self.tau(t))
        wide = m**2 * tau / self.rest
        along = [({"1": 1.0}, {"lp": 1.0, "1": -0.5 * np.log(wide)}), ({"z": 0.5 * tau * (wide - 1)}, {"z": 1.0})]
        across = 0.5 * (m**2 * self.square / self.rest + self.across * (wide - 1 - np.log(wide)))
        found = lines.at(lines.Frame(self.blobs, self.tau), lambda t: [(1.0, one, other) for one, other in along], t)
        return found + mfg.Estimate(float(across), 1e-15 * (1 + across), mfg.Kind.BOUND, "Gaussian across")

    def slopes(self, t, factor):
        """Return the terms of `factor` times the information along the line."""
        m, tau = self.mean(t), self.tau(t)
        slope = {"p": 1.0 / (m * tau), "z": m * tau * (1 / self.rest) - 1.0 / m}
        return [(factor, slope, slope)]

    def beside(self, t):
        """Return the information across the line."""
        m, wide = self.mean(t), self.tau(t) * self.mean(t) ** 2
        return self.square / self.rest**2 * m**2 + self.across * wide * (1.0 / wide - 1 / self.rest) ** 2

    def information(self, t):
        """Return I at a time, an Estimate."""
        found = lines.at(lines.Frame(self.blobs, self.tau), lambda t: self.slopes(t, 1.0), t)
        across = float(self.beside(t)) if self.across else 0.0
        return found + mfg.Estimate(across, 1e-15 * (1 + across), mfg.Kind.BOUND, "Gaussian across")

    def lost(self, end, tolerance=1e-10):
        """Return ∫D I dt from 0, an Estimate."""

        def terms(t):
            return self.slopes(t, self.process.diffusivity(t) + 0.0 * t)

        found = lines.over_time(lines.Frame(self.blobs, self.tau), terms, 0.0, end, tolerance)
        if not self.across:
            return found
        return found + mfg.solvers.certified_integral(
            lambda t: self.process.diffusivity(t) * self.beside(t), 0.0, end, tolerance=tolerance
        )
