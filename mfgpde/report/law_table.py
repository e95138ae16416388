"""What laws said of a member, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from mfgpde.core.laws import Outcome


def law_table(member: str, kind: str, outcomes: Sequence[Outcome]) -> Table:
    """Return one row a law: whether it is kept, and its worst case with the violation and what is allowed there."""
    broken = sum(not outcome.kept for outcome in outcomes)
    verdict = f"{broken} of {len(outcomes)} laws broken" if broken else f"keeps {len(outcomes)} laws"
    table = Table(title=f"{kind} {member}: {verdict}", title_justify="left", header_style="bold")
    table.add_column("law", ratio=2)
    table.add_column("", no_wrap=True)
    table.add_column("worst case", ratio=2)
    table.add_column("violation", justify="right", no_wrap=True)
    table.add_column("bound", justify="right", no_wrap=True)
    for outcome in outcomes:
        table.add_row(outcome.sentence, _mark(outcome), *_worst(outcome))
    return table


def _mark(outcome: Outcome) -> Text:
    if not outcome.kept:
        return Text("✗ broken", style="bold red")
    return Text("✓ kept", style="green") if outcome.checks else Text("–", style="dim")


def _worst(outcome: Outcome) -> tuple[str, str, str]:
    if outcome.trouble:
        return outcome.trouble, "", ""
    if outcome.worst is None:
        return "", "", ""
    return outcome.worst.case, f"{outcome.worst.violation:.2g}", f"{outcome.worst.bound:.2g}"
