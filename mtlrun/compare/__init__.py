"""What runs say, side by side: from folders of runs to a table, pictures and a report.

The order, in which imports go backwards only:

1. `collect`: folders -> `RunRecord`, one for each run; `fold` -> `Setting`, one for each row, with its seeds.
2. `analysis`: settings -> `SettingResult`, with figures, Δm and differences; then what the rows answer, what is drawn,
   and in `conditions` what may be claimed. Its formulas are in `mtlrun.statistics`.
3. `records`: the `Comparison`, all that is shown, and nothing about how it looks.
4. `report`: the comparison as sentences, tables, pictures and a page. It computes nothing.

`analyse` lists the stages that make a `Comparison`, whose verdict is sentences already. `command` is `mtlrun compare`;
`confirm` is its --confirm, which trains the settings anew.
"""
