"""The command line: words and overrides in, exit status out.

Nothing here imports Hydra or torch before it is needed: help and a wrong request are answered at once.
"""

import contextlib
import csv
import errno
import logging
import os
import signal
import sys
import textwrap
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from mtlrun.config.schema import GROUPS, conf_dir
from mtlrun.util.errors import Interrupted, RequestError, StorageError, TrainingError, listing, nearest
from mtlrun.util.terminal import plain_records, say
from mtlrun.util.version import __version__

if TYPE_CHECKING:
    from mtlrun.compose import Request

# Sub-command: (usage, what it does).
COMMANDS = {
    "check": ("check [OVERRIDES]", "show tasks, graph and data; no training"),
    "init": ("init TABLE --targets a,b", "describe a table: ./conf/data/TABLE.yaml"),
    "fetch": ("fetch NAME", "get a benchmark data set"),
    "compare": ("compare DIR... [OPTIONS]", "what runs say, side by side"),
    "resume": ("resume DIR", "go on with an interrupted run or sweep"),
    "predict": ("predict RUN TABLE -o OUT.csv", "predictions of a run on new rows"),
    "export": ("export RUN -o MODEL.onnx", "the trained model for use elsewhere"),
}
FLAGS = {
    "-m": "multirun",
    "--multirun": "multirun",
    "-h": "help",
    "--help": "help",
    "--version": "version",
    "--confirm": "confirm",
    "--rows": "rows",
}
COMPARING = ("by", "reference", "metric", "split", "margin", "tune", "format")
VALUES = {
    "--config-dir": "config_dir",
    "--targets": "targets",
    "--tasks": "tasks",
    "-o": "output",
    **{f"--{o}": o for o in COMPARING},
}
EXAMPLES = {
    "config_dir": "settings",
    "targets": "price,kind",
    "tasks": "price,kind",
    "output": "out.csv",
    "by": "loss,lr",
    "reference": "'loss=sum lr=single'",
    "metric": "price=mae,cut=logloss",
    "split": "test",
    "margin": "1",
    "tune": "lr.base,loss.lr",
    "format": "markdown",
}
ENDING = (signal.SIGTERM, signal.SIGHUP)
NO_SUCH_PLACE = (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.ENOENT)
SHOWN = 20  # inputs or outputs of a model
ALWAYS = ("help", "version")
TAKES = {
    "": ("multirun", "config_dir"),
    "check": ("multirun", "config_dir"),
    "init": ("targets",),
    "fetch": (),
    "compare": ("output", "confirm", "rows", *COMPARING),
    "resume": (),
    "predict": ("output", "tasks"),
    "export": ("output", "tasks"),
}
COMPARE_HELP = """
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
LEAVING_HELP = """
  --tasks a,b         which tasks leave: any that was trained; default: the main ones
  -o {:16} a new file"""


@dataclass
class Words:
    """A command line, taken apart: sub-command ("" to train), further words, options by name."""

    command: str = ""
    words: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)


def main(argv: Sequence[str] | None = None) -> int:
    """Does what the command line asks for and returns the exit status.

    0 done, 1 a run failed, 2 the request was wrong (the answer is on stderr), 130 and 143 interrupted.
    """
    # Waiting threads must sleep, not spin; torch reads this when it loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        with _sigterm_as_interrupt(), _logging_restored():
            status = _dispatch(_take_apart(list(sys.argv[1:] if argv is None else argv)))
            sys.stdout.flush()
            return status
    except BrokenPipeError:
        # whoever read our output has gone (mtlrun check | head): nothing more to say, also not at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except RequestError as error:
        say(f"mtlrun: {error}", error=True)
        return 2
    except TrainingError as error:
        say(f"mtlrun: the run failed: {error}", error=True)
        return 1
    except StorageError as error:
        say(f"mtlrun: {error}", error=True)
        return 1
    except OSError as error:  # of a file or a pipe, or of the system as a whole
        say(f"mtlrun: {error.filename or 'the system'}: {error.strerror or error}", error=True)
        if error.filename is None:  # perhaps of standard output, which would be written once more at the end
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2 if error.errno in NO_SUCH_PLACE else 1
    except KeyboardInterrupt as interrupt:
        say("mtlrun: interrupted", error=True)
        return 128 + getattr(interrupt, "signum", signal.SIGINT)


def _take_apart(argv: list[str]) -> Words:
    """Options may stand anywhere; the first word is a sub-command unless it is an override."""
    found, rest = Words(), []
    queue = list(argv)
    while queue:
        word = queue.pop(0)
        if word and word.splitlines() != [word]:
            raise RequestError(f"{word[:100]!r}: a line break is not allowed here")
        if "\0" in word:
            raise RequestError(f"{word[:100]!r}: the character 0 is not allowed here")
        name, equals, value = word.partition("=")
        if not word.startswith("-"):
            rest.append(word)
        elif word in FLAGS:
            found.options[FLAGS[word]] = "yes"
        elif name in VALUES:
            if not equals and not queue:
                raise RequestError(f"{name}: a value is missing\nexample: {name} {EXAMPLES[VALUES[name]]}")
            found.options[VALUES[name]] = value if equals else queue.pop(0)
        else:
            known = [*FLAGS, *VALUES]
            raise RequestError(f"{word}: no such option{nearest(name, known)}\nallowed: {listing(known)}")
    if rest and "=" not in rest[0] and rest[0][:1] not in ("~", "+"):
        found.command = rest.pop(0)
        if found.command not in COMMANDS:
            raise RequestError(
                f"{found.command}: no such sub-command{nearest(found.command, COMMANDS)}\n"
                f"allowed: {listing(COMMANDS)}; none trains: mtlrun loss=sum"
            )
    found.words = rest
    for option in found.options:
        if option not in (*ALWAYS, *TAKES[found.command]):
            typed = next(k for k, v in {**FLAGS, **VALUES}.items() if v == option)
            raise RequestError(
                f"{typed}: not an option of mtlrun {found.command}".rstrip()
                + f"\nusage: mtlrun {_usage(found.command)}"
            )
    return found


def _dispatch(request: Words) -> int:
    command, words, options = request.command, request.words, request.options
    if "version" in options:
        say(f"mtlrun {__version__}")
        return 0
    if "help" in options:
        say(_help(command))
        return 0
    if command == "init":
        return _init(_operands(command, words, 1)[0], options.get("targets"))
    if command == "fetch":
        from mtlrun.data.download import fetch

        say(str(fetch(_operands(command, words, 1)[0])))
        return 0
    if command == "resume":
        from mtlrun.runs.launch import resume

        return resume(Path(_operands(command, words, 1)[0]))
    if command == "predict":
        run, table = _operands(command, words, 2)
        return _predict(Path(run), table, options)
    if command == "export":
        return _export(Path(_operands(command, words, 1)[0]), options)
    if command == "compare":
        from mtlrun.compare.command import compare

        return compare([Path(word) for word in words], options)

    from mtlrun.compose import compose

    composed = compose(words, options.get("config_dir"), "multirun" in options)
    if command == "check":
        say(_check(composed))
        return 0
    if composed.sweep:
        from mtlrun.sweeps.sweep import run_sweep

        return run_sweep(composed)
    from mtlrun.runs.launch import run_one

    return run_one(composed)


def _operands(command: str, words: list[str], count: int) -> list[str]:
    if len(words) != count:
        raise RequestError(f"{command}: found {len(words)} words, expected {count}\nusage: mtlrun {_usage(command)}")
    return words


def _init(table: str, targets: str | None) -> int:
    if not targets:
        raise RequestError("init: --targets is missing\nusage: mtlrun init TABLE --targets a,b")
    from mtlrun.data.init_yaml import write_yaml

    path = write_yaml(Path(table), _names(targets) or [], Path("."))
    say(f"{path}\nlook at it, then: mtlrun check data={path.stem}")
    return 0


def _names(words: str | None) -> list[str] | None:
    """The names in a list with commas; one that holds a comma goes in double quotes, as in a CSV file."""
    if words is None:
        return None
    try:
        found = next(csv.reader([words], skipinitialspace=True), [])
    except csv.Error as error:
        raise RequestError(f"{words[:60]}…: no list of names ({error})\nallowed: a,b,c") from None
    return [name.strip() for name in found if name.strip()]


def _check(composed: "Request") -> str:
    """What `mtlrun check` prints: the resolved run, or how a sweep divides, and its runs."""
    from mtlrun.compose import single

    if composed.sweep:
        from mtlrun.sweeps.sweep import describe

        lines = [describe(composed)]
    else:
        config = single(composed)
        from mtlrun.runs.preview import report

        lines = [report(config)]
    return "\n".join([*composed.notes, *lines])


def _predict(run: Path, table: str, options: Mapping[str, str]) -> int:
    out = _new_file("predict", options.get("output"), ".csv")
    _require_folder("predict", run)
    from mtlrun.data.paths import resolve_path
    from mtlrun.data.table import read_table
    from mtlrun.results.files import write_text
    from mtlrun.runs.run import load

    frame = read_table(resolve_path(table, "predict"), "predict")
    predictor = load(run, _names(options.get("tasks")))
    if predictor.note:
        say(predictor.note)
    write_text(out, predictor.predict(frame).to_csv(index=False))
    for column, count in predictor.unknown(frame).items():
        say(f"{column}: {count} rows hold a value that is new to the model or was too rare in training: unknown")
    say(f"{len(frame)} rows: {out}")
    return 0


def _export(run: Path, options: Mapping[str, str]) -> int:
    out = _new_file("export", options.get("output"), ".onnx")
    _require_folder("export", run)
    from mtlrun.runs.export import export

    found = export(run, out, _names(options.get("tasks")))
    for what, values in (("inputs", found.inputs), ("outputs", found.outputs)):
        say(f"{what}:")
        width = max(map(len, [*values][:SHOWN]))
        for name, (kind, shape) in [*values.items()][:SHOWN]:
            say(f"  {name:{width}}  {kind} {shape}")
        if len(values) > SHOWN:
            say(f"  … ({len(values)} in all)")
    say(f"parity with predict on {found.rows}: largest difference {found.difference:.1g}".replace("e-0", "e-"))
    say(f"{found.size:,} bytes: {out}")
    return 0


def _new_file(command: str, output: str | None, suffix: str) -> Path:
    """The file that -o names. Raises RequestError unless it is a new one with this suffix in a folder that exists."""
    if not output:
        raise RequestError(f"{command}: -o is missing\nusage: mtlrun {_usage(command)}")
    out = Path(output)
    if out.suffix.lower() != suffix:
        raise RequestError(f"-o: found {out}\nallowed: a file that ends in {suffix}")
    if out.exists():
        raise RequestError(f"-o: {out} exists already\nallowed: a new file")
    if not out.parent.is_dir():
        raise RequestError(f"-o: there is no folder {out.parent}\nallowed: a new file in a folder that exists")
    return out


def _require_folder(command: str, run: Path) -> None:
    if not run.is_dir():
        raise RequestError(f"{command}: there is no folder {run}\nusage: mtlrun {_usage(command)}")


@contextlib.contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """SIGTERM, and SIGHUP of a terminal that is closed, end our work as Ctrl-C does, with statuses of their own."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise Interrupted(signum)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heeded = [s for s in ENDING if signal.getsignal(s) is not signal.SIG_IGN]  # nohup has SIGHUP ignored
    before = {s: signal.signal(s, interrupt) for s in heeded}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


@contextlib.contextmanager
def _logging_restored() -> Iterator[None]:
    """Hydra replaces the root logger's handlers; leave none of them, nor its files, open.

    A run goes on where nobody reads its lines any more (mtlrun | head).
    """
    root = logging.getLogger()
    handlers, level, loud = root.handlers[:], root.level, logging.raiseExceptions
    factory = logging.getLogRecordFactory()
    logging.raiseExceptions = False
    logging.setLogRecordFactory(plain_records)
    try:
        yield
    finally:
        logging.raiseExceptions = loud
        logging.setLogRecordFactory(factory)
        for handler in root.handlers:
            if handler not in handlers:
                handler.close()
        root.handlers[:] = handlers
        root.setLevel(level)


def _usage(command: str) -> str:
    return COMMANDS[command][0] if command else "[OVERRIDES]"


def _help(command: str) -> str:
    if command:
        usage, what = COMMANDS[command]
        details = {
            "compare": f"\n{COMPARE_HELP}",
            "predict": LEAVING_HELP.format("OUT.csv"),
            "export": LEAVING_HELP.format("MODEL.onnx"),
        }
        return f"mtlrun {usage}\n  {what}{details.get(command, '')}"
    lines = ["mtlrun: multi-task learning from the command line", "", "usage:"]
    lines += [f"  mtlrun {'[OVERRIDES]':30} train one run", f"  mtlrun {'-m [OVERRIDES]':30} a sweep: one run for each"]
    for usage, what in COMMANDS.values():
        lines.append(f"  mtlrun {usage:30} {what}")
    lines += [
        "",
        "overrides: GROUP=OPTION and KEY=VALUE",
        *(line for group, options in _groups().items() for line in _option_lines(group, options)),
        "  further options are found in ./conf/GROUP/OPTION.yaml of the working directory",
        "",
        "options, anywhere on the line:",
        "  -m, --multirun     a sweep over values with commas between them",
        "  --config-dir DIR   search DIR/GROUP/OPTION.yaml too",
        "  -h, --help         this text; mtlrun SUB-COMMAND --help",
        "  --version",
        "",
        "examples:",
        "  mtlrun loss=uncertainty lr=per_head",
        "  mtlrun loss=fixed loss.weights.price=0.1 lr.base=0.003 trainer.epochs=5",
        "  mtlrun 'only=[price,cut]' graph=chain graph.gradient=stop",
        "  mtlrun -m loss=sum,uncertainty lr=single,per_head 'seed=range(3)'",
        "  mtlrun -m 'arms=[{loss: sum},{loss: uncertainty, loss.lr: \"0.01,0.1\"}]'",
        "  mtlrun init houses.csv --targets price,kind && mtlrun check data=houses",
    ]
    return "\n".join(lines)


def _option_lines(group: str, options: list[str]) -> list[str]:
    """A group with its options, in lines of 80."""
    return textwrap.wrap(", ".join(options), 80, initial_indent=f"  {group + '=':12} ", subsequent_indent=" " * 15)


def _groups() -> dict[str, list[str]]:
    """The groups in the order of conf/config.yaml's defaults, with their options, ours and those of installed packages,
    from the names of the files."""
    from mtlrun.config.extensions import conf_dirs

    folders = [conf_dir(), *conf_dirs()]
    return {g: sorted({f.stem for d in folders for f in (d / g).glob("*.yaml")}) for g in (*GROUPS, "experiment")}
