"""What runs say over their steps: from their metrics.csv to lines, steps to a target, and last values."""
