"""The names of the files in the folders of a run, a sweep and a search."""

from pathlib import Path

# of a run
HYDRA_FOLDER = ".hydra"  # a folder: the words of the command line and the composed configuration
SUMMARY = "summary.json"
METRICS = "metrics.csv"
IMPORTANCE = "importance.csv"
LOG = "run.log"
LAST = Path("checkpoints") / "last.pt"  # training resumes from it
BEST = Path("checkpoints") / "best.pt"  # the trained model

# of a sweep
PLAN = "sweep.json"
RESULTS = "results.csv"
SWEEP_LOG = "sweep.log"  # a line for each run that has ended

# of a search
TUNE = "tune.json"
CONFIRMATION = "confirm"  # a folder: the sweep that confirms the best settings
REMARKS = "remarks.json"  # in the confirmation: what the search has brought, for every comparison of it

OUTPUTS = "outputs"  # all results of a working directory, unless hydra.run.dir or hydra.sweep.dir says otherwise
