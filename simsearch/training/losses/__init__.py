"""Losses for classes, pairs, grades and triplets: the table that people choose from, their formulas, the miners and the
memory of past batches. Works on embeddings alone and knows no network, no data and no recipe; `table` needs no torch.
"""
