"""The solver that claims on guidance share: order two against Gaussians in closed form, with weights and without."""

from pathlib import Path

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.verify import load_module

laws = load_module(Path(mfg.__file__).parents[1] / "validation" / "guidance" / "_laws.py")
PROCESS = mfg.OrnsteinUhlenbeck(horizon=1.5)


class Power:
    """β∇log p_t of N(m, v) noised: r_t ∝ p_t^β is Gaussian, of variance v_t/β."""

    def __init__(self, beta):
        self.beta, self.score = beta, mfg.ExactScore(PROCESS, mfg.gaussian(0.6, 0.3))

    def __call__(self, x, t):
        return self.beta * self.score(x, t)

    def law(self, t):
        one = self.score.at(t)
        return mfg.gaussian(one.means[0], one.covariances[0] / self.beta)

    def rate(self, x, t):
        s = self.score(x, t)[..., 0]
        return 0.5 * (self.beta**2 - self.beta) * s**2


@pytest.mark.parametrize(("beta", "weighted"), [(1.0, False), (2.0, True)])
def test_order_two_with_weights_and_without(beta, weighted):
    model, errors = Power(beta), []
    exact = model.law(0.0)
    for cells in (80, 160, 320):
        rate = model.rate if weighted else None
        x, q = laws.march(PROCESS, model, model.law(PROCESS.horizon).density, 4.0, cells, 2 * cells, rate=rate)
        errors.append(float(np.abs(q - exact.density(x[:, None])).sum() * (x[1] - x[0])))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.25)
    assert np.log2(errors[1] / errors[2]) == pytest.approx(2.0, abs=0.15)
    assert errors[2] < 2e-3  # cells of a twentieth of the law's width


def test_quantiles_and_distances():
    shifted = [laws.known(mfg.gaussian(c, 0.4).density) for c in (0.0, 0.3)]
    assert laws.w2(*shifted) == pytest.approx(0.3, abs=1e-6)  # W₂ of a shift; nodes hold all but 4e-8 of the mass
    flowed = laws.by_ode(PROCESS, Power(1.0), Power(1.0).law(PROCESS.horizon))
    assert laws.w2(flowed, laws.known(Power(1.0).law(0.0).density)) < 1e-4  # linear interpolation of 56001 quantiles
