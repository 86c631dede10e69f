"""A trunk for each group of tasks: who is in which, shapes, and what it says. See also test_reductions.py."""

from pathlib import Path
from typing import Any

import pytest
import torch
from commands import main
from support import make_config, make_stack

from mtlrun.config.schema import GroupsConfig
from mtlrun.engine.diagnostics import dead_units
from mtlrun.runs.transfer import _require_alike
from mtlrun.util.errors import RequestError

TASKS: dict[str, Any] = {t: {"type": "regression"} for t in "abcd"}


@pytest.mark.parametrize(
    ("groups", "tasks", "expected"),
    [
        ([["a", "b"], ["c"]], "abc", [["a", "b"], ["c"]]),
        ([["c", "a"]], "abcd", [["c", "a"], ["b"], ["d"]]),
        ([["a", "b"], ["c", "d"]], "abd", [["a", "b"], ["d"]]),
        ([["a", "b"], ["c"]], "b", [["b"]]),
    ],
)
def test_every_task_has_one_trunk(groups: list[list[str]], tasks: str, expected: list[list[str]]) -> None:
    config = GroupsConfig(groups=groups)
    assert config.division(list(tasks)) == expected
    assert config.trunks(len(tasks)) >= len(expected) or len(tasks) < 4


def test_features_are_by_group_and_heads_read_their_own() -> None:
    config = make_config(TASKS, sharing={"name": "groups", "groups": [["a", "d"], ["c"]]}, trainer={"epochs": 1})
    network = make_stack([config, config]).network
    sharing = network.sharing
    assert sharing.describe() == "3 trunks of 94 parameters: a, d | c | b"
    x = torch.randn(2, 7, 4)
    first, *layers = sharing(x)
    assert first is x and [tuple(h.shape) for h in layers] == [(2, 3, 7, 8), (2, 3, 7, 6)]
    assert sorted(block.tasks for block in network.blocks) == [["a", "d"], ["b", "c"]]
    sharing.trunks[1].layers[0].weight.data.zero_()  # of c
    before, after = [h[:, sharing.parts["b"]] for h in layers], [h[:, sharing.parts["b"]] for h in sharing(x)[1:]]
    assert all(map(torch.equal, before, after))
    assert not torch.equal(sharing(x)[-1][:, 1], layers[-1][:, 1])


def test_dead_units_are_those_of_the_task_s_trunk() -> None:
    stack = make_stack([make_config(TASKS, sharing={"name": "groups", "groups": [["b", "c"], ["a"]]})])
    layer = stack.network.sharing.trunks[0].layers[0]
    layer.weight.data.zero_()
    layer.bias.data.fill_(-1.0)
    found = dead_units(stack.val)[0]
    assert [found[t, "dead_trunk_layer1"] == 1 for t in "abcd"] == [False, True, True, False]


def test_trunks_are_taken_over_only_by_the_same_groups() -> None:
    def config(groups: list[list[str]]) -> Any:
        return make_config(TASKS, sharing={"name": "groups", "groups": groups})

    theirs = config([["a", "b"], ["c", "d"]])
    _require_alike(Path("donor"), theirs, config([["a", "b"], ["c", "d"]]))
    with pytest.raises(RequestError, match=r"found \[\[a,c\],\[b,d\]\], .* those of \[\[a,b\],\[c,d\]\]\nset it: 'sh"):
        _require_alike(Path("donor"), theirs, config([["a", "c"], ["b", "d"]]))


def test_notes_name_the_tasks_in_no_group_and_those_left_out() -> None:
    sharing = {"name": "groups", "groups": [["a", "b"], ["d"]]}
    assert make_config(TASKS, sharing=sharing).notes == ("sharing.groups: c in no group: a trunk of its own",)
    assert make_config(TASKS, sharing=sharing, only=["a", "b"]).notes == (
        "sharing.groups: d left out, as `only` leaves out the task",
    )


def test_on_the_command_line_and_in_a_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["sharing=groups", "trainer.max_steps=2", "data.train_rows=200", "trainer.tensorboard=false"]
    groups = "sharing.groups=[[price,cut],[color]],[[price],[cut,color,clarity]]"
    assert main(["-m", *words, groups, "hydra.sweep.dir=s"]) == 0
    rows = Path("s/results.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 3 and "[[price,cut],[color]]" in rows[1].replace(" ", "").replace("'", "")
    capsys.readouterr()
    assert main(["check", *words, "sharing.groups=[[price,cut],[color]]"]) == 0
    found = capsys.readouterr().out
    assert "3 trunks of " in found and ": price, cut | color | clarity" in found
