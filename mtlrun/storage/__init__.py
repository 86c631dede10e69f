"""The files of runs and sweeps: their schema, reading and writing.

names.py          the names of these files
files.py          atomic writing, locks of folders
writer.py         the files of one run; summary.py: summary.json; events.py: TensorBoard's files
environment.py    versions, hardware and git state, for the summary
hydra_folder.py   .hydra/ of a run
sweep_folder.py   sweep.json, the plan of a sweep; results_table.py: results.csv
progress.py       the display of training
"""
