"""Every scheme has its order in W₂ on levels at equal distances in log(α/σ); two steps a level lose theirs on levels in time.

Laws are computed by quantiles or by push-forward and blur: orders are at these levels or cells, and at finite numbers of steps.
"""

from functools import cache

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, at_most, equal

claim = Claim(
    statement=r"W_2(q_n,\,p_{\mathrm{stop}})\sim C\,n^{-p},\qquad p=1,\,2,\,3\ \text{as the scheme}",
    source="arXiv:2206.00927, theorem 3.2, and arXiv:2206.00364, section 3",
    standing="derived",
    assumes=("the exact score", "start from the exact law at the first level", "smooth data"),
    coefficients=("error",),
)

PROCESS = mfg.VariancePreserving()
DATA = mfg.densities.bimodal()
STOP = 1e-3
SCHEMES = {
    "euler": 0.033, "heun": 0.008, "ddim": 0.007, "dpmsolver2": 0.029, "dpmsolver3": 0.12,
    "dpmsolver-multistep": 0.036, "ancestral": 0.03, "euler-maruyama": 0.005,
}  # fmt: skip
"""and δ of their orders: how far slopes at finite numbers of steps are from them"""

LEVELS, CELLS = (f"{mfg.samplers.generated.LEVELS_1D} levels", f"{mfg.samplers.generated.CELLS_1D} cells")
"""of laws without noise, and with"""


@cache
def errors(sampler, levels, counts, stop):
    """Return W₂ from the exact law at the stop for each number of steps; names of a scheme and of its levels."""
    sampler, levels = mfg.samplers.SAMPLERS[sampler](), mfg.samplers.LEVELS[levels]()
    model = mfg.samplers.Model(PROCESS, mfg.ExactScore(PROCESS, DATA))
    found = []
    for n in counts:
        times = levels.times(PROCESS, n, stop)
        law = mfg.samplers.generated_law(sampler, model, times, model.score.at(float(times[0])))
        found.append(law.against(model.score.at(stop)).w2)
    return found


def slope(found, counts, where, error):
    """Return the slope between errors at the last two numbers of steps, one twice the other, of laws on so many levels or cells.

    Its bar holds what half of these would make of it. `error` is a factor of the larger one.
    """
    a, b = found[-2:]
    own = -sum(np.log1p(-one.half_width / one.value) for one in (a, b)) / np.log(2)
    at = f"{counts[-2]} and {counts[-1]} steps, {where}"
    return mfg.Estimate(float(np.log2(error * a.value / b.value)), own, mfg.Kind.BOUND, "log₂ of errors", at)


@claim.measure
def orders(level, claimed=0, late="uniform", error=1.0):
    """Compare slopes with orders; `claimed` is added to what each scheme states, `late` are the levels that spoil one.

    `error` is a factor of the last error but one, beside which that of twice the steps stays what it is.
    """
    findings, series = [], []
    first = Level(level).pick(80, 160, 320)
    for name, small in SCHEMES.items():
        sampler = mfg.samplers.SAMPLERS[name]()
        counts = tuple(first * 2**k for k in range(3)) if sampler.order < 3 else (20, 40, 80)
        found = errors(name, "logsnr", counts, STOP)
        seen = slope(found, counts, CELLS if sampler.stochastic else LEVELS, error)
        stated = mfg.exact(float(sampler.order + claimed), "as stated")
        findings.append(equal(f"{name}: order", seen, stated, resolution=small))
        series.append(Series(name, "steps", counts, "W2", [one.value for one in found]))
    counts = (80, 160, 320)
    found = errors("dpmsolver-multistep", late, counts, 1e-9 if late == "uniform" else STOP)
    series.append(Series("dpmsolver-multistep, levels in time", "steps", counts, "W2", [one.value for one in found]))
    seen = slope(found, counts, LEVELS, error)
    findings.append(
        at_most("two steps a level, levels in time: order", seen, mfg.exact(1.7, "below two"), resolution=0.05)
    )
    return Evidence(findings, series)


@claim.control("orders claimed one higher")
def one_higher(level):
    return orders(level, claimed=1)


@claim.control("levels at equal distances in log(α/σ), on which two steps a level keep their order")
def good_levels(level):
    return orders(level, late="logsnr")
