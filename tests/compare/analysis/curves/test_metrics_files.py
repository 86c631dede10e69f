"""Files of metrics that are damaged."""

from claims import compared
from folders import Outputs, lines


def test_a_line_that_is_not_whole_ends_a_curve_with_a_warning(outputs: Outputs) -> None:
    folder = outputs.run("s", {"a": 10, "b": 0.5}, curve=lines([12.0, 11.0]))
    path = folder / "metrics.csv"
    path.write_text(path.read_text().replace("2,20,val,a,rmse,11.0", "2,20,val,a,rm"))
    found = compared(outputs)
    assert any(f.condition == "damaged file" and f.text.endswith(": s") for f in found.findings)
    assert [list(s.mean) for s in found.series if s.what == "curve"] == [[12.0]]
