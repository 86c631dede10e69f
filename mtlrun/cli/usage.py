"""The text of `mtlrun --help`."""

import textwrap

from mtlrun.cli.commands import COMMANDS, TRAIN
from mtlrun.config.extensions import conf_dirs
from mtlrun.config.schema import GROUPS, conf_dir

HEAD = """mtlrun: multi-task learning from the command line

usage:"""
OVERRIDES = """
overrides: GROUP=OPTION and KEY=VALUE"""
TAIL = """\
  further options are found in ./conf/GROUP/OPTION.yaml of the working directory

options, anywhere on the line:
  -m, --multirun     a sweep over values with commas between them
  --config-dir DIR   search DIR/GROUP/OPTION.yaml too
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
    uses = [(TRAIN.usage, TRAIN.summary), (f"-m {TRAIN.usage}", "a sweep: one run for each")]
    uses += [(each.usage, each.summary) for each in COMMANDS.values()]
    options = [line for group, names in _groups().items() for line in _option_lines(group, names)]
    return "\n".join([HEAD, *(f"  mtlrun {usage:30} {summary}" for usage, summary in uses), OVERRIDES, *options, TAIL])


def _option_lines(group: str, options: list[str]) -> list[str]:
    """A group with its options, in lines of at most 80 characters."""
    return textwrap.wrap(", ".join(options), 80, initial_indent=f"  {group + '=':12} ", subsequent_indent=" " * 15)


def _groups() -> dict[str, list[str]]:
    """The names of the options of each group, from the files of mtlrun and of installed packages.

    The groups are in the order of the defaults in conf/config.yaml.
    """
    folders = [conf_dir(), *conf_dirs()]
    return {g: sorted({f.stem for d in folders for f in (d / g).glob("*.yaml")}) for g in (*GROUPS, "experiment")}
