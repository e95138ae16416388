"""One meter for all long work: a label, the fraction done, and the quantity that matters."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mfgpde.core.printable import printable
from mfgpde.core.side_by_side import go_on

EVERY = 30.0
"""seconds between lines of a log"""
Meter = Callable[[float, str], None]
"""Called with the fraction done, in [0, 1], and a short text such as ``"t = 0.31, mass − 1 = 2e-16"``."""


def silent(_fraction: float, _quantity: str) -> None:
    """Report nothing; work that is not wanted any more ends here, as it does with every meter."""
    go_on()


def _logged(label: str) -> Meter:
    """Return a meter that writes lines, each at least EVERY seconds after the one before."""
    start = last = time.monotonic()

    def told(fraction: float, quantity: str) -> None:
        nonlocal last
        go_on()
        now = time.monotonic()
        if now - last >= EVERY:
            last = now
            words = f"{label}: {fraction:.0%} after {now - start:.0f} s" + (f", {quantity}" if quantity else "")
            print(printable(words), file=sys.stderr, flush=True)

    return told


@contextmanager
def meter(label: str, *, show: bool = True) -> Iterator[Meter]:
    """Yield a meter drawn as one line on standard error; the line goes when the work is done.

    Where that is no terminal, it is a line of a log every half minute.
    """
    if not show:
        yield silent
        return
    if not sys.stderr.isatty():
        yield _logged(label)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=28),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[quantity]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=1.0, quantity="")

        def drawn(fraction: float, quantity: str) -> None:
            go_on()
            bar.update(task, completed=fraction, quantity=printable(quantity))

        yield drawn
