"""The runs of a sweep: plan, division into stacks, processes, launchers, forecast.

sweep.py      from a request to the exit status
plan.py       the runs, checked, and the list of jobs
division.py   which runs share a stack
pool.py       stacks in processes; launchers.py: Hydra's launchers
forecast.py   what a sweep needs before it is trained, with seeds.py; closing.py and resuming.py: its end, and going on
"""
