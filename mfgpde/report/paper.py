"""The paper that figures are drawn for: its column's width, its fonts, and the caption that stands beside each."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.text import Text

SMALLEST = 6.0
"""points: no text of a figure is smaller at the width that it is drawn for"""
UNITS = {"mm": 1.0, "cm": 10.0, "in": 25.4, "pt": 25.4 / 72.27}
WIDTH = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(mm|cm|in|pt)\s*")
NARROW, WIDE = 60.0, 400.0


class _Told(logging.Handler):
    """Keeps what Matplotlib only writes into a log: lines of a style sheet that it does not understand."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.words.append(record.getMessage().strip().split("\n")[0])


@dataclass(frozen=True)
class Paper:
    """What a paper asks of figures: `width` in mm (None: as each is made), and a style sheet of Matplotlib."""

    width: float | None = None
    style: Path | None = None

    @property
    def inches(self) -> float | None:
        """The width in inches."""
        return None if self.width is None else self.width / 25.4

    def at_least(self, width: float) -> Paper:
        """Return the paper for a figure that needs a width in mm: of both columns, where one is too narrow."""
        return self if self.width is None or self.width >= width else replace(self, width=width)

    def settings(self) -> dict[Any, Any]:
        """Return what the style sheet sets. Raises ValueError for one that Matplotlib cannot read."""
        if self.style is None:
            return {}
        told = _Told()
        logging.getLogger("matplotlib").addHandler(told)
        try:
            found = dict(mpl.rc_params_from_file(str(self.style), use_default_template=False))
        except (OSError, ValueError, KeyError, UnicodeDecodeError) as problem:
            raise ValueError(f"{self.style} is no style sheet of Matplotlib: {problem}") from problem
        finally:
            logging.getLogger("matplotlib").removeHandler(told)
        if told.words:
            raise ValueError(f"{self.style} is no style sheet of Matplotlib: {'; '.join(told.words)}")
        return found


_ASKED: ContextVar[Paper | None] = ContextVar("paper", default=None)


def asked() -> Paper:
    """Return the paper that is drawn for."""
    return _ASKED.get() or Paper()


@contextmanager
def drawn_for(paper: Paper) -> Iterator[None]:
    """Draw for a paper inside the block."""
    token = _ASKED.set(paper)
    try:
        yield
    finally:
        _ASKED.reset(token)


def millimetres(text: str) -> float:
    """Return a width such as 85mm, 17.8 cm, 3.35in or 246pt in millimetres. Raises ValueError for anything else.

    >>> from mfgpde.report.paper import millimetres
    >>> millimetres("85mm"), millimetres("3.35 in")
    (85.0, 85.09)
    """
    found = WIDTH.fullmatch(text)
    width = float(found[1]) * UNITS[found[2]] if found else math.nan
    if not NARROW <= width <= WIDE:
        raise ValueError(
            f"a width is a number with mm, cm, in or pt, {NARROW:g}mm to {WIDE:g}mm, as 85mm; got {text!r}"
        )
    return round(width, 6)


def fit(figure: Figure) -> None:
    """Bring a figure to the width that is asked for: panels in one row go to several, and no text is below SMALLEST."""
    width, (old, height) = asked().inches, figure.get_size_inches()
    if width is not None and not math.isclose(width, old):
        rows = _rows(figure, width / old)
        figure.set_size_inches(width, height * (rows if rows > 1 else math.sqrt(width / old)))
    if width is not None:
        for axes in figure.axes if width < old else ():
            for words in axes.texts:  # inside a panel: they may be as wide as it, and must not make it smaller
                words.set_in_layout(False)
        texts: list[Any] = figure.findobj(Text)
        for text in texts:
            if text.get_fontsize() < SMALLEST:
                text.set_fontsize(SMALLEST)


def _rows(figure: Figure, share: float) -> float:
    """Lay panels out in more rows where there is room for fewer columns; return how many times as many rows there are.

    Only where each panel has one place of one grid; maps in several rows are compared across them and stay.
    """
    places = {axes: axes.get_subplotspec() for axes in figure.axes}
    panels = [axes for axes, place in places.items() if place is not None]
    grids = {place.get_topmost_subplotspec().get_gridspec() for place in places.values() if place is not None}
    if len(grids) != 1 or len(panels) < 2 or share > 0.75:
        return 1
    (grid,) = grids
    if grid.nrows * grid.ncols != len(panels) or (grid.nrows > 1 and any(axes.images for axes in panels)):
        return 1
    columns = max(1, round(grid.ncols * share))
    rows = -(-len(panels) // columns)
    fresh = figure.add_gridspec(rows, columns)
    for k, axes in enumerate(panels):
        axes.set_subplotspec(fresh[k // columns, k % columns])
        if k % columns == 0:
            axes.tick_params(labelleft=True)
    return rows / grid.nrows


def caption(sentence: str, run: Mapping[str, Any], claims: Sequence[str]) -> str:
    """Return a caption as text: what is drawn, what each claim came to with its numbers, and where it is from."""
    known = {claim["id"]: claim for claim in run["claims"]}
    found = [known[name] for name in claims if name in known]
    lines = [sentence.strip(), ""]
    if len(found) > 12:
        outcomes = [claim["outcome"] for claim in found]
        counts = ", ".join(f"{outcomes.count(one)} {one}" for one in dict.fromkeys(outcomes))
        lines.append(f"{len(found)} claims: {counts}.")
    for claim in found if len(found) <= 12 else ():
        refuted = sum(control["outcome"] == "refuted" for control in claim["controls"])
        controls = f"{refuted} of {len(claim['controls'])} false variants refuted"
        lines.append(f"{claim['id']} ({claim['source']}): {claim['outcome']}; {claim['reason']}; {controls}.")
    commit = run["provenance"]["commit"]
    lines += ["", f"Drawn from the run at level {run['level']}, seed {run['seed']}, commit {commit}."]
    return "\n".join(lines) + "\n"
