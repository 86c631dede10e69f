"""From files to the arrays of a run. Nothing here imports torch.

table     paths.py says where a file lies, tabular_files.py reads it, table.py holds the rows: one pandas frame
kinds     kinds.py: whether a column holds numbers, truth values, dates or text; expression/: values made of columns
columns   roles.py: which columns are inputs; columns.py: how their cells become numbers [N, Dn] and codes [N, Dc]
targets   labels.py: which rows have a label, and what a run learns from; targets.py: labels as numbers or classes [N]
split     split.py: the rows of train, val and test
dataset   dataset.py: load_dataset puts all of it together as a Dataset, which batches are made of (engine/batches.py)

Beside that way: doubts.py, inspect.py, leaks.py, copies.py, facts.py (what `mtlrun check` says), init_yaml.py
(`mtlrun init`), download.py (`mtlrun fetch`), problems.py (tables that packages generate).
"""
