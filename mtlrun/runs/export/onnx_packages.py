"""Imports onnx and onnxruntime, of the extra `export`. Raises RequestError if they are not installed."""

import os

from mtlrun.util.errors import RequestError

# Set before onnxruntime loads. Otherwise it sends telemetry from a thread, and processes that are forked later hang.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
try:
    import onnx
    import onnxruntime
    from onnx import TensorProto, compose, helper, numpy_helper
except ImportError as error:
    raise RequestError(
        f"export: needs onnx and onnxruntime ({str(error).splitlines()[0]})\ninstall them: pip install 'mtlrun[export]'"
    ) from None

__all__ = ["TensorProto", "compose", "helper", "numpy_helper", "onnx", "onnxruntime"]
