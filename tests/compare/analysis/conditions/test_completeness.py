"""Seeds that rows lack."""

from claims import compared, missing, whole
from folders import Outputs


def test_without_its_words_a_sweep_is_written_down_from_its_plan(outputs: Outputs) -> None:
    outputs.setting("sum", [10, 11], [0.5, 0.5], sweep="s")
    assert missing(compared(outputs))["seeds"].command == "mtlrun -m 'seed=range(2,6)'"


def test_a_row_has_the_seeds_with_every_task(outputs: Outputs) -> None:
    whole(outputs, seeds=10)
    folder = next(outputs.root.glob("s/alone-b-9"))
    text = (folder / "summary.json").read_text().replace('"status": "completed"', '"status": "failed"')
    (folder / "summary.json").write_text(text)
    found = compared(outputs)
    row = next(row for row in found.rows if row.label == "alone model.hidden=[64,64]")
    assert row.seeds == tuple(range(9)) and row.figures["a"].n == 10
    assert missing(found).keys() == {"equal seeds"}
    assert missing(found)["equal seeds"].command == "mtlrun -m data=houses 'arms=[{loss: sum}]' seed=9"
