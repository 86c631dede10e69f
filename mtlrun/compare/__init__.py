"""Compares runs: turns folders of runs into a table, pictures and a report.

The stages. A stage imports only from earlier ones:

1. `collect`: folders -> one `RunRecord` per run; `fold` -> one `Setting` per row, with its seeds.
2. `analysis`: settings -> `SettingResult` with figures, Δm and differences; then answers, curves, in `conditions`
   which claims are allowed, and in `recommendation` what to do. The formulas are in `mtlrun.statistics`.
3. `records`: the `Comparison`, which has everything that is shown but no layout.
4. `report`: the comparison as sentences, tables, pictures and a page. It computes nothing.

`analyse` lists the stages that make a `Comparison`; its verdict is already sentences. `command` is `mtlrun compare`.
`confirm` is its option --confirm, which trains the settings again on new seeds.
"""
