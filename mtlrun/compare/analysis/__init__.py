"""From records to a comparison: rows, effects, conditions."""
