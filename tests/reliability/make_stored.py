"""Makes stored/VERSION, the folders of this version that later ones must read: python tests/reliability/make_stored.py

Once for a version, when it is released. Paths of this machine are replaced by /stored, those of mtlrun by /mtlrun.
"""

import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import torch  # noqa: E402
from children import command, started, wait  # noqa: E402
from small_table import YAML, houses  # noqa: E402

import mtlrun  # noqa: E402

SMALL = [
    "data=houses",
    "model.hidden=[4]",
    "model.head_hidden=[4]",
    "trainer.batch_size=16",
    "trainer.epochs=4",
    "trainer.tensorboard=false",
    "loss=uncertainty",
    "lr=per_head",
]


def stop(words: list[str], file: Path) -> None:
    """Begins a command and ends it by SIGTERM after its first evaluation."""
    with started(words) as child:
        while not file.exists() or file.read_text().count("\n") < 3:
            time.sleep(0.001)
        os.kill(child, signal.SIGTERM)
        assert wait(child).status == 143, "too late: try again"


def elsewhere(tree: Any, folder: str) -> Any:
    """The same tree with paths below /stored."""
    if isinstance(tree, dict):
        return {key: elsewhere(value, folder) for key, value in tree.items()}
    if isinstance(tree, list):
        return [elsewhere(value, folder) for value in tree]
    return tree.replace(folder, "/stored") if isinstance(tree, str) else tree


def main() -> None:
    target = HERE / "stored" / mtlrun.__version__
    shutil.rmtree(target, ignore_errors=True)
    folder = Path(tempfile.mkdtemp())
    os.chdir(folder)
    Path("conf/data").mkdir(parents=True)
    Path("conf/data/houses.yaml").write_text(YAML)
    houses().to_csv("houses.csv", index=False)
    assert command([*SMALL, "hydra.run.dir=run"]).status == 0
    assert command(["predict", "run", "houses.csv", "-o", "predictions.csv"]).status == 0
    assert command(["-m", *SMALL[:-2], "loss=sum,gls", "seed=0,1", "hydra.sweep.dir=sweep"]).status == 0
    stop([*SMALL, "trainer.epochs=60", "hydra.run.dir=interrupted"], Path("interrupted/metrics.csv"))
    long = [
        "-m",
        *SMALL[:-2],
        "trainer.epochs=60",
        "loss=sum,pcgrad",
        "seed=0,1",
        "hydra.sweep.dir=interrupted_sweep",
        "hydra.launcher.processes=1",
    ]
    stop(long, Path("interrupted_sweep/000_loss=sum,seed=0/metrics.csv"))
    for name in ("out.txt", "err.txt"):
        Path(name).unlink()
    for path in folder.rglob("*"):
        if path.suffix == ".pt":
            torch.save(elsewhere(torch.load(path, weights_only=True), str(folder)), path)
        elif path.is_file():
            text = path.read_text(encoding="utf-8").replace(str(folder), "/stored")
            path.write_text(text.replace(str(HERE.parents[1]), "/mtlrun"), encoding="utf-8")
        if path.name in (".lock", ".results.lock"):
            path.unlink()
    shutil.copytree(folder, target)
    shutil.rmtree(folder)
    print(target)


if __name__ == "__main__":
    main()
