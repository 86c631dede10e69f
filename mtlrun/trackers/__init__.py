"""Other tools' trackers: sends finished runs and sweeps to them.

send.py         what is sent, what is there already, what is left out
content.py      what is sent of a run and of a sweep, for every tool; imports none of them
tracker.py        what a tool has to offer; to_mlflow.py, to_wandb.py: one file per tool, loaded when it is asked for
"""
