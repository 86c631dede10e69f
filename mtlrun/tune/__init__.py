"""`mtlrun tune`: finds settings, confirms them on fresh seeds, and says what to do.

tune_folder.py does all of it in a folder, and continues there (stored.py). tune_words.py reads the words tune.*,
expected_time.py says how long it takes.

The search: space.py has what is searched, grouping.py which tasks may share a trunk. search.py is the loop: study.py
asks Optuna for settings (journal_lock.py), setting_runs.py trains them as sweeps, racing.py drops those that are behind
(tried.py), budget.py says how many settings still fit, view.py shows the best so far.

The end: finalists.py trains the best beside the default, single-task nets and boosting. answer.py says what to do,
experiment_file.py keeps the best setting.
"""
