"""The runs of a stack, their folders, and the checkpoint of the whole stack."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtlrun.config.schema import Config
from mtlrun.config.stages import PRETRAIN, first_stage
from mtlrun.data.dataset import Dataset, load_dataset, require_unchanged
from mtlrun.engine import checkpoint
from mtlrun.engine.checkpoint import BEGIN_ANEW
from mtlrun.runs.identity import require_own_state
from mtlrun.storage.names import LAST


@dataclass(frozen=True)
class StackOfRuns:
    """R runs that train together into `folders`. A single run is a stack with R = 1.

    checkpoint: the file that the whole stack is saved to
    retry: whether runs that failed before train again
    """

    configs: Sequence[Config]
    datasets: Sequence[Dataset]
    folders: Sequence[Path]
    checkpoint: Path
    retry: bool = False

    def saved_state(self) -> dict[str, Any] | None:
        """The content of the checkpoint; None if there is none. Raises RequestError if it is damaged.

        Raises it too if the table has changed since, or if the checkpoint is that of other runs.
        """
        if not self.checkpoint.exists():
            return None
        state = checkpoint.load(self.checkpoint, BEGIN_ANEW)
        mend = "restore the file, or train anew in another folder"
        recorded = state.get("data_hash", "unknown")
        require_unchanged(self.configs[0].data, self.datasets[0].hash, recorded, "this run began", mend)
        with checkpoint.read_from(self.checkpoint, BEGIN_ANEW):
            for folder, member in zip(self.folders, state.get("members", ()), strict=False):
                require_own_state(self.checkpoint, member, folder)
        return state

    def first_stages(self) -> "StackOfRuns | None":
        """The stack of the first stages, each in a folder inside its run's folder; None without `model.pretrain`."""
        configs = [first for config in self.configs if (first := first_stage(config)) is not None]
        if not configs:
            return None
        folders = [folder / PRETRAIN for folder in self.folders]
        path = first_checkpoint(self.checkpoint)
        return StackOfRuns(configs, [load_dataset(config) for config in configs], folders, path)


def first_checkpoint(path: Path) -> Path:
    """The checkpoint of the first stages of a stack whose checkpoint is `path`."""
    if path.parts[-2:] == LAST.parts:  # a single run, whose checkpoint is in its folder
        return path.parents[1] / PRETRAIN / LAST
    return path.with_stem(f"{path.stem}-{PRETRAIN}")
