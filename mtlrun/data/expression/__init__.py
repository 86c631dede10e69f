"""Conditions over the columns of a table, as in `where: "listed == 1 and not city in ['Ulm']"`.

The text is parsed by Python's own parser and then translated (language.py) into parts of our own (nodes.py): names of
columns, constants, comparisons, and/or/not, arithmetic. What has no translation is refused. There is no call, no
attribute and no subscript in the language, so nothing can be executed. A part has a value of one kind (operands.py).
"""

from mtlrun.data.expression.language import Expression, condition, parse

__all__ = ["Expression", "condition", "parse"]
