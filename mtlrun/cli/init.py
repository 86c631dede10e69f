"""`mtlrun init TABLE --targets a,b`: writes a data option for a user's table."""

from pathlib import Path

from mtlrun.cli.parse import Words
from mtlrun.util.errors import RequestError
from mtlrun.util.terminal import say


def init(words: Words) -> int:
    """Writes ./conf/data/TABLE.yaml."""
    (table,) = words.operands(1)
    if not words.options.get("targets"):
        raise RequestError(f"init: --targets is missing\n{words.usage}")
    from mtlrun.data.init_yaml import write_yaml

    path = write_yaml(Path(table), words.names("targets") or [], Path("."))
    say(f"{path}\nlook at it, then: mtlrun check data={path.stem}")
    return 0
