import pytest

from mtlrun.compare.report.pictures.ticks import tick_labels


@pytest.mark.parametrize(
    ("ticks", "shown"),
    [
        ([0.0, 0.25, 0.5], ["0.00", "0.25", "0.50"]),
        ([592.0, 600.0], ["592", "600"]),
        ([1000.0, 1200.0], ["1,000", "1,200"]),
        ([1e-5, 1e-4, 1e-3], ["0.00001", "0.0001", "0.001"]),
        ([-2e-4, 0.0, 2e-4], ["−0.0002", "0", "0.0002"]),
    ],
)
def test_ticks_tell_neighbours_apart(ticks, shown):
    assert tick_labels(ticks, signed=False) == shown
