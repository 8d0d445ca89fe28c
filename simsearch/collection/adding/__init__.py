"""Adding to a collection: files that changed, texts and vectors as they are given, labels, and what has vanished.

Works on a store and an encoder that are passed in; uses nothing else of `collection`.
"""
