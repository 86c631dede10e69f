"""What runs say, side by side: from folders of runs to a table, pictures and a report.

The data flow: `collect` reads folders into records of runs and folds seeds into settings; `analysis` computes a
`Comparison` from them (with `statistics`, functions of arrays) and says what may be claimed; `report` shows it and
computes nothing.
"""
