"""Conversion of ONNX files of the user's own: what they contain, their inputs and outputs, and how they are stored."""
