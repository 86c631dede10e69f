"""Computes a comparison from records: rows, effects, curves, conditions."""
