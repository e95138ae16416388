"""The certificate of a score as one self-contained page: numbers with bars, densities, residuals over time."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from mfgpde import plotting
from mfgpde.report import table


def render(result: Mapping[str, Any], fields: Mapping[str, Any]) -> str:
    """Return the page for what `certify` found and its fields."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(short=lambda x: "–" if x is None else f"{x:.4g}", tightness=table.tightness)
    if fields:
        panels = plotting.density_panels(fields), plotting.residual_panels(result)
    else:
        panels = (plotting.trajectory_panel(result),)
    pictures = [_embedded(panel, "what was found") for panel in panels]
    return environment.get_template("certificate.html").render(result=result, pictures=pictures)


def _embedded(figure: plotting.Figure, title: str) -> Markup:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=200, metadata={"Software": "mfgpde"})
    text = base64.b64encode(buffer.getvalue()).decode()
    return Markup(f'<img alt="{title}" src="data:image/png;base64,{text}">')
