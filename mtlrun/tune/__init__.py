"""`mtlrun tune`: finds settings, confirms them on fresh seeds, and says what to do.

settings.py reads the words tune.*. space.py has what is searched, grouping.py which tasks may share a trunk. search.py
is the search: study.py asks Optuna for settings, setting_runs.py trains them as sweeps, racing.py drops those that are
behind, view.py shows the best so far (candidates.py). finalists.py trains the best beside the default, single-task nets
and boosting. answer.py says what to do, experiment_file.py keeps the best setting. command.py does all of it in a
folder, and continues there.
"""
