"""The runs of a sweep: plan, division into stacks, processes, launchers, forecast.

sweep.py      trains or describes the sweep of a request
plan.py       the checked runs, and the list of jobs
division.py   divides the runs into stacks
pool.py       trains stacks in processes; launchers.py: Hydra's launchers
forecast.py   estimates the time of a sweep; seeds.py: the number of seeds that it needs
closing.py    the last lines of a sweep; resuming.py: resumes a run or sweep
"""
