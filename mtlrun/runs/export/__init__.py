"""A trained network as an ONNX model that takes the raw columns of a table.

Each column is an input `[N, 1]`: numbers as float64, dates as days since 1970, text as strings. NaN and "" are missing
values. The outputs are in the units of the targets. The model contains all that `predict` does. torch traces the
network. The nodes before it (imputing, scaling, one-hot) and after it (probabilities, units) are built here, from
operators of ai.onnx and ai.onnx.ml.

Needs the packages of the extra `export`. Importing this module without them raises RequestError.
"""

from mtlrun.runs.export.model_file import Exported, export

__all__ = ["Exported", "export"]
