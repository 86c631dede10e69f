"""Finds what in a table makes a model look better than it is. `mtlrun check` warns of it; every warning is a guess.

warnings.py         leak_warnings: all warnings for the inputs and the split of a run
sample.py           draws the rows from which the values are judged
column_scores.py    measures how well one column predicts a target
telling_inputs.py   inputs that predict a target, or one class, alone: by values, parts of a text or missing cells
pairs.py            targets that are computed from two inputs, or are a weighted sum of a few
row_groups.py       columns that group rows with alike targets, which a random split separates
row_order.py        columns that hold the target of a later row; rows next to each other with alike targets
copies.py           rows of val and test that are exact copies of training rows
near_copies.py      rows of val and test that are copies of training rows with a little noise
"""
