"""From a trained network to an encoder folder and back: ONNX export, rounding and quantization, reading stored weights,
and the pictures of the report. May use measures, networks and data; it trains nothing.
"""
