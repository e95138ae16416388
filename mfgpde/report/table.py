"""Verdicts in the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from mfgpde.core.digits import digits
from mfgpde.report import shares

COLOURS = {"holds": "green", "undecided": "yellow", "refuted": "bold red", "broken": "bold magenta", "skipped": "dim"}
MARKS = {"holds": "✓", "undecided": "?", "refuted": "✗", "broken": "!", "skipped": "–"}


def verdict_table(run: Mapping[str, Any]) -> Table:
    """Return one row a claim: what it holds to, its margin in error bars, what it would notice, its controls."""
    seeds = run.get("seeds", 1)
    said = (
        f"seed {run['seed']}" if seeds == 1 else f"seeds {run['seed']} to {run['seed'] + seeds - 1}, the worst of each"
    )
    table = Table(title=f"level {run['level']}, {said}", title_justify="left", header_style="bold")
    table.add_column("claim", no_wrap=True)
    table.add_column("verdict")
    table.add_column("tightest finding", ratio=2)
    table.add_column("margin", justify="right")
    table.add_column("would notice")
    table.add_column("controls", justify="right")
    table.add_column("seen to fail", justify="right")
    table.add_column("s", justify="right")
    for claim in run["claims"]:
        outcome = claim["outcome"]
        verdict = Text(f"{MARKS[outcome]} {outcome}", style=COLOURS[outcome])
        refuted = sum(control["outcome"] == "refuted" for control in claim["controls"])
        seen, count = seen_of(claim)
        row = (
            claim["id"],
            verdict,
            _told(claim),
            margin(claim["margin"]),
            notices(claim["detects"], claim.get("reach")),
        )
        fails = Text(f"{seen}/{count}" if count else "–", style="" if seen == count else "yellow")
        table.add_row(*row, f"{refuted}/{len(claim['controls'])}", fails, f"{claim['seconds']:.1f}")
    return table


def _told(claim: Mapping[str, Any]) -> str:
    """Return a claim's reason, with what is to be said beside it."""
    suspects = sum(bool(finding.get("suspect_bar")) for finding in claim["findings"])
    gridded = [finding for finding in claim["findings"] if finding.get("at")]
    over = claim.get("over_seeds")
    parts = [claim["reason"]]
    parts += [f"[{suspects} off by more than a bar, within δ]"] if suspects else []
    parts += [f"[{len(gridded)} on a grid or at a parameter, not in the limit]"] if gridded else []
    proved, refuted = proved_of(claim)
    parts += [f"[{proved} proved, {refuted} proved to fail in controls]"] if proved else []
    parts += [f"[seed {claim['worst_seed']} of {len(over)}]"] if over else []
    return "\n".join(parts)


def seen_of(claim: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many findings of a claim a false variant refuted, and how many it has.

    Where a control was not refuted, changed coefficients do not stand in for it: what the other controls refuted counts.
    """
    refuted = {control["description"] for control in claim["controls"] if control["outcome"] == "refuted"}
    whole = len(refuted) == len(claim["controls"])
    seen = [
        bool(finding.get("refuted_by")) if whole else not refuted.isdisjoint(finding.get("refuted_by", ()))
        for finding in claim["findings"]
    ]
    return sum(seen), len(seen)


def proved_of(claim: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many findings of a claim are proved, and how many findings of its controls are proved to fail."""
    holding = sum(one.get("kind") == "proved" and one["outcome"] == "holds" for one in claim["findings"])
    variants = [one for control in claim["controls"] for one in control.get("findings", ())]
    return holding, sum(one.get("kind") == "proved" and one["outcome"] == "refuted" for one in variants)


def proved_in(run: Mapping[str, Any]) -> str:
    """Return in a sentence how many claims of a run carry a proof; nothing where none does."""
    pairs = [proved_of(claim) for claim in run["claims"]]
    both = sum(bool(a and b) for a, b in pairs)
    count = sum(a for a, _ in pairs)
    return f" {count} findings are proved, {both} claims with a proved refutation of a control." if count else ""


def seen_to_fail(run: Mapping[str, Any]) -> str:
    """Return in a sentence how many findings of a run were seen to fail."""
    pairs = [seen_of(claim) for claim in run["claims"]]
    seen, count = sum(a for a, _ in pairs), sum(b for _, b in pairs)
    if not count:
        return "There are no findings."
    rest = f"; {count - seen} were never seen to fail" if seen < count else ""
    return f"{seen} of {count} findings were refuted by a false variant{rest}."


def list_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return one row a claim: id, standing, source, controls; a line between topics, the folders."""
    table = Table(header_style="bold")
    table.add_column("claim", no_wrap=True)
    for name in ("standing", "source", "levels", "controls (must be refuted)"):
        table.add_column(name)
    topic = ""
    for row in rows:
        folder = str(row["id"]).rpartition("/")[0]
        if topic and folder != topic:
            table.add_section()
        topic = folder
        table.add_row(row["id"], row["standing"], row["source"], "quick standard full", "; ".join(row["controls"]))
    return table


def solution_table(solution: Any) -> Table:
    """Return one row a stored time: what the solution conserves."""
    table = Table(title=solution.provenance["equation"], title_justify="left", header_style="bold")
    columns = solution.conserved
    for name in ("t", *columns):
        table.add_column({"wall": "share at walls", "mass": "integral"}.get(name, name), justify="right")
    for k, t in enumerate(solution.times):
        table.add_row(f"{t:g}", *(f"{columns[name][k]:.6g}" for name in columns))
    return table


def fields_table(found: Any) -> Table:
    """Return what fields range over, integrate to, and are at the places asked for."""
    table = Table(title=found.title, title_justify="left", header_style="bold")
    table.add_column("", min_width=16)
    table.add_column("value", justify="right")
    for row in found.rows:
        table.add_row(*row)
    return table


def passage_table(found: Any) -> Table:
    """Return one row a stored time: what is left, the density of the time of exit, and that through each wall."""
    table = Table(title="first passage", title_justify="left", header_style="bold")
    walls = [_wall(name) for name in found.through]
    for name in ("t", "survival", "density", *walls):
        table.add_column(name, justify="right")
    for k, t in enumerate(found.times):
        parts = (found.survival, found.density, *found.through.values())
        table.add_row(f"{t:g}", *(f"{part[k]:.6g}" for part in parts))
    return table


def _wall(name: Any) -> str:
    """Return a wall in words: (axis, side) of a box, or the number of a part of a mesh's boundary; None is all of it."""
    if isinstance(name, tuple):
        return f"through {'lower' if name[1] == 0 else 'upper'} wall of axis {name[0]}"
    return "through the walls" if name is None else f"through part {name}"


def equilibrium_table(found: Any, cost: Any) -> Table:
    """Return what an equilibrium costs in the continuum, the bounds of the discrete problem, and its residuals."""
    table = Table(title=found.game.name, title_justify="left", header_style="bold", caption=cost.method)
    table.add_column("", min_width=30)
    table.add_column("value", justify="right")
    table.add_row("optimal cost", str(cost))
    rows = {
        "discrete primal": found.discrete_primal,
        "discrete dual": found.discrete_dual,
        "primal − dual": found.discrete_primal - found.discrete_dual,
    }
    rows |= {f"cost: {name}": value for name, value in found.costs.items()}
    rows |= {f"residual: {name}": value for name, value in found.residuals.items() if name != "gap"}
    rows["least density"] = found.minimum
    for name, value in rows.items():
        table.add_row(name, f"{value:.6g}" if name.startswith(("discrete", "cost")) else f"{value:.2e}")
    return table


def bench_table(result: Mapping[str, Any]) -> Table:
    """Return the rows of a benchmark under its title, its goals below."""
    table = Table(title=result["title"], title_justify="left", header_style="bold", caption=f"goals: {result['goals']}")
    for name in result["columns"]:
        table.add_column(name, justify="left" if name == result["columns"][0] else "right")
    for row in result["rows"]:
        table.add_row(*map(_cell, row))
    return table


def bench_markdown(result: Mapping[str, Any]) -> str:
    """Return the same as a page of Markdown, to be kept where the numbers are to stay."""
    lines = [f"# {result['title']}", "", f"Goals: {result['goals']}", ""]
    lines += [f"| {' | '.join(cells)} |" for cells in (result["columns"], ["---"] * len(result["columns"]))]
    lines += [f"| {' | '.join(map(_cell, row))} |" for row in result["rows"]]
    return "\n".join(lines) + "\n"


def _cell(x: Any) -> str:
    return "–" if x is None else digits(x, 3) if isinstance(x, float) else str(x)


def parts_table(parts: Sequence[Any]) -> Table:
    """Return one row a part of the environment: whether it works, what was found, what it enables."""
    table = Table(header_style="bold")
    for name in ("part", "", "found", "enables"):
        table.add_column(name, overflow="fold")
    for part in parts:
        colour = {"ok": "green", "missing": "bold red" if part.needed else "yellow", "broken": "bold red"}[part.state]
        table.add_row(part.name, Text(part.state, style=colour), part.found, part.enables)
    return table


def certificate_table(result: Mapping[str, Any]) -> Table:
    """Return the main numbers of a score's certificate, a line each, with their bars."""
    title = f"Certificate of {result['about']['score']}, read as {result['about']['read as']}"
    fallen = bool(result["failures"])
    title += ": it does not stand, nor do its numbers" if fallen else ""
    table = Table(title=title, title_justify="left", header_style="bold", row_styles=["dim"] if fallen else None)
    for name, side in (("", "left"), ("value", "right"), ("± or bracket", "right"), ("how", "left")):
        table.add_column(name, justify=side)  # pyright: ignore[reportArgumentType]
    if "grid" not in result:
        _sampled_rows(table, result)
        return table
    for pair, measures in (*result["distances"].items(), *result.get("prior", {}).items()):
        for name, found in measures.items():
            table.add_row(name if name.startswith("KL") else f"{name} {pair}", *_measured(found))
    owed = result.get("bars", {})
    if "kind" in owed:
        by_residual, by_half = (owed[f"L1 of q^SDE by {how}"] for how in ("its residual", "half the grid"))
        how = f"{owed['kind']}; by half the grid {digits(by_half)}, taken: {owed['taken']}"
        table.add_row("error of q^SDE in L1 and in its leak, by its residual", "≤", digits(by_residual), how)
    if result["by elements"]:
        second = result["by elements"]
        table.add_row("L1 of q^SDE by elements and volumes", f"{second['L1']:.3g}", "–", second["method"])
    bound = result["bound"]
    along, bar = bound["along trajectories"], bound["error along trajectories"]
    table.add_row("W2 bound along trajectories", digits(along, 4), digits(bar), f"{tightness(bound)} the distance")
    lipschitz = bound["by Lipschitz constant"]
    table.add_row("W2 bound by Lipschitz constant", "vacuous" if lipschitz is None else digits(lipschitz, 4), "–", "")
    for law in ("sde", "ode"):
        table.add_row(f"mass out of the box, {law.upper()}", f"{result['leak'][law]:.3g}", "–", "")
    first, last = result["residuals"][0], result["residuals"][-1]
    for name in ("score residual", "log-density residual", "rotation"):
        if name in last:
            table.add_row(
                f"{name}, t = {first['t']:g} → {last['t']:g}",
                f"{digits(first[name], 3)} → {digits(last[name], 3)}",
                "–",
                "rms",
            )
    return table


def comparison_table(certificates: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    """Return certificates by their names, a line each, every number as a share of its scale."""
    table = Table(
        title="W₂ in % of the data's spread, residual in % of |∂_t s|", title_justify="left", header_style="bold"
    )
    for k, name in enumerate(("certificate", "SDE – data", "ODE – data", "ODE – SDE", "residual", "largest at t")):
        table.add_column(name, justify="right" if k else "left")
    for name, result in certificates:
        found, residual = shares.shares(result), shares.residual_share(result)
        row = [found[key].words if key in found else "–" for key in ("sde–data", "ode–data", "ode–sde")]
        row += [shares.percent(residual.overall), f"{residual.largest_at:.3g}"] if residual else ["–", "–"]
        table.add_row(f"{name} (does not stand)" if result["failures"] else name, *row)
    return table


def _measured(found: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return value, bar or bracket, and how it was found."""
    bar = "–" if found["error"] is None else digits(found["error"])
    if "lower" in found:
        bar = f"[{digits(found['lower'], 3)}, {digits(found['upper'], 3)}]"
    return digits(found["value"], 4), bar, found["method"]


def _sampled_rows(table: Table, result: Mapping[str, Any]) -> None:
    """Add what was found from trajectories: moments, likelihood, residuals at both ends."""
    for pair, found in result["moments"].items():
        for name, one in found.items():
            table.add_row(name.replace("W2²", f"W2² {pair}"), *_measured(one))
    for group in ("likelihood", "prior"):
        for about, measures in result.get(group, {}).items():
            for name, found in measures.items():
                what = name if group == "likelihood" or name.startswith("KL") else f"{name} {about}"
                table.add_row(what, *_measured(found))
    for law, measures in result.get("memorisation", {}).items():
        for name, found in measures.items():
            table.add_row(f"{law.upper()}: {name}", *_measured(found))
    for row in (result["residuals"][0], result["residuals"][-1]):
        for name in ("score", "score residual", "rotation"):
            found = row[name]
            what = f"mean square of the {name}, t = {row['t']:.3g}"
            table.add_row(what, digits(found["value"], 3), digits(found["error"]), found["method"])


def tightness(bound: Mapping[str, Any]) -> str:
    """Return how many times its distance a bound is."""
    return "–" if bound["tightness"] is None else f"{digits(bound['tightness'])} ×"


def margin(value: float | None) -> str:
    """Return a margin in error bars, beyond a thousand as such; null stands for no bar at all or no finding.

    >>> from mfgpde.report.table import margin
    >>> margin(2.34), margin(3e7), margin(-2e12), margin(None)
    ('2.3', '> 1000', '< -1000', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.1f}" if abs(value) < 1000 else "> 1000" if value > 0 else "< -1000"


def sharpness(claim: Mapping[str, Any]) -> str:
    """Return left over right of the inequality nearest to equality, in per cent; of those whose sides are positive."""
    sides = [(f["left"]["value"], f["right"]["value"]) for f in claim["findings"] if f["relation"] == "≤"]
    shares = [left / right for left, right in sides if left and right and 0 < left <= right < math.inf]
    if not shares:
        return "–"
    share = 100 * max(shares)
    return f"{digits(share, 3)} %" if share >= 0.01 else f"{share:.0e} %"


def notices(detects: Mapping[str, float | None], reach: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """Return what a claim would notice, as in “diffusivity +0.3 %, drift ≈ −1 %”: measured, and to first order.

    An older record has no signs: its changes are of first order.

    >>> from mfgpde.report.table import notices
    >>> found = {"diffusivity": 0.003, "drift": 0.01, "noise": None}
    >>> ways = {"diffusivity": (1, True), "drift": (-1, False), "noise": (0, False)}
    >>> notices(found, {name: {"sign": sign, "measured": seen} for name, (sign, seen) in ways.items()})
    'diffusivity +0.3 %, drift ≈ −1 %, noise not at all'
    >>> notices(found)
    'diffusivity 0.3 %, drift 1 %, noise not at all'
    """
    return ", ".join(f"{name.replace('_', ' ')} {x}" for name, x in noticed(detects, reach).items()) or "–"


def noticed(
    detects: Mapping[str, float | None], reach: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, str]:
    """Return the change of each coefficient that would be noticed, in words."""
    found: dict[str, str] = {}
    for name, value in detects.items():
        way = (reach or {}).get(name)
        found[name] = words = percent(value)
        if way is not None and words[0].isdigit():
            found[name] = f"{'' if way['measured'] else '≈ '}{'−' if way['sign'] < 0 else '+'}{words}"
    return found


def percent(value: float | None) -> str:
    """Return a relative change for people; zero, of a claim that is refuted as it is, is any amount.

    >>> from mfgpde.report.table import percent
    >>> percent(0.0312), percent(0.997), percent(2e-7), percent(0.0), percent(None)
    ('3.1 %', '100 %', 'less than 0.001 %', 'any amount', 'not at all')
    """
    if value is None or not value < 10:
        return "not at all"
    if value <= 0:
        return "any amount"
    return f"{digits(100 * value)} %" if value >= 1e-5 else "less than 0.001 %"
