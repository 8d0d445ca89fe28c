"""From somebody else's model to an encoder folder that runs on ONNX Runtime alone."""
