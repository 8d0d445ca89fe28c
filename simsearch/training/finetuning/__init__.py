"""Training on from an encoder: choosing and loading it, freezing a part, a new head on its features, interpolating its
weights with the fine-tuned ones, and WCCN. May use all but the runs above it, and never distillation.
"""
