"""The ledger of a sampler in the terminal: one line a number of steps, and what more steps would buy."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from mfgpde.core.estimate import Estimate
from mfgpde.samplers.ledger import Ledger

HEADS = ("steps", "stop", "score", "prior", "discretisation", "sum in turn", "whole", "cancels", "sum alone")


def ledger_table(title: str, found: Sequence[Ledger]) -> Table:
    """Return the parts in turn, their sum, the whole; and the sum of parts with the others switched off."""
    table = Table(title=f"W{found[0].exponent}: {title}", title_justify="left", header_style="bold")
    for head in HEADS:
        table.add_column(head, justify="right")
    for one in found:
        parts = (one.stop, one.score, one.prior_in_turn, one.discretisation_in_turn, one.sum_in_turn, one.whole)
        table.add_row(str(one.steps), *map(told, parts), f"{one.cancelled:.0%}", told(one.sum_alone))
    return table


def told(one: Estimate) -> str:
    """Return a number to the digits that its bar leaves; a bound where it leaves none.

    >>> from mfgpde.report.sampler_ledger_table import told
    >>> told(mfg.exact(0.0123, "given")), told(mfg.Estimate(1e-9, 1e-6, mfg.Kind.BOUND, "made up"))
    ('0.0123', '< 1e-06')
    """
    if one.lower <= 0:
        return f"< {one.upper:.0e}"
    return f"{one.value:.3g}" if one.half_width < 5e-3 * one.value else f"{one.value:.2g} ± {one.half_width:.0e}"


def advice(found: Sequence[Ledger]) -> str:
    """Return from how many steps on the discretisation is less than the largest other part."""
    for one in found:
        parts = {"stop": one.stop, "score": one.score, "prior": one.prior_in_turn}
        name = max(parts, key=lambda part: parts[part].value)
        if one.discretisation_in_turn.upper < parts[name].lower:
            return f"From {one.steps} steps on the {name} owes more than the steps: more of them buy little."
    return f"At {found[-1].steps} steps the steps still owe most, or it is not decided: more of them may help."
