"""The index files as a cache of the store: opened mapped, extended in memory, rewritten when it pays, never trusted.

Nothing here depends on what a collection is: `opened` composes it.
"""
