"""How results show themselves: a line in a terminal, a table in a notebook, a picture on request."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib import import_module
from typing import Any


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
        """Return a Matplotlib figure, in the style of all figures; `figure.savefig(path)` writes it.

        The drawing room lies above all that it draws, and is looked up only here, when a picture is asked for.
        """
        return import_module("mfgpde.plotting").picture(self)


def box(grid: Any) -> str:
    """Return a domain in words."""
    cells = "×".join(map(str, grid.cells))
    sides = " × ".join(f"[{a:g}, {b:g}]" for a, b in zip(grid.lower, grid.upper, strict=True))
    return f"{cells} cells of {sides}"
