"""Words with symbols as the field sets them: what labels have as E_q, q^SDE or e^{−λt} becomes indices and powers."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

INDEX = re.compile(
    r"(?P<base>(?:(?<![A-Za-zα-ωΑ-Ω])[^\W\d_]|[∂∇∫∑])[₀-₉′̂]*)_(?:\{(?P<braced>[^{}]*)\}|(?P<bare>[^\W_]+̂?(?:[−-]\w)?))"
)
POWER = re.compile(
    r"(?P<base>(?:(?<![A-Za-zα-ωΑ-Ω])[^\W\d_]̂?|(?<=[>)|\d])))\^(?:\{(?P<braced>[^{}]*)\}|\((?P<round>[^()]*)\)|(?P<bare>∫?[^\W_]+|½|\*))"
)
SLOPE = re.compile(r"(∂)_([^\W\d_])")
ORDER = re.compile(r"\b(?P<letter>[WL])(?P<order>[12])(?![A-Za-z0-9_.])")


def notation(text: str) -> Markup:
    """Return a label, escaped, with its indices and powers set; names of several letters stay as they are.

    >>> print(notation("E_q|e|² ≤ W2(q^ODE, p_T), e^{−λt} and my_name"))
    E<sub>q</sub>|e|² ≤ W<sub>2</sub>(q<sup>ODE</sup>, p<sub>T</sub>), e<sup>−λt</sup> and my_name
    """
    found = _indexed(str(escape(text)), "{0}<sub>{1}</sub>", "{0}<sup>{1}</sup>")
    return Markup(ORDER.sub(lambda m: "{}<{tag}>{}</{tag}>".format(*m.groups(), tag=TAGS[m["letter"]]), found))


def mathtext(text: str) -> str:
    r"""Return a label for a plot.

    >>> print(mathtext("q^SDE"))
    $q^{\mathrm{SDE}}$
    """
    return _indexed(text, r"${0}_{{\mathrm{{{1}}}}}$", r"${0}^{{\mathrm{{{1}}}}}$")


TAGS = {"W": "sub", "L": "sup"}


def _indexed(text: str, index: str, power: str) -> str:
    found = SLOPE.sub(lambda m: index.format(m[1], m[2]), text)
    found = INDEX.sub(lambda m: index.format(m["base"], m["bare"] or m["braced"]), found)
    return POWER.sub(lambda m: power.format(m["base"], m["bare"] or m["round"] or m["braced"]), found)
