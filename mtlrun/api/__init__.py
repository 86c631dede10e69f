"""mtlrun from Python: a scikit-learn estimator of several targets, a search by stacks, and results as frames.

Each trains by the same code as the command line, on a table in a temporary folder. Nothing stays on disk unless asked.
"""
