"""The main finding of each paper: the curve of the claim that shows it, and what it says in a few words."""

from collections.abc import Mapping

from mfgpde.report import plotting

PANELS = (
    ("lai2023/dsm-violates-score-fpe", "t", "share of its own size", "denoising alone\nleaves a residual"),
    ("deveney2023/gap-closes", "weight of the penalty", "W₂", "a penalised residual\ncloses the gap"),
    ("zhang2023/gradient-flow-limit", "ε", "|E x − its limit|", "games tend to\ngradient flows"),
    ("zhang2024/terminal-loss-degenerates", "precision γ", "L / (1 + γ)", "kernels at the data:\nno best width"),
    ("shen2024/variance", "v(t)", "variance of the gradient", "averages over data\nstay steady as t → 0"),
)
AUTHORS = {"lai2023": "Lai", "deveney2023": "Deveney", "zhang2023": "Zhang 2023", "zhang2024": "Zhang 2024"}
AUTHORS |= {"shen2024": "Shen"}


def curves(panel, run: Mapping, claim: str, x_label: str, y_label: str) -> list[tuple]:
    """Draw the series of one claim over `x_label`, axes as they say; return their points as rows."""
    rows = []
    chosen = [one for one in plotting.claim_in(run, claim)["series"] if one["x_label"] == x_label]
    chosen = [one for one in chosen if not one["label"].startswith("3D")]
    if len(chosen) > len(plotting.MARKERS):  # several laws of data: the first stands for them
        law = chosen[0]["label"].split(": ")[0]
        chosen = [one for one in chosen if one["label"].split(": ")[0] == law]
    for k, one in enumerate(chosen):
        panel.plot(one["x"], one["y"], marker=plotting.MARKERS[k], label=one["label"].split(": ")[-1], clip_on=False)
        rows += [(claim, one["label"], x, y) for x, y in zip(one["x"], one["y"], strict=True)]
    for axis in "xy":
        if axis in chosen[0]["logarithmic"] and all(min(one[axis]) > 0 for one in chosen):
            panel.set(**{f"{axis}scale": "log"})
    if min(min(one["y"]) for one in chosen) < 0:
        panel.set_yscale("symlog", linthresh=10)
    if len(chosen[0]["x"]) < 4:
        panel.set_xticks(chosen[0]["x"], [f"{x:g}" for x in chosen[0]["x"]])
        panel.xaxis.minorticks_off()
    panel.set(xlabel=x_label, ylabel=y_label)
    if len(chosen) > 1:
        low, high = panel.get_ylim()
        if panel.get_yscale() == "linear":  # room for the legend above the curves
            panel.set_ylim(low, high + 0.5 * (high - low))
        panel.legend(loc="upper left" if panel.get_yscale() == "linear" else "best")
    return rows
