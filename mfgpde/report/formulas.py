"""Formulas as MathML that browsers draw as TeX would: letters of their own, spaces around function names, bars that hug.

Formulas come from strangers' claims. What the converter makes of them is built anew from the elements and attributes that
draw, every text escaped: nothing in a formula can run, fetch or link. What cannot be converted is shown as it was written.
"""

from __future__ import annotations

import re
import unicodedata
from html import unescape
from typing import Literal
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element
from markupsafe import Markup, escape

SPACE = '<mspace width="0.17em"/>'
ALPHABETS = {"double-struck": "DOUBLE-STRUCK", "script": "SCRIPT", "fraktur": "FRAKTUR", "bold": "BOLD"}
LETTER = re.compile(r'<(mi|mn) mathvariant="(double-struck|script|fraktur|bold)">([A-Za-z0-9])</\1>')
NAME = re.compile(r"<mi>(log|exp|sin|cos|tanh|det|tr)</mi>(<mo stretchy=\"false\">\(</mo>)?")
BAR = '<mo stretchy="false">|</mo>'
BEFORE = {r"\operatorname{": r"\mathrm{", r"\arg": r"\mathrm{arg}\,"}
AFTER = {r">\{<": ">{<", r">\}<": ">}<", BAR: BAR.replace("<mo ", '<mo lspace="0" rspace="0" ')}
"""what the converter takes wrongly and what it takes; what it makes and what browsers want"""
# fmt: off
ELEMENTS = frozenset((
    "math", "mi", "mn", "mo", "ms", "mtext", "mspace", "mrow", "mfrac", "msqrt", "mroot", "mstyle", "mpadded",
    "mphantom", "menclose", "msub", "msup", "msubsup", "munder", "mover", "munderover", "mmultiscripts",
    "mprescripts", "none", "mtable", "mtr", "mtd",
))
ATTRIBUTES = frozenset((
    "display", "displaystyle", "scriptlevel", "mathvariant", "mathcolor", "mathbackground", "stretchy", "fence",
    "form", "separator", "lspace", "rspace", "minsize", "maxsize", "movablelimits", "accent", "accentunder",
    "largeop", "symmetric", "width", "height", "depth", "voffset", "linethickness", "linebreak", "notation",
    "columnalign", "rowspacing", "columnspacing", "columnlines", "rowlines",
))
# fmt: on
VALUE = re.compile(r"[#\w.%+\- ]*")
"""what an attribute may say: numbers with units, words, colours"""


def mathml(latex: str, display: Literal["block", "inline"] = "block") -> Markup:
    """Return a formula as MathML, nothing for none, and its escaped source where it is no LaTeX that we know."""
    if not latex:
        return Markup("")
    known = latex
    for given, taken in BEFORE.items():
        known = known.replace(given, taken)
    try:
        text = _drawn(convert_to_element(known, display=display))
    except Exception as trouble:  # the converter's own, and IndexError, RecursionError, … for what it did not foresee
        words = f"not understood as LaTeX: {str(trouble) or type(trouble).__name__}"
        return Markup(f'<pre class="formula" title="{escape(words)}">{escape(_printable(latex))}</pre>')
    text = LETTER.sub(_letter, text)
    for made, wanted in AFTER.items():
        text = text.replace(made, wanted)
    return Markup(NAME.sub(_spaced, text))


def _drawn(element: Element) -> str:
    """Return an element written out: what draws, by name; other elements leave their contents alone behind."""
    tag = element.tag.rpartition("}")[2]
    inside = _escaped(element.text) + "".join(_drawn(child) + _escaped(child.tail) for child in element)
    if tag not in ELEMENTS:
        return f"<mrow>{inside}</mrow>"
    said = "".join(f' {k}="{v}"' for k, v in element.attrib.items() if k in ATTRIBUTES and VALUE.fullmatch(v))
    return f"<{tag}{said}/>" if tag == "mspace" else f"<{tag}{said}>{inside}</{tag}>"


def _escaped(text: str | None) -> str:
    """Return text that a page shows as it is; the converter writes characters as references."""
    return str(escape(_printable(unescape(text or ""))))


def _printable(text: str) -> str:
    return "".join(c for c in text if c == "\n" or unicodedata.category(c) not in ("Cc", "Cs"))


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
