"""Export of a trained network to an encoder folder: ONNX export, rounding and quantization, reading stored weights, and
the plots of the report. May use metrics, networks and data; it trains nothing.
"""
