"""What runs say, side by side: from folders of runs to a table, pictures and a report.

The data flow: `collect` reads folders, `settings` folds seeds into rows, `analyse` computes a `Comparison`
(with `statistics`, functions of arrays), `conditions` says what may be claimed; `render`, `plots` and `report`
show it and compute nothing.
"""
