"""`mtlrun predict RUN TABLE -o OUT.csv`: writes a prediction for every row of the table.

Of a sweep: the mean over the runs of one setting, which further words name if there are several.
"""

from mtlrun.cli.parse import Words
from mtlrun.data.paths import require_file, resolve_path


def act(words: Words) -> int:
    """Returns the exit status."""
    run, table, *setting = words.operands(2, more=True)
    out, folder, interval = words.new_file(".csv"), words.run_folder(run), words.number("interval")
    require_file(resolve_path(table, "predict"), "predict")
    from mtlrun.api.models import load  # torch
    from mtlrun.runs.prediction_file import write_predictions

    model = load(folder, words.names("tasks"), " ".join(setting))
    write_predictions(model, table, out, words.names("keep") or [], interval)
    return 0
