"""The terminal: what labels, ids, paths and files say is printed as text, never as markup or commands."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from mfgpde.core.printable import printable


class Terminal(Console):
    """Rich's console, to which a string is only a string; styles come as Text."""

    def __init__(self) -> None:
        super().__init__(markup=False, emoji=False)
        if not self.is_terminal:
            self.width = 150  # files and pipes have room

    def render_str(self, text: str, **options: Any) -> Text:
        """Return the text with its control characters written out."""
        return super().render_str(printable(text), **options)

    def remark(self, words: object, mark: str = "!", style: str = "yellow") -> None:
        """Print a warning, or another remark, behind its mark."""
        self.print(Text(mark, style=style), str(words), highlight=False)
