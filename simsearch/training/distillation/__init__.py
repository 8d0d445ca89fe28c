"""A small encoder of texts that learns from the embeddings of a large one: cached teacher embeddings, their principal
components, and a training loop of its own. May use networks, data, losses and export, and never fine-tuning.
"""
