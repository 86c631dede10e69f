"""The command that trains the baselines."""

from claims import compared, missing
from folders import Outputs


def test_printed_baselines_keep_what_was_not_swept(outputs: Outputs) -> None:
    outputs.setting("sum", [10, 11], [0.5] * 2, sweep="s")
    words = (
        "mtlrun -m loss=sum,uncertainty 'only=[a,b]' lr.base=0.003 lr.schedule=cosine model.dropout=0,0.1 seed=0,1\n"
    )
    (outputs.root / "s/command.txt").write_text(words)
    assert missing(compared(outputs))["baselines"].command == (
        "mtlrun 'only=[a,b]' lr.base=0.003 lr.schedule=cosine experiment=baselines seed=0,1"
    )


def test_runs_of_single_tasks_do_not_narrow_the_baselines(outputs: Outputs) -> None:
    outputs.setting("sum", [10, 11], [0.5] * 2, sweep="s")
    outputs.alone([10, 11] * 3, [0.5] * 6, sweep="t")  # more runs than the sweep of both tasks
    (outputs.root / "t/command.txt").write_text("mtlrun -m 'only=[a]' trainer.clip=1 'seed=range(6)'\n")
    (outputs.root / "s/command.txt").write_text("mtlrun -m 'only=[a,b]' seed=0,1\n")
    command = missing(compared(outputs))["baselines"].command
    assert command == "mtlrun 'only=[a,b]' experiment=baselines 'seed=range(0,6)'"


def test_an_experiment_that_is_no_plan_is_spelled_out_for_the_baselines(outputs: Outputs) -> None:
    outputs.setting("sum", [10, 11], [0.5] * 2, sweep="s")
    (outputs.root / "s/command.txt").write_text("mtlrun experiment=raw_targets trainer.epochs=2\n")
    assert missing(compared(outputs))["baselines"].command == (
        "mtlrun trainer.epochs=2 data=diamonds data.standardize_targets=false experiment=baselines seed=0,1"
    )
