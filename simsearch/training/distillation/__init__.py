"""Distillation of a large text encoder into a small one: cached teacher embeddings, their principal
components, and a training loop. May use networks, data, losses and export, but not fine-tuning.
"""
