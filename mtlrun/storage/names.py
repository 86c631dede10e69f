"""The names of the files in the folder of a run and in the folder of a sweep."""

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

# of a search
TUNE = "tune.json"
