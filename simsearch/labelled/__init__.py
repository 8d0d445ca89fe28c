"""Labelled material for training and evaluation: class folders, manifests, pairs, graded pairs, triplets, and splits.

Reads files with `media`; knows no encoder, no store and no training. `reading.read_labelled` is the front door.
"""
