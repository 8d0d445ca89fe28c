"""Conversion of pretrained models to encoder folders that run on ONNX Runtime alone.

Converting may load torch, transformers and onnx, each where it is needed; using the result loads none of them.
"""

from simsearch.encoders.converting.graphs.options import OnnxOptions
from simsearch.encoders.converting.models import convert

__all__ = ["OnnxOptions", "convert"]
