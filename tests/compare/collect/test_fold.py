"""What tells rows apart, and what they are called."""

from typing import Any

from folders import Outputs

from mtlrun.compare.analyse import analyse
from mtlrun.compare.analysis.options import Options
from mtlrun.compare.collect.fold import fold
from mtlrun.compare.collect.folders import collect
from mtlrun.compare.collect.settings import Setting


def folded(outputs: Outputs, **options: Any) -> dict[str, Setting]:
    return {setting.label: setting for setting in fold(collect([outputs.root]).runs, **options)[0]}


def test_rows_differ_in_what_runs_differ_in_and_seeds_fold(outputs: Outputs) -> None:
    for seed in range(3):
        outputs.run(f"s{seed}", {"a": 1, "b": 1}, seed, split_seed=None, flat={"trainer.threads": seed + 1})
        outputs.run(f"u{seed}", {"a": 1, "b": 1}, seed, split_seed=None, flat={"loss": "uncertainty", "lr.base": 0.01})
    found = folded(outputs)
    assert {label: own.seeds for label, own in found.items()} == {
        "loss=sum lr.base=0.001": (0, 1, 2),
        "loss=uncertainty lr.base=0.01": (0, 1, 2),
    }


def test_a_key_that_only_another_option_has_tells_nothing_apart_but_an_absent_weight_does(outputs: Outputs) -> None:
    for name, flat in {
        "s": {},
        "p": {"lr": "per_head", "lr.trunk": "0.3x"},
        "f": {"loss": "fixed"},
        "a": {"loss": "fixed", "loss.weights.a": 0.1},
        "b": {"loss": "fixed", "loss.weights.b": 3},
    }.items():
        outputs.run(name, {"a": 1, "b": 1}, flat=flat)
    assert set(folded(outputs)) == {
        "loss=sum lr=single",
        "loss=sum lr=per_head",
        "loss=fixed lr=single",
        "loss=fixed loss.weights.a=0.1 lr=single",
        "loss=fixed loss.weights.b=3 lr=single",
    }


def test_a_label_leaves_out_what_follows_from_the_option(outputs: Outputs) -> None:
    """heads is weighted for the sum and for uncertainty, own for pcgrad and cagrad; rates and warm-ups differ likewise.
    The runs stay told apart by them."""
    excess = {"loss": "excess_mtl", "loss.lr": 0.01, "loss.warmup": 3, "loss.heads": "weighted"}
    for name, flat in {
        "s": {"loss.heads": "weighted"},
        "p": {"loss": "pcgrad", "loss.heads": "own"},
        "e": excess,
        "u": {"loss": "uncertainty", "loss.lr": 0.025, "loss.heads": "weighted"},
        "t": {"loss": "stch", "loss.warmup": 8, "loss.heads": "weighted"},  # not the default, 5
        "c": {"loss": "cagrad", "loss.heads": "own"},
        "d": {"loss": "cagrad", "loss.heads": "weighted"},  # differs from another run of its option
    }.items():
        outputs.run(name, {"a": 1, "b": 1}, flat=flat)
    found = folded(outputs)
    assert list(found) == [
        "loss=cagrad loss.heads=own",
        "loss=cagrad loss.heads=weighted",
        "loss=excess_mtl",
        "loss=pcgrad",
        "loss=sum",
        "loss=stch loss.warmup=8",
        "loss=uncertainty",
    ]
    own = found["loss=excess_mtl"].values
    assert own == {"loss": "excess_mtl", "loss.heads": "weighted", "loss.lr": "0.01", "loss.warmup": "3"}
    assert set(folded(outputs, by=("loss.heads",))) == {"loss.heads=weighted", "loss.heads=own"}


def test_defaults_are_those_of_the_options_file(outputs: Outputs) -> None:
    """weight_decay of adamw is 0.02 there, and 0 in the schema, which adam has too."""
    for name, optimizer, decay in (("a", "adam", 0.0), ("w", "adamw", 0.02), ("s", "sgd", 0.1)):
        flat = {"optimizer": optimizer, "optimizer.weight_decay": decay}
        outputs.run(name, {"a": 1, "b": 1}, flat=flat)
    assert set(folded(outputs)) == {"optimizer=adam", "optimizer=adamw", "optimizer=sgd optimizer.weight_decay=0.1"}


def test_single_task_nets_are_one_row_and_narrower_ones_another(outputs: Outputs) -> None:
    outputs.setting("sum", [1, 2], [1, 2])
    outputs.alone([1, 2], [1, 2])
    outputs.alone([1, 2], [1, 2], "narrow", flat={"model.hidden": [32, 32]})
    found = folded(outputs)
    assert set(found) == {"loss=sum", "alone model.hidden=[64,64]", "alone model.hidden=[32,32]"}
    assert len(found["alone model.hidden=[32,32]"].members) == 4
    assert found["loss=sum"].kind == "method" and found["alone model.hidden=[64,64]"].kind == "alone"


def test_arms_name_rows_and_runs_without_an_arm_join_the_one_with_their_settings(outputs: Outputs) -> None:
    narrow = {"a": [20, 20], "b": [40, 40]}
    for seed in range(2):
        outputs.run(f"p{seed}", {"a": 1, "b": 1}, seed, sweep="s", arm="plain sum")
        for weight in (0.1, 3.0):
            outputs.run(
                f"f{weight}{seed}",
                {"a": 1, "b": 1},
                seed,
                sweep="s",
                arm="fixed weights",
                flat={"loss": "fixed", "loss.weights.a": weight},
            )
        for task, hidden in narrow.items():
            outputs.run(
                f"n{task}{seed}", {task: 1}, seed, sweep="s", arm="alone, narrow", flat={"model.hidden": hidden}
            )
    outputs.run("later", {"a": 1, "b": 1}, 2)
    found = folded(outputs)
    assert {label: own.seeds for label, own in found.items()} == {
        "plain sum": (0, 1, 2),
        "fixed weights loss.weights.a=0.1": (0, 1),
        "fixed weights loss.weights.a=3": (0, 1),
        "alone, narrow": (0, 1),
    }
    assert len(found["alone, narrow"].members) == 4  # hidden sizes of its own for each task


def test_by_replaces_what_tells_rows_apart_and_doubles_are_named(outputs: Outputs) -> None:
    for loss in ("sum", "uncertainty"):
        for rate in (0.1, 0.2):
            outputs.setting(f"{loss}{rate}", [1, 2], [1, 2], flat={"loss": loss, "lr.base": rate})
    runs = collect([outputs.root]).runs
    settings, findings = fold(runs, by=("loss",))
    assert [setting.label for setting in settings] == ["loss=sum", "loss=uncertainty"]
    assert [len(setting.members) for setting in settings] == [2, 2]
    assert not findings and [setting.mixed for setting in settings] == [("lr.base",)] * 2
    assert settings[0].doubled == "sum0.2-0 beside sum0.1-0; sum0.2-1 beside sum0.1-1"
    assert [setting.label for setting in fold(runs, by=("lr",))[0]] == ["lr.base=0.1", "lr.base=0.2"]


def test_boosting_is_told_apart_by_its_own_settings_only(outputs: Outputs) -> None:
    for loss in ("sum", "uncertainty"):
        outputs.setting(loss, [1], [1], flat={"loss": loss})
        outputs.setting(f"boost-{loss}", [1], [1], flat={"loss": loss, "model": "boosting"})
    settings, findings = fold(collect([outputs.root]).runs)
    assert sorted((s.label, s.kind) for s in settings) == [
        ("boosting", "boosting"),
        ("loss=sum", "method"),
        ("loss=uncertainty", "method"),
    ]
    assert len(findings) == 1


def test_runs_from_before_a_key_was_there_fold_with_later_ones(outputs: Outputs) -> None:
    for seed in range(2):  # model.restart and tasks.a.shuffle came later; a patience of null is no default
        outputs.run(f"old-{seed}", {"a": 1, "b": 1}, seed)
        later = {
            "model.restart": 0,
            "trainer.gradient_noise": 0.0,
            "tasks.a.shuffle": False,
            "data.max_categories": 100,
        }
        outputs.run(f"new-{seed}", {"a": 1, "b": 1}, seed + 2, flat=later)
        outputs.run(f"long-{seed}", {"a": 1, "b": 1}, seed, flat={"trainer.patience": None})
    found = folded(outputs)
    assert {label: own.seeds for label, own in found.items()} == {
        "trainer.patience=auto": (0, 1, 2, 3),
        "loss=sum": (0, 1),
    }


def test_a_trunk_that_was_trained_before_makes_no_single_task_net(outputs: Outputs) -> None:
    outputs.setting("s", [1, 2], [1, 2])
    outputs.alone([1, 2], [1, 2])
    outputs.alone([1, 2], [1, 2], "pre", flat={"model.pretrain": ["b", "c"]})
    found = folded(outputs)
    assert {label: own.kind for label, own in found.items()} == {
        "loss=sum": "method",
        "alone": "alone",
        "pre-trained": "pre-trained",
    }
    assert len(found["pre-trained"].members) == 4  # a run for each task and seed, in one row
    outputs.alone([1, 2], [1, 2], "other", flat={"model.init_from": "outputs/runs/a"})
    assert {own.kind for label, own in folded(outputs).items() if "model." in label} == {"pre-trained"}
    compared = analyse(collect([outputs.root]), Options())
    assert compared.baseline == "alone"
