"""`mtlrun init TABLE --targets a,b`: writes ./conf/data/TABLE.yaml, a data option for a user's table.

`--add-target c` adds a target to one that exists. Prints the types that were inferred, and what was left out.
"""

from pathlib import Path

from mtlrun.cli.parse import Words
from mtlrun.compose import compose, single
from mtlrun.data.added_target import add_targets, option_file
from mtlrun.data.dataset import load_table
from mtlrun.data.init_targets import target_sections
from mtlrun.data.init_yaml import write_yaml
from mtlrun.util.errors import RequestError
from mtlrun.util.garbage import seldom_collected
from mtlrun.util.printed_sections import say_sections
from mtlrun.util.terminal import say


@seldom_collected()
def act(words: Words) -> int:
    """Returns the exit status."""
    (table,) = words.operands(1)
    added = words.names("add_target")
    if added and words.options.get("targets"):
        raise RequestError("init: found --targets and --add-target\nallowed: one of them")
    if added:
        return _add_targets(table, added)
    if not words.options.get("targets"):
        raise RequestError(f"init: --targets is missing\n{words.usage}")
    written = write_yaml(Path(table), words.names("targets") or [], Path("."))
    say(str(written.path))
    say_sections(written.sections())
    say(f"look at it, then: mtlrun check data={written.path.stem}")
    return 0


def _add_targets(table: str, names: list[str]) -> int:
    """Adds targets to ./conf/data/TABLE.yaml. Returns the exit status."""
    file = option_file(table, Path("."))
    frame = load_table(single(compose([f"data={file.stem}"])))[0].frame
    targets = add_targets(file, names, frame)
    say(str(file))
    say_sections(target_sections(targets))
    say(f"look at it, then: mtlrun check data={file.stem}")
    return 0
