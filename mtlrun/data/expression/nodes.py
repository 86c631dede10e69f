"""The nodes of an expression. Each class computes its value over the rows of a table."""

import ast
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mtlrun.data.expression import operands
from mtlrun.data.expression.operands import Mismatch, Null, Number, Operand, Truth

COMPARE: dict[type[ast.AST], operands.Compare] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
ARITHMETIC: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Mod: np.mod,
    ast.Pow: np.power,
}
SYMBOLS: dict[type[ast.AST], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.FloorDiv: "//",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.MatMult: "@",
    ast.And: "and",
    ast.Or: "or",
}


class Node(ABC):
    """A node of an expression."""

    @abstractmethod
    def value(self, frame: pd.DataFrame) -> Operand:
        """The value over the rows of a table. Raises Mismatch for operands that do not fit together."""


@dataclass(frozen=True)
class Column(Node):
    name: str

    def value(self, frame: pd.DataFrame) -> Operand:
        return operands.column(frame[self.name])


@dataclass(frozen=True)
class Constant(Node):
    constant: Operand

    def value(self, frame: pd.DataFrame) -> Operand:
        return self.constant


@dataclass(frozen=True)
class Comparison(Node):
    """`first` op node op node ..., as in `1 < a <= 4`. True if each comparison of neighbours is true."""

    first: Node
    others: Sequence[tuple[type[ast.AST], Node]]

    def value(self, frame: pd.DataFrame) -> Operand:
        left, result = self.first.value(frame), np.asarray(True)
        for op, node in self.others:
            right = node.value(frame)
            result = result & _compared(op, left, right)
            left = right
        return Truth(result)


def _compared(op: type[ast.AST], left: Operand, right: Operand) -> np.ndarray:
    """Compares two values. If one of them is null, tests whether the other is missing."""
    if not isinstance(left, Null) and not isinstance(right, Null):
        return operands.compared(COMPARE[op], left, right)
    if op not in (ast.Eq, ast.NotEq):
        raise Mismatch(f"null goes with == and != only, found {SYMBOLS[op]}")
    missing = np.asarray((left if isinstance(right, Null) else right).missing)
    return missing if op is ast.Eq else ~missing


@dataclass(frozen=True)
class Membership(Node):
    """`left in [options]`, or `not in` if `negated`. Both are false if `left` is missing."""

    left: Node
    options: list[Operand]
    negated: bool

    def value(self, frame: pd.DataFrame) -> Operand:
        left, among = self.left.value(frame), np.asarray(False)
        for option in self.options:
            if isinstance(option, Null):
                raise Mismatch("null in a list; ask for missing values with `== null`")
            among = among | _compared(ast.Eq, left, option)
        if isinstance(left, Null):
            raise Mismatch("null goes with == and != only, found in")
        return Truth((~among if self.negated else among) & ~np.asarray(left.missing))


@dataclass(frozen=True)
class Junction(Node):
    """Conditions joined by `and` or by `or`."""

    symbol: str
    combine: np.ufunc
    nodes: list[Node]

    def value(self, frame: pd.DataFrame) -> Operand:
        parts = [node.value(frame).truth(self.symbol) for node in self.nodes]
        return Truth(self.combine.reduce(np.broadcast_arrays(*parts)))


@dataclass(frozen=True)
class Not(Node):
    node: Node

    def value(self, frame: pd.DataFrame) -> Operand:
        return Truth(~self.node.value(frame).truth("not"))


@dataclass(frozen=True)
class Sign(Node):
    """`-x` or `+x`."""

    factor: int
    node: Node

    def value(self, frame: pd.DataFrame) -> Operand:
        return _number(self.factor * self.node.value(frame).number("-"))


@dataclass(frozen=True)
class Arithmetic(Node):
    op: type[ast.AST]
    left: Node
    right: Node

    def value(self, frame: pd.DataFrame) -> Operand:
        left, right = (node.value(frame).number(SYMBOLS[self.op]) for node in (self.left, self.right))
        return _number(ARITHMETIC[self.op](left, right))


def _number(data: np.ndarray) -> Number:
    return Number(data, np.isnan(data))
