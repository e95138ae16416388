"""Repeating and generalising: distances to the nearest training point, and to the truth over the sample size."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

import mfgpde as mfg
from mfgpde.report import plotting

CLAIMS = ("zhang2024/memorisation", "zhang2024/kernel-score-model")
STOP, SAMPLES, COUNT = 1e-3, 200, 8000
NAMES = {"training points": "empirical score", "kernels": "kernel score model", "fresh": "fresh data"}


def draw(run: Mapping, out: Path) -> list[Path]:
    """Sample three laws for the histograms; the curves are of the recorded run."""
    process, law, rng = mfg.OrnsteinUhlenbeck(horizon=5.0), mfg.densities.two_rings(), np.random.default_rng(0)
    training = law.sample(SAMPLES, rng)
    kernels = mfg.fit_kernel_model(training).score(process).at(STOP)
    clouds = {
        "training points": mfg.empirical_score(process, training).at(STOP).sample(COUNT, rng),
        "kernels": kernels.sample(COUNT, rng),
        "fresh": mfg.marginal(process, law, STOP).sample(COUNT, rng),
    }
    tree, rows = cKDTree(training), []
    bins = np.geomspace(2e-3, 0.6, 60)
    with plotting.style():
        figure = plotting.Figure(figsize=(plotting.DOUBLE, 2.2))
        scatter, histogram, curve = figure.subplots(1, 3)
        shown = clouds["kernels"][:1500]
        scatter.plot(*shown.T, ".", ms=1, color=plotting.COLOURS[1], alpha=0.6, label="kernel model", rasterized=True)
        scatter.plot(*training.T, "o", ms=1.6, color="black", label=f"{SAMPLES} training points", rasterized=True)
        scatter.set(aspect="equal", xticks=[-2, 0, 2], yticks=[-2, 0, 2], xlim=(-2.7, 2.7), ylim=(-2.7, 3.8))
        scatter.legend(loc="upper center", markerscale=2, handletextpad=0.2)
        for k, (name, cloud) in enumerate(clouds.items()):
            counts, _ = np.histogram(tree.query(cloud)[0], bins)
            histogram.stairs(counts / COUNT, bins, color=plotting.COLOURS[k], label=NAMES[name])
            rows += [("histogram", NAMES[name], a, b / COUNT) for a, b in zip(bins, counts, strict=False)]
        histogram.set(xscale="log", xlabel="distance to the nearest training point", ylabel="share of samples")
        histogram.set_ylim(0, 0.115)
        histogram.legend(loc="upper left")
        for k, one in enumerate(plotting.claim_in(run, CLAIMS[1])["series"]):
            label = one["y_label"].split(", ")[-1] if ", " in one["y_label"] else one["label"]
            curve.loglog(one["x"], one["y"], marker=plotting.MARKERS[k], label=label)
            rows += [("curve", label, a, b) for a, b in zip(one["x"], one["y"], strict=True)]
            curve.set_xticks(one["x"], [f"{x:g}" for x in one["x"]])
        curve.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
        curve.set(xlabel="training points", ylabel="KL from the truth, nats")
        curve.set_ylim(top=30 * curve.get_ylim()[1])  # room for the legend above all lines
        curve.legend(loc="upper right")
        return plotting.save(figure, out, "memorisation", (("what", "series", "x", "y"), rows), run, CLAIMS)
