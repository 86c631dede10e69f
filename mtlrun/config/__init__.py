"""The typed settings of a run, and the checks that a composed configuration has to pass.

schema/         the settings of every group, a file each, and the whole Config; fields.py: kinds of fields
check.py        a composed configuration -> a checked one, with values.py (types and bounds of single values) and rules/
                (what is checked across groups, by subject)
graph.py        edges, order, gradient scale, the printed picture; schema/edge_parser.py reads it
stages.py       a run in two stages (model.pretrain)
extensions.py   what installed packages add to the tables of options, with package.py and package_checks.py
"""
