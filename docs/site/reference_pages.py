"""Writes the pages of the reference: every command, option and key, from what mtlrun itself reads."""

import re
from collections.abc import Collection, Iterable
from html import escape
from pathlib import Path

from mtlrun.cli.commands import COMMANDS
from mtlrun.cli.usage import help_text
from mtlrun.config.key_reference import (
    Entry,
    Setting,
    about,
    column_settings,
    entries,
    group_settings,
    option_names,
    settings_of,
    task_settings,
    top_settings,
)
from mtlrun.config.schema import GROUPS, conf_dir
from mtlrun.hydra_plugin.launcher import StackLauncherConf
from mtlrun.util.glossary import Term, terms

RUNS = """# Runs, sweeps, experiments

## Keys of a run or sweep

"""
TASKS = """# tasks

`TASK` stands for the name of a task: `tasks.price.type=regression`.

"""


def pages() -> dict[str, str]:
    """The Markdown of every page, by its path in the site."""
    made = {"commands": _commands(), "runs": _runs(), "tasks": TASKS + _keys(task_settings()), "words": _words()}
    made |= {group: _group(group) for group in GROUPS}
    return {f"reference/{name}.md": text for name, text in made.items()}


def _commands() -> str:
    without_packages = re.sub(r"^added by .*?(?=^your own options)", "", help_text(""), flags=re.M | re.S)
    texts = {"mtlrun": without_packages, **{f"mtlrun {name}": help_text(name) for name in COMMANDS}}
    return "# Commands\n\n" + "".join(f"## {name}\n\n```text\n{text}\n```\n\n" for name, text in texts.items())


def _words() -> str:
    """The words of statistics, as `mtlrun explain` explains them."""
    groups = (f"## {group}\n\n{''.join(map(_term, found))}" for group, found in terms().items())
    return "# Words of statistics\n\n`mtlrun explain WORD` prints the same.\n\n" + "".join(groups)


def _term(term: Term) -> str:
    also = f" (also {_text(', '.join(term.names[1:])).rstrip('.')})" if term.names[1:] else ""
    return f"### {_text(term.name).rstrip('.')}\n\n{_text(term.text)}{also} [More](../{term.page})\n\n"


def _runs() -> str:
    launcher = settings_of(StackLauncherConf, "hydra.launcher")
    experiments = "## Experiments\n\n" + _options("experiment", _yamls("experiment"))
    return RUNS + _keys(top_settings(), level=3) + "## Launcher\n\n" + _keys(launcher, level=3) + experiments


def _group(group: str) -> str:
    yamls, own = _yamls(group), option_names(group)
    settings = group_settings(group) + (column_settings() if group == "data" else [])
    first_own = {name: yamls[name] for name in [*own, *yamls]}
    return f"# {group}\n\n{_options(group, first_own)}{_keys(settings, options=own)}"


def _yamls(group: str) -> dict[str, Path]:
    return {file.stem: file for file in sorted((conf_dir() / group).glob("*.yaml"))}


def _options(group: str, yamls: dict[str, Path]) -> str:
    lines = (f"- `{group}={name}`: {_text(about(file.read_text('utf-8')))}\n" for name, file in yamls.items())
    return "".join(lines) + "\n"


def _keys(settings: Iterable[Setting], level: int = 2, options: Collection[str] = ()) -> str:
    """A section for each key, with a paragraph for each of its meanings. It names the options if they are not all."""
    return "".join(
        f"{'#' * level} `{key}`\n\n{''.join(map(_paragraph, found))}"
        for key, found in entries(settings, options).items()
    )


def _paragraph(entry: Entry) -> str:
    to = f"({_coded(entry.options)}) " if entry.options else ""
    several = len(entry.defaults) > 1
    of = [f"`{text}`" + (f" ({_coded(names)})" if several else "") for text, names in entry.defaults.items()]
    default = f"Default: {', '.join(of)}." if "" not in entry.defaults else "It must be set."
    kinds = [words if " " in words.strip("'") else f"`{words}`" for words in entry.allowed]
    return f"{to}{_text(entry.meaning)}\n\n{default}{' Allowed: ' + ', '.join(kinds) + '.' if kinds else ''}\n\n"


def _coded(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _text(words: str) -> str:
    """Plain words as a sentence of Markdown. Pages of docs/ become links; what stands in backticks stays code."""
    sentence = words if words.endswith((".", "?")) else f"{words}."
    if re.match(r"[a-z]+ ", sentence):
        sentence = sentence[0].upper() + sentence[1:]
    return re.sub(r"(`[^`]*`)|docs/(\w+)\.md|([\\*_\[\]])|([&<>])", _escaped, sentence)


def _escaped(found: re.Match[str]) -> str:
    code, page, mark, _ = found.groups()
    return code or (f"[{page}](../{page}.md)" if page else f"\\{mark}" if mark else escape(found[0]))
