"""The command line: one file per sub-command; words in, exit status out. Nothing here imports torch."""
