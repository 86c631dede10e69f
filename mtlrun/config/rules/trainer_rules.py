"""Rules about the trainer: selection of a checkpoint, and settings that need layers or parameters of the trunk."""

from mtlrun.config.schema import OVER_TASKS, Config, GradientLossConfig
from mtlrun.config.values import require_task
from mtlrun.util.errors import RequestError, listing


def selection(config: Config) -> None:
    """A checkpoint is selected by the main tasks, or by one task that is trained."""
    select, active = config.trainer.select, config.active
    for name, task in active.items() if select != "last" else ():
        if (task.main or name == select) and task.declared is not None and task.declared.unlabelled:
            raise RequestError(
                f"trainer.select: found {select}, which is about predictions, and {name} ({task.type}) has no labels "
                "to predict\nset it: trainer.select=last"
            )
    if select in OVER_TASKS:
        if not any(task.main for task in active.values()):
            raise RequestError("tasks: none has role main, so there is nothing to select a checkpoint by")
        return
    require_task(select, config.tasks, f"trainer.select ({', '.join(OVER_TASKS)} or a task)")
    if select not in active:
        raise RequestError(f"trainer.select: {select} is not trained, as only={listing(config.only or [])}")
    if active[select].reads_inputs:
        raise RequestError(
            f"trainer.select: {select} reconstructs the inputs\nallowed: {', '.join(OVER_TASKS)}, another task"
        )


def trunk_without_parameters(config: Config) -> None:
    """No setting reads or changes the gradients of the trunk if the trunk has no layers."""
    if config.boosting or config.net.hidden:
        return
    for name, off in (("gradient_noise", "0"), ("log_gradients", "false")):
        if getattr(config.trainer, name):
            raise RequestError(
                f"trainer.{name}: the trunk has no parameters, as model.hidden is empty\n"
                f"set model.hidden=[64], or trainer.{name}={off}"
            )
    if isinstance(config.loss, GradientLossConfig):
        raise RequestError(
            f"loss={config.loss.name}: reads the tasks' gradients in the trunk, and the trunk has no "
            "parameters, as model.hidden is empty\nset model.hidden=[64], or loss=sum"
        )
    if config.loss.heads == "own":
        raise RequestError(
            "loss.heads: own tells heads from the trunk, and the trunk has no parameters, as "
            "model.hidden is empty\nset model.hidden=[64], or loss.heads=weighted"
        )


def activations(config: Config) -> None:
    """With trainer.log_activations, which counts relu units that are 0, there are hidden layers with relu."""
    if config.boosting or not config.trainer.log_activations:
        return
    if config.net.activation != "relu":
        raise RequestError(
            "trainer.log_activations: counts units of relu that are 0, and model.activation is "
            f"{config.net.activation}\n"
            "set model.activation=relu, or trainer.log_activations=false"
        )
    if not config.net.hidden and not config.net.head_hidden:
        raise RequestError(
            "trainer.log_activations: the network has no hidden layer\n"
            "set model.hidden=[64], or trainer.log_activations=false"
        )
