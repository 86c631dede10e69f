"""What each sub-command does. Each imports its modules when it runs, so that the others start quickly."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mtlrun.cli.parse import Words
from mtlrun.storage.latest import model_folder, named_folder
from mtlrun.storage.names import TUNE
from mtlrun.util.errors import RequestError
from mtlrun.util.lazy import importing
from mtlrun.util.sections import say_sections
from mtlrun.util.terminal import say
from mtlrun.util.text_tables import table_lines

if TYPE_CHECKING:
    from mtlrun.compose import Request

SHOWN = 20  # most inputs and outputs of an exported model that are listed


def _request_of(words: Words) -> "Request":
    """Composes the request from the overrides. Raises RequestError if they are wrong."""
    from mtlrun.compose import compose

    return compose(words.words, words.options.get("config_dir"), "multirun" in words.options)


def train(words: Words) -> int:
    """`mtlrun [OVERRIDES]`: trains one run, or a sweep with -m. Returns the exit status."""
    request = _request_of(words)
    if "cfg" in words.options:
        return _print_configuration(request, words.options["cfg"])
    if request.sweep:
        from mtlrun.sweeps.sweep import run_sweep

        return run_sweep(request)
    from mtlrun.runs.launch import run_one

    return run_one(request)


def _print_configuration(request: "Request", part: str) -> int:
    """`--cfg job`: prints the checked configuration of a run as YAML. Reads no table and trains nothing."""
    from mtlrun.compose import single
    from mtlrun.config.schema import as_mapping
    from mtlrun.storage.hydra_folder import dump

    if part != "job":
        raise RequestError(f"--cfg: found {part}\nallowed: job; Hydra's part is in .hydra/hydra.yaml of each run")
    if request.sweep:
        raise RequestError("--cfg: for one run, and this is a sweep\nmtlrun check with the same words lists its runs")
    say(dump(as_mapping(single(request))).rstrip())
    return 0


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Makes the garbage collector rare: it goes over the modules and the columns of a wide table again and again."""
    usual = gc.get_threshold()
    gc.set_threshold(100_000, 100, 100)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


@_seldom_collected()
def check(words: Words) -> int:
    """`mtlrun check [OVERRIDES]`: prints the resolved run, or the runs of a sweep and its stacks. Trains nothing."""
    request = _request_of(words)
    if "cfg" in words.options:
        return _print_configuration(request, words.options["cfg"])
    if request.sweep:
        from mtlrun.sweeps.sweep import describe

        say("\n".join([*request.notes, describe(request)]))
        return 0
    from mtlrun.compose import single

    config = single(request)
    from mtlrun.data.dataset import load_table

    with importing("torch"):  # only if the request is valid
        load_table(config)  # once per process
    from mtlrun.runs.preview import configuration, report

    sections = report(config, request.notes, "all" in words.options)
    say_sections([*sections, *([configuration(config)] if "config" in words.options else [])])
    return 0


@_seldom_collected()
def init(words: Words) -> int:
    """`mtlrun init TABLE --targets a,b`: writes ./conf/data/TABLE.yaml, a data option for a user's table.

    `--add-target c` adds a target to one that exists. Prints the types that were inferred, and what was left out.
    """
    (table,) = words.operands(1)
    added = words.names("add_target")
    if added and words.options.get("targets"):
        raise RequestError("init: found --targets and --add-target\nallowed: one of them")
    if added:
        return _add_targets(table, added)
    if not words.options.get("targets"):
        raise RequestError(f"init: --targets is missing\n{words.usage}")
    from mtlrun.data.init_yaml import write_yaml

    written = write_yaml(Path(table), words.names("targets") or [], Path("."))
    say(str(written.path))
    say_sections(written.sections())
    say(f"look at it, then: mtlrun check data={written.path.stem}")
    return 0


def _add_targets(table: str, names: list[str]) -> int:
    """Adds targets to ./conf/data/TABLE.yaml. Returns the exit status."""
    from mtlrun.compose import compose, single
    from mtlrun.data.added_target import add_targets, option_file
    from mtlrun.data.dataset import load_table
    from mtlrun.data.init_targets import target_sections

    file = option_file(table, Path("."))
    frame = load_table(single(compose([f"data={file.stem}"])))[0].frame
    targets = add_targets(file, names, frame)
    say(str(file))
    say_sections(target_sections(targets))
    say(f"look at it, then: mtlrun check data={file.stem}")
    return 0


def fetch(words: Words) -> int:
    """`mtlrun fetch NAME`: downloads a benchmark data set and prints its path."""
    (name,) = words.operands(1)
    from mtlrun.data.download import fetch as download

    say(str(download(name)))
    return 0


def compare(words: Words) -> int:
    """`mtlrun compare DIR...`: compares the results of runs. Returns the exit status."""
    from mtlrun.compare.command import compare as compare_folders

    return compare_folders([model_folder(word) for word in words.words], words.options)


def tune(words: Words) -> int:
    """`mtlrun tune [OVERRIDES]`: searches settings, confirms them, and says what to do. Returns the exit status."""
    from mtlrun.tune.tune_folder import tune as search

    return search(words.words, words.options.get("config_dir"))


def resume(words: Words) -> int:
    """`mtlrun resume DIR`: resumes an interrupted run, sweep or search. Returns the exit status."""
    (word,) = words.operands(1)
    folder = named_folder(word)
    if (folder / TUNE).is_file():
        from mtlrun.tune.tune_folder import resume_tune

        return resume_tune(folder.resolve())
    from mtlrun.sweeps.resuming import resume as resume_folder

    return resume_folder(folder)


def predict(words: Words) -> int:
    """`mtlrun predict RUN TABLE -o OUT.csv`: writes a prediction for every row of the table.

    Of a sweep: the mean over the runs of one setting, which further words name if there are several.
    """
    run, table, *setting = words.operands(2, more=True)
    out, folder, interval = words.new_file(".csv"), words.run_folder(run), words.number("interval")
    from mtlrun.data.paths import require_file, resolve_path

    require_file(resolve_path(table, "predict"), "predict")
    from mtlrun.api.models import load
    from mtlrun.runs.prediction_file import write_predictions

    model = load(folder, words.names("tasks"), " ".join(setting))
    write_predictions(model, table, out, words.names("keep") or [], interval)
    return 0


def export(words: Words) -> int:
    """`mtlrun export RUN -o MODEL.onnx`: writes the trained model as an ONNX file.

    Of a sweep: the mean over the runs of one setting, which further words name if there are several. Prints its inputs,
    its outputs and the largest difference from the result of `predict`.
    """
    run, *setting = words.operands(1, more=True)
    out, folder = words.new_file(".onnx"), words.run_folder(run)
    from mtlrun.compare.collect.members import members_in
    from mtlrun.runs.export import export as export_model

    members = members_in(folder, " ".join(setting))
    exported = export_model(members.folders, out, words.names("tasks"))
    if members.words:
        say(members.words)
    for what, values in (("inputs", exported.inputs), ("outputs", exported.outputs)):
        rows = [[f"  {name}", kind, str(shape)] for name, (kind, shape) in values.items()]
        say("\n".join(table_lines([what, "type", "shape"], rows[:SHOWN])))
        if len(values) > SHOWN:
            say(f"  and {len(values) - SHOWN} more")
    say(f"parity with predict on {exported.rows}: largest difference {exported.difference:.1g}".replace("e-0", "e-"))
    say(f"{exported.size:,} bytes: {out}")
    return 0


def log(words: Words) -> int:
    """`mtlrun log DIR... --to mlflow|wandb`: sends finished runs to another tool. Returns the exit status."""
    folders = [words.run_folder(word) for word in words.operands(1, more=True)]
    if "to" not in words.options:
        raise RequestError(f"log: --to is missing\n{words.usage}")
    from mtlrun.trackers.send import send

    options = words.options
    return send(folders, options["to"], options.get("uri"), options.get("project"), "checkpoints" in options)


def explain(words: Words) -> int:
    """`mtlrun explain WORD`: explains a word of statistics, a key or an option. Without a word it lists them."""
    from mtlrun.cli.explain import explanation, list_of_words

    say(explanation(" ".join(words.words)) if words.words else list_of_words())
    return 0


ACTIONS: dict[str, Callable[[Words], int]] = {
    "": train,
    "check": check,
    "init": init,
    "fetch": fetch,
    "compare": compare,
    "tune": tune,
    "resume": resume,
    "predict": predict,
    "export": export,
    "explain": explain,
    "log": log,
}
