"""Pre-training: a run in two stages, of which the first trains the trunk on tasks of its own (`model.pretrain`)."""

from dataclasses import replace
from pathlib import Path

from mtlrun.config.schema import Config, ModelConfig

PRETRAIN = Path("pretrain")  # the folder of the first stage, inside the run's
TASK_FREE: tuple[str, ...] = ("hard",)  # ways of sharing without parts of their own for each task


def first_stage(config: Config) -> Config | None:
    """The run that trains the trunk first, as a configuration of its own; None without `model.pretrain`.

    It has the same settings, but for its tasks: those of `model.pretrain`, all main ones, except reconstructions; and
    its trunk learns. Where `trainer.select` names a task that it does not train, it selects by skill.
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
