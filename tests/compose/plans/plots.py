"""A table of three tasks: two numbers and a class, each with labels in some rows only."""

from pathlib import Path

import numpy as np

TABLE = """\
# @package _global_
data: {path: plots.csv}
tasks: {crop: {type: regression}, height: {type: regression}, kind: {type: categorical}}
"""


def write_plots(folder: Path) -> None:
    """`crop` has a label in every fourth row, `height` in three of four, `kind` in two of three."""
    (folder / "conf/data").mkdir(parents=True)
    (folder / "conf/data/plots.yaml").write_text(TABLE)
    random = np.random.default_rng(1)
    lines = []
    for i in range(400):
        a, b = random.normal(size=2)
        crop = f"{a * b:.4f}" if i % 4 == 0 else ""
        height = f"{a - b:.4f}" if i % 4 != 1 else ""
        lines.append(f"{a:.4f},{b:.4f},{crop},{height},{'uvw'[int(a > 0) + int(b > 0)] if i % 3 else ''}\n")
    (folder / "plots.csv").write_text("a,b,crop,height,kind\n" + "".join(lines))
