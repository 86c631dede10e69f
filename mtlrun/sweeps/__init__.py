"""The runs of a sweep, from its request to results.csv.

Before training: sweep.py trains or describes the sweep of a request. tables.py checks its tables without torch. plan.py
has the checked runs and the list of jobs, division.py divides the runs into stacks. seeds.py says how many seeds the
sweep needs, forecast.py how long it takes.

Training in stacks: launchers.py has the settings of hydra/launcher=stack, stack_launcher.py is what it does.
local_stacks.py trains the stacks of a plan. pool.py runs one process for each; work.py has what it gets and sends.
stack_process.py trains a stack in such a process. halving.py divides a stack that broke.

Training one run per job, with any other launcher: launched_run.py, which calls member_run.py.

After training: closing.py writes the last lines, resuming.py resumes a run or sweep.
"""
