"""Checks across groups: short rules, one module per subject.

A rule raises RequestError or returns lines to print once (`Config.notes`). Its docstring states what must hold.
"""

from collections.abc import Callable, Sequence

from mtlrun.config.rules import (
    boosting_rules,
    column_rules,
    graph_rules,
    head_rules,
    loss_rules,
    rate_rules,
    sharing_rules,
    split_rules,
    task_rules,
    trainer_rules,
    trunk_rules,
)
from mtlrun.config.schema import Config
from mtlrun.config.stages import first_stage
from mtlrun.util.errors import RequestError, listing

Rule = Callable[[Config], Sequence[str] | None]


def notes_of(config: Config) -> list[str]:
    """The notes of all rules, in the order of `RULES`. The first broken rule raises RequestError."""
    return [note for rule in RULES for note in rule(config) or ()]


def _first_stage(config: Config) -> None:
    """The first stage (model.pretrain) obeys all rules too."""
    first = first_stage(config)
    if first is None:
        return
    try:
        notes_of(first)
    except RequestError as error:
        raise RequestError(f"{error} (in the first stage, model.pretrain={listing(first.active)})") from None


RULES: tuple[Rule, ...] = (
    boosting_rules.losses,
    task_rules.absent_heads,
    loss_rules.lower_bounds,
    head_rules.heads,
    loss_rules.below_0,
    loss_rules.weights,
    trunk_rules.ensemble,
    sharing_rules.trunks,
    sharing_rules.groups,
    sharing_rules.shared_gradients,
    sharing_rules.penalised_heads,
    loss_rules.refused_values,
    rate_rules.rates_per_head,
    split_rules.one_way_to_split,
    split_rules.fractions,
    split_rules.files,
    split_rules.all_rows,
    column_rules.columns,
    trainer_rules.selection,
    trainer_rules.trunk_without_parameters,
    trainer_rules.activations,
    rate_rules.optimizer,
    trunk_rules.given_trunk,
    trunk_rules.pretrained_trunk,
    _first_stage,
    graph_rules.parsed,
    head_rules.functions,
    loss_rules.every_head_learns,
    graph_rules.embeddings,
    graph_rules.discarded_sources,
    task_rules.discarded_heads,
    sharing_rules.mixed_constants,
)
