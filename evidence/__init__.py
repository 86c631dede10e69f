"""Every mechanism shown to work: `python -m evidence` runs its experiments and writes docs/evidence.md.

Each section is a module of this folder with `TITLE` and `ROWS` (row.py); `sections` finds them.
"""
