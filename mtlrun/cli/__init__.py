"""The command line. Importing it does not import torch.

main.py       the entry point: errors and signals as exit statuses
parse.py      splits a command line; commands.py: the sub-commands and options as tables; usage.py: the help texts
actions.py    what each sub-command does; models.py: loads the model of a run or sweep
"""
