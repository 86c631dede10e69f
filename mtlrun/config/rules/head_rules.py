"""Rules about heads: models without heads, and task types with a function of the features instead of a head."""

from mtlrun.config.graph import NOTHING
from mtlrun.config.schema import Config
from mtlrun.tasks import names, type_of
from mtlrun.util.errors import RequestError, listing


def heads(config: Config) -> None:
    """If the model has no heads, every task has a function instead of a head."""
    if config.model.has_heads:
        return
    for name, task in config.active.items():
        if task.declared is None or task.declared.function_of is None:
            types = [other for other in names() if type_of(other).function_of is not None]
            raise RequestError(
                f"model={config.model.name}: has no heads, and {name} needs one\n"
                f"set model=mlp, or tasks.{name}.type to a type without a head: {listing(types)}"
            )


def functions(config: Config) -> None:
    """A function that replaces a head reads a layer with the right number of features, and no estimates."""
    model, hidden = config.model, config.net.hidden
    for name, task in config.active.items():
        count = None if task.declared is None else task.declared.function_of
        if count is None:
            continue
        at = config.task_graph.trunk[name].at
        width = hidden[at - 1] if at > 0 else None
        if width != count:
            read = "no layer" if at == NOTHING else "the inputs" if width is None else f"the {width} of layer{at}"
            raise RequestError(
                f"tasks.{name}.type: {task.type}, a function of {count} features, and with model={model.name} it reads "
                f"{read}\nset the width of the layer that it reads to {count}, or choose another model"
            )
        if config.task_graph.into(name):
            raise RequestError(
                f"graph: {name} is of type {task.type}, which has no head that could read an estimate\n"
                "set it: graph=none"
            )
