"""Functions of place and time as text in problem files: arithmetic and the usual functions, and nothing else.

A text is parsed and looked at before it is compiled: names are coordinates, t, constants and the functions below; there is
no other way to call, no attribute, no index. `**` is the power, comparisons may be chained and joined by and, or, not.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any, cast

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.register import nearest

FUNCTIONS: dict[str, tuple[Any, int]] = {
    **{
        name: (getattr(np, name), 1)
        for name in (*("exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arctan", "abs", "sign"),)
    },
    "min": (np.minimum, 2),
    "max": (np.maximum, 2),
    "where": (np.where, 3),
}
"""by name, with the number of arguments"""
NUMBERS = {"pi": math.pi, "e": math.e}
AXES = ("x", "y", "z")
ALLOWED = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp, ast.Call, ast.Name, ast.Constant, ast.Load)
OPERATORS = (
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.USub, ast.UAdd, ast.Not, ast.And, ast.Or),
    *(ast.Lt, ast.LtE, ast.Gt, ast.GtE),
)


@dataclass(frozen=True)
class Words:
    """What a formula may name: coordinates in the order of the axes, and constants."""

    coordinates: tuple[str, ...]
    constants: tuple[tuple[str, float], ...] = ()

    @classmethod
    def of(cls, coordinates: object, constants: object, dimension: int) -> Words:
        """Read the names of a problem file; x, y, z where none are given. Raises ValueError for names that will not do."""
        names = AXES[:dimension] if coordinates is None else coordinates
        if not isinstance(names, Sequence) or isinstance(names, str) or len(cast(Sequence[object], names)) != dimension:
            raise ValueError(
                f"coordinates name the {dimension} axes of the domain, as in {list(AXES[:dimension])}, got {names!r}"
            )
        if not isinstance(constants, Mapping):
            raise ValueError(f"[constants] reads name = number, got {constants!r}")
        known = cast(Mapping[str, object], constants)
        taken: set[str] = {"t", *FUNCTIONS, *NUMBERS}
        for name in (*cast(Sequence[object], names), *known):
            if not isinstance(name, str) or not name.isidentifier() or name in taken:
                raise ValueError(
                    f"{name!r} cannot name a coordinate or a constant: take a word that has no meaning yet"
                )
            taken.add(name)
        for name, value in known.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise ValueError(f"the constant {name!r} must be a finite number, got {value!r}")
        pairs = tuple((name, float(cast(float, value))) for name, value in known.items())
        return cls(tuple(cast(Sequence[str], names)), pairs)


@dataclass(frozen=True)
class Formula:
    """One number at each point: a text, and the words that it may use.

    >>> from mfgpde.app.formulas import Formula, Words
    >>> Formula("a*x**2 + t", Words(("x",), (("a", 3.0),)))(np.array([[1.0], [2.0]]), 0.5).tolist()
    [3.5, 12.5]
    """

    text: str
    words: Words

    def __call__(self, x: Array, t: float = 0.0) -> Array:
        """Return the values at points (..., d), shape (...)."""
        names: dict[str, Any] = {name: x[..., k] for k, name in enumerate(self.words.coordinates)}
        t = np.float64(t) if isinstance(t, int | float) else t  # what has no value is not finite, and no exception
        names |= {"__builtins__": {}, "t": t, "logical_and": np.logical_and, "logical_or": np.logical_or}
        names |= {"logical_not": np.logical_not} | NUMBERS | {k: np.float64(v) for k, v in self.words.constants}
        names |= {name: function for name, (function, _) in FUNCTIONS.items()}
        with np.errstate(all="ignore"):  # what is not finite is looked for by those who ask
            return eval(_compiled(self.text, self.words), names) + 0 * x[..., 0]


@dataclass(frozen=True)
class Condition:
    """Places where a comparison holds, as a function of points (..., d) to booleans (...).

    >>> from mfgpde.app.formulas import Condition, Words
    >>> Condition("0 < x < 1 and not x > 0.7", Words(("x",)))(np.array([[0.5], [2.0]])).tolist()
    [True, False]
    """

    text: str
    words: Words

    def __call__(self, x: Array) -> Any:
        """Return true where it holds."""
        found = Formula(self.text, self.words)(x)
        return np.asarray(found) != 0


@dataclass(frozen=True)
class Stacked:
    """A vector or a matrix of formulas: `parts` (d) to (..., d), or rows of parts to (..., d, m)."""

    parts: tuple[Any, ...]

    def __call__(self, x: Array, t: float = 0.0) -> Array:
        """Return the values at points."""
        return np.stack([part(x, t) for part in self.parts], axis=-1 if isinstance(self.parts[0], Formula) else -2)


def scalar(found: object, words: Words, what: str) -> Formula:
    """Return a formula. Raises ValueError for what is neither a text nor a number, and for what it may not say."""
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        raise ValueError(f'{what} is one formula, as in "1 + {words.coordinates[0]}**2", got {found!r}')
    formula = Formula(str(found), words)
    try:
        _compiled(formula.text, words)
    except ValueError as problem:
        raise ValueError(f"{what} = {formula.text!r}: {problem}") from None
    return formula


def condition(found: object, words: Words, what: str) -> Condition:
    """Return the places where a comparison holds. Raises ValueError for what is none, or depends on time."""
    formula = still(scalar(found, words, what), what)
    if not isinstance(_tree(formula.text).body, ast.Compare | ast.BoolOp) and "not" not in formula.text:
        raise ValueError(f'{what} says where, by a comparison as in "{words.coordinates[0]} > 0", got {formula.text!r}')
    return Condition(formula.text, words)


def vector(found: object, words: Words, what: str) -> Stacked:
    """Return a vector, a list of one formula for each coordinate; on the line a formula will do."""
    d = len(words.coordinates)
    parts = [found] if d == 1 and not isinstance(found, list) else found
    if not isinstance(parts, list) or len(cast(list[object], parts)) != d:
        names = ", ".join(words.coordinates)
        raise ValueError(f"{what} is a list of {d} formulas, one for each of {names}, got {found!r}")
    return Stacked(tuple(scalar(part, words, f"{what}[{k}]") for k, part in enumerate(cast(list[object], parts))))


def matrix(found: object, words: Words, what: str) -> Stacked:
    """Return a matrix, a list of one row for each coordinate, rows of one length."""
    rows = cast(list[object], found) if isinstance(found, list) else []
    lengths = {len(cast(list[object], row)) if isinstance(row, list) else 0 for row in rows}
    if len(rows) != len(words.coordinates) or len(lengths) != 1 or lengths == {0}:
        raise ValueError(
            f"{what} is a list of {len(words.coordinates)} rows of one length, one for each of "
            f"{', '.join(words.coordinates)}, got {found!r}"
        )
    lists = cast(list[list[object]], rows)
    return Stacked(
        tuple(
            Stacked(tuple(scalar(part, words, f"{what}[{i}][{j}]") for j, part in enumerate(row)))
            for i, row in enumerate(lists)
        )
    )


def tensor(found: object, words: Words, what: str) -> Formula | Stacked:
    """Return a tensor: one formula for D·I, a list for a diagonal, rows for all of it."""
    if not isinstance(found, list):
        return scalar(found, words, what)
    rows = any(isinstance(row, list) for row in cast(list[object], found))
    made = matrix(found, words, what) if rows else vector(found, words, what)
    if rows and len(made.parts[0].parts) != len(words.coordinates):
        raise ValueError(f"{what} must be square, {len(words.coordinates)} formulas a row, got {found!r}")
    return made


def of_time(function: Any) -> bool:
    """Say whether a formula names the time."""
    if isinstance(function, Stacked):
        return any(map(of_time, function.parts))
    return isinstance(function, Formula) and "t" in names_in(function.text)


def still[Made: (Formula, Stacked)](function: Made, what: str) -> Made:
    """Return a formula. Raises ValueError where it names the time."""
    if of_time(function):
        raise ValueError(f"{what} is a function of places alone, and names the time t")
    return function


def names_in(text: str) -> set[str]:
    """Return the names in a text."""
    return {node.id for node in ast.walk(_tree(text)) if isinstance(node, ast.Name)}


def _tree(text: str) -> ast.Expression:
    try:
        return ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError("it is no formula: write it with numbers, names, + - * / **, and functions") from None


@lru_cache(maxsize=512)
def _compiled(text: str, words: Words) -> CodeType:
    """Return code of a text. Raises ValueError for what a formula may not say."""
    tree = _tree(text)
    known = [*words.coordinates, "t", *(name for name, _ in words.constants), *NUMBERS]
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitXor):
            raise ValueError("powers are written **, not ^")
        if isinstance(node, ast.operator | ast.unaryop | ast.boolop | ast.cmpop):
            if not isinstance(node, OPERATORS):
                raise ValueError(
                    f"{type(node).__name__} has no meaning in a formula; there are + - * / ** and < <= > >="
                )
        elif not isinstance(node, ALLOWED):
            raise ValueError(f"a formula knows numbers, names, + - * / **, comparisons and functions, no {_kind(node)}")
        elif isinstance(node, ast.Constant):
            if isinstance(node.value, bool) or not isinstance(node.value, int | float) or not math.isfinite(node.value):
                raise ValueError(f"{node.value!r} is no number")
        elif isinstance(node, ast.Call):
            _check_call(node)
        elif isinstance(node, ast.Name) and id(node) not in called and node.id not in known:
            hint = f"{node.id} is a function" if node.id in FUNCTIONS else nearest(node.id, known)
            raise ValueError(f"it names {node.id!r}, which is no coordinate and no constant; {hint}")
    _check_numbers(tree)
    whole = ast.fix_missing_locations(_Elementwise().visit(tree))
    return compile(whole, "<formula>", "eval")


def _check_numbers(tree: ast.Expression) -> None:
    """Raise ValueError for arithmetic of numbers alone that has no finite result."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and not any(isinstance(part, ast.Name) for part in ast.walk(node)):
            part = ast.fix_missing_locations(_Elementwise().visit(ast.parse(ast.unparse(node), mode="eval")))
            try:
                value = eval(compile(part, "<formula>", "eval"), {"__builtins__": {}})
            except ArithmeticError:
                value = math.inf
            if isinstance(value, complex) or not math.isfinite(value):
                raise ValueError(f"{ast.unparse(node)} is no finite number")


def _check_call(node: ast.Call) -> None:
    if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS:
        name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
        raise ValueError(f"there is no function {name!r}; {nearest(name, list(FUNCTIONS))}")
    count = FUNCTIONS[node.func.id][1]
    if len(node.args) != count or node.keywords:
        raise ValueError(f"{node.func.id} takes {count} argument{'s' * (count > 1)}, got {len(node.args)}")


def _kind(node: ast.AST) -> str:
    return type(node).__name__.lower()


class _Elementwise(ast.NodeTransformer):
    """Comparisons that are chained or joined are of arrays; numbers are real, but for exponents, that stay whole."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        exponent = node.right if isinstance(node.op, ast.Pow) and isinstance(node.right, ast.Constant) else None
        self.generic_visit(node)
        node.right = node.right if exponent is None else exponent
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        ends = [node.left, *node.comparators]
        pairs: list[ast.expr] = [ast.Compare(a, [op], [b]) for a, op, b in zip(ends, node.ops, ends[1:], strict=False)]
        return _joined("logical_and", pairs)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        return _joined("logical_and" if isinstance(node.op, ast.And) else "logical_or", node.values)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        return _call("logical_not", [node.operand]) if isinstance(node.op, ast.Not) else node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant(float(cast(float, node.value)))


def _joined(name: str, parts: list[ast.expr]) -> ast.expr:
    whole = parts[0]
    for part in parts[1:]:
        whole = _call(name, [whole, part])
    return whole


def _call(name: str, arguments: list[ast.expr]) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), arguments, [])
