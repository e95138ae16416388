"""The examples in docstrings are run; every name at the top and every member of a register has one."""

import ast
import doctest
import importlib
import inspect
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core.optional import MissingLibrary, explained
from mfgpde.core.register import Register

PACKAGE = Path(mfg.__file__).parent


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
    if file.split("/")[0] not in mfg.__all__:  # rooms that are not opened to users: examples see what their files see
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


def has_example(found):
    return any(
        place.endswith(f":{found.__qualname__}") and module(place.split(":")[0]) == found.__module__
        for place in EXAMPLES
    )


def available(names):
    """Yield what is at the top under these names; what needs a library that is not here is looked at where it is."""
    for name in names:
        with suppress(MissingLibrary):
            yield getattr(mfg, name)


def test_every_name_at_the_top_has_an_example():
    found = [one for one in available(mfg.__all__) if not inspect.ismodule(one)]
    assert [one.__name__ for one in found if not has_example(one)] == []


def test_every_member_of_a_register_has_an_example():
    rooms = [one for one in available(mfg.__all__) if inspect.ismodule(one)]
    registers = [one for room in rooms for one in vars(room).values() if isinstance(one, Register)]
    members = [make for register in registers for make in register.values()]
    assert len(members) > 40
    assert [make.__name__ for make in members if not has_example(make)] == []


OPEN = ("processes", "densities", "scores", "equations", "integrators", "games", "samplers", "transport", "diagnostics")


def test_every_public_function_of_the_open_rooms_has_an_example():
    """Not only at the top: what a room lists as its own, too. Contracts have none: members do."""
    found = [getattr(room, name) for room in available(OPEN) for name in room.__all__ if present(room, name)]
    functions = {one.__qualname__: one for one in found if inspect.isfunction(one)}
    assert len(functions) > 50
    assert [name for name, one in functions.items() if not has_example(one)] == []


def present(room, name):
    with suppress(MissingLibrary):
        return getattr(room, name) is not None
    return False
