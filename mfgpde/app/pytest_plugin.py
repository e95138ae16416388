"""Claims as pytest's items: `pytest my_claims/ --mfgpde-level quick`, one verdict an item, each in a process of its own.

Without the option, or the line `mfgpde_level = quick` in pytest's configuration, nothing is collected. Files are claims if
they give `claim` a meaning on their top level, by `claim = Claim(…)` or `@states(…)`. -k, --lf, JUnit's reports and xdist
work as for any item; a claim that holds passes, one that needs a missing library is skipped, and any other fails with the
court's reason.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

LEVELS = ("quick", "standard", "full")
FORMS = ("Claim(", "states(")
"""what a file of a claim calls"""


class NotVerified(Exception):
    """A claim that does not hold; the message is its record's reason."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --mfgpde-level and --mfgpde-seed."""
    group = parser.getgroup("mfgpde", "claims of mfgpde")
    group.addoption("--mfgpde-level", choices=LEVELS, default=None, help="collect claims and verify them at this level")
    group.addoption("--mfgpde-seed", type=int, default=0, help="the seed of everything random in claims")
    parser.addini("mfgpde_level", "the level at which claims are verified: quick, standard, full", default="")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a file that defines a claim, if claims are asked for."""
    if _level(parent.config) and file_path.suffix == ".py" and file_path.name[0] not in "_." and _claims(file_path):
        return ClaimFile.from_parent(parent, path=file_path)
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Keep pytest from importing a claim that is named on its command line: claims are imported in their own process."""
    if _level(parent.config) and module_path.name[0] not in "_." and _claims(module_path):
        return Nothing.from_parent(parent, path=module_path)
    return None


def _level(config: pytest.Config) -> str:
    found = config.getoption("--mfgpde-level") or config.getini("mfgpde_level")
    if found and found not in LEVELS:
        raise pytest.UsageError(f"mfgpde_level is one of {', '.join(LEVELS)}, got {found!r}")
    return found


def _claims(path: Path) -> bool:
    """Say whether a file defines a claim, in either form, or would if it could be read as Python."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if not any(word in text for word in FORMS):
        return False
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError):  # of a null byte
        return True
    return "claim" in _named(body)


def _named(body: Iterable[ast.stmt]) -> Iterator[str]:
    """Yield what a file's top level gives a meaning to, in its branches, too; of functions those under @states(…) only."""
    for one in body:
        match one:
            case ast.Assign():
                names = (name for target in one.targets for name in ast.walk(target) if isinstance(name, ast.Name))
                yield from (name.id for name in names if isinstance(name.ctx, ast.Store))
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
                yield name
            case ast.FunctionDef() if any("states(" in ast.unparse(by) for by in one.decorator_list):
                yield one.name
            case ast.If() | ast.Try() | ast.With():
                handlers = (handler.body for handler in getattr(one, "handlers", ()))
                parts = (one.body, getattr(one, "orelse", ()), getattr(one, "finalbody", ()), *handlers)
                yield from (name for part in parts for name in _named(part))
            case _:
                pass


class Nothing(pytest.File):
    """What a claim is as a module of tests."""

    def collect(self) -> Iterable[pytest.Item]:
        """Yield nothing."""
        return ()


class ClaimFile(pytest.File):
    """A file of one claim: an item, or one for each of its cases."""

    def collect(self) -> Iterable[ClaimItem]:
        """Yield the items."""
        from mfgpde.verify import isolated
        from mfgpde.verify.claim import Level
        from mfgpde.verify.discover import Entry
        from mfgpde.verify.task import Task

        entry = Entry(self.path.stem.replace("_", "-"), self.path)
        many = ".cases(" in self.path.read_text(encoding="utf-8", errors="replace")
        said = isolated.described(Task(entry, Level(_level(self.config)))) if many else None
        for one in [entry.of_case(case) for case in said["cases"]] if said and said["cases"] else [entry]:
            yield ClaimItem.from_parent(self, name=one.id, entry=one)


class ClaimItem(pytest.Item):
    """One claim, or one case of it."""

    def __init__(self, *, entry: Any, **rest: Any) -> None:
        super().__init__(**rest)
        self.entry = entry

    def runtest(self) -> None:
        """Judge the claim in a process of its own."""
        from mfgpde.verify import isolated
        from mfgpde.verify.claim import Level
        from mfgpde.verify.task import LIMITS, Task

        level = Level(_level(self.config))
        found = isolated.judged(
            Task(self.entry, level, (int(self.config.getoption("--mfgpde-seed") or 0),), LIMITS[level])
        )
        for name in ("outcome", "margin", "seed"):
            self.user_properties.append((f"mfgpde_{name}", found[name]))
        if output := found.get("output"):
            self.add_report_section("call", "stdout", output)
        if found["outcome"] == "skipped":
            pytest.skip(found["reason"])
        if found["outcome"] != "holds":
            raise NotVerified(f"{found['outcome']}: {found['reason']}\n{found.get('trace', '')}".strip())

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the court's reason; a traceback of the court itself would say nothing."""
        if isinstance(excinfo.value, NotVerified):
            return f"{self.entry.id}: {excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return where the item is, and what it is called."""
        return self.path, 0, self.entry.id
