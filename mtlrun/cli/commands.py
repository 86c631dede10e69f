"""The sub-commands and options of the command line, as tables."""

from dataclasses import dataclass

INIT_DETAILS = """

  --targets a,b       the columns to predict; the others become inputs
  --add-target c      add a target to the YAML that is there, and keep what you changed in it"""
CHECK_DETAILS = """

  --config            also print the whole configuration; --cfg job prints it alone and reads no table
  --all               shorten no list
  -m                  the runs of a sweep, and how it divides into stacks"""
COMPARE_DETAILS = """

DIR: a run, a sweep, or a folder above them; unfinished ones count too; latest: the last one below outputs/

  --by KEYS           the keys that make a setting: keys, prefixes of keys, arm; default: all that differ
  --reference LABEL   the setting that others are compared with: a row's label, or settings: 'loss=sum lr=single'
  --metric TASK=NAME  use another metric than the task's primary one: price=mae,cut=logloss; to use both in Δm, name
                      the task twice. An auxiliary task that is named gets a column and counts in Δm
  --split NAME        show the figures of test (default) or val
  --margin PERCENT    settings that differ by less are equivalent; default 1
  --tune KEYS         choose the values of these keys on val, for each setting
  --rows              if all runs share one split: intervals over seeds and test rows, from the checkpoints
  --ensemble          a row for the mean prediction of the runs of a setting that share a split, from the checkpoints
  --confirm           train the settings again on new seeds, and compare those runs
  --format NAME       text (default), markdown, latex, csv
  -o OUT              the folder for comparison.csv, pictures and report.html; default DIR/compare"""
TUNE_DETAILS = """

  tune.minutes=5        how long to search; tune.runs=200: how many runs; default: 120 runs
  tune.space.KEY=a,b    the values to search, or a range: 'tune.space.lr.base=tag(log,interval(1e-4,1e-1))'
  tune.fixed=[KEY]      keys or groups that are not searched; a key with a value (lr.base=0.01) is not searched either
  tune.splits=3         the splits over which a setting is judged
  tune.seeds=8          the seeds of the confirmation
  tune.batch=16         the settings that train at a time
  hydra.sweep.dir=DIR   the folder; an interrupted search goes on with mtlrun resume DIR"""
LOG_DETAILS = """

DIR: a run, a sweep, or a folder above them. Sends settings, final figures, curves, summary.json and metrics.csv, and of
a sweep the files of mtlrun compare. What was sent before is not sent again. Unfinished runs are left out.

  --to NAME           mlflow: a sweep is a run with nested runs; wandb: a group
  --project NAME      the experiment or project; default: $MLFLOW_EXPERIMENT_NAME, $WANDB_PROJECT, the table's name
  --uri URI           the server of mlflow; default: $MLFLOW_TRACKING_URI. W&B reads $WANDB_MODE and $WANDB_DIR
  --checkpoints       with checkpoints/best.pt, the trained net

Needs: pip install "mtlrun[mlflow]" or "mtlrun[wandb]\""""
MODEL_DETAILS = """

RUN: a run, or a sweep: the mean over its runs of one setting. If it holds several, name one after the other words,
as compare does (loss=sum lr=single, or the label of a row). latest: the last one below outputs/

  --tasks a,b         the tasks to write, any that was trained; default: the main tasks
  -o {:16} the file to write; it must not exist"""

INTERVAL_DETAILS = """
  --interval 0.9      add intervals that hold this share of new rows, as TASK[low] and TASK[high], for numbers

TASK[std], of a sweep, is how far its runs differ on a row. It is no interval: use --interval."""


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
    "ensemble": Option(("--ensemble",)),
    "config_dir": Option(("--config-dir", "-cd"), "settings"),
    "cfg": Option(("--cfg", "-c"), "job"),
    "config": Option(("--config",)),
    "all": Option(("--all",)),
    "completion": Option(("--shell-completion", "-sc"), "install=bash"),
    "targets": Option(("--targets",), "price,kind"),
    "add_target": Option(("--add-target",), "sold"),
    "tasks": Option(("--tasks",), "price,kind"),
    "interval": Option(("--interval",), "0.9"),
    "output": Option(("-o",), "out.csv"),
    "keep": Option(("--keep",), "id,name"),
    "by": Option(("--by",), "loss,lr"),
    "reference": Option(("--reference",), "'loss=sum lr=single'"),
    "metric": Option(("--metric",), "price=mae,cut=logloss"),
    "split": Option(("--split",), "test"),
    "margin": Option(("--margin",), "1"),
    "tune": Option(("--tune",), "lr.base,loss.lr"),
    "format": Option(("--format",), "markdown"),
    "to": Option(("--to",), "mlflow"),
    "uri": Option(("--uri",), "http://localhost:5000"),
    "project": Option(("--project",), "houses"),
    "checkpoints": Option(("--checkpoints",)),
}
BY_TYPED = {typed: name for name, option in OPTIONS.items() for typed in option.typed}
ALWAYS = ("help", "version", "completion")
# options of Hydra that mtlrun does not have: what to type instead
OF_HYDRA = {
    (
        "--info",
        "-i",
    ): "mtlrun --cfg job (the configuration), mtlrun check (tasks and data), mtlrun --help (all options)",
    ("--hydra-help",): "mtlrun --help; settings of Hydra are words: hydra.KEY=VALUE, such as hydra.run.dir=FOLDER",
    ("--config-path", "-cp"): "--config-dir DIR for a folder with GROUP/OPTION.yaml; ./conf is always searched",
    ("--config-name", "-cn"): "experiment=NAME for the settings in ./conf/experiment/NAME.yaml",
    ("--run", "-r"): "the words alone, for one run: mtlrun loss=sum",
    ("--package", "-p"): "mtlrun --cfg job, which prints the whole configuration",
    ("--resolve",): "mtlrun --cfg job, which resolves all values",
    ("--experimental-rerun",): "mtlrun resume DIR; the words of a run are in its .hydra/overrides.yaml",
}
INSTEAD = {typed: instead for every, instead in OF_HYDRA.items() for typed in every}


@dataclass(frozen=True)
class Command:
    """A sub-command: its usage line, a summary, the names of its options, and further lines of its help."""

    usage: str
    summary: str
    options: tuple[str, ...] = ()
    details: str = ""


TRAIN = Command("[OVERRIDES]", "train one run", ("multirun", "config_dir", "cfg"))
COMMANDS = {
    "check": Command(
        "check [OVERRIDES]", "show tasks, graph and data; no training", (*TRAIN.options, "config", "all"), CHECK_DETAILS
    ),
    "init": Command(
        "init TABLE --targets a,b",
        "describe a table: ./conf/data/TABLE.yaml",
        ("targets", "add_target"),
        INIT_DETAILS,
    ),
    "fetch": Command("fetch NAME", "download a benchmark data set"),
    "compare": Command(
        "compare DIR... [OPTIONS]",
        "compare runs: table, pictures, page",
        ("output", "confirm", "rows", "ensemble", "by", "reference", "metric", "split", "margin", "tune", "format"),
        COMPARE_DETAILS,
    ),
    "tune": Command("tune [OVERRIDES]", "find settings, and say what to do", ("config_dir",), TUNE_DETAILS),
    "resume": Command("resume DIR", "continue an interrupted run, or latest"),
    "predict": Command(
        "predict RUN TABLE -o OUT.csv",
        "predict new rows with a trained run",
        ("output", "tasks", "keep", "interval"),
        MODEL_DETAILS.format("OUT.csv")
        + "\n  --keep id,name      columns of the table that come first in the file, unchanged"
        + INTERVAL_DETAILS,
    ),
    "export": Command(
        "export RUN -o MODEL.onnx",
        "write the trained model as ONNX",
        ("output", "tasks"),
        MODEL_DETAILS.format("MODEL.onnx"),
    ),
    "log": Command(
        "log DIR... --to mlflow|wandb",
        "send finished runs to MLflow or W&B",
        ("to", "project", "uri", "checkpoints"),
        LOG_DETAILS,
    ),
    "explain": Command("explain [WORD]", "explain a word of statistics or a key"),
}


def command_of(name: str) -> Command:
    """The sub-command of this name; "" means training."""
    return COMMANDS[name] if name else TRAIN
