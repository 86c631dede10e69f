"""Reads folders into records: the runs, their settings and figures."""
