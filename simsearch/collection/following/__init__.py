"""Following folders: a collection is brought up to date whenever something in them changes."""
