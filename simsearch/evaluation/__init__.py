"""Evaluation of embeddings: metrics on arrays, protocols, baselines, reports and charts."""
