"""Text that a terminal shows and does not obey, and that streams of few characters hold too."""

from __future__ import annotations

import codecs
import re
import unicodedata
from typing import Any

COMMANDS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""control characters but tab and newline, marks that turn the direction of writing, halves of characters"""


def printable(text: str) -> str:
    r"""Return text whose control characters are written as they would be in Python: they move, recolour or rename nothing.

    >>> print(printable("a" + chr(27) + "[2Jb"))
    a\x1b[2Jb
    """
    return COMMANDS.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


PLAIN = {
    "✓": "+", "✗": "x", "–": "-", "—": "-", "−": "-", "±": "+-", "≤": "<=", "≥": ">=", "∞": "inf", "→": "->", "×": "x",
    "·": "*", "∂": "d", "∇": "grad ", "‖": "||", "√": "sqrt ", "∫": "int ", "≈": "~", "“": '"', "”": '"', "’": "'",
    "…": "...", "∈": "in", "█": "#", "━": "-", "╸": "-", "╺": "-",
}  # fmt: skip
"""what stands for characters that a stream of few has not"""


def spelled(problem: UnicodeError) -> tuple[str, int]:
    """Return what a stream that lacks characters writes in their place: `<=` for ≤, `epsilon` for ε, 2 for ₂.

    An error handler of codecs, by the name of SPELLED.

    >>> "W₂ ≤ 0.1 ± ε".encode("ascii", errors=SPELLED).decode()
    'W2 <= 0.1 +- epsilon'
    """
    if not isinstance(problem, UnicodeEncodeError):
        raise problem
    return "".join(map(_spelled, problem.object[problem.start : problem.end])), problem.end


SPELLED = "mfgpde.spelled"
codecs.register_error(SPELLED, spelled)


def _spelled(one: str) -> str:
    if one in PLAIN:
        return PLAIN[one]
    name = unicodedata.name(one, "")
    if name.startswith("GREEK "):
        letter = name.split(" LETTER ")[-1].split(" WITH ")[0]
        return letter.lower() if "SMALL" in name else letter.capitalize()
    return unicodedata.normalize("NFKD", one).encode("ascii", "ignore").decode() or "?"


def forgive(*streams: Any) -> None:
    """Let streams write what they can in place of characters that they lack, instead of failing after the work."""
    for stream in streams:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=SPELLED)
