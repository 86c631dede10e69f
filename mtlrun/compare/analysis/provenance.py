"""The provenance of a comparison: versions, hashes, hardware and folders."""

from collections.abc import Sequence

from mtlrun.compare.collect.run_record import Collection, RunRecord
from mtlrun.config.data_options import table_name
from mtlrun.util.errors import listing


def provenance(collection: Collection) -> dict[str, str]:
    """Versions, hashes, hardware and folders, with each distinct value."""
    runs = [run for run in collection.runs if run.completed]

    def every(values: Sequence[object]) -> str:
        return listing(dict.fromkeys(str(v) for v in values if v), 6)

    commits = [f"{run.git['commit']}{' with changes' * bool(run.git.get('dirty'))}" for run in runs if run.git]
    found = {
        "folders": listing(collection.folders, 20),
        "runs": f"{len(runs)} completed of {len(collection.runs)}",
        "data hash": every([run.data_hash for run in runs]),
        "git": every(commits),
        "config hashes": f"{len({run.config_hash for run in runs})} different, in each run's summary.json",
        **{key: every([run.hardware.get(key) for run in runs]) for key in ("device", "cpu", "gpu", "threads")},
        **{name: every([run.versions.get(name) for run in runs]) for name in runs[0].versions},
        "tables": every([run.settings.get("data.path") for run in runs]),
    }
    return {key: value for key, value in found.items() if value != "none"}


def data_names(runs: Sequence[RunRecord]) -> str:
    """The names of the tables of runs: `diamonds`."""
    paths = [str(run.settings["data.path"]) for run in runs if "data.path" in run.settings]
    return listing(dict.fromkeys(map(table_name, paths)), 3) if paths else ""
