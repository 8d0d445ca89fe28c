"""Vectors with ids, uris, labels and metadata, written to files and read from them."""
