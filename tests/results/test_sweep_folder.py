"""The folders of a sweep's runs."""

from mtlrun.results.sweep_folder import folder_name


def test_names_are_numbered_safe_and_short() -> None:
    assert folder_name(7, 12, {"loss": "uncertainty", "seed": "2"}) == "007_loss=uncertainty,seed=2"
    assert folder_name(7, 12345, {"seed": "2"}) == "00007_seed=2"
    assert folder_name(0, 1, {}) == "000"
    assert folder_name(1, 2, {"data.path": "/a b/ü.csv", "only": "['x', y]"}) == "001_data.path=-ab--.csv,only=x,y"
    assert len(folder_name(1, 2, {"k": "v" * 500})) == 80
