"""Looking around in a collection: its items page by page, what can be filtered by, its files and a map of it."""
