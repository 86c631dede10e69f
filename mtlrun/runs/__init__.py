"""A run in its folder: build, train, resume, transfer, predict, export.

build.py            builds the objects of a run from its checked configuration and data
stack_training.py   trains a stack of runs into their folders; single.py: prepares, trains and resumes one run
launch.py           starts a run through Hydra; folder.py: takes its folder; reporting.py: its lines of progress
transfer.py         takes over the trunk of another run; preview.py: the text of mtlrun check
predictor.py        predictions of a trained run on new rows; new_rows.py: what it says of rows unlike the training rows
ensemble.py         the mean of the predictions of several runs; prediction_file.py: predictions as CSV
export/             the ONNX model, needs the extra `export`
"""
