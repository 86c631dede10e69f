"""Rules about the edges between tasks."""

from mtlrun.config.schema import Config
from mtlrun.util.errors import RequestError


def parsed(config: Config) -> tuple[str, ...]:
    """The settings make a valid graph. The parser checks single edges. Returns its notes."""
    return config.task_graph.notes


def embeddings(config: Config) -> None:
    """Heads have a hidden layer if an edge passes an embedding."""
    if not config.net.head_hidden and any(e.what == "embedding" for e in config.task_graph.edges):
        raise RequestError(
            "graph: an edge passes an embedding, and heads have no hidden layer\n"
            "set model.head_hidden=[64], or what=logits"
        )


def discarded_sources(config: Config) -> None:
    """A task that is kept receives nothing from a discarded task."""
    active = config.active
    for edge in config.task_graph.edges:
        if active[edge.source].discard and not active[edge.task].discard:
            raise RequestError(
                f"tasks.{edge.source}.discard: {edge.task} receives its {edge.what}, also when the run "
                f"predicts\nset tasks.{edge.source}.discard=false, or remove the edge"
            )
