"""The documentation: handwritten guides, and pages made from the sources when it is built: statements, interface, gallery.

`make docs` draws the figures and builds; nothing is fetched from anywhere, formulas are MathML.
"""

import ast
import importlib
import inspect
import re
import shutil
from importlib.metadata import version as installed
from pathlib import Path

from docutils import nodes

import mfgpde
from mfgpde.core.register import Register, defines, files
from mfgpde.report import table
from mfgpde.report.formulas import mathml
from mfgpde.verify import discover, record

HERE = Path(__file__).parent
ROOT = HERE.parent
MADE = HERE / "generated"
FIGURES = ROOT / "results" / "figures"

project, author = "mfgpde", "the mfgpde authors"
release = version = installed("mfgpde")
extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_enable_extensions = ["colon_fence", "dollarmath"]
html_math_renderer = "mathml"
myst_heading_anchors = 3
exclude_patterns = ["examples"]
default_role = "literal"
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_class_signature = "separated"
suppress_warnings = ["myst.xref_missing"]  # links to files of the repository
html_theme = "pydata_sphinx_theme"
html_static_path = ["static"]
html_title = f"mfgpde {release}"
html_show_sourcelink = False
html_sidebars = {"**": []}
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
    "use_edit_page_button": False,
}


def statements() -> str:
    """Return the page of all statements: formula, source, assumptions, how it is measured, controls."""
    parts = [
        "# Statements",
        "",
        "Every claim of the suite, as its file states it. What they came to is in the report of a run.",
        "",
    ]
    paper = ""
    for entry in discover.select([], ROOT / "validation"):
        claim, folder = discover.load(entry), entry.id.rpartition("/")[0]
        if folder != paper:
            paper = folder
            parts += [f"## {paper}", ""]
        text = (ast.get_docstring(ast.parse(entry.path.read_text(encoding="utf-8"))) or "").split("\n\n")
        parts += [f"### {entry.id}", "", *(markdown(block) + "\n" for block in text)]
        parts += ["```{math}", claim.statement, "```", ""]
        parts += [f"*{claim.standing}*; source: {claim.source}. Assumes: {'; '.join(claim.assumes) or 'nothing'}.", ""]
        parts += ["Controls, which must be refuted: " + "; ".join(claim.controls) + ".", ""]
    return "\n".join(parts)


def verdicts() -> str:
    """Return the page of verdicts, topic by topic, from the stored run; a claim that is not in it says so."""
    stored = {claim["id"]: claim for claim in record.read(ROOT / "validation" / "baseline.json")["claims"]}
    parts = [
        "# Verdicts",
        "",
        "The stored run, topic by topic. *Holds to*: the tightest finding beside δ, the smallest violation anyone would care "
        "about. *Notices*: the smallest relative change of a coefficient that would have been refuted (≈: to first order). "
        "*Seen to fail*: findings that a false variant refuted. `mfgpde validate ID` decides one again.",
        "",
    ]
    topic = ""
    for entry in discover.select([], ROOT / "validation"):
        claim, folder = discover.load(entry), entry.id.rpartition("/")[0]
        if folder != topic:
            topic = folder
            heads = ("claim", "statement", "verdict", "holds to", "notices", "seen to fail", "where")
            parts += ["", f"## {topic}", "", f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
        found = stored.get(entry.id)
        told = ("not in the stored run", "", "", "") if found is None else _verdict(found)
        cells = (f"`{entry.id}`", markdown(claim.title), *told, markdown("; ".join(claim.assumes)))
        parts.append(f"| {' | '.join(cells)} |")
    return "\n".join(parts)


def _verdict(found) -> tuple[str, str, str, str]:
    seen, count = table.seen_of(found)
    noticed = table.notices(found["detects"], found.get("reach"))
    return found["outcome"], markdown(found["reason"]), noticed, f"{seen} of {count}"


def public() -> dict[str, list[str]]:
    """Return every public name by the room that has it: those at the top, each room's own, its members, its files' own."""
    rooms = {"mfgpde": [name for name in mfgpde.__all__ if not inspect.ismodule(getattr(mfgpde, name))]}
    for label in sorted(name for name in mfgpde.__all__ if inspect.ismodule(getattr(mfgpde, name))):
        room = getattr(mfgpde, label)
        listed = [name for name in room.__all__ if not isinstance(getattr(room, name), Register)]
        found = [make.__name__ for one in registers(room.__name__) for make in (one.contract, *one.values())]
        members = [name for name in found if hasattr(room, name)]
        rooms[room.__name__] = sorted({*listed, *members, *stated(room.__name__)})
    return rooms


def registers(room: str) -> list[Register]:
    """Return the registers of a room and of the packages in it, such as `scores.adapters`; finite elements are a room."""
    packages = [name for name, path in files(room) if path.name == "__init__.py" and "finite_element" not in name]
    kept = [one for name in (room, *packages) for one in list(vars(importlib.import_module(name)).values())]
    return list({id(one): one for one in kept if isinstance(one, Register)}.values())


def stated(room: str) -> list[str]:
    """Return the names that files of a room list as their own public ones, in an `__all__`."""
    found = []
    for _, path in files(room):
        for node in ast.parse(path.read_text(encoding="utf-8")).body if path.name != "__init__.py" else ():
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
                found += [name for name in ast.literal_eval(node.value) if defines(path, name)]
    return found


def interface() -> str:
    """Return the page of public names, room by room."""
    lines = [
        "Interface",
        "=========",
        "",
        "``import mfgpde as mfg``: what most work needs is at the top, the rest in its room.",
        "",
    ]
    described: set[int] = set()
    rooms = public()
    for place, names in rooms.items():
        title = "mfg" if place == "mfgpde" else f"mfg.{place.rpartition('.')[2]}"
        lines += [title, "-" * len(title), ""]
        room = importlib.import_module(place)
        for name in names:
            found = getattr(room, name)
            if id(found) in described:  # at the top, or in a room before
                lines += [f"``{name}``: see above.", ""]
                continue
            described.add(id(found))
            if isinstance(found, type):
                lines += [f".. autoclass:: {place}.{name}", "   :members:", "   :no-index-entry:", ""]
            elif callable(found):
                lines += [f".. autofunction:: {place}.{name}", ""]
            elif inspect.ismodule(found) and found.__name__ not in rooms:
                lines += [f".. automodule:: {found.__name__}", "   :members:", "   :no-index-entry:", ""]
    return "\n".join(lines)


def gallery() -> str:
    """Return the page of figures that `mfgpde figures` has drawn, each with its first sentence and claims."""
    parts = [
        "# Gallery",
        "",
        "`mfgpde figures NAME` draws each of these from a recorded run, as PDF and PNG, with its data.",
        "",
    ]
    for script in sorted((ROOT / "figures").glob("[!_]*.py")):
        picture = FIGURES / f"{script.stem}.png"
        if not picture.is_file():
            continue
        shutil.copy(picture, MADE / picture.name)
        text = script.read_text(encoding="utf-8")
        sentence = markdown((ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0])
        claims = sorted(
            set(re.findall(r'"((?:lai|deveney|zhang|shen|song)\d{4}/[\w-]+|(?:solvers|samplers)/[\w-]+)"', text))
        )
        parts += [f"## {script.stem.replace('_', '-')}", "", sentence, "", f"![{script.stem}]({picture.name})", ""]
        if claims:
            parts += ["Claims: " + ", ".join(f"`{claim}`" for claim in claims) + ".", ""]
    return "\n".join(parts)


def markdown(text: str) -> str:
    """Return plain text so that Markdown shows it as it is."""
    return re.sub(r"([*_|<>\[\]])", r"\\\1", " ".join(text.split()))


def plainly(app, what, name, obj, options, lines) -> None:
    """Show docstrings as they are written: blocks with indented lines as they stand, no marks but backticks."""
    found = []
    for block in "\n".join(lines).strip().split("\n\n"):
        if block.startswith(">>>") or re.search(r"^\s", block, re.MULTILINE):
            found += ["::", "", *(f"   {line}" for line in block.splitlines()), ""]
            continue
        pieces = " ".join(block.splitlines()).replace("``", "`").split("`")
        marked = [re.sub(r"([*|\\_])", r"\\\1", piece) for piece in pieces]
        marked[1::2] = [f"\\ ``{piece.strip()}``\\ " for piece in pieces[1::2]]
        found += ["".join(marked), ""]
    lines[:] = found


def within(translator, node) -> None:
    """Write a formula in a line as MathML."""
    translator.body.append(mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def apart(translator, node) -> None:
    """Write a formula on its own as MathML."""
    translator.body.append(f'<div class="formula">{mathml(node.astext())}</div>')
    raise nodes.SkipNode


def made(app) -> None:
    """Write the pages that come from the sources."""
    MADE.mkdir(exist_ok=True)
    for name, text in (
        ("statements.md", statements()),
        ("interface.rst", interface()),
        ("gallery.md", gallery()),
        ("verdicts.md", verdicts()),
    ):
        (MADE / name).write_text(text, encoding="utf-8")


def setup(app) -> None:
    """Connect them."""
    app.add_html_math_renderer("mathml", (within, None), (apart, None))
    app.add_css_file("formulas.css")
    app.connect("builder-inited", made)
    app.connect("autodoc-process-docstring", plainly)
