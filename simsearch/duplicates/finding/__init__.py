"""Finding duplicates: pairs of near embeddings, their proof by geometry or alignment, kinds, groups, what to keep.

Functions of arrays, decoded images and texts; uses `media` and below, never `removal`.
"""
