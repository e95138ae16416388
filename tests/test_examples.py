"""The examples in docstrings are run; every name at the top has one."""

import ast
import doctest
import importlib
import inspect
from pathlib import Path

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core.optional import MissingLibrary, explained

PACKAGE = Path(mfg.__file__).parent
INNER = ("core", "app", "verify")
"""rooms whose names are for their own files: their examples see what those see"""


def examples():
    """Yield every docstring that has an example, by file and name; nothing is imported."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        place = path.relative_to(PACKAGE).with_suffix("").as_posix()
        yield from ((place, name, text) for name, text in docstrings(tree) if ">>>" in text)


def docstrings(node, prefix=""):
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef):
            yield prefix + child.name, ast.get_docstring(child) or ""
            yield from docstrings(child, f"{prefix}{child.name}.")
    if isinstance(node, ast.Module):
        yield "", ast.get_docstring(node) or ""


EXAMPLES = {f"{place}:{name}": text for place, name, text in examples()}


def module(place):
    return "mfgpde." + place.removesuffix("/__init__").replace("/", ".")


@pytest.mark.parametrize("place", EXAMPLES)
def test_the_example_prints_what_it_says(place, request, tmp_path, monkeypatch):
    text, file = EXAMPLES[place], place.split(":")[0]
    if "import torch" in text:
        request.getfixturevalue("torch")
    monkeypatch.chdir(tmp_path)
    names = {"np": np, "mfg": mfg, "__name__": "__main__"}
    if file.split("/")[0] in INNER:
        names = {**vars(importlib.import_module(module(file))), **names}
    example = doctest.DocTestParser().get_doctest(text, names, place, file, 0)
    try:
        doctest.DebugRunner().run(example)
    except doctest.DocTestFailure as failure:
        pytest.fail(f">>> {failure.example.source}says {failure.got!r}, not {failure.example.want!r}")
    except doctest.UnexpectedException as trouble:
        problem = trouble.exc_info[1]
        missing = explained(problem) if isinstance(problem, ImportError) else None
        if missing is not None:
            pytest.skip(str(missing))
        raise problem from None


def has_example(name):
    try:
        found = getattr(mfg, name)
    except MissingLibrary:  # its example is looked for where the library is
        return True
    if inspect.ismodule(found):
        return True
    return any(
        place.endswith(f":{found.__qualname__}") and module(place.split(":")[0]) == found.__module__
        for place in EXAMPLES
    )


def test_every_name_at_the_top_has_an_example():
    assert [name for name in mfg.__all__ if not has_example(name)] == []
