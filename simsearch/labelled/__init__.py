"""Labelled material for training and evaluation: class folders, manifests, pairs, graded pairs, triplets, and splits.

Reads files with `media`; uses no encoder, no store and no training. `reading.read_labelled` is the entry point.
"""
