"""onnx and onnxruntime, from the extra `export`; importing this module without them raises RequestError."""

import os

from mtlrun.util.errors import RequestError

# before onnxruntime loads: it would report its use to its makers, from a thread that processes forked later wait for
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
