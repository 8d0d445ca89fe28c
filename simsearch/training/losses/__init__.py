"""Losses for classes, pairs, grades and triplets: the table of losses, their formulas, the miners and the cross-batch
memory. Works on embeddings alone and uses no network, no data and no recipe; `table` needs no torch.
"""
