"""Where penalties help: KL over the weight for several sample sizes; W2 of ODE and SDE against the residual, by network."""

from collections.abc import Mapping
from pathlib import Path

from mfgpde.report import plotting

CLAIMS = ("zhang2023/hjb-regulariser", "deveney2023/gap-closes")


def draw(run: Mapping, out: Path) -> list[Path]:
    """Draw what the recorded run holds: at level quick three numbers of samples and four networks of each data set."""
    rows = []
    with plotting.style():
        figure = plotting.Figure(figsize=(plotting.DOUBLE, 2.4))
        curves, scatter = figure.subplots(1, 2)
        for k, one in enumerate(plotting.claim_in(run, CLAIMS[0])["series"]):
            curves.loglog(one["x"], one["y"], marker=plotting.MARKERS[k], color=plotting.COLOURS[k], label=one["label"])
            rows += [("penalty", one["label"], *pair) for pair in zip(one["x"], one["y"], strict=True)]
        ticks = sorted({x for one in plotting.claim_in(run, CLAIMS[0])["series"] for x in one["x"]})
        curves.set_xticks(ticks, ["0", *(f"{x:g}" for x in ticks[1:])])
        curves.set(xlabel="weight λ of the penalty", ylabel="KL of the ODE's law, nats")
        curves.legend(ncols=2)
        networks = [one for one in plotting.claim_in(run, CLAIMS[1])["series"] if one["y_label"] == "W2(ODE, SDE)"]
        for k, one in enumerate(networks):
            name = one["label"].split(":")[0]
            scatter.loglog(one["x"], one["y"], plotting.MARKERS[k], color=plotting.COLOURS[k], label=name)
            rows += [("network", name, *pair) for pair in zip(one["x"], one["y"], strict=True)]
        low, high = (edge(x for one in networks for x in one["x"]) for edge in (min, max))
        top = max(y for one in networks for y in one["y"])
        scatter.loglog([low, high], [top * (low / high) ** 0.5, top], ls=":", color="0.6", lw=0.7, label="root of R²")
        scatter.set(xlabel="mean of R²", ylabel="W₂ of ODE and SDE")
        scatter.legend()
        return plotting.save(figure, out, "penalty_region", (("what", "series", "x", "y"), rows), run, CLAIMS)
