"""Duplicates in a collection: found in stages, grouped around what is kept, planned, removed and put back.

Composes the store, embeddings and `simsearch.duplicates`; used by the facade and `duplicate_entry`.
"""
