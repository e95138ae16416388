"""Formulas as MathML that browsers draw as TeX would: letters of their own, spaces around function names, bars that hug."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from latex2mathml.converter import convert
from markupsafe import Markup

SPACE = '<mspace width="0.17em"/>'
ALPHABETS = {"double-struck": "DOUBLE-STRUCK", "script": "SCRIPT", "fraktur": "FRAKTUR", "bold": "BOLD"}
LETTER = re.compile(r'<(mi|mn) mathvariant="(double-struck|script|fraktur|bold)">([A-Za-z0-9])</\1>')
NAME = re.compile(r"<mi>(log|exp|sin|cos|tanh|det|tr)</mi>(<mo stretchy=\"false\">&#x00028;</mo>)?")
BAR = '<mo stretchy="false">&#x0007C;</mo>'
BEFORE = {r"\operatorname{": r"\mathrm{", r"\arg": r"\mathrm{arg}\,"}
AFTER = {r">\{<": ">{<", r">\}<": ">}<", BAR: BAR.replace("<mo ", '<mo lspace="0" rspace="0" ')}
"""what the converter takes wrongly and what it takes; what it makes and what browsers want"""


def mathml(latex: str, display: Literal["block", "inline"] = "block") -> Markup:
    """Return a formula as MathML, nothing for none."""
    if not latex:
        return Markup("")
    for given, known in BEFORE.items():
        latex = latex.replace(given, known)
    text = LETTER.sub(_letter, convert(latex, display=display))
    for made, wanted in AFTER.items():
        text = text.replace(made, wanted)
    return Markup(NAME.sub(_spaced, text))


def _letter(found: re.Match[str]) -> str:
    """Return a letter of another alphabet as the character that it is: browsers ignore the attribute."""
    tag, variant, letter = found.groups()
    kind = "DIGIT" if letter.isdigit() else "CAPITAL" if letter.isupper() else "SMALL"
    name = unicodedata.name(letter).split()[-1]
    for prefix in ("MATHEMATICAL ", ""):
        for middle in (f"{ALPHABETS[variant]} {kind} {name}", f"BLACK-LETTER {kind} {name}"):
            try:
                return f"<{tag}>{unicodedata.lookup(prefix + middle)}</{tag}>"
            except KeyError:
                continue
    return found[0]


def _spaced(found: re.Match[str]) -> str:
    """Return a function's name with the thin spaces of TeX; none before a bracket."""
    name, bracket = found.groups()
    return f"<mrow>{SPACE}<mi>{name}</mi>{'' if bracket else SPACE}</mrow>{bracket or ''}"
