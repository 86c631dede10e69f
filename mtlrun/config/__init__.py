"""The typed settings of a run and the checks of a composed configuration.

schema/         the settings of each group, one file per group, and the whole Config; fields.py: kinds of fields
check.py        turns a composed configuration into a checked one; uses values.py (types and bounds of single values)
                and rules/ (checks across groups, by subject)
task_names.py   names of tasks; decimal_comma.py: numbers such as 0,01
graph.py        the task graph: edges, order, gradient scale, printed picture; schema/edge_parser.py builds it
stages.py       a run in two stages (model.pretrain)
key_reference.py   every key with its default, bounds and meaning, for the documents and mtlrun explain
data_options.py names of data options for tables of the user
extensions.py   adds the options of installed packages; package.py: what a package declares
"""
