"""Figures inside a page, as SVG that follows the page's theme: what is black or grey takes the colour of its text."""

from __future__ import annotations

import io
import re

from markupsafe import Markup, escape

from mfgpde.report.plotting import Figure, style

INK = re.compile(r"#(?:000000|333333)\b")
METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
PALE = re.compile(r"#(?:999999|b0b0b0|cccccc)\b")


def inline(figure: Figure, title: str = "") -> Markup:
    """Return a figure as inline SVG without a ground of its own; its text is text, as large as the page makes the picture.

    The blue of plots, dark on a dark page, is a variable of the page too.
    """
    buffer = io.StringIO()
    with style():  # text stays text
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = INK.sub("currentColor", METADATA.sub("", text[text.index("<svg") :]))
    text = PALE.sub("var(--soft)", text).replace("#0072b2", "var(--blue)").replace("#7f3c8d", "var(--violet)")
    if title:
        text = text.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)
    return Markup(text)
