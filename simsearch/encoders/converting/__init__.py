"""From somebody else's model to an encoder folder that runs on ONNX Runtime alone.

Converting may load torch, transformers and onnx, each where it is needed; using what was made loads none of them.
"""

from simsearch.encoders.converting.models import convert
from simsearch.encoders.converting.options import OnnxOptions

__all__ = ["OnnxOptions", "convert"]
