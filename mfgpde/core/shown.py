"""How results show themselves: a line in a terminal, a table in a notebook, a picture on request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

_artists: list[Callable[[Any], Any]] = []


def drawn_by(artist: Callable[[Any], Any]) -> None:
    """Say who draws results: a function from a result to a figure. The rooms that hold results know no drawing room."""
    _artists[:] = [artist]


class Shown:
    """A result that can say in a few words what it is: `repr`, a notebook's table and `plot` come from `summary`."""

    def summary(self) -> tuple[str, Mapping[str, str]]:
        """Return what this is, and what there is to know about it by name."""
        raise NotImplementedError

    def __repr__(self) -> str:
        title, facts = self.summary()
        return f"<{title}: {', '.join(f'{name} {value}' for name, value in facts.items())}>"

    def _repr_html_(self) -> str:
        title, facts = self.summary()
        rows = "".join(
            f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(value)}</td></tr>'
            for name, value in facts.items()
        )
        return f"<table><caption><b>{escape(title)}</b></caption>{rows}</table>"

    def plot(self) -> Any:
        """Return a Matplotlib figure, in the style of all figures; `figure.savefig(path)` writes it."""
        if not _artists:
            raise RuntimeError("nothing draws here; `import mfgpde` says who does")
        return _artists[0](self)


def box(grid: Any) -> str:
    """Return a domain in words."""
    cells = "×".join(map(str, grid.cells))
    sides = " × ".join(f"[{a:g}, {b:g}]" for a, b in zip(grid.lower, grid.upper, strict=True))
    return f"{cells} cells of {sides}"
