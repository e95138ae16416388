"""Templates of pages: one environment, text escaped, so that a stranger's words are words."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from mfgpde.report.notation import notation


@cache
def template(name: str, **filters: Callable[..., Any]) -> jinja2.Template:
    """Return a page's template, with filters of its own; it is compiled once, so that filters are functions of a module."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(filters, notation=notation)
    return environment.get_template(name)
