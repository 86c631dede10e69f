"""A run in its folder: build, train, resume, transfer, predict, export.

build.py            a checked configuration -> the objects of a run; the only place that knows both
stack_training.py   runs side by side into their folders; single.py: one run, a stack of one
launch.py           a run through Hydra; folder.py: who gets its folder; reporting.py: where its lines go
transfer.py         a trunk from another run's checkpoint; preview.py: what mtlrun check shows
predictor.py        a trained run on new rows; export/: as an ONNX model, which needs the extra export
"""
