"""Generators of reversible processes: their potentials, their time, and who has none."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.processes import clock

REVERSIBLE = {
    "variance preserving": mfg.VariancePreserving(),
    "Ornstein–Uhlenbeck": mfg.OrnsteinUhlenbeck(horizon=2.0),
    "double well": mfg.processes.double_well(depth=1.5, scale=0.7),
    "linear, symmetric": mfg.Linear(np.array([[-1.0, 0.3], [0.3, -2.0]]), 0.8),
    "Brownian": mfg.Brownian(horizon=2.0),
}


@pytest.mark.parametrize("process", REVERSIBLE.values(), ids=REVERSIBLE)
def test_drift_is_minus_diffusivity_times_the_gradient(process, rng):
    generator, x, h = mfg.processes.MarkovGenerator.of(process), rng.normal(size=(9, 2)), 1e-5
    for t in (0.2, 0.9):
        slope = 0 * x if generator.gradient is None else generator.gradient(x)
        np.testing.assert_allclose(process.drift(x, t), -process.diffusivity(t) * slope, atol=1e-12)
        rate = (clock(process, t + h) - clock(process, t - h)) / (2 * h)
        np.testing.assert_allclose(rate, process.diffusivity(t), rtol=1e-8)
    if generator.potential is not None:
        parts = [(generator.potential(x + h * e) - generator.potential(x - h * e)) / (2 * h) for e in np.eye(2)]
        np.testing.assert_allclose(generator.gradient(x), np.stack(parts, axis=-1), rtol=1e-6, atol=1e-7)
    assert generator.horizon == pytest.approx(clock(process, process.horizon))


def test_processes_that_are_not_reversible_are_refused():
    with pytest.raises(ValueError, match="the process turns"):
        mfg.processes.MarkovGenerator.of(mfg.Linear(np.array([[-1.0, 1.0], [-1.0, -1.0]])))
    with pytest.raises(ValueError, match="reversible in no law"):
        mfg.processes.MarkovGenerator.of(mfg.SubVariancePreserving())
    with pytest.raises(ValueError, match="depend on time"):
        mfg.processes.MarkovGenerator.of(mfg.Linear(lambda t: -np.eye(2)))
