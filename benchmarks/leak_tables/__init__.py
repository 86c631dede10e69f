"""Generated tables with and without leaks, for benchmarks/leaks.py."""
