"""The calls of the API: each parses, makes one call on a collection and answers."""
