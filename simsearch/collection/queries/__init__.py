"""Queries of a collection: filtered, by minimum score, mixed, made diverse, and in pages."""
