"""The answer: what to do, by the comparison of the confirmation; and the tuned setting as an experiment in ./conf."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from mtlrun.compare.analyse import analyse
from mtlrun.compare.analysis.options import Options
from mtlrun.compare.collect.folders import collect
from mtlrun.compare.records import Comparison
from mtlrun.compare.report.opening import PAGE
from mtlrun.compare.report.writers.terminal_text import opening_text
from mtlrun.compose.overrides import OPTION_GROUPS, parse
from mtlrun.results.files import create
from mtlrun.tune.finalists import TUNED
from mtlrun.tune.search import DEFAULT, SearchResult, Tried
from mtlrun.tune.setting_runs import Base
from mtlrun.util.errors import counted
from mtlrun.util.shell import quoted
from mtlrun.util.terminal import columns, say, shown

EXPERIMENTS = Path("conf/experiment")


def say_answer(base: Base, found: SearchResult, confirmed: Path) -> None:
    """Compares the confirmation, writes its report, and prints what to do and a command for each next step."""
    comparison = analyse(collect([confirmed]), Options())
    out = confirmed / "compare"
    comparison = replace(comparison, page=shown(out / PAGE))
    from mtlrun.compare.report.page import write_outputs  # matplotlib, jinja2

    write_outputs(comparison, out)
    experiment = write_experiment(base, found.best) if found.best is not None else None
    say("\n".join([opening_text(comparison, columns()), *_more(base, found, comparison, confirmed, experiment)]))


def _more(
    base: Base, found: SearchResult, comparison: Comparison, confirmed: Path, experiment: Path | None
) -> Iterator[str]:
    """What the search brought, the experiment, and the command that trains what is recommended on all rows."""
    yield ""
    yield search_words(found)
    recommended = comparison.recommendation
    taken = recommended.main.label if recommended is not None else ""
    if found.best is not None:
        sure = any(row.label == TUNED and row.like_leader is not False for row in comparison.rows)
        if taken != TUNED:
            yield (
                "Fresh seeds do not show that they are better than what is recommended; "
                f"they are {'not shown to be worse either' if sure else 'worse'}."
            )
        if experiment is not None:
            yield f"  again   {quoted('mtlrun', f'experiment={experiment.stem}')}"
    values = {DEFAULT: {}, TUNED: found.best.values if found.best is not None else {}}.get(taken)
    first = min(confirmed.glob(f"*_{taken},*/checkpoints/best.pt"), default=None)
    if values is not None and first is not None:
        words = [*base.arguments(values), "data.split.val=0", "data.split.test=0"]
        yield f"  on all rows   {quoted('mtlrun', *words, f'trainer.length_of={shown(first.parents[1])}')}"


def search_words(found: SearchResult) -> str:
    """What the search has found, on val: `Of 64 settings in 112 runs the best on val: …`."""
    tried = f"{counted(len(found.tried), 'setting')} in {counted(found.runs, 'run')}"
    if found.best is None:
        return f"The search tried {tried}; none was better than the default on val."
    words = " ".join(f"{key}={value}" for key, value in found.best.values.items())
    return f"Of {tried} the best on val, {-found.best.mean:.1f} % ahead of the default: {words}."


# ---------------------------------------------------------------- the experiment


def write_experiment(base: Base, best: Tried) -> Path | None:
    """Writes the tuned setting as ./conf/experiment/NAME_tuned.yaml, with a number if that exists. Returns its path.

    The same file is not written twice. None if the user's words remove keys, which a file cannot do.
    """
    lines = [parse(line) for line in base.arguments(best.values)]
    if any(override.is_delete() for override in lines):
        return None
    groups = [o for o in lines if o.key_or_group in OPTION_GROUPS and isinstance(o.value(), str)]
    tree: dict[str, Any] = {}
    for override in lines:
        if override not in groups:
            _put(tree, override.key_or_group.split("."), override.value())
    name = _name(base)
    text = (
        "# @package _global_\n"
        f"# What mtlrun tune found: {-best.mean:.1f} % ahead of the default on val, over {len(best.drops)} splits.\n"
        f"# mtlrun experiment={name}\n"
    )
    defaults: list[Any] = [*({f"override /{o.key_or_group}": o.value()} for o in groups), "_self_"]
    text += yaml.safe_dump({"defaults": defaults, **tree}, sort_keys=False, allow_unicode=True)
    return _new_file(name, text)


def _name(base: Base) -> str:
    """`houses_tuned`, after the data option or the file of the table."""
    option = str(base.request.cfg.hydra.runtime.choices.get("data"))
    path = base.config.data.path
    stem = Path(path).stem if option == "table" and path else option
    return f"{re.sub(r'[^A-Za-z0-9_]+', '_', stem).strip('_') or 'data'}_tuned"


def _put(tree: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    for key in keys[:-1]:
        tree = tree.setdefault(key, {})
    tree[keys[-1]] = _plain(value)


def _plain(value: Any) -> Any:
    """A value of Hydra's parser as plain YAML."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, (int, float, bool)) or value is None else str(value)


def _new_file(name: str, text: str) -> Path:
    """Writes a file that does not exist, or finds one that holds the same settings."""
    number = 1
    while True:
        called = name if number == 1 else f"{name}_{number}"
        path, own = EXPERIMENTS / f"{called}.yaml", text.replace(f"experiment={name}\n", f"experiment={called}\n")
        try:
            create(path, own)
            return path
        except FileExistsError:
            if path.read_text(encoding="utf-8") == own:
                return path
            number += 1
