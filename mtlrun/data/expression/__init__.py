"""Expressions over the columns of a table, as in `where: "listed == 1 and not city in ['Ulm']"`.

Python's parser parses the text. language.py translates the result into nodes (nodes.py): column names, constants,
comparisons, and/or/not, arithmetic. Anything else is refused. The language has no calls, attributes or subscripts, so
nothing can be executed. The value of a node is an operand (operands.py).

This parser is written by hand because pandas' `eval` and `query` allow attributes and calls.
"""

from mtlrun.data.expression.language import Expression, condition, parse

__all__ = ["Expression", "condition", "parse"]
