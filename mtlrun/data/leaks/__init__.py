"""What in a table flatters a model: `mtlrun check` warns of it. Every warning is a guess from the values.

warnings.py   leak_warnings: all of them, for the inputs and the split of a run
sample.py     the rows that the guesses are made from
scores.py     how well one column tells a target
columns.py    inputs that tell a target, or one class, by themselves: by values, parts of a text or missing cells
pairs.py      targets that are computed from two inputs, or a sum of a few
groups.py     columns whose values are groups of rows that a random split tears apart
order.py      columns that hold a later row's target; neighbours in time or in the table with alike targets
copies.py     rows of val and test that are copies of training rows; near_copies.py: with a little noise
"""
