"""Collections: an encoder, a store and an index that answer together."""

from simsearch.collection.facade import Collection

__all__ = ["Collection"]
