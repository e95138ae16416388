"""Text that a terminal shows and does not obey."""

from __future__ import annotations

import re

COMMANDS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""control characters but tab and newline, marks that turn the direction of writing, halves of characters"""


def printable(text: str) -> str:
    r"""Return text whose control characters are written as they would be in Python: they move, recolour or rename nothing.

    >>> print(printable("a" + chr(27) + "[2Jb"))
    a\x1b[2Jb
    """
    return COMMANDS.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)
