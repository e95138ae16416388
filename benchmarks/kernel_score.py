"""Kernel score models: fitting, evaluating many points against many centres, and the proximal operator's kernel formula.

The first run of everything (compilation) is not counted. Evaluation has scikit-learn's kernel density beside it: isotropic,
by trees, relative tolerance 1e-8 (far in the tails it is off by several nats, so 99.9 % of the points are compared).
"""

import importlib.util
import resource
import time
from typing import Any

import numpy as np

import mfgpde as mfg


def quartic(x: np.ndarray) -> np.ndarray:
    """Return Σ x_i⁴."""
    return np.sum(x**4, axis=-1)


def timed(work) -> tuple[float, Any]:
    """Return the seconds of the second call, and what it returned."""
    work()
    clock = time.perf_counter()
    found = work()
    return time.perf_counter() - clock, found


def run(peers: bool) -> dict[str, Any]:
    """Return rows of what, size, result and seconds."""
    rng, rows = np.random.default_rng(0), []
    law = mfg.densities.two_rings()
    for n, options in ((1000, {}), (1000, {"precision": "low-rank", "rank": 1}), (5000, {})):
        samples, fresh = law.sample(n, rng), law.sample(10_000, rng)
        seconds, model = timed(lambda s=samples, o=options: mfg.fit_kernel_model(s, **o))
        gap = float(np.mean(law.log_density(fresh) - model.mixture.log_density(fresh)))
        kind = options.get("precision", "full")
        rows.append((f"fit, {kind}", f"{n} centres, 2D", f"KL {gap:.3f}", seconds))
    images, _ = mfg.densities.digits()
    images = images + rng.uniform(0, 1 / 16, images.shape)
    clock = time.perf_counter()
    model = mfg.fit_kernel_model(images[:1400], precision="low-rank", rank=10)
    held_out = mfg.diagnostics.held_out_log_likelihood(model.mixture, images[1400:])
    rows.append(("fit, low rank 10", "1400 digits, 64D", f"{held_out.value:.1f} nats", time.perf_counter() - clock))
    centres, points = rng.normal(size=(5000, 2)), rng.normal(size=(100_000, 2))
    mixtures = {
        "score, full": mfg.GaussianMixture(np.ones(5000), centres, np.tile(0.01 * np.eye(2) + 0.002, (5000, 1, 1))),
        "score, isotropic": mfg.GaussianMixture(np.ones(5000), centres, 0.01),
    }
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, mixture in mixtures.items():
        seconds, _ = timed(lambda m=mixture: m.score(points))
        more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        rows.append((name, "100000 × 5000, 2D", f"{more:.0f} MiB more", seconds))
    wide, few = rng.normal(size=(50_000, 64)), rng.normal(size=(1000, 64))
    mixture = mfg.GaussianMixture(np.ones(50_000), wide, 1.0)
    rows.append(("score, isotropic", "1000 × 50000, 64D", "", timed(lambda: mixture.score(few))[0]))
    if peers and importlib.util.find_spec("sklearn"):
        from sklearn.neighbors import KernelDensity

        density = KernelDensity(bandwidth=0.1, rtol=1e-8).fit(centres)
        clock = time.perf_counter()
        theirs = density.score_samples(points)
        spent = time.perf_counter() - clock
        seconds, ours = timed(lambda: mixtures["score, isotropic"].log_density(points))
        off = f"differ by {np.quantile(np.abs(ours - theirs), 0.999):.0e}"
        rows.append(("log-density, isotropic", "100000 × 5000, 2D", off, seconds))
        rows.append(("the same by scikit-learn", "100000 × 5000, 2D", f"{spent / seconds:.1f} × our time", spent))
    for cells, d in ((256, 2), (64, 3)):
        grid = mfg.CartesianGrid.cube(4.0, cells, d)
        start = mfg.gaussian(np.zeros(d), 0.5 * np.eye(d)).density(grid.points)
        seconds, _ = timed(lambda s=start, g=grid: mfg.wasserstein_proximal(s, quartic, g, horizon=0.5, beta=0.3))
        rows.append(("kernel formula", f"{cells}^{d}", "", seconds))
    return {
        "title": "kernel score models",
        "columns": ("what", "size", "result", "seconds"),
        "rows": rows,
        "goals": "1000 centres, full, 2D: 10 s; 100000 × 5000: 5 s and 1 GiB; kernel formula on 256²: 0.5 s",
    }
