"""From files to the arrays of a run. Nothing here imports torch.

The steps from a file to a dataset:

table     paths.py finds a file, tabular_files.py reads it, table.py holds the rows in one pandas frame
kinds     kinds.py: whether a column holds numbers, truth values, dates, times or text; reading.py: how its cells are
          read, in every file of a run; notation/: local notations; words.py: words for missing values; expression/:
          values computed from columns
columns   roles.py: which columns are inputs; columns.py: turns their cells into numbers [N, Dn] and codes [N, Dc];
          cycles.py: dates as numbers
targets   labels.py: which rows have a label, and the labels that a run learns from; encoding.py: labels as numbers or
          class indices [N]; targets.py: a target with its loss and primary metric
split     split.py: the rows of train, val and test
dataset   dataset.py: load_dataset combines all of this into a Dataset; engine/batches.py makes batches of it

Other modules: doubts.py, inspect.py, leaks/ and facts.py (`mtlrun check`), init_yaml.py and
positive.py (`mtlrun init`), download.py (`mtlrun fetch`), problems.py (tables that packages generate).
"""
