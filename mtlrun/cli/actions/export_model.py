"""`mtlrun export RUN -o MODEL.onnx`: writes the trained model as an ONNX file.

Of a sweep: the mean over the runs of one setting, which further words name if there are several. Prints its inputs, its
outputs and the largest difference from the result of `predict`.
"""

from mtlrun.cli.parse import Words
from mtlrun.util.terminal import say
from mtlrun.util.text_tables import table_lines

SHOWN = 20  # most inputs and outputs that are listed


def act(words: Words) -> int:
    """Returns the exit status."""
    run, *setting = words.operands(1, more=True)
    out, folder = words.new_file(".onnx"), words.run_folder(run)
    from mtlrun.compare.collect.members import members_in
    from mtlrun.runs.export import export  # torch

    members = members_in(folder, " ".join(setting))
    exported = export(members.folders, out, words.names("tasks"))
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
