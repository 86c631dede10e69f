"""The files of runs and sweeps: their schema, reading and writing."""
