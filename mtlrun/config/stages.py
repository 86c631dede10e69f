"""Pre-training: a run in two stages. The first stage trains the trunk on the tasks of `model.pretrain`."""

from dataclasses import replace
from pathlib import Path

from mtlrun.config.schema import Config, ModelConfig

PRETRAIN = Path("pretrain")  # the folder of the first stage, inside the folder of the run
TASK_FREE: tuple[str, ...] = ("hard",)  # sharing schemes without parts per task


def first_stage(config: Config) -> Config | None:
    """The configuration of the first stage, which trains the trunk; None without `model.pretrain`.

    It differs from `config` as follows. Its tasks are those of `model.pretrain`; all are main tasks, except
    reconstructions. The trunk is not frozen. If `trainer.select` names a task that is not among its tasks, it selects
    by skill.
    """
    if not isinstance(config.model, ModelConfig) or config.model.pretrain is None:
        return None
    names = config.model.pretrain
    tasks = {
        name: replace(task, role="main", discard=False) if name in names and not task.reads_inputs else task
        for name, task in config.tasks.items()
    }
    trainer = config.trainer
    if trainer.select in config.tasks and trainer.select not in names:
        trainer = replace(trainer, select="skill")
    model = replace(config.model, pretrain=None, freeze=False)
    return replace(config, only=list(names), tasks=tasks, model=model, trainer=trainer, notes=())
