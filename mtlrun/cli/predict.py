"""`mtlrun predict RUN TABLE -o OUT.csv`: writes the predictions of a trained run for new rows."""

from mtlrun.cli.parse import Words


def predict(words: Words) -> int:
    """Writes a prediction for every row of the table."""
    run, table = words.operands(2)
    out, folder = words.new_file(".csv"), words.run_folder(run)
    from mtlrun.runs.predictor import write_predictions

    write_predictions(folder, table, out, words.names("tasks"))
    return 0
