"""Many runs from one composition: each as if Hydra had composed it alone."""

import functools

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mtlrun.compose import checked_config, compose
from mtlrun.compose.composition import Compositions
from mtlrun.config.schema import Config, as_mapping
from mtlrun.util.errors import RequestError

LINES = [
    "loss=sum",
    "loss=fixed",
    "loss=uncertainty",
    "lr=per_head",
    "lr={base:0.5}",
    "lr.base=0.01",
    "lr.heads.price=0.5x",
    "lr.heads={kind:1e-2}",
    "graph=chain",
    "graph.receives.price.kind=pass",
    "tasks.kind.loss=cross_entropy",
    "tasks.rooms={type:regression}",
    "~tasks.kind",
    "~tasks.price.type",
    "only=price",
    "only=[price]",
    "only=null",
    "seed=3",
    "seed=4",
    "data.split.seed=1",
    "data.split.seed=${seed}",
    "~data.split.seed",
    "name=${hydra:runtime.choices.loss}",
    "model.dropout=${lr.base}",
    "lr.warmup=${data.split.seed}",
    "trainer.clip=1",
    "trainer.clip=null",
    "trainer=debug",
    "model={hidden:[8],dropout:0.5}",
    "model.hidden=[]",
]


@functools.cache
def by_hydra(lines: tuple[str, ...]) -> Config | None:
    request = compose([])
    try:
        cfg = request.loader.load_sweep_config(request.cfg, list(lines))
        return checked_config(cfg, cfg)
    except Exception:  # what is wrong in one way or another
        return None


def by_us(compositions: Compositions, lines: tuple[str, ...]) -> Config | None:
    try:
        return compositions.config(lines)
    except RequestError:
        return None


@settings(
    max_examples=5,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.lists(st.sampled_from(LINES), max_size=4, unique=True), min_size=2, max_size=6))
def test_no_run_leaves_a_trace_in_the_next(runs: list[list[str]]) -> None:
    request = compose([])
    compositions = Compositions(request.loader, request.cfg)
    for lines in [("data=houses", *lines) for lines in runs]:
        ours, theirs = by_us(compositions, lines), by_hydra(lines)
        assert (None if ours is None else as_mapping(ours)) == (None if theirs is None else as_mapping(theirs)), lines


def test_hydra_composes_once_per_choice_of_options(monkeypatch: pytest.MonkeyPatch) -> None:
    composed = []
    compose_base = Compositions._compose
    monkeypatch.setattr(Compositions, "_compose", lambda self, c: composed.append(c) or compose_base(self, c))
    request = compose(["data=houses"])
    compositions = Compositions(request.loader, request.cfg)
    for seed in range(50):
        for loss in ("sum", "fixed"):
            found = compositions.config(
                ["data=houses", f"loss={loss}", f"seed={seed}", "name=${hydra:runtime.choices.loss}"]
            )
            assert (found.loss.name, found.name, found.seed, found.data.split.seed) == (loss, loss, seed, seed)
    assert composed == [("data=houses", "loss=sum"), ("data=houses", "loss=fixed")]
