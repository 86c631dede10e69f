"""What keeps the word best from being printed, and the commands that supply it."""

from claims import compared, missing, whole
from folders import Outputs


def test_best_is_said_where_every_condition_holds(outputs: Outputs) -> None:
    whole(outputs, seeds=9)
    found = compared(outputs)
    assert missing(found) == {} and found.best and found.leader == "loss=uncertainty"
    assert found.verdict[0] == "loss=uncertainty is the best of 8 settings."


def test_a_reader_learns_what_is_missing_and_how_to_supply_it(outputs: Outputs) -> None:
    outputs.setting("sum", [10, 11], [0.5, 0.5], sweep="s")
    outputs.setting("unc", [9, 10], [0.5, 0.5], flat={"loss": "uncertainty"}, sweep="s")
    words = "mtlrun -m loss=sum,uncertainty 'seed=range(2)' data=houses 'only=[a,b]' '~tasks.c' hydra.sweep.dir=x\n"
    (outputs.root / "s/command.txt").write_text(words)
    found = compared(outputs)
    assert found.seeds_needed == 6 and not found.best
    assert found.verdict[0] == "2 seeds; 6 are needed to show a difference."
    assert missing(found)["seeds"].text == (
        "2 seeds; no row can be significant below 6; then compare both, B the folder that the command prints: "
        f"mtlrun compare {outputs.root} B"
    )
    assert missing(found)["seeds"].command == (
        "mtlrun -m loss=sum,uncertainty data=houses 'only=[a,b]' '~tasks.c' 'seed=range(2,6)'"
    )
    assert missing(found)["baselines"].command == (
        "mtlrun data=houses 'only=[a,b]' '~tasks.c' experiment=baselines seed=0,1"
    )
    assert "gradient boosting, single-task nets, width-matched" in missing(found)["baselines"].text
