"""The house stands: ranks, third-party gates, no circle, file size, names, lazy imports."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mfgpde"
RANK = {
    "core": 0,
    "grids": 1, "processes": 1, "verify": 1, "kernels": 1,
    "densities": 2, "integrators": 2,
    "scores": 3, "equations": 4, "discretisations": 5, "games": 5, "solvers": 6,
    "transport": 7, "learning": 7, "equilibria": 7,
    "proofs": 3, "diagnostics": 8, "samplers": 8, "calibration": 9, "report": 10, "app": 11,
}  # fmt: skip
GATES = {
    "numba": {"kernels"}, "cupy": {"core", "kernels"}, "jax": {"scores", "learning"}, "torch": {"scores", "samplers"},
    "equinox": {"learning"}, "optax": {"learning"}, "safetensors": {"scores"}, "ot": {"transport"},
    "xarray": {"solvers", "equilibria"}, "matplotlib": {"report"}, "cycler": {"report"}, "pyvista": {"report"},
    "jinja2": {"report"}, "flint": {"proofs"}, "sklearn": {"densities"},
    "pytest": {"app"}, "submitit": {"verify"}, "distributed": {"verify"},
    "latex2mathml": {"report"}, "typer": {"app"}, "rich": {"app", "report", "core"},
}  # fmt: skip
FINITE_ELEMENTS = {"dolfinx", "dolfinx_solver", "basix", "ufl", "petsc4py", "slepc4py", "mpi4py"}
COURT_KNOWS = {"core", "verify"}
AHEAD = {"verify/warm.py": {"kernels", "solvers", "equilibria", "transport", "diagnostics"}}
"""rooms that a file loads ahead, by name, for claims that will import them; of theirs it calls what gets Numba ready"""
FILES = sorted(PACKAGE.rglob("*.py"))
CHECKER = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pyright"]
STRICT = [path for place in CHECKER["strict"] for path in sorted((PACKAGE.parent / place).rglob("*.py"))]


def room(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path):
    """Yield what a file imports; the package's own modules also where a text names them, in whatever call it stands."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    yield from statements(tree)
    yield from named(tree)


def statements(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports say from where: no dots"
            yield node.module
            if node.module == "mfgpde":
                yield from (f"mfgpde.{alias.name}" for alias in node.names)


def named(tree):
    """Yield modules of the package that texts name, whole or by their beginning; docstrings and comments name freely."""
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            whole = re.fullmatch(r"(mfgpde(?:\.[a-z_]\w*)+)\.?", node.value)
            if whole and whole[1].split(".")[1] in RANK:
                yield whole[1]
        elif isinstance(node, ast.JoinedStr) and getattr(node.values[0], "value", "") in ("mfgpde", "mfgpde."):
            yield "mfgpde.app"  # any of them, as only the uppermost may


def test_arrows_are_seen_however_they_are_written():
    ways = (
        "import mfgpde.solvers.march",
        "from mfgpde.solvers import solve",
        "from mfgpde import solvers",
        "import_module('mfgpde.solvers')",
        "__import__(name='mfgpde.solvers')",
        "LATER = ('numpy', 'mfgpde.solvers')",
        "files('mfgpde.solvers.')",
    )
    for way in ways:
        tree = ast.parse(way)
        assert any(name.startswith("mfgpde.solvers") for name in (*statements(tree), *named(tree))), way
    assert list(named(ast.parse("import_module(f'mfgpde.{room}.laws')"))) == ["mfgpde.app"]
    assert not list(named(ast.parse("'mfgpde.solvers, a room'\ntell('mfgpde.spelled', f'{a} mfgpde.')")))
    with pytest.raises(AssertionError, match="no dots"):
        list(statements(ast.parse("from ..solvers import solve")))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_rooms_import_only_lower_ranks_and_their_own_third_parties(path):
    here = room(path)
    if here == "__init__":
        return
    for name in imported(path):
        top, *rest = name.split(".")
        assert name != "mfgpde", "rooms import rooms, not the façade"
        if top == "mfgpde" and rest and rest[0] not in {here, *AHEAD.get(path.relative_to(PACKAGE).as_posix(), ())}:
            assert RANK[rest[0]] < RANK[here], f"{here} (rank {RANK[here]}) imports {rest[0]} (rank {RANK[rest[0]]})"
            assert here != "verify" or rest[0] in COURT_KNOWS, "the court knows only estimates"
        if top in GATES:
            assert here in GATES[top], f"{top} is not allowed in {here}"
        executor = top == "mpi4py" and "executors" in path.parts
        assert top not in FINITE_ELEMENTS or "finite_element" in path.parts or executor, (
            f"{top} is not allowed in {path}"
        )


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_are_short_named_and_opened_by_a_sentence(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400
    assert path.stem not in {"utils", "helpers", "misc", "common", "tools"}
    assert ast.get_docstring(ast.parse(text)), "a module says first what it is for"


def loose(source):
    """Return the arguments typed Any, in words that the type may be quoted in, too."""
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for argument in ast.walk(function.args):
                written = argument.annotation if isinstance(argument, ast.arg) else None
                parts = [] if written is None else [written, *ast.walk(written)]
                parts += [ast.parse(part.value) for part in parts if isinstance(getattr(part, "value", None), str)]
                names = [
                    inner for part in parts for inner in ast.walk(part) if isinstance(inner, ast.Name | ast.Attribute)
                ]
                if any("Any" in (getattr(name, "id", ""), getattr(name, "attr", "")) for name in names):
                    yield f"{function.name}({argument.arg}), line {function.lineno}"


def test_no_argument_is_typed_any_where_types_are_strict():
    found = {str(path): list(loose(path.read_text(encoding="utf-8"))) for path in STRICT}
    assert len(found) > 80
    assert not {path: places for path, places in found.items() if places}


def test_a_loose_argument_is_seen_however_it_is_written():
    ways = (
        "x: Any",
        "x: typing.Any",
        "*x: dict[str, Any]",
        "x: 'list[Any]'",
        "*, x: Callable[..., Any] = f",
        "**x: Any | None",
    )
    assert all(len(list(loose(f"class A:\n    async def f(self, {way}): ..."))) == 1 for way in ways)
    assert not list(loose("def f(x: object, y: Callable[..., int]) -> Any: ..."))


def test_there_is_no_circle_of_modules():
    graph = {}
    for path in FILES:
        name = ".".join(("mfgpde", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
        graph[name] = {target for target in imported(path) if target.startswith("mfgpde.")} - {name}
    done, active = set(), []

    def visit(name):
        assert name not in active, " → ".join([*active[active.index(name) :], name])
        if name in graph and name not in done:
            active.append(name)
            for target in graph[name]:
                if not name.startswith(target + "."):  # a module of a package may import its siblings' package names
                    visit(target)
            active.pop()
            done.add(name)

    for name in graph:
        visit(name)


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, mfgpde, mfgpde.app.cli; print([m for m in sys.modules if m in %r])"
    heavy = ["numpy", "scipy", "numba", "xarray", "matplotlib", "jax", "dolfinx", "cupy", "jinja2", "rich.table"]
    out = subprocess.run([sys.executable, "-c", code % heavy], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_every_public_name_resolves():
    import mfgpde

    for name in mfgpde.__all__:
        assert getattr(mfgpde, name) is not None


def test_seeds_are_not_written_into_claims():
    """Random numbers come from the court: no generator of a fixed seed in any shipped claim."""
    root = Path(__file__).parents[1] / "validation"
    found = [
        f"{path.relative_to(root)}: {line.strip()}"
        for path in sorted(root.rglob("*.py"))
        if path.name[0] != "_"
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"default_rng\([\d()]|random\.seed\(|PRNGKey\(\d|seed=\d", line)
    ]
    assert found == []
