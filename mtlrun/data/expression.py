"""Conditions over the columns of a table, as in `where: "listed == 1 and not city in ['Ulm']"`.

The text is parsed by Python's own parser and then evaluated by this module alone, node by node, from
a whitelist: names of columns, constants, comparisons, and/or/not, arithmetic. There is no call, no
attribute and no subscript in the language, so nothing can be executed.
"""

import ast
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import pandas as pd

from mtlrun.data.table import as_numbers, as_texts, column_kind
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
_COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Mod: np.mod,
    ast.Pow: np.power,
}


@dataclass(frozen=True)
class _Value:
    """A column or a constant: `data` is an array [N] or a scalar, `missing` a mask [N] or False."""

    kind: Literal["number", "text", "bool", "date", "null"]
    data: Any
    missing: Any = False


@dataclass(frozen=True)
class Expression:
    """A parsed expression; `names` are the columns that it reads, in order of appearance."""

    text: str
    key: str
    names: tuple[str, ...]
    _tree: ast.expr
    _quoted: dict[str, str]  # placeholder -> the column named in backticks

    @property
    def column(self) -> str | None:
        """The column that the expression is, if it is nothing else."""
        return self.names[0] if isinstance(self._tree, ast.Name) and self.names else None

    def known(self, frame: pd.DataFrame) -> np.ndarray:
        """In which rows no column is missing that the expression reads: bool [N]; all, where it asks about null."""
        nodes = [node for node in ast.walk(self._tree) if isinstance(node, (ast.Name, ast.Constant))]
        asks = any(
            node.value is None
            if isinstance(node, ast.Constant)
            else _CONSTANTS.get(node.id, True) is None and node.id not in self._quoted
            for node in nodes
        )
        return np.full(len(frame), True) if asks else np.asarray(frame[list(self.names)].notna().all(axis=1))

    def evaluate(self, frame: pd.DataFrame) -> np.ndarray:
        """The value in every row: bool, float64 or object [N].

        A comparison with a missing value is False (`!=` and `not in` too), except that `x == null`
        and `x != null` ask whether x is missing. A missing truth value counts as false. Arithmetic is
        in float64, where a missing operand gives a missing result.

        Raises RequestError for a column that the table lacks, and for operands that do not go together.
        """
        for name in self.names:
            if name not in frame.columns:
                columns = [str(c) for c in frame.columns]
                raise RequestError(
                    f"{self.key}: no column is named {name!r}{nearest(name, columns)}\n"
                    f"in: {_shown(self.text)}; columns: {listing(columns)}"
                )
        with np.errstate(all="ignore"):
            value = self._value(self._tree, frame)
        if value.kind == "null":
            raise self._error("null alone is no value")
        if value.kind == "bool":
            data: Any = np.asarray(value.data, dtype=bool) & ~np.asarray(value.missing)
        else:
            data = value.data
        return np.array(np.broadcast_to(data, len(frame)))

    def _error(self, why: str) -> RequestError:
        return RequestError(f"{self.key}: {why}\nin: {_shown(self.text)}")

    def _value(self, node: ast.expr, frame: pd.DataFrame) -> _Value:
        match node:
            case ast.Name(id=name):
                if name in _CONSTANTS and name not in self._quoted:
                    return _constant(_CONSTANTS[name])
                return _column(frame[self._quoted.get(name, name)])
            case ast.Constant(value=value):
                return _constant(cast("float | str | bool | None", value))
            case ast.Compare(left=first, ops=ops, comparators=rest):
                operands = [first, *rest]
                result: Any = True
                for i, op in enumerate(ops):
                    left = self._value(operands[i], frame)
                    if isinstance(op, (ast.In, ast.NotIn)):
                        result = result & self._member(op, left, cast(ast.List, operands[i + 1]))
                    else:
                        result = result & self._compare(op, left, self._value(operands[i + 1], frame))
                return _Value("bool", result)
            case ast.BoolOp(op=both, values=nodes):
                symbol, combine = ("and", np.logical_and) if isinstance(both, ast.And) else ("or", np.logical_or)
                parts = [self._truth(self._value(n, frame), symbol) for n in nodes]
                return _Value("bool", combine.reduce(np.broadcast_arrays(*parts)))
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                return _Value("bool", ~self._truth(self._value(inner, frame), "not"))
            case ast.UnaryOp(op=sign, operand=inner):
                number = self._number(self._value(inner, frame), "-")
                return _numbers(-number if isinstance(sign, ast.USub) else number)
            case ast.BinOp(left=a, op=arithmetic, right=b):
                symbol = _symbol(arithmetic)
                x, y = self._number(self._value(a, frame), symbol), self._number(self._value(b, frame), symbol)
                return _numbers(_ARITHMETIC[type(arithmetic)](x, y))
        raise TypeError(f"no evaluation of {node!r}")  # the whitelist of `parse` lets nothing else through

    def _truth(self, value: _Value, symbol: str) -> np.ndarray:
        if value.kind != "bool":
            raise self._error(f"`{symbol}` needs conditions, found {_an(value.kind)}")
        return cast(np.ndarray, np.asarray(value.data, dtype=bool) & ~np.asarray(value.missing))

    def _number(self, value: _Value, symbol: str) -> np.ndarray:
        """Float64, so that no integer overflows and `9 ** 9 ** 9` is infinite rather than endless."""
        if value.kind not in ("number", "bool"):
            raise self._error(f"`{symbol}` needs numbers, found {_an(value.kind)}")
        return np.where(value.missing, np.nan, np.asarray(value.data, dtype=np.float64))

    def _compare(self, op: ast.cmpop, left: _Value, right: _Value) -> np.ndarray:
        if "null" in (left.kind, right.kind):
            if not isinstance(op, (ast.Eq, ast.NotEq)):
                raise self._error(f"null goes with == and != only, found {_symbol(op)}")
            other = left if right.kind == "null" else right
            missing = np.asarray(other.missing) | (other.kind == "null")
            return missing if isinstance(op, ast.Eq) else ~missing
        left, right = self._alike(left, right)
        if left.kind == "text" and np.ndim(left.data) == 0 and np.ndim(right.data) == 0:
            return np.asarray(_COMPARE[type(op)](left.data, right.data))
        present = ~(np.asarray(left.missing) | np.asarray(right.missing))
        result = _COMPARE[type(op)](left.data, right.data)
        return cast(np.ndarray, np.asarray(result, dtype=bool) & present)

    def _member(self, op: ast.cmpop, left: _Value, options: ast.List) -> np.ndarray:
        found: Any = False
        for option in options.elts:
            constant = _constant(_literal(option))
            if constant.kind == "null":
                raise self._error("null in a list; ask for missing values with `== null`")
            found = found | self._compare(ast.Eq(), left, constant)
        if left.kind == "null":
            raise self._error("null goes with == and != only, found in")
        present = ~np.asarray(left.missing)
        return cast(np.ndarray, np.asarray(found) & present if isinstance(op, ast.In) else ~np.asarray(found) & present)

    def _alike(self, left: _Value, right: _Value) -> tuple[_Value, _Value]:
        """Both operands as one kind: truth values count as 0 and 1, text next to a date is read as a date."""
        kinds = {left.kind, right.kind}
        if kinds == {"date", "text"}:
            return self._date(left), self._date(right)
        if len(kinds) == 1 or kinds == {"number", "bool"}:
            return left, right
        raise self._error(f"compares {_an(left.kind)} with {_an(right.kind)}; text needs quotes, numbers none")

    def _date(self, value: _Value) -> _Value:
        if value.kind == "date":
            return value
        if np.ndim(value.data):
            raise self._error("compares a column of dates with one of text")
        try:
            return _Value("date", pd.Timestamp(value.data).to_datetime64())
        except ValueError:
            raise self._error(f"{value.data!r} is no date; write it like '2024-12-31'") from None


def parse(text: str, key: str) -> Expression:
    """The expression in `text`; `key` is the configuration key that errors name.

    Raises RequestError for a syntax error and for everything outside the whitelist.
    """
    if len(text) > MAX_LENGTH:
        raise RequestError(f"{key}: an expression of {len(text)} characters\nallowed: at most {MAX_LENGTH}")
    quoted: dict[str, str] = {}

    def placeholder(match: re.Match[str]) -> str:
        if not match[0].startswith("`"):
            return match[0]  # a quoted text, where a backtick means nothing
        name = f"column{len(quoted)}_"
        while name in text:
            name += "_"
        quoted[name] = match[0][1:-1]
        return f" {name} "

    plain = re.sub(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]+`", placeholder, text)
    try:
        tree = ast.parse(plain.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        why = error.msg if isinstance(error, SyntaxError) else "it is nested too deeply or holds an odd character"
        raise RequestError(f"{key}: {_shown(text)} is no expression ({why})\nallowed: {_GRAMMAR}") from None
    names: dict[str, None] = {}
    _whitelist(tree, key, text, quoted, names, 0)
    return Expression(text, key, tuple(names), tree, quoted)


def condition(text: str, frame: pd.DataFrame, key: str) -> np.ndarray:
    """Which rows of `frame` fulfil the condition `text`: bool [N]. Raises RequestError as `parse` and `evaluate` do."""
    values = parse(text, key).evaluate(frame)
    if values.dtype != bool:
        raise RequestError(f"{key}: {_shown(text)} gives no true or false\nwrite a condition, such as `area > 50`")
    return values


def _whitelist(node: ast.AST, key: str, text: str, quoted: dict[str, str], names: dict[str, None], depth: int) -> None:
    """Walks the tree, collects the columns' names, and raises RequestError at the first node that is not allowed."""

    def refuse(what: str) -> RequestError:
        return RequestError(f"{key}: {what} is not allowed in {_shown(text)}\nallowed: {_GRAMMAR}")

    def walk(child: ast.AST) -> None:
        _whitelist(child, key, text, quoted, names, depth + 1)

    if depth > MAX_DEPTH:
        raise refuse(f"nesting beyond {MAX_DEPTH} levels")
    match node:
        case ast.Name(id=name):
            if name not in _CONSTANTS or name in quoted:
                names[quoted.get(name, name)] = None
        case ast.Constant(value=value):
            if not isinstance(value, (bool, int, float, str)) and value is not None:
                raise refuse(f"the constant {value!r}")
            if isinstance(value, int) and abs(value) > 2**63 - 1:
                raise refuse("a whole number beyond 64 bits")
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            walk(left)
            if len(ops) > 1 and any(isinstance(op, (ast.In, ast.NotIn)) for op in ops):
                raise refuse("`in` beside another comparison without `and` between them")
            for op, comparator in zip(ops, comparators, strict=True):
                if isinstance(op, (ast.In, ast.NotIn)):
                    if not isinstance(comparator, (ast.List, ast.Tuple)) or not comparator.elts:
                        raise refuse("`in` without a list of constants, such as [1, 2],")
                    for option in comparator.elts:
                        if _literal(option) is _NO_LITERAL:
                            raise refuse("a list with something other than a constant")
                elif type(op) not in _COMPARE:
                    raise refuse(f"`{_symbol(op)}`")
                else:
                    walk(comparator)
        case ast.BoolOp(values=values):
            for child in values:
                walk(child)
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.UAdd(), operand=operand):
            walk(operand)
        case ast.BinOp(left=left, op=arithmetic, right=right):
            if type(arithmetic) not in _ARITHMETIC:
                raise refuse(f"`{_symbol(arithmetic)}`; write and, or, not:")
            walk(left)
            walk(right)
        case _:
            dotted = _dotted(node)
            if dotted and dotted.split(".")[0] not in quoted:
                raise RequestError(
                    f"{key}: an attribute (a.b) is not allowed in {_shown(text)}\n"
                    f"a column of that name goes in backticks: `{dotted}`"
                )
            words = {ast.Call: "a call", ast.Attribute: "an attribute (a.b)", ast.Subscript: "an index (a[b])"}
            raise refuse(words.get(type(node), type(node).__name__))


def _dotted(node: ast.AST) -> str | None:
    """The name that `a.b.c` spells, if it spells one; names with two underscores are Python's own."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=owner, attr=part) if not part.startswith("__") and (before := _dotted(owner)):
            return f"{before}.{part}"
    return None


_NO_LITERAL = object()


def _literal(node: ast.expr) -> Any:
    """The constant that a node of a list stands for, or _NO_LITERAL."""
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
    return _NO_LITERAL


def _constant(value: float | str | bool | None) -> _Value:
    if value is None:
        return _Value("null", None)
    if isinstance(value, bool):
        return _Value("bool", value)
    return _Value("text", value) if isinstance(value, str) else _Value("number", value)


def _column(series: pd.Series) -> _Value:
    missing = series.isna().to_numpy()
    kind = column_kind(series)
    if kind == "text":
        return _Value("text", as_texts(series), missing)
    if kind == "date":
        return _Value("date", series.to_numpy(), missing)
    if kind == "bool":
        return _Value("bool", as_numbers(series) == 1, missing)
    if pd.api.types.is_integer_dtype(series.dtype) and not missing.any():
        return _Value("number", series.to_numpy(), missing)  # identifiers beyond 2^53 stay exact
    return _Value("number", as_numbers(series), missing)


def _numbers(data: np.ndarray) -> _Value:
    return _Value("number", data, np.isnan(data))


def _shown(text: str) -> str:
    """The expression on one line of an error."""
    return repr(text if len(text) <= 100 else text[:99] + "…")


def _an(kind: str) -> str:
    return {"number": "a number", "text": "text", "bool": "a condition", "date": "a date", "null": "null"}[kind]


_SYMBOLS = {
    "Eq": "==",
    "NotEq": "!=",
    "Lt": "<",
    "LtE": "<=",
    "Gt": ">",
    "GtE": ">=",
    "In": "in",
    "NotIn": "not in",
    "Is": "is",
    "IsNot": "is not",
    "Add": "+",
    "Sub": "-",
    "Mult": "*",
    "Div": "/",
    "Mod": "%",
    "Pow": "**",
    "FloorDiv": "//",
    "BitAnd": "&",
    "BitOr": "|",
    "BitXor": "^",
    "LShift": "<<",
    "RShift": ">>",
    "MatMult": "@",
}


def _symbol(op: ast.AST) -> str:
    return _SYMBOLS.get(type(op).__name__, type(op).__name__)
