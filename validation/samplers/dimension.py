"""For product laws a sampler's errors add up over coordinates: KL is d times that of one, W₂ is √d times.

So the steps for a given W₂ grow as d^{1/(2p)} with a scheme of order p. The law in two dimensions is computed on a grid of its
own, not from the one in one dimension.
"""

from functools import cache

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, equal

claim = Claim(
    statement=(
        r"\mathrm{KL}(p^{\otimes d}\|q^{\otimes d})=d\,\mathrm{KL}(p\|q),\qquad "
        r"W_2(p^{\otimes d},q^{\otimes d})=\sqrt d\,W_2(p,q)"
    ),
    source="closed form",
    standing="theorem",
    assumes=("independent coordinates", "a scheme that treats coordinates one by one"),
    coefficients=("growth",),
)

PROCESS = mfg.VariancePreserving()
ONE = mfg.densities.bimodal()
STOP, STEPS = 1e-2, 12
SEEN, ROUNDING = 1e-7, 1e-12  # of the largest density: what is left out adds below 1e-6 to KL


def squared():
    """Return the law of two independent coordinates."""
    means = np.stack(np.meshgrid(*2 * [ONE.means[:, 0]], indexing="ij"), axis=-1).reshape(-1, 2)
    spreads = np.stack(np.meshgrid(*2 * [ONE.covariances[:, 0, 0]], indexing="ij"), axis=-1).reshape(-1, 2)
    return mfg.GaussianMixture(np.outer(ONE.weights, ONE.weights).ravel(), means, spreads)


@cache
def divergence(coordinates, cells):
    """Return KL(p‖q) of the law of one or two coordinates after so many ancestral steps, on a grid."""
    data = ONE if coordinates == 1 else squared()
    exact = mfg.ExactScore(PROCESS, data)
    times = mfg.samplers.LogSNR().times(PROCESS, STEPS, STOP)
    moves = mfg.samplers.Ancestral().run(mfg.samplers.Model(PROCESS, exact), times)
    law = mfg.samplers.diffused(exact.at(float(times[0])), (move for step in moves for move in step), cells)
    p = exact.at(STOP).density(law.grid.points)
    q = np.maximum(law.density, ROUNDING * law.density.max())
    return float(law.grid.integrate(np.where(p > SEEN * p.max(), p * np.log(np.maximum(p, 1e-300) / q), 0.0)))


@claim.measure
def product(level, dimensions=2.0, growth=1.0):
    """Compare KL of two coordinates with `growth` × `dimensions` times that of one."""
    cells = Level(level).pick(256, 320, 384)
    one = divergence(1, 2048)
    two = [divergence(2, n) for n in (3 * cells // 4, cells)]
    name = "push-forward and blur"  # the bar holds what three quarters of the cells would make of it
    found = mfg.Estimate(two[1], abs(two[1] - two[0]), mfg.Kind.BOUND, name, f"{cells}² cells")
    halved = growth * dimensions * abs(one - divergence(1, 1024))  # a cell is seen or not as rounding has it
    known = mfg.Estimate(growth * dimensions * one, halved, mfg.Kind.BOUND, "one coordinate", "2048 cells")
    # δ: of KL 4.8e-4 is reached with 256² cells, 1.1e-4 with 320²
    small = Level(level).pick(2e-3, 4.5e-4, 4.5e-4) * dimensions * one
    return Evidence([equal("KL of two coordinates", found, known, resolution=small)])


@claim.control("KL taken to grow as the root of the dimension")
def root(level):
    return product(level, dimensions=np.sqrt(2.0))
