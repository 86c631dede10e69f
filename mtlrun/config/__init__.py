"""The typed settings of a run, and the checks that a composed configuration has to pass."""
