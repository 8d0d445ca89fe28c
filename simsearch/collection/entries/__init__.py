"""The calls behind commands that deal with collections as a whole."""
