"""The text of `mtlrun --help`."""

import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

from mtlrun.cli.commands import COMMANDS, TRAIN
from mtlrun.config.extensions import package_conf_dirs
from mtlrun.config.key_reference import about
from mtlrun.config.schema import GROUPS, conf_dir
from mtlrun.util.terminal import shown

WIDTH = 80
DESCRIBED = ("data", "experiment")
MOST_NAMES = 8  # of a package's options in one group

HEAD = """mtlrun: multi-task learning from the command line

usage:"""
OVERRIDES = """
overrides: GROUP=OPTION and KEY=VALUE; the groups and their options:"""
TAIL = """\
your own options: ./conf/GROUP/OPTION.yaml in the working directory

options, anywhere on the line:
  -m, --multirun     train a sweep: loss=sum,uncertainty is two runs
  --config-dir DIR   also search DIR/GROUP/OPTION.yaml
  --cfg job          print the configuration as YAML; no training
  -sc install=SHELL  tab completion: eval "$(mtlrun -sc install=bash)"
  -h, --help         this text; mtlrun SUB-COMMAND --help
  --version

examples:
  mtlrun loss=uncertainty lr=per_head
  mtlrun loss=fixed loss.weights.price=0.1 lr.base=0.003 trainer.epochs=5
  mtlrun 'only=[price,cut]' graph=chain graph.gradient=stop
  mtlrun -m loss=sum,uncertainty lr=single,per_head 'seed=range(3)'
  mtlrun -m 'arms=[{loss: sum},{loss: uncertainty, loss.lr: "0.01,0.1"}]'
  mtlrun init houses.csv --targets price,kind && mtlrun check data=houses"""


def help_text(command: str) -> str:
    """The help text of a sub-command; for "" the help text of mtlrun as a whole."""
    if command:
        chosen = COMMANDS[command]
        return f"mtlrun {chosen.usage}\n  {chosen.summary}{chosen.details}"
    uses = [(TRAIN.usage, TRAIN.summary), (f"-m {TRAIN.usage}", "train a sweep: a run per combination")]
    uses += [(each.usage, each.summary) for each in COMMANDS.values()]
    options = [line for group in (*GROUPS, "experiment") for line in _group(group)]
    options += [line for name, folder in package_conf_dirs().items() for line in _package(name, folder)]
    return "\n".join([HEAD, *(f"  mtlrun {usage:30} {summary}" for usage, summary in uses), OVERRIDES, *options, TAIL])


def _group(group: str) -> list[str]:
    """The options of mtlrun itself in one group. Data options and experiments have a line each, with a description."""
    files = sorted((conf_dir() / group).glob("*.yaml"))
    if group not in DESCRIBED:
        return _names(group, files)
    column = max(len(file.stem) for file in files) + 2
    return [f"  {group}=", *(f"    {file.stem:{column}}{_description(file, WIDTH - 4 - column)}" for file in files)]


def _package(name: str, folder: Path) -> list[str]:
    """The options that a package adds, by group. For more than `MOST_NAMES` options: their number and their folder."""
    lines = []
    for group in (*GROUPS, "experiment"):
        files = sorted((folder / group).glob("*.yaml"))
        if len(files) > MOST_NAMES:
            lines.append(f"  {group + '=':12} {len(files)} options: NAME.yaml in {shown(folder / group)}")
        elif files:
            lines += _names(group, files)
    return [f"added by {name}:", *lines] if lines else []


def _names(group: str, files: Sequence[Path]) -> list[str]:
    """A group with the names of its options, in lines of at most 80 characters."""
    names = ", ".join(file.stem for file in files)
    return textwrap.wrap(names, WIDTH, initial_indent=f"  {group + '=':12} ", subsequent_indent=" " * 15)


def _description(file: Path, width: int) -> str:
    """Returns what an option is for: the first sentence of the comment at the top of its YAML, cut to fit."""
    sentence = re.split(r"(?<=[.?]) ", about(file.read_text(encoding="utf-8")))[0].rstrip(".:")
    if len(sentence) <= width:
        return sentence
    clauses = [sentence[: mark.start()] for mark in re.finditer(r"[:;] ", sentence) if mark.start() <= width]
    return clauses[-1] if clauses else textwrap.shorten(sentence, width, placeholder=" …")
