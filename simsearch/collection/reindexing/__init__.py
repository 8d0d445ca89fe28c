"""Changing the encoder of a collection: encoded beside it, compared, switched in one step, and rolled back."""
