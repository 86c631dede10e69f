"""The sub-commands and options of the command line, as tables."""

from dataclasses import dataclass

COMPARE_DETAILS = """

DIR: runs, sweeps, or folders that hold some, finished or not

  --by KEYS           what makes a setting: keys, prefixes of keys, arm; default: whatever differs
  --reference LABEL   what the others are held against: a row's label, or settings: 'loss=sum lr=single'
  --metric TASK=NAME  another metric than the task's primary one: price=mae,cut=logloss; the same task twice: Δm of both
                      an auxiliary task that is named here has a column and counts in Δm
  --split NAME        whose figures: test (default) or val
  --margin PERCENT    within which settings count as equivalent; default 1
  --tune KEYS         choose the values of these on val, for each setting
  --rows              with one split for all: intervals over seeds and test rows, from the checkpoints
  --confirm           train the settings anew on fresh seeds, and compare those
  --format NAME       text (default), markdown, latex, csv
  -o OUT              folder of comparison.csv, pictures and report.html; default DIR/compare"""
MODEL_DETAILS = """
  --tasks a,b         which tasks leave: any that was trained; default: the main ones
  -o {:16} a new file"""


@dataclass(frozen=True)
class Option:
    """An option. `typed`: its spellings. `example`: an example of its value; "" if it takes none."""

    typed: tuple[str, ...]
    example: str = ""


OPTIONS = {
    "multirun": Option(("-m", "--multirun")),
    "help": Option(("-h", "--help")),
    "version": Option(("--version",)),
    "confirm": Option(("--confirm",)),
    "rows": Option(("--rows",)),
    "config_dir": Option(("--config-dir",), "settings"),
    "targets": Option(("--targets",), "price,kind"),
    "tasks": Option(("--tasks",), "price,kind"),
    "output": Option(("-o",), "out.csv"),
    "by": Option(("--by",), "loss,lr"),
    "reference": Option(("--reference",), "'loss=sum lr=single'"),
    "metric": Option(("--metric",), "price=mae,cut=logloss"),
    "split": Option(("--split",), "test"),
    "margin": Option(("--margin",), "1"),
    "tune": Option(("--tune",), "lr.base,loss.lr"),
    "format": Option(("--format",), "markdown"),
}
BY_TYPED = {typed: name for name, option in OPTIONS.items() for typed in option.typed}
ALWAYS = ("help", "version")


@dataclass(frozen=True)
class Command:
    """A sub-command: its usage line, a summary, the names of its options, and further lines of its help."""

    usage: str
    summary: str
    options: tuple[str, ...] = ()
    details: str = ""


TRAIN = Command("[OVERRIDES]", "train one run", ("multirun", "config_dir"))
COMMANDS = {
    "check": Command("check [OVERRIDES]", "show tasks, graph and data; no training", TRAIN.options),
    "init": Command("init TABLE --targets a,b", "describe a table: ./conf/data/TABLE.yaml", ("targets",)),
    "fetch": Command("fetch NAME", "get a benchmark data set"),
    "compare": Command(
        "compare DIR... [OPTIONS]",
        "what runs say, side by side",
        ("output", "confirm", "rows", "by", "reference", "metric", "split", "margin", "tune", "format"),
        COMPARE_DETAILS,
    ),
    "resume": Command("resume DIR", "go on with an interrupted run or sweep"),
    "predict": Command(
        "predict RUN TABLE -o OUT.csv",
        "predictions of a run on new rows",
        ("output", "tasks"),
        MODEL_DETAILS.format("OUT.csv"),
    ),
    "export": Command(
        "export RUN -o MODEL.onnx",
        "the trained model for use elsewhere",
        ("output", "tasks"),
        MODEL_DETAILS.format("MODEL.onnx"),
    ),
}


def command_of(name: str) -> Command:
    """The sub-command of this name; "" means training."""
    return COMMANDS[name] if name else TRAIN
