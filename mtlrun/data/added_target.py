"""`mtlrun init TABLE --add-target NAME`: adds a target to a data YAML, and keeps all that its user has changed."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from mtlrun.config.data_options import option_name
from mtlrun.data.init_targets import InitTarget, init_targets
from mtlrun.data.split import require_column
from mtlrun.storage.files import write_text
from mtlrun.util.errors import RequestError, listing
from mtlrun.util.interpolation import escaped


def option_file(table: str, folder: Path) -> Path:
    """The YAML of a table, which is named by its path or by its data option. Raises RequestError if there is none."""
    for option in (table, option_name(Path(table).name)):
        file = folder / "conf" / "data" / f"{option}.yaml"
        if "/" not in option and file.is_file():
            return file
    raise RequestError(f"init: there is no {file}\nwrite it: mtlrun init TABLE --targets a,b")


def add_targets(file: Path, columns: Sequence[str], frame: pd.DataFrame) -> list[InitTarget]:
    """Adds a task for each column at the end of `tasks`, and removes the columns from `data.inputs`.

    All other lines stay as they are, byte for byte. Raises RequestError, and changes nothing, for a column that the
    table lacks or that is a target already, and for a file that is not laid out as `init` does: it then says what to
    add by hand.
    """
    text = file.read_bytes().decode("utf-8")
    tree = _mapping(yaml.safe_load(text))
    tasks = _mapping(tree.get("tasks"))
    for column in columns:
        require_column(column, frame, "--add-target")
        if escaped(column) in {_column_of(name, task) for name, task in tasks.items()}:
            raise RequestError(f"--add-target: {column} is a target in {file} already\nallowed: another column")
    inputs = _mapping(tree.get("data")).get("inputs")
    if inputs and {*inputs} <= {*map(escaped, columns)}:
        raise RequestError(f"--add-target: no input is left in {file}\nadd others to data.inputs first")
    targets = init_targets(columns, frame, tasks)
    changed = _edited(text, targets)
    if changed is None or yaml.safe_load(changed) != _expected(tree, targets):
        lines = "; ".join(f"{target.task}: {target.setting}" for target in targets)
        raise RequestError(
            f"init: {file} is laid out in another way than init does, and stays as it is\n"
            f"add below tasks: {lines}; and take {listing(columns)} out of data.inputs"
        )
    write_text(file, changed)
    return targets


def _mapping(found: Any) -> dict[str, Any]:
    """What a YAML holds, if it is a mapping; else nothing."""
    return found if isinstance(found, dict) else {}


def _column_of(name: str, task: Any) -> str:
    """The column of a task in a YAML."""
    return str(task.get("target") or name) if isinstance(task, dict) else name


def _expected(tree: dict[str, Any], targets: Sequence[InitTarget]) -> dict[str, Any]:
    """What the changed file means."""
    columns = {escaped(target.column) for target in targets}
    data = _mapping(tree.get("data"))
    if data.get("inputs") is not None:
        data = data | {"inputs": [name for name in data["inputs"] if name not in columns]}
    added = {target.task: yaml.safe_load(target.setting) for target in targets}
    return tree | {"data": data, "tasks": _mapping(tree.get("tasks")) | added}


def _edited(text: str, targets: Sequence[InitTarget]) -> str | None:
    """The text with the tasks added and the inputs removed. None if it is not laid out in lines of their own."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    tasks, inputs = _node(root, "tasks"), _node(_node(root, "data"), "inputs")
    if not isinstance(tasks, yaml.MappingNode) or tasks.flow_style or not tasks.value:
        return None
    removed = _lines_of(inputs, {escaped(target.column) for target in targets})
    if removed is None:
        return None
    lines, indent = text.splitlines(keepends=True), tasks.value[0][0].start_mark.column
    end = _last_line(tasks) + 1
    while end < len(lines) and lines[end].startswith(f"{' ' * indent}#"):  # comments on the last task
        end += 1
    newline = "\r\n" if lines[0].endswith("\r\n") else "\n"
    added = [f"{line}{newline}" for target in targets for line in target.lines(" " * indent)]
    if end and not lines[end - 1].endswith("\n"):
        lines[end - 1] += newline
    kept = [line for number, line in enumerate(lines[:end]) if number not in removed]
    rest = [line for number, line in enumerate(lines[end:], start=end) if number not in removed]
    return "".join([*kept, *added, *rest])


def _lines_of(inputs: yaml.Node | None, columns: Collection[str]) -> set[int] | None:
    """The numbers of the lines that list these columns among the inputs. None if they share a line with others."""
    if not isinstance(inputs, yaml.SequenceNode):
        return set()
    found = {item.start_mark.line for item in inputs.value if item.value in columns}
    return None if found and inputs.flow_style else found


def _last_line(node: yaml.Node) -> int:
    """The number of the last line of a node. The end of a block that PyYAML gives is where the next one begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(node, yaml.MappingNode) else last)
    return node.end_mark.line - (node.end_mark.column == 0)


def _node(mapping: yaml.Node | None, name: str) -> yaml.Node | None:
    """The value of a key in a mapping; None if there is none."""
    pairs = mapping.value if isinstance(mapping, yaml.MappingNode) else []
    return next((value for key, value in pairs if key.value == name), None)
