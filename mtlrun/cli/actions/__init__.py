"""What each sub-command does: a module each, with `act(words)`, which returns the exit status.

Only the module of the sub-command that is typed is imported, and torch only after its words are checked.
"""

MODULES = {
    "": "train_runs",
    "check": "check_request",
    "init": "init_table",
    "fetch": "fetch_data",
    "compare": "compare_folders",
    "tune": "tune_settings",
    "resume": "resume_folder",
    "predict": "predict_rows",
    "export": "export_model",
    "explain": "explain_word",
    "log": "log_runs",
}
