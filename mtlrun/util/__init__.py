"""Helpers that every other package uses: errors, registries, text for a terminal, the version."""
