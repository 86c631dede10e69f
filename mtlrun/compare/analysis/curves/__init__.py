"""Figures over training steps: from metrics.csv to lines, steps to a target, and last values."""
