"""The operator-informed estimator: beside the exact score at three times, its error over n, and variances as t → 0."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.report import plotting

CLAIMS = ("shen2024/oism-estimator", "shen2024/variance")
TIMES = (0.05, 0.15, 0.5)


def draw(run: Mapping, out: Path) -> list[Path]:
    """Fit 2000 points of two blobs for the first panel; the others are of the recorded run."""
    process, law = mfg.VariancePreserving(), mfg.GaussianMixture([0.5, 0.5], [[0.9], [-0.7]], [0.08, 0.12])
    samples = law.sample(2000, np.random.default_rng(1))
    estimator = mfg.OperatorInformed(mfg.scores.HermiteBasis(1, 10), process, samples)
    rows = []
    with plotting.style():
        figure = plotting.Figure(figsize=(plotting.DOUBLE, 4.2))
        (scores, errors), (scatter, noise) = figure.subplots(2, 2)
        x = np.linspace(-2.1, 2.3, 300)[:, None]
        for k, t in enumerate(TIMES):
            found, bar = estimator(x, t)[:, 0], estimator.standard_error(x, t)[:, 0]
            exact, density = (
                f(x) for f in (mfg.marginal(process, law, t).score, mfg.marginal(process, law, t).density)
            )
            seen = density > 0.01
            scores.plot(x[seen], exact[seen], color="black", lw=0.8, label=None if k else "exact")
            scores.plot(x[seen], found[seen], color=plotting.COLOURS[k], ls="--", label=f"estimate, t = {t:g}")
            low, high = found - 2 * bar, found + 2 * bar
            scores.fill_between(
                x[seen, 0], low[seen], high[seen], color=plotting.COLOURS[k], alpha=0.25, lw=0, zorder=0
            )
            rows += [("score", t, *map(float, row)) for row in zip(x[:, 0], found, bar, exact[:, 0], strict=True)]
        scores.set(xlabel="x", ylabel="s(x, t)", ylim=(-7, 7), xlim=(-2.2, 4.2))
        scores.set_xticks([-2, -1, 0, 1, 2])
        scores.legend(loc="upper right", title="shaded: two standard errors", title_fontsize=6.5)
        by_label = {}
        for claim in CLAIMS:
            for one in plotting.claim_in(run, claim)["series"]:
                by_label.setdefault(one["x_label"], []).append(one)
                rows += [
                    (claim, one["label"], one["x_label"], one["y_label"], a, b) for a, b in zip(one["x"], one["y"])
                ]
        for k, one in enumerate(by_label["samples"]):
            scatter.loglog(one["x"], one["y"], marker=plotting.MARKERS[k], label=_short(one))
        first = by_label["samples"][0]
        n = np.array(first["x"], dtype=float)
        scatter.loglog(n, 2.5 * first["y"][0] * n[0] / n, color="0.6", lw=0.7, ls=":", label="1/n")
        scatter.set(xlabel="samples n", ylabel="variance over data sets", ylim=(3e-6, 1e7))
        scatter.legend(loc="upper right")
        for k, one in enumerate(by_label["degree"]):
            errors.semilogy(one["x"], one["y"], marker=plotting.MARKERS[k], label=one["label"])
        errors.set(
            xlabel="degree of the Hermite functions", ylabel="E|ŝ − s|² at t = 0.4", xticks=by_label["degree"][0]["x"]
        )
        for k, one in enumerate(by_label["v(t)"]):
            noise.loglog(one["x"], one["y"], marker=plotting.MARKERS[k], label=one["label"])
        v = np.array(by_label["v(t)"][0]["x"][:3])
        noise.loglog(v, 2 * by_label["v(t)"][0]["y"][0] * v[0] / v, color="0.6", lw=0.7, ls=":", label="1/v")
        noise.set(xlabel="variance of the noise v(t)", ylabel="tr Var of a sample's gradient")
        noise.legend()
        return plotting.save(figure, out, "operator_informed", (("what", "", "", "", "", ""), rows), run, CLAIMS)


def _short(one: Mapping) -> str:
    if "coefficients" in one["y_label"]:
        return f"{one['label']}, coefficients at t = 0.02"
    return f"{one['label'].split(',')[0]}, score at t = 0.4"
