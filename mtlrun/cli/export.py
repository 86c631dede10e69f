"""`mtlrun export RUN -o MODEL.onnx`: writes the trained model as an ONNX file."""

from mtlrun.cli.parse import Words
from mtlrun.util.tables import table_lines
from mtlrun.util.terminal import say

SHOWN = 20  # inputs and outputs that are listed, at most


def export(words: Words) -> int:
    """Writes the model. Prints its inputs, its outputs and the largest difference from the result of `predict`."""
    (run,) = words.operands(1)
    out, folder = words.new_file(".onnx"), words.run_folder(run)
    from mtlrun.runs.export import export as export_run

    exported = export_run(folder, out, words.names("tasks"))
    for what, values in (("inputs", exported.inputs), ("outputs", exported.outputs)):
        rows = [[f"  {name}", kind, str(shape)] for name, (kind, shape) in values.items()]
        say("\n".join(table_lines([what, "type", "shape"], rows[:SHOWN])))
        if len(values) > SHOWN:
            say(f"  … ({len(values)} in all)")
    say(f"parity with predict on {exported.rows}: largest difference {exported.difference:.1g}".replace("e-0", "e-"))
    say(f"{exported.size:,} bytes: {out}")
    return 0
