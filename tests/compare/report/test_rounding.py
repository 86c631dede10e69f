import pytest

from mtlrun.compare.records import Estimate
from mtlrun.compare.report.rounding import column, number, with_interval


@pytest.mark.parametrize(
    ("mean", "low", "high", "shown"),
    [
        (0.76341, 0.76031, 0.76651, "0.7634 ± 0.0031"),
        (612.34, 604.24, 620.44, "612.3 ± 8.1"),
        (612.34, 489.34, 735.34, "612 ± 123"),
        (-1.5, -2.12, -0.88, "−1.50 ± 0.62"),
        (0.0, 0.0, 0.0, "0"),
        (0.5, 0.5, 0.5, "0.5000 ± 0"),
        (0.7, None, None, "0.7000"),
        (12345.6, None, None, "12346"),
        (0.70, 0.60, 0.72, "0.700 [0.600, 0.720]"),
        (2.5e-6, 2.3e-6, 2.7e-6, "(2.50 ± 0.20)e-6"),
        (3.0e9, 2.5e9, 3.5e9, "(3.00 ± 0.50)e9"),
        (0.5, 0.5 - 1e-8, 0.5 + 1e-8, "0.5000000 ± 1e-08"),
        (float("nan"), None, None, "—"),
    ],
)
def test_a_mean_has_as_many_decimals_as_its_interval_bears(mean, low, high, shown):
    assert with_interval(Estimate(mean, low, high, {0: mean})) == shown


def test_a_column_has_one_number_of_decimals():
    def shown(*halves):
        return column([Estimate(-5.4, -5.4 - half, -5.4 + half, {}) for half in halves], signed=True)

    assert shown(12, 7.5) == ["−5.4 ± 12.0", "−5.4 ± 7.5"]
    assert shown(0.62, 0.031) == ["−5.400 ± 0.620", "−5.400 ± 0.031"]
    # no more than two beyond the widest; an interval that these would round to nothing keeps its own
    assert shown(12, 0.31, 0.031, 0.0031) == ["−5.40 ± 12.00", "−5.40 ± 0.31", "−5.40 ± 0.03", "−5.4000 ± 0.0031"]
    assert column([Estimate(0.5, 0.5, 0.5, {}), Estimate(0.988, 0.95, 1.026, {})]) == ["0.500 ± 0", "0.988 ± 0.038"]
    assert column([Estimate(0.0, 0.0, 0.0, {}), None, Estimate(0.7, None, None, {})]) == ["0", "—", "0.7000"]


def test_numbers():
    assert column([Estimate(-0.001, -0.4, 0.4, {})], signed=True) == ["0.00 ± 0.40"]
    assert number(0.0) == "0"
    assert number(1234567.0) == "1234567"
    assert number(1.5e-7, 2) == "1.5e−07"
    assert number(0.31, 2, signed=True) == "+0.31"
    assert number(float("inf")) == "∞"
