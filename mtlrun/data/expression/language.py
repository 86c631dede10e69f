"""Parses the text of an expression into nodes. Anything outside the language is refused."""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import pandas as pd

from mtlrun.config.values import plain_name
from mtlrun.data.expression import operands
from mtlrun.data.expression.nodes import (
    ARITHMETIC,
    COMPARE,
    SYMBOLS,
    Arithmetic,
    Column,
    Comparison,
    Constant,
    Junction,
    Membership,
    Node,
    Not,
    Sign,
)
from mtlrun.data.expression.operands import Mismatch, Operand
from mtlrun.util.errors import RequestError, listing, nearest

MAX_LENGTH = 2000  # characters
MAX_DEPTH = 50  # nested operations

_GRAMMAR = (
    "column names (in `backticks` if need be), numbers, 'text', true, false, null, "
    "== != < <= > >= in, and or not, + - * / % **"
)
_CONSTANTS: dict[str, bool | None] = {
    "true": True,
    "false": False,
    "null": None,
    "True": True,
    "False": False,
    "None": None,
}


@dataclass(frozen=True)
class Expression:
    """A parsed expression. `names` are the columns that it reads, in order of appearance."""

    text: str
    key: str
    names: tuple[str, ...]
    _root: Node
    _asks_null: bool  # whether it contains null

    @property
    def column(self) -> str | None:
        """The column, if the expression is just the name of a column; else None."""
        return self._root.name if isinstance(self._root, Column) else None

    def known(self, frame: pd.DataFrame) -> np.ndarray:
        """Rows in which the expression has a value: bool [N].

        These are the rows in which all columns that it reads are present, or all rows if it contains null.
        """
        if self._asks_null:
            return np.full(len(frame), True)
        return np.asarray(frame[list(self.names)].notna().all(axis=1))

    def evaluate(self, frame: pd.DataFrame) -> np.ndarray:
        """The value in every row: an array [N].

        A comparison with a missing value is False (`!=` and `not in` too), except that `x == null` and `x != null` test
        whether x is missing. A missing truth value counts as false. Arithmetic is in float64; a missing operand gives a
        missing result.

        Raises RequestError if the table lacks a column and for operands that do not fit together.
        """
        for name in self.names:
            if name not in frame.columns:
                columns = [str(c) for c in frame.columns]
                raise RequestError(
                    f"{self.key}: no column is named {name!r}{nearest(name, columns)}\n"
                    f"in: {_shown(self.text)}; columns: {listing(columns)}"
                )
        try:
            with np.errstate(all="ignore"):
                result = self._root.value(frame).result()
        except Mismatch as why:
            raise RequestError(f"{self.key}: {why}\nin: {_shown(self.text)}") from None
        return np.array(np.broadcast_to(result, len(frame)))


def condition(text: str, frame: pd.DataFrame, key: str) -> np.ndarray:
    """Mask [N] of the rows of `frame` that fulfil the condition `text`.

    Raises RequestError as `parse` and `evaluate` do, and if the value is not true or false.
    """
    values = parse(text, key).evaluate(frame)
    if values.dtype != bool:
        raise RequestError(f"{key}: {_shown(text)} gives no true or false\nwrite a condition, such as `area > 50`")
    return values


def parse(text: str, key: str) -> Expression:
    """Parses `text`. `key` is the configuration key that errors name.

    Raises RequestError for a syntax error and for everything outside the language.
    """
    if len(text) > MAX_LENGTH:
        raise RequestError(f"{key}: an expression of {len(text)} characters\nallowed: at most {MAX_LENGTH}")
    quoted: dict[str, str] = {}

    def placeholder(match: re.Match[str]) -> str:
        if not match[0].startswith("`"):
            return match[0]  # quoted text, in which a backtick has no meaning
        name = f"column{len(quoted)}_"
        while name in text:
            name += "_"
        quoted[name] = plain_name(match[0][1:-1])
        return f" {name} "

    plain = re.sub(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]+`", placeholder, text)
    try:
        tree = ast.parse(plain.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        why = error.msg if isinstance(error, SyntaxError) else "it is nested too deeply or holds an odd character"
        raise RequestError(f"{key}: {_shown(text)} is no expression ({why})\nallowed: {_GRAMMAR}") from None
    translation = _Translation(text, key, quoted)
    root = translation.node(tree)
    return Expression(text, key, tuple(translation.names), root, translation.asks_null)


@dataclass
class _Translation:
    """Translates Python's syntax tree into nodes. Raises RequestError at the first part outside the language.

    quoted: placeholder -> the column named in backticks
    names: the columns found so far, in order of appearance
    """

    text: str
    key: str
    quoted: dict[str, str]
    names: dict[str, None] = field(default_factory=dict)
    asks_null: bool = False
    depth: int = 0

    def node(self, tree: ast.AST) -> Node:
        if self.depth > MAX_DEPTH:
            raise self.refused(f"nesting beyond {MAX_DEPTH} levels")
        translate = _TRANSLATIONS.get(type(tree), _Translation.foreign)
        self.depth += 1
        node = translate(self, tree)
        self.depth -= 1
        return node

    def refused(self, what: str) -> RequestError:
        return RequestError(f"{self.key}: {what} is not allowed in {_shown(self.text)}\nallowed: {_GRAMMAR}")

    def name(self, tree: ast.Name) -> Node:
        if tree.id in _CONSTANTS and tree.id not in self.quoted:
            return self._constant(_CONSTANTS[tree.id])
        name = self.quoted.get(tree.id, tree.id)
        self.names[name] = None
        return Column(name)

    def constant(self, tree: ast.Constant) -> Node:
        value = tree.value
        if not isinstance(value, (bool, int, float, str)) and value is not None:
            raise self.refused(f"the constant {value!r}")
        if isinstance(value, int) and abs(value) > 2**63 - 1:
            raise self.refused("a whole number beyond 64 bits")
        return self._constant(value)

    def _constant(self, value: float | str | bool | None) -> Node:
        self.asks_null |= value is None
        return Constant(operands.constant(value))

    def comparison(self, tree: ast.Compare) -> Node:
        first = self.node(tree.left)
        if any(isinstance(op, (ast.In, ast.NotIn)) for op in tree.ops):
            if len(tree.ops) > 1:
                raise self.refused("`in` beside another comparison without `and` between them")
            return Membership(first, self._options(tree.comparators[0]), isinstance(tree.ops[0], ast.NotIn))
        others = []
        for op, right in zip(tree.ops, tree.comparators, strict=True):
            if type(op) not in COMPARE:
                raise self.refused(f"`{_symbol(op)}`")
            others.append((type(op), self.node(right)))
        return Comparison(first, others)

    def _options(self, tree: ast.expr) -> list[Operand]:
        if not isinstance(tree, (ast.List, ast.Tuple)) or not tree.elts:
            raise self.refused("`in` without a list of constants, such as [1, 2],")
        return [self._option(option) for option in tree.elts]

    def _option(self, tree: ast.expr) -> Operand:
        match tree:
            case ast.Constant(value=bool() | int() | float() | str() | None as value):
                return operands.constant(value)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
                return operands.constant(-value)
            case ast.Name(id=name) if name in _CONSTANTS:
                return operands.constant(_CONSTANTS[name])
        raise self.refused("a list with something other than a constant")

    def junction(self, tree: ast.BoolOp) -> Node:
        combine = np.logical_and if isinstance(tree.op, ast.And) else np.logical_or
        return Junction(_symbol(tree.op), combine, [self.node(value) for value in tree.values])

    def unary(self, tree: ast.UnaryOp) -> Node:
        match tree.op:
            case ast.Not():
                return Not(self.node(tree.operand))
            case ast.USub():
                return Sign(-1, self.node(tree.operand))
            case ast.UAdd():
                return Sign(1, self.node(tree.operand))
        return self.foreign(tree)

    def arithmetic(self, tree: ast.BinOp) -> Node:
        if type(tree.op) not in ARITHMETIC:
            raise self.refused(f"`{_symbol(tree.op)}`; write and, or, not:")
        return Arithmetic(type(tree.op), self.node(tree.left), self.node(tree.right))

    def foreign(self, tree: ast.AST) -> Node:
        """Raises RequestError for a part outside the language."""
        dotted = _dotted(tree)
        if dotted and dotted.split(".")[0] not in self.quoted:
            raise RequestError(
                f"{self.key}: an attribute (a.b) is not allowed in {_shown(self.text)}\n"
                f"a column of that name goes in backticks: `{dotted}`"
            )
        raise self.refused(_FOREIGN.get(type(tree), type(tree).__name__))


_TRANSLATIONS = cast(
    dict[type[ast.AST], Callable[[_Translation, ast.AST], Node]],
    {
        ast.Name: _Translation.name,
        ast.Constant: _Translation.constant,
        ast.Compare: _Translation.comparison,
        ast.BoolOp: _Translation.junction,
        ast.UnaryOp: _Translation.unary,
        ast.BinOp: _Translation.arithmetic,
    },
)
_FOREIGN: dict[type[ast.AST], str] = {
    ast.Call: "a call",
    ast.Attribute: "an attribute (a.b)",
    ast.Subscript: "an index (a[b])",
}


def _dotted(node: ast.AST) -> str | None:
    """The text `a.b.c` of a dotted name; None for other nodes and for parts that begin with two underscores."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=owner, attr=part) if not part.startswith("__") and (before := _dotted(owner)):
            return f"{before}.{part}"
    return None


def _shown(text: str) -> str:
    """The expression as one short line for an error."""
    return repr(text if len(text) <= 100 else text[:99] + "…")


def _symbol(op: ast.AST) -> str:
    return SYMBOLS.get(type(op), type(op).__name__)
