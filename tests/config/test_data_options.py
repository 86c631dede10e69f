"""Names of data options for tables of the user."""

import pytest

from mtlrun.config.data_options import option_name, option_of


@pytest.mark.parametrize(
    ("file", "option"),
    [
        ("Houses.parquet", "Houses"),
        ("my data-1.csv.gz", "my_data_1"),
        ("2020.csv", "data_2020"),
        ("diamonds.csv", "my_diamonds"),
        ("ü.csv", "data"),
        ("null.csv", "data_null"),
    ],
)
def test_option_name(file: str, option: str) -> None:
    assert option_name(file) == option


def test_option_of_a_table() -> None:
    assert option_of("tables/my data-1.csv.gz") == "my_data_1" and option_of("houses") is None
